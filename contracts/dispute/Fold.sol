// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @title From leaves up to the top of a tree
/// @notice Trees of the protocol (`packages/protocol/src/merkle.ts`) and of traces have one shape and two hashes: pairs
/// are hashed, an odd last node moves up unchanged. A path holds what is hashed in on the way, lowest level first, and
/// left before right; nested trees follow one another in one path, which a cursor walks through.
///
/// INVARIANT: what is folded stands at exactly the given places of a tree with exactly the given number of leaves.
library Fold {
    /// @dev The path ends too early or too late, or the place lies beyond the tree.
    error PathWrong();

    /// @notice Folds one node.
    /// @param index place of the node among `width`
    /// @param used items of the path that are used up already
    /// @return top under which the seal goes, and items used now
    function one(
        function(bytes32, bytes32) view returns (bytes32) hashPair,
        bytes32 node,
        uint256 index,
        uint256 width,
        bytes32[] calldata path,
        uint256 used
    ) internal view returns (bytes32 top, uint256) {
        if (index >= width) revert PathWrong();
        // SAFETY: width is below 2^64, so there are at most 64 levels.
        unchecked {
            for (; width > 1; width = (width + 1) >> 1) {
                if (index ^ 1 < width) {
                    if (used == path.length) revert PathWrong();
                    bytes32 sibling = path[used++];
                    node = index & 1 == 0 ? hashPair(node, sibling) : hashPair(sibling, node);
                }
                index >>= 1;
            }
        }
        return (node, used);
    }

    /// @notice Folds a run of neighbours; at each level a neighbour on the left, then one on the right may be missing.
    /// @param nodes the run, overwritten
    /// @param from place of the first one among `width`
    function run(
        function(bytes32, bytes32) view returns (bytes32) hashPair,
        bytes32[] memory nodes,
        uint256 from,
        uint256 width,
        bytes32[] calldata path,
        uint256 used
    ) internal view returns (bytes32 top, uint256) {
        uint256 count = nodes.length;
        if (count == 0 || width > type(uint64).max || from + count > width) revert PathWrong();
        // SAFETY: the run lies within the level, checked above, and so do its parents within theirs.
        unchecked {
            while (count > 1) {
                uint256 read = 0;
                uint256 written = 0;
                if (from & 1 == 1) {
                    if (used == path.length) revert PathWrong();
                    nodes[written++] = hashPair(path[used++], nodes[read++]);
                }
                for (; read + 1 < count; read += 2) {
                    nodes[written++] = hashPair(nodes[read], nodes[read + 1]);
                }
                if (read < count) {
                    bytes32 node = nodes[read];
                    if (from + read + 1 < width) {
                        if (used == path.length) revert PathWrong();
                        node = hashPair(node, path[used++]);
                    }
                    nodes[written++] = node;
                }
                count = written;
                from >>= 1;
                width = (width + 1) >> 1;
            }
        }
        return one(hashPair, nodes[0], from, width, path, used);
    }
}
