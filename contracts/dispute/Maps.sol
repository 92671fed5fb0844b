// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Arithmetic} from "./Arithmetic.sol";
import {Lanes} from "./Lanes.sol";

/// @title Ops that make each element from a few others, and the sums behind the ops that do not
/// @notice docs/reference/arithmetic.md 5.1, 5.7, 5.9, 5.10. Results are wide integers on a stated grid; what a row
/// stores of them is judged by {Arithmetic.isQuantised}.
library Maps {
    /// @dev round(log2(e) * 2^30).
    uint256 private constant LOG2E_Q30 = 1_549_082_005;
    uint256 private constant PARTIALS_MAX = 64;
    uint256 private constant PARTIAL_BYTES = 8;

    /// @dev A sum of softmax weights is never below the largest weight.
    error SumOutOfBounds(uint256 sum);

    /// @notice Sum of 1 to 64 signed 64-bit numbers.
    function sumPartials(bytes calldata partials) internal pure returns (int256 sum) {
        uint256 size = partials.length;
        if (size == 0 || size > PARTIALS_MAX * PARTIAL_BYTES || size % PARTIAL_BYTES != 0) {
            revert Lanes.LeafMalformed(size);
        }
        assembly ("memory-safe") {
            let at := partials.offset
            for { let end := add(at, size) } lt(at, end) { at := add(at, 8) } {
                sum := add(sum, sar(192, calldataload(at)))
            }
        }
    }

    /// @notice w * s * 2^r of one element of a W8 leaf, below 2^30.
    function weightAt(bytes calldata leaf, uint256 index) internal pure returns (int256) {
        uint256 blocks = leaf.length / 34;
        if (
            blocks == 0 || blocks * 32 > Lanes.LEAF_COLUMNS || leaf.length != 1 + 34 * blocks
                || index >= 32 * blocks || uint8(leaf[0]) > Lanes.ROW_SHIFT_MAX
        ) revert Lanes.LeafMalformed(leaf.length);
        // SAFETY: every offset is below the length just checked.
        unchecked {
            uint256 scaleAt = 1 + 2 * (index / 32);
            uint256 scale = (uint256(uint8(leaf[scaleAt])) << 8) | uint8(leaf[scaleAt + 1]);
            uint256 k = index % 32;
            // The lane order of packages/engine/src/commitment.ts.
            uint256 lane = 4 * (7 - (k % 16) / 2) + (k < 16 ? 2 : 0) + k % 2;
            uint256 stored = uint8(leaf[1 + 2 * blocks + (index - k) + lane]);
            return ((int256(stored) - 128) * int256(scale)) << uint8(leaf[0]);
        }
    }

    /// @notice gate * sigmoid(gate) * up, below 2^61, on the grid e_up - 16.
    function swiGlu(uint256 powers, int256 gate, int256 gateExponent, int256 up)
        internal
        pure
        returns (int256)
    {
        int256 g = Arithmetic.clamp(Arithmetic.roundShift(gate, -16 - gateExponent), 31);
        // SAFETY: |g| < 2^31 and sigmoid <= 2^30, |up| <= 2^31.
        unchecked {
            return Arithmetic.roundShift(g * sigmoid(powers, g), 30) * up;
        }
    }

    /// @dev 1 / (1 + 2^(-x log2(e))) in Q30 for x in Q16, |x| < 2^31.
    function sigmoid(uint256 powers, int256 x) private pure returns (int256) {
        // SAFETY: |x| * LOG2E_Q30 < 2^62, and the divisor is at least 2^30.
        unchecked {
            uint256 magnitude = x < 0 ? uint256(-x) : uint256(x);
            int256 distance = Arithmetic.roundShift(int256(magnitude * LOG2E_Q30), 30);
            uint256 power = Arithmetic.exp2n(powers, uint256(distance));
            int256 positive = int256((1 << 60) / (Arithmetic.ONE_Q30 + power));
            return x < 0 ? int256(Arithmetic.ONE_Q30) - positive : positive;
        }
    }

    /// @notice Sum of exp2n(largest - score) over up to 1,024 scores.
    function sumPowers(uint256 powers, bytes calldata scores, int256 largest)
        internal
        pure
        returns (uint256 sum)
    {
        uint256 size = scores.length;
        if (size == 0 || size > 4 * Lanes.LEAF_COLUMNS || size % 4 != 0) {
            revert Lanes.LeafMalformed(size);
        }
        // SAFETY: 1,024 powers of at most 2^30; a score above the largest makes q huge, its power is 0.
        unchecked {
            for (uint256 offset = 0; offset < size; offset += 4) {
                int256 score;
                assembly ("memory-safe") {
                    score := sar(224, calldataload(add(scores.offset, offset)))
                }
                sum += Arithmetic.exp2n(powers, uint256(largest - score));
            }
        }
    }

    /// @notice p: exp2n(largest - score) * 2^16 with the exponent of its value folded in, at most 2^46.
    function foldedPower(
        uint256 powers,
        int256 score,
        int256 largest,
        int256 valueExponent,
        int256 top
    ) internal pure returns (int256) {
        // SAFETY: all are 32-bit; see sumPowers for scores above the largest.
        unchecked {
            uint256 power = Arithmetic.exp2n(powers, uint256(largest - score));
            return Arithmetic.roundShift(int256(power << 16), top - valueExponent);
        }
    }

    /// @notice The factor iv asr z, below 2^31, that stands for 1 / S, and the exponent that it adds to a head.
    /// @param sum S, from 2^30
    function inverseSum(uint256 sum) internal pure returns (int256 factor, int256 exponent) {
        if (sum < Arithmetic.ONE_Q30) revert SumOutOfBounds(sum);
        uint256 inverse = (1 << 62) / sum;
        uint256 length = Arithmetic.bitLengthOf(inverse);
        uint256 shift = length > 31 ? length - 31 : 0;
        factor = int256(inverse >> shift);
        exponent = int256(shift) - 62;
    }
}
