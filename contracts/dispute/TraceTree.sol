// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Fold} from "./Fold.sol";

/// @title Opening leaves of a trace
/// @notice Three nested SHA-256 trees (docs/reference/court.md): leaves of a row, rows of a position, salted positions.
///
///     leaf = H(0x00 ‖ data)    pair = H(0x01 ‖ left ‖ right)    root = H(0x02 ‖ uint64 count ‖ top)
///     leaf of the trace = H(0x03 ‖ salt ‖ root of the position)  salt = H(0x04 ‖ trace key ‖ uint32 position)
///
/// INVARIANT: no bytes are both a leaf, a pair, a root and a salted root, since their first byte says which they are.
library TraceTree {
    /// @notice Bytes in a tree.
    /// @param data one leaf, or a run of neighbouring ones
    /// @param count leaves of the innermost tree, as its root seals it
    /// @param path from that tree up through those around it
    struct Opening {
        bytes data;
        uint64 count;
        bytes32[] path;
    }

    /// @notice A position in the trace.
    /// @param root of its rows
    struct Position {
        bytes32 root;
        bytes32 salt;
        bytes32[] path;
    }

    /// @dev The proof does not lead to the root that was signed.
    error RootUnequal(bytes32 root, bytes32 shown);
    /// @dev A leaf or run has another length than its place in the graph gives it; {Kinds.LEAF_FORM} is for that.
    error LeafLengthWrong(uint256 length, uint256 expected);

    /// @notice Requires that the position stands at `index` of the `count` positions under `root`.
    function requirePosition(bytes32 root, uint256 index, uint256 count, Position calldata position)
        internal
        view
    {
        bytes32 leaf = hashSalted(position.salt, position.root);
        requireNode(root, leaf, index, count, position.path, 0);
    }

    /// @notice Root of the row of which the opening is the leaves from number `from` on.
    /// @param leafBytes length of every leaf but the last
    /// @param length of all of them
    /// @return root which the rest of the path must lead on from, and items of the path that are used up
    function rowRoot(uint256 from, uint256 leafBytes, uint256 length, Opening calldata opening)
        internal
        view
        returns (bytes32 root, uint256 used)
    {
        bytes calldata data = opening.data;
        if (data.length != length) revert LeafLengthWrong(data.length, length);
        bytes32 top;
        if (length <= leafBytes) {
            (top, used) = Fold.one(false, hashLeaf(data), from, opening.count, opening.path, 0);
        } else {
            bytes32[] memory nodes = hashLeaves(data, leafBytes);
            (top, used) = Fold.run(nodes, from, opening.count, opening.path, 0);
        }
        root = hashRoot(opening.count, top);
    }

    /// @notice Requires that `node` stands at `index` of the `count` nodes under `root`, with the rest of the path.
    function requireNode(
        bytes32 root,
        bytes32 node,
        uint256 index,
        uint256 count,
        bytes32[] calldata path,
        uint256 used
    ) internal view {
        (bytes32 top, uint256 end) = Fold.one(false, node, index, count, path, used);
        if (end != path.length) revert Fold.PathWrong();
        bytes32 shown = hashRoot(count, top);
        if (shown != root) revert RootUnequal(root, shown);
    }

    function hashLeaves(bytes calldata data, uint256 leafBytes)
        private
        view
        returns (bytes32[] memory nodes)
    {
        nodes = new bytes32[]((data.length + leafBytes - 1) / leafBytes);
        // SAFETY: offsets end at the length of calldata.
        unchecked {
            uint256 offset = 0;
            for (uint256 i = 0; i < nodes.length; ++i) {
                uint256 end = offset + leafBytes;
                nodes[i] = hashLeaf(data[offset:end < data.length ? end : data.length]);
                offset = end;
            }
        }
    }

    function hashLeaf(bytes calldata data) internal view returns (bytes32 hash) {
        assembly ("memory-safe") {
            let at := mload(0x40)
            mstore8(at, 0)
            calldatacopy(add(at, 1), data.offset, data.length)
            if iszero(staticcall(gas(), 2, at, add(data.length, 1), 0, 32)) {
                revert(0, 0)
            }
            hash := mload(0)
        }
    }

    function hashRoot(uint256 count, bytes32 top) internal view returns (bytes32 hash) {
        assembly ("memory-safe") {
            // | 0x00 prefix 2 | 0x01..0x09 count | 0x09..0x29 top |
            let at := mload(0x40)
            mstore8(at, 2)
            mstore(add(at, 0x01), shl(192, count))
            mstore(add(at, 0x09), top)
            if iszero(staticcall(gas(), 2, at, 0x29, 0, 32)) { revert(0, 0) }
            hash := mload(0)
        }
    }

    function hashSalted(bytes32 salt, bytes32 root) internal view returns (bytes32 hash) {
        return hashTwo(3, salt, root);
    }

    /// @notice The salt that a position must have.
    function saltOf(bytes32 traceKey, uint32 position) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(uint8(4), traceKey, position));
    }

    /// @dev H(prefix ‖ left ‖ right).
    function hashTwo(uint256 prefix, bytes32 left, bytes32 right)
        private
        view
        returns (bytes32 hash)
    {
        assembly ("memory-safe") {
            let at := mload(0x40)
            mstore8(at, prefix)
            mstore(add(at, 0x01), left)
            mstore(add(at, 0x21), right)
            if iszero(staticcall(gas(), 2, at, 0x41, 0, 32)) { revert(0, 0) }
            hash := mload(0)
        }
    }
}
