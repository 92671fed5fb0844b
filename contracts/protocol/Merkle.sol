// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @title Merkle trees with domain separation and a committed leaf count
/// @notice The rules of `packages/protocol/src/merkle.ts`, asserted by both through `vectors/merkle.json`:
///
///     leaf = H(0x00 ‖ data)
///     node = H(0x01 ‖ left ‖ right)      an odd last node moves up unchanged, it is never doubled
///     root = H(0x02 ‖ uint64 count ‖ top)
///
/// The prefixes stop a node from being passed off as a leaf; the count stops padded or shortened trees from sharing a
/// root (CVE-2012-2459).
library Merkle {
    function hashLeaf(bytes memory data) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x00), data));
    }

    function hashNode(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x01), left, right));
    }

    function sealRoot(uint64 count, bytes32 top) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x02), count, top));
    }

    /// @notice True if `leaf` (already hashed) stands at `index` of the `count` leaves under `root`.
    /// @param proof Siblings from the leaf up; levels where the node moves up alone give none.
    function verify(
        bytes32 root,
        bytes32 leaf,
        uint64 index,
        uint64 count,
        bytes32[] calldata proof
    ) internal pure returns (bool) {
        if (index >= count) return false;
        bytes32 node = leaf;
        uint256 position = index;
        uint256 used = 0;
        for (uint256 width = count; width > 1; width = (width + 1) / 2) {
            if (position ^ 1 < width) {
                if (used == proof.length) return false;
                bytes32 sibling = proof[used++];
                node = position & 1 == 0 ? hashNode(node, sibling) : hashNode(sibling, node);
            }
            position >>= 1;
        }
        return used == proof.length && sealRoot(count, node) == root;
    }
}
