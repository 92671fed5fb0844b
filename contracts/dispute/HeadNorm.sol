// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Arithmetic} from "./Arithmetic.sol";
import {Norm} from "./Norm.sol";

/// @title headNorm, docs/reference/arithmetic.md 5.14
/// @notice A head has at most 256 elements, so one element is judged with all of its head in hand and nothing is
/// claimed in between.
library HeadNorm {
    /// @param exponent of the row
    /// @param epsilonQ40 from 2^16 to 2^34
    struct Grid {
        int32 exponent;
        uint64 epsilonQ40;
    }

    uint256 private constant HEAD_SIZE_MAX = 256;
    uint256 private constant EPSILON_MAX = 1 << 34;
    int256 private constant EXPONENT_MAX = 1 << 15;
    int256 private constant NORM_BITS = 24;

    /// @dev The head is not 4 bytes for each of 1 to 256 elements, or has no such element.
    error HeadMalformed(uint256 size);

    /// @notice The element before it is stored: n * gain, below 2^55, on the grid e_g - 24.
    /// @param head I30, 4 bytes per element
    function value(bytes calldata head, uint256 index, int256 gain, Grid calldata grid)
        internal
        pure
        returns (int256)
    {
        uint256 width = head.length / 4;
        if (head.length % 4 != 0 || width > HEAD_SIZE_MAX || index >= width) {
            revert HeadMalformed(head.length);
        }
        int256 exponent = grid.exponent;
        if (grid.epsilonQ40 > EPSILON_MAX || exponent > EXPONENT_MAX || exponent < -EXPONENT_MAX) {
            revert Norm.RowOutOfBounds();
        }
        int256 shift = shiftOf(head, grid);
        uint256 sum = sumSquares(head, shift) + width * epsilonOf(grid, shift);
        (uint256 inverse, uint256 halfScale) = Norm.rootOf(sum == 0 ? 1 : sum, width);
        int256 scaled = elementAt(head, index) * int256(inverse);
        int256 normal = Arithmetic.roundShift(scaled, 37 - int256(halfScale) + shift);
        return Arithmetic.clamp(normal, 31) * gain;
    }

    /// @notice sh = max(0, L(head) - 24, floor((L(epsilonQ40) - 87) / 2) - e).
    function shiftOf(bytes calldata head, Grid calldata grid) private pure returns (int256 shift) {
        // SAFETY: at most 35 bits minus 87; `>>` of an int256 is floor.
        shift = ((int256(Arithmetic.bitLengthOf(grid.epsilonQ40)) - 87) >> 1) - grid.exponent;
        uint256 seen = 0;
        assembly ("memory-safe") {
            let at := head.offset
            for { let end := add(at, head.length) } lt(at, end) { at := add(at, 4) } {
                let x := sar(224, calldataload(at))
                let sign := sar(255, x)
                seen := or(seen, sub(xor(x, sign), sign))
            }
        }
        int256 length = int256(Arithmetic.bitLengthOf(seen)) - NORM_BITS;
        if (length > shift) shift = length;
        if (shift < 0) shift = 0;
    }

    /// @notice Sum of R(x, sh)^2; 256 squares of up to 2^48.
    function sumSquares(bytes calldata head, int256 shift) private pure returns (uint256 sum) {
        if (shift >= 63) return 0;
        assembly ("memory-safe") {
            // R(x, shift) adds half less one, and one more if the quotient is odd; with shift 0 it adds nothing.
            let half := sub(shr(1, shl(shift, 1)), gt(shift, 0))
            let odd := gt(shift, 0)
            let at := head.offset
            for { let end := add(at, head.length) } lt(at, end) { at := add(at, 4) } {
                let x := sar(224, calldataload(at))
                x := sar(shift, add(add(x, half), and(sar(shift, x), odd)))
                sum := add(sum, mul(x, x))
            }
        }
    }

    /// @notice epsilon on the grid of the shifted squares, below 2^48 by the choice of the shift.
    function epsilonOf(Grid calldata grid, int256 headShift) private pure returns (uint256) {
        int256 shift = -2 * int256(grid.exponent) - 2 * headShift - 40;
        return shift < 0
            ? uint256(grid.epsilonQ40) >> uint256(-shift)
            : uint256(grid.epsilonQ40) << uint256(shift);
    }

    function elementAt(bytes calldata head, uint256 index) private pure returns (int256 x) {
        assembly ("memory-safe") {
            x := sar(224, calldataload(add(head.offset, shl(2, index))))
        }
    }
}
