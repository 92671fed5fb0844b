// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @title From leaves up to the top of a tree
/// @notice Trees of the protocol (`packages/protocol/src/merkle.ts`) and of traces have one shape and two hashes: pairs
/// are hashed as H(0x01 ‖ left ‖ right), an odd last node moves up unchanged. A path holds what is hashed in on the
/// way, lowest level first, and left before right; nested trees follow one another in one path, which a cursor walks.
/// @dev In Yul, because a conviction folds a hundred times and more, and the compiler's way costs 500 gas more each.
///
/// INVARIANT: what is folded stands at exactly the given places of a tree with exactly the given number of leaves.
library Fold {
    /// @dev The path ends too early or too late, or the place lies beyond the tree.
    error PathWrong();

    /// @notice Folds one node.
    /// @param isKeccak trees of the protocol; else SHA-256, of traces
    /// @param index place of the node among `width`
    /// @param used items of the path that are used up already
    /// @return top under which the seal goes, and items used now
    function one(
        bool isKeccak,
        bytes32 node,
        uint256 index,
        uint256 width,
        bytes32[] calldata path,
        uint256 used
    ) internal view returns (bytes32 top, uint256) {
        if (index >= width || width > type(uint64).max) revert PathWrong();
        // SAFETY: whether the path had all items is asked once, below: what was read behind its end is thrown away with
        // the top. At most 64 levels; memory is used behind the free pointer only.
        assembly ("memory-safe") {
            // | 0x00 prefix 1 | 0x01..0x21 left | 0x21..0x41 right |
            let data := mload(0x40)
            mstore8(data, 1)
            let left := add(data, 0x01)
            let item := add(path.offset, shl(5, used))
            top := node
            switch isKeccak
            case 0 {
                let done := 1
                for {} gt(width, 1) { width := shr(1, add(width, 1)) } {
                    if lt(xor(index, 1), width) {
                        let side := shl(5, and(index, 1))
                        mstore(add(left, side), top)
                        mstore(add(left, xor(side, 32)), calldataload(item))
                        item := add(item, 32)
                        done := and(done, staticcall(gas(), 2, data, 0x41, 0, 32))
                        top := mload(0)
                    }
                    index := shr(1, index)
                }
                if iszero(done) { revert(0, 0) }
            }
            default {
                for {} gt(width, 1) { width := shr(1, add(width, 1)) } {
                    if lt(xor(index, 1), width) {
                        let side := shl(5, and(index, 1))
                        mstore(add(left, side), top)
                        mstore(add(left, xor(side, 32)), calldataload(item))
                        item := add(item, 32)
                        top := keccak256(data, 0x41)
                    }
                    index := shr(1, index)
                }
            }
            used := shr(5, sub(item, path.offset))
        }
        if (used > path.length) revert PathWrong();
        return (top, used);
    }

    /// @notice Folds a node of a SHA-256 tree until it is a sibling on the way of another node that was folded before.
    /// @param index place of the node among `width`
    /// @param other place of the node that was folded before, another one
    /// @param otherAt where in calldata its way up begins
    /// @return isEnd whether the path ends there; if not, it leads further up
    /// @return top the node that is the sibling
    /// @return sibling what the way of the other node has in this place
    function meet(
        bytes32 node,
        uint256 index,
        uint256 width,
        bytes32[] calldata path,
        uint256 used,
        uint256 other,
        uint256 otherAt
    ) internal view returns (bool isEnd, bytes32 top, bytes32 sibling) {
        if (index >= width || other >= width || index == other) revert PathWrong();
        // SAFETY: of two different places some ancestors are siblings, at the latest under the top; the rest as above.
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore8(data, 1)
            let left := add(data, 0x01)
            let item := add(path.offset, shl(5, used))
            let done := 1
            top := node
            for {} gt(xor(index, other), 1) { width := shr(1, add(width, 1)) } {
                if lt(xor(index, 1), width) {
                    let side := shl(5, and(index, 1))
                    mstore(add(left, side), top)
                    mstore(add(left, xor(side, 32)), calldataload(item))
                    item := add(item, 32)
                    done := and(done, staticcall(gas(), 2, data, 0x41, 0, 32))
                    top := mload(0)
                }
                otherAt := add(otherAt, shl(5, lt(xor(other, 1), width)))
                index := shr(1, index)
                other := shr(1, other)
            }
            if iszero(done) { revert(0, 0) }
            sibling := calldataload(otherAt)
            isEnd := eq(item, add(path.offset, shl(5, path.length)))
        }
    }

    /// @notice Folds a run of neighbours of a SHA-256 tree until one node is left; at each level a neighbour on the
    /// left, then one on the right may be missing.
    /// @param nodes the run, overwritten
    /// @param from place of the first one among `width`
    function run(
        bytes32[] memory nodes,
        uint256 from,
        uint256 width,
        bytes32[] calldata path,
        uint256 used
    ) internal view returns (bytes32 top, uint256) {
        uint256 count = nodes.length;
        if (count == 0 || width > type(uint64).max || from + count > width) revert PathWrong();
        bool missing = false;
        // SAFETY: parents are written no later than their children are read; the rest as above.
        assembly ("memory-safe") {
            function hash(data, left, right) -> node {
                mstore(add(data, 0x01), left)
                mstore(add(data, 0x21), right)
                if iszero(staticcall(gas(), 2, data, 0x41, 0, 32)) { revert(0, 0) }
                node := mload(0)
            }
            let data := mload(0x40)
            mstore8(data, 1)
            let item := add(path.offset, shl(5, used))
            let end := add(path.offset, shl(5, path.length))
            let first := add(nodes, 32)
            for {} gt(count, 1) {} {
                let child := first
                let parent := first
                let last := add(first, shl(5, count))
                if and(from, 1) {
                    missing := or(missing, iszero(lt(item, end)))
                    mstore(parent, hash(data, calldataload(item), mload(child)))
                    item := add(item, 32)
                    child := add(child, 32)
                    parent := add(parent, 32)
                }
                for {} lt(add(child, 32), last) { child := add(child, 64) } {
                    mstore(parent, hash(data, mload(child), mload(add(child, 32))))
                    parent := add(parent, 32)
                }
                if lt(child, last) {
                    let node := mload(child)
                    if lt(add(add(from, shr(5, sub(child, first))), 1), width) {
                        missing := or(missing, iszero(lt(item, end)))
                        node := hash(data, node, calldataload(item))
                        item := add(item, 32)
                    }
                    mstore(parent, node)
                    parent := add(parent, 32)
                }
                count := shr(5, sub(parent, first))
                from := shr(1, from)
                width := shr(1, add(width, 1))
            }
            used := shr(5, sub(item, path.offset))
        }
        if (missing) revert PathWrong();
        return one(false, nodes[0], from, width, path, used);
    }
}
