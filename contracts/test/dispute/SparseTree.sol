// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @title Trees of any size of which only a few leaves are known
/// @notice The rules of traces and models once more, from their definition, level by level: so that the judges' folding
/// is compared with another one, and proofs as deep as those of a large model can be made without the model. Whatever
/// holds no known leaf is an arbitrary hash.
library SparseTree {
    struct Tree {
        uint64 count;
        uint256[] indices;
        bytes32[] hashes;
        bool isKeccak;
        /// Makes the unknown nodes of different trees differ.
        bytes32 name;
    }

    function create(bytes32 name, uint64 count, uint256 size, bool isKeccak)
        internal
        pure
        returns (Tree memory tree)
    {
        tree.count = count;
        tree.indices = new uint256[](size);
        tree.hashes = new bytes32[](size);
        tree.isKeccak = isKeccak;
        tree.name = name;
    }

    function hash(bool isKeccak, bytes memory data) internal pure returns (bytes32) {
        return isKeccak ? keccak256(data) : sha256(data);
    }

    function hashLeaf(Tree memory tree, bytes memory data) internal pure returns (bytes32) {
        return hash(tree.isKeccak, abi.encodePacked(uint8(0), data));
    }

    function root(Tree memory tree) internal pure returns (bytes32) {
        return seal(tree, tree.count, top(tree));
    }

    function seal(Tree memory tree, uint64 count, bytes32 top_) internal pure returns (bytes32) {
        return hash(tree.isKeccak, abi.encodePacked(uint8(2), count, top_));
    }

    function top(Tree memory tree) internal pure returns (bytes32) {
        return node(tree, height(tree.count), 0);
    }

    function height(uint256 count) internal pure returns (uint256 levels) {
        while (count > uint256(1) << levels) ++levels;
    }

    /// @dev Node `index` of the level `level` above the leaves.
    function node(Tree memory tree, uint256 level, uint256 index) internal pure returns (bytes32) {
        if (!isKnown(tree, index << level, (index + 1) << level)) {
            return keccak256(abi.encode(tree.name, level, index));
        }
        if (level == 0) return known(tree, index);
        bytes32 left = node(tree, level - 1, 2 * index);
        if ((2 * index + 1) << (level - 1) >= tree.count) return left;
        bytes32 right = node(tree, level - 1, 2 * index + 1);
        return hash(tree.isKeccak, abi.encodePacked(uint8(1), left, right));
    }

    function isKnown(Tree memory tree, uint256 from, uint256 to) private pure returns (bool) {
        for (uint256 i = 0; i < tree.indices.length; ++i) {
            if (tree.indices[i] >= from && tree.indices[i] < to) return true;
        }
        return false;
    }

    function known(Tree memory tree, uint256 index) private pure returns (bytes32) {
        for (uint256 i = 0; i < tree.indices.length; ++i) {
            if (tree.indices[i] == index) return tree.hashes[i];
        }
        revert("unknown leaf");
    }

    /// @notice What is missing to fold leaves `from` up to, not including, `to`.
    function path(Tree memory tree, uint256 from, uint256 to)
        internal
        pure
        returns (bytes32[] memory items)
    {
        items = new bytes32[](128);
        uint256 used = 0;
        uint256 width = tree.count;
        for (uint256 level = 0; width > 1; ++level) {
            if (from % 2 == 1) items[used++] = node(tree, level, from - 1);
            if (to % 2 == 1 && to < width) items[used++] = node(tree, level, to);
            from /= 2;
            to = (to + 1) / 2;
            width = (width + 1) / 2;
        }
        assembly ("memory-safe") {
            mstore(items, used)
        }
    }
}
