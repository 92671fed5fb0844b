// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Arithmetic} from "./Arithmetic.sol";
import {Lanes} from "./Lanes.sol";

/// @title rmsNorm, docs/reference/arithmetic.md 5.2
/// @notice The row claims its pre-shift and its sum of squares; from these every element follows by itself.
library Norm {
    /// @param squares sum of h'^2 over the row
    /// @param epsilonQ40 from 2^16 to 2^34
    /// @param width D, from 1 to 16,384
    /// @param shift sh, from 0 to 7
    /// @param residualBits hg, from 12 to 20
    struct Row {
        uint64 squares;
        uint64 epsilonQ40;
        uint32 width;
        uint8 shift;
        uint8 residualBits;
    }

    uint256 private constant SHIFT_MAX = 7;
    uint256 private constant WIDTH_MAX = 16_384;
    uint256 private constant SQUARES_MAX = 1 << 62;
    uint256 private constant EPSILON_MAX = 1 << 34;
    uint256 private constant RESIDUAL_BITS_MAX = 20;

    /// @dev A number of the row lies outside the bounds within which the specification proves itself.
    error RowOutOfBounds();

    /// @notice Sum of R(h, sh)^2 over a leaf; 1,024 squares of up to 2^48.
    function sumSquares(bytes calldata residual, uint256 shift)
        internal
        pure
        returns (uint256 sum)
    {
        uint256 size = residual.length;
        if (size == 0 || size > 4 * Lanes.LEAF_COLUMNS || size % 4 != 0) {
            revert Lanes.LeafMalformed(size);
        }
        if (shift > SHIFT_MAX) revert RowOutOfBounds();
        assembly ("memory-safe") {
            // R(x, shift) adds half less one, and one more if the quotient is odd; with shift 0 it adds nothing.
            let half := sub(shr(1, shl(shift, 1)), gt(shift, 0))
            let odd := gt(shift, 0)
            let at := residual.offset
            for { let end := add(at, size) } lt(at, end) { at := add(at, 4) } {
                let x := sar(224, calldataload(at))
                x := sar(shift, add(add(x, half), and(sar(shift, x), odd)))
                sum := add(sum, mul(x, x))
            }
        }
    }

    /// @notice The element before it is stored: n * gain, below 2^55, on the grid e_g - 24.
    function value(int256 residual, int256 gain, Row calldata row) internal pure returns (int256) {
        (uint256 inverse, uint256 halfScale) = inverseRoot(row);
        int256 shift = 37 - int256(halfScale) + int256(uint256(row.shift));
        // SAFETY: |h| < 2^31 and inverse <= 2^31, then |n| < 2^31 and |gain| < 2^31.
        unchecked {
            int256 normal = Arithmetic.roundShift(residual * int256(inverse), shift);
            return Arithmetic.clamp(normal, 31) * gain;
        }
    }

    /// @notice 1 / sqrt(mean square + epsilon) as `inverse` / 2^(61 - halfScale).
    function inverseRoot(Row calldata row)
        internal
        pure
        returns (uint256 inverse, uint256 halfScale)
    {
        checkBounds(row);
        uint256 sum = uint256(row.squares) + uint256(row.width) * epsilonOf(row);
        if (sum == 0) revert RowOutOfBounds();
        return rootOf(sum, row.width);
    }

    /// @notice 1 / sqrt(sum / width) as `inverse` / 2^(61 - halfScale).
    /// @param sum A, from 1 to 2^63
    function rootOf(uint256 sum, uint256 width)
        internal
        pure
        returns (uint256 inverse, uint256 halfScale)
    {
        uint256 length = Arithmetic.bitLengthOf(sum);
        uint256 scale = length < 61 ? 61 - length : 0;
        uint256 mean = (sum << scale) / width;
        uint256 rest = 62 - Arithmetic.bitLengthOf(mean);
        if ((scale + rest) % 2 != 0) --rest;
        inverse = (1 << 61) / Arithmetic.isqrt(mean << rest);
        halfScale = (scale + rest) / 2;
    }

    /// @dev epsilon on the grid of the shifted squares.
    function epsilonOf(Row calldata row) private pure returns (uint256) {
        int256 shift = 2 * int256(uint256(row.residualBits)) - 2 * int256(uint256(row.shift)) - 40;
        return shift < 0
            ? uint256(row.epsilonQ40) >> uint256(-shift)
            : uint256(row.epsilonQ40) << uint256(shift);
    }

    function checkBounds(Row calldata row) private pure {
        if (
            row.shift > SHIFT_MAX || row.width == 0 || row.width > WIDTH_MAX
                || row.squares > SQUARES_MAX || row.epsilonQ40 > EPSILON_MAX
                || row.residualBits > RESIDUAL_BITS_MAX
        ) revert RowOutOfBounds();
    }
}
