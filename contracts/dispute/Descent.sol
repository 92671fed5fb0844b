// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @title Walking down the three trees of a trace, sixteen ways at a time
/// @notice A trace is a tree of positions, whose leaves are trees of rows, whose leaves are trees of leaves
/// (docs/reference/court.md). The provider shows the nodes four levels below the present one, the challenger picks one.
/// Hashes are SHA-256; a tree pairs H(1 ‖ left ‖ right), an odd last node moves up, and is sealed H(2 ‖ count ‖ top).
library Descent {
    /// @notice Where a walk stands.
    /// @param node hash under which the walk goes on
    /// @param count leaves of the present tree; 0 before its seal is opened
    /// @param index of the node among those of its level
    /// @param position leaf of the first tree that was chosen
    /// @param row leaf of the second tree that was chosen
    /// @param tree 0 positions, 1 rows, 2 leaves
    /// @param level of the node above the leaves; SEALED for a root whose seal is not opened
    struct Place {
        bytes32 node;
        uint64 count;
        uint64 index;
        uint32 position;
        uint32 row;
        uint8 tree;
        uint8 level;
    }

    /// @notice What a provider shows of the present node.
    /// @param count leaves of a tree whose seal is opened, else 0
    /// @param salt of the position, where the walk enters the tree of rows, else 0
    /// @param inner root of that tree, else 0
    /// @param children nodes four levels down, or the leaves if they are nearer; 1 to 16
    struct Reveal {
        uint64 count;
        bytes32 salt;
        bytes32 inner;
        bytes32[] children;
    }

    uint8 internal constant SEALED = 255;
    uint256 private constant STEP_LEVELS = 4;

    /// @notice What was shown does not hash to the node that it stands for.
    error RevealUnequal(bytes32 node, bytes32 shown);
    /// @notice A node of that place has another number of children.
    error ChildrenMiscounted(uint256 shown, uint256 expected);
    error ChildUnknown(uint256 index);

    /// @notice The walk at the top of a trace.
    function begin(bytes32 root) internal pure returns (Place memory place) {
        place.node = root;
        place.level = SEALED;
    }

    /// @notice Checks what is shown of the present node, and opens its seal if it has one.
    function open(Place memory place, Reveal calldata reveal) internal view {
        if (place.level == SEALED) {
            if (place.tree == 1) {
                bytes32 salted = sha256(abi.encodePacked(uint8(3), reveal.salt, reveal.inner));
                if (salted != place.node) revert RevealUnequal(place.node, salted);
                place.node = reveal.inner;
            }
            uint8 height = heightOf(reveal.count);
            bytes32 top = fold(reveal.children, reveal.count, height, 0);
            bytes32 root = sha256(abi.encodePacked(uint8(2), reveal.count, top));
            if (root != place.node) revert RevealUnequal(place.node, root);
            (place.node, place.count, place.level, place.index) = (top, reveal.count, height, 0);
            return;
        }
        bytes32 node = fold(reveal.children, place.count, place.level, place.index);
        if (node != place.node) revert RevealUnequal(place.node, node);
    }

    /// @notice Goes to one of the children. True if it is a leaf of the last tree, so that its bytes come next.
    function choose(Place memory place, bytes32[] calldata children, uint256 child)
        internal
        pure
        returns (bool isLeaf)
    {
        if (child >= children.length) revert ChildUnknown(child);
        (uint8 level, uint64 first) = childrenOf(place);
        place.node = children[child];
        place.level = level;
        // SAFETY: indices are below a count of 64 bits.
        place.index = first + uint64(child);
        if (level != 0) return false;
        if (place.tree == 2) return true;
        if (place.tree == 0) place.position = uint32(place.index);
        else place.row = uint32(place.index);
        place.tree += 1;
        (place.level, place.count, place.index) = (SEALED, 0, 0);
        return false;
    }

    /// @notice Hash of a leaf.
    function leafHash(bytes calldata data) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(uint8(0), data));
    }

    /// @dev Level and first index of the nodes that are shown below the present one.
    function childrenOf(Place memory place) private pure returns (uint8 level, uint64 first) {
        uint256 steps = place.level < STEP_LEVELS ? place.level : STEP_LEVELS;
        level = uint8(place.level - steps);
        first = uint64(uint256(place.index) << steps);
    }

    /// @dev The node at (height, index) of a tree of `count` leaves, from its descendants four levels down.
    function fold(bytes32[] calldata children, uint64 count, uint8 height, uint64 index)
        private
        view
        returns (bytes32 node)
    {
        uint256 steps = height < STEP_LEVELS ? height : STEP_LEVELS;
        uint256 width = widthAt(count, height - steps);
        uint256 first = uint256(index) << steps;
        uint256 expected = first >= width ? 0 : width - first;
        if (expected > 1 << steps) expected = 1 << steps;
        if (children.length != expected || expected == 0) {
            revert ChildrenMiscounted(children.length, expected);
        }
        bytes32[] memory nodes = children;
        for (uint256 size = expected; size > 1; size = (size + 1) / 2) {
            foldLevel(nodes, size);
        }
        return nodes[0];
    }

    /// @dev Pairs the first `size` nodes in place; an odd last one moves up.
    function foldLevel(bytes32[] memory nodes, uint256 size) private view {
        for (uint256 i = 0; i < size; i += 2) {
            nodes[i / 2] = i + 1 == size ? nodes[i] : hashPair(nodes[i], nodes[i + 1]);
        }
    }

    function hashPair(bytes32 left, bytes32 right) private view returns (bytes32 node) {
        assembly ("memory-safe") {
            // | 0x00 prefix 1 | 0x01..0x21 left | 0x21..0x41 right |
            let at := mload(0x40)
            mstore8(at, 1)
            mstore(add(at, 0x01), left)
            mstore(add(at, 0x21), right)
            if iszero(staticcall(gas(), 0x02, at, 0x41, 0x00, 0x20)) { revert(0, 0) }
            node := mload(0x00)
        }
    }

    /// @dev Nodes at a height of a tree: ceil(count / 2^height).
    function widthAt(uint256 count, uint256 height) private pure returns (uint256) {
        return (count + (uint256(1) << height) - 1) >> height;
    }

    /// @dev Levels above the leaves: ceil(log2(count)).
    function heightOf(uint64 count) private pure returns (uint8 height) {
        while (widthAt(count, height) > 1) ++height;
    }
}
