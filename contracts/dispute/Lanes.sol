// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @title Dot products with several terms per multiplication
/// @notice A 256-bit word holds eight signed lanes of 32 bits. With the lanes of one factor reversed, the top lane of a
/// product is the sum of eight products (docs/reference/arithmetic.md 8: the order in which weights are committed).
/// Stored numbers are unsigned (weights + 128, mantissas + 32,768); subtracting the offset from all lanes at once gives
/// the packed sum of lane * 2^(32 * index) with signed lanes, which multiplies like any integer.
library Lanes {
    /// @dev Columns of one leaf, as in packages/engine/src/commitment.ts; 32 blocks keep the partial sum below 2^55.
    uint256 internal constant LEAF_COLUMNS = 1024;
    uint256 private constant BLOCK = 32;
    uint256 internal constant ROW_SHIFT_MAX = 7;
    /// @dev 256 elements of 2 bytes; 256 * 2^30 stays far below the 2^63 of a 64-bit lane.
    uint256 private constant HEAD_BYTES_MAX = 512;

    /// @dev A leaf has another length than its format says.
    error LeafMalformed(uint256 length);

    /// @notice 2^r * (sum over blocks of s * (sum over 32 columns of w * x)), 5.3: what one leaf adds to a row.
    /// @param activations A16 mantissas + 32,768, 2 bytes each, K' = 32 to 1,024 of them
    /// @param weights row shift r (1 byte), K' / 32 scales (2 bytes each), K' weights + 128 in lane order
    /// @return sum below 2^55
    function dot(bytes calldata activations, bytes calldata weights)
        internal
        pure
        returns (int256 sum)
    {
        uint256 blocks = activations.length / (2 * BLOCK);
        if (
            blocks == 0 || blocks > LEAF_COLUMNS / BLOCK || activations.length != blocks * 2 * BLOCK
        ) revert LeafMalformed(activations.length);
        if (weights.length != 1 + blocks * (2 + BLOCK)) revert LeafMalformed(weights.length);
        uint256 rowShift = uint8(weights[0]);
        if (rowShift > ROW_SHIFT_MAX) revert LeafMalformed(rowShift);
        return dotBlocks(activations, weights, blocks) << rowShift;
    }

    /// @dev A lane sums 32 products below 2^22 in magnitude, so it stays below 2^27 and lanes below it change the top
    /// lane by at most one borrow, which adding half a lane undoes.
    function dotBlocks(bytes calldata activations, bytes calldata weights, uint256 blocks)
        private
        pure
        returns (int256 sum)
    {
        assembly ("memory-safe") {
            let xMask := 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff
            let wMask := 0x000000ff000000ff000000ff000000ff000000ff000000ff000000ff000000ff
            let xZero := 0x0000800000008000000080000000800000008000000080000000800000008000
            let wZero := 0x0000008000000080000000800000008000000080000000800000008000000080
            let xAt := activations.offset
            let sAt := add(weights.offset, 1)
            let wAt := add(sAt, shl(1, blocks))
            for { let end := add(wAt, shl(5, blocks)) } lt(wAt, end) { wAt := add(wAt, 32) } {
                let w := calldataload(wAt)
                // Activations 0..15: even ones in the upper half of a lane, odd ones in the lower.
                let x := calldataload(xAt)
                let p := mul(sub(and(x, xMask), xZero), sub(and(w, wMask), wZero))
                p := add(
                    p,
                    mul(sub(and(shr(16, x), xMask), xZero), sub(and(shr(8, w), wMask), wZero))
                )
                // Activations 16..31.
                x := calldataload(add(xAt, 32))
                p := add(p, mul(sub(and(x, xMask), xZero), sub(and(shr(16, w), wMask), wZero)))
                p := add(
                    p,
                    mul(sub(and(shr(16, x), xMask), xZero), sub(and(shr(24, w), wMask), wZero))
                )
                let blockSum := sar(224, add(p, shl(223, 1)))
                sum := add(sum, mul(blockSum, shr(240, calldataload(sAt))))
                sAt := add(sAt, 2)
                xAt := add(xAt, 64)
            }
        }
    }

    /// @notice Sum of a * b over a head, 5.6: four lanes of 64 bits, one factor's lanes reversed on the fly.
    /// @param a mantissas + 32,768, 2 bytes each, 1 to 256 of them
    /// @param b as many
    function dotHeads(bytes calldata a, bytes calldata b) internal pure returns (int256 sum) {
        if (a.length == 0 || a.length > HEAD_BYTES_MAX || a.length % 2 != 0) {
            revert LeafMalformed(a.length);
        }
        if (a.length != b.length) revert LeafMalformed(b.length);
        assembly ("memory-safe") {
            let mask := 0x000000000000ffff000000000000ffff000000000000ffff000000000000ffff
            let zero := 0x0000000000008000000000000000800000000000000080000000000000008000
            let swap := 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff
            let p := 0
            let at := 0
            for { let whole := and(a.length, not(31)) } lt(at, whole) { at := add(at, 32) } {
                let x := calldataload(add(a.offset, at))
                let y := calldataload(add(b.offset, at))
                y := or(shl(128, y), shr(128, y))
                y := or(shl(64, and(y, swap)), and(shr(64, y), swap))
                p := add(p, mul(sub(and(x, mask), zero), sub(and(y, mask), zero)))
                x := shr(16, x)
                y := shr(16, y)
                p := add(p, mul(sub(and(x, mask), zero), sub(and(y, mask), zero)))
                x := shr(16, x)
                y := shr(16, y)
                p := add(p, mul(sub(and(x, mask), zero), sub(and(y, mask), zero)))
                x := shr(16, x)
                y := shr(16, y)
                p := add(p, mul(sub(and(x, mask), zero), sub(and(y, mask), zero)))
            }
            sum := sar(192, add(p, shl(191, 1)))
            // Head sizes that are no multiple of 16 end here, element by element.
            for {} lt(at, a.length) { at := add(at, 2) } {
                let x := sub(shr(240, calldataload(add(a.offset, at))), 0x8000)
                let y := sub(shr(240, calldataload(add(b.offset, at))), 0x8000)
                sum := add(sum, mul(x, y))
            }
        }
    }

    /// @notice Sum over up to 64 positions of P * v for one column of a tile, 5.8.
    /// @param weights P30 mantissas, 4 bytes each, one per position
    /// @param tile A16 mantissas + 32,768, 2 bytes each, position after position
    /// @param column below the tile's width of 1 to 32 columns
    /// @return sum below 2^51
    function dotColumn(bytes calldata weights, bytes calldata tile, uint256 column)
        internal
        pure
        returns (int256 sum)
    {
        uint256 positions = weights.length / 4;
        if (positions == 0 || positions > 64 || weights.length != 4 * positions) {
            revert LeafMalformed(weights.length);
        }
        uint256 stride = tile.length / positions;
        if (stride == 0 || stride > 64 || stride % 2 != 0 || tile.length != stride * positions) {
            revert LeafMalformed(tile.length);
        }
        if (2 * column >= stride) revert LeafMalformed(column);
        assembly ("memory-safe") {
            let v := add(tile.offset, shl(1, column))
            let w := weights.offset
            for { let end := add(w, weights.length) } lt(w, end) { w := add(w, 4) } {
                let value := sub(shr(240, calldataload(v)), 0x8000)
                sum := add(sum, mul(shr(224, calldataload(w)), value))
                v := add(v, stride)
            }
        }
    }
}
