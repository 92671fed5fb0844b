// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Merkle} from "../protocol/Merkle.sol";
import {Fields} from "./Fields.sol";
import {Fold} from "./Fold.sol";
import {TraceTree} from "./TraceTree.sol";

/// @title Opening leaves of keccak trees: weights and graph of a model, tokens of a job
/// @notice The rules of {Merkle}. Weights are trees whose roots are the leaves of one tree (arithmetic.md, section 8).
library ModelTree {
    using Fields for bytes;

    /// @dev Tokens per leaf, as in packages/protocol/src/tokens.ts.
    uint256 internal constant TOKENS_PER_LEAF = 16;
    /// @dev Salt (32 bytes) and number (4 bytes) before the ids of a leaf of tokens.
    uint256 internal constant TOKENS_FROM = 36;

    /// @dev A leaf of tokens has another length or number than its place; {Kinds.TOKEN_FORM} is for that.
    error TokenLeafMalformed(uint256 leaf);

    /// @notice Requires that the opening is leaf `index` of the `opening.count` leaves under `root`.
    function requireLeaf(bytes32 root, uint256 index, TraceTree.Opening calldata opening)
        internal
        view
    {
        requireTop(root, hashLeaf(opening.data), index, opening, 0);
    }

    /// @notice Root of the weight of which the opening is leaf `index` of `leaves`.
    /// @return root which the rest of the path must lead on from, and items of the path that are used up
    function weightRoot(uint256 index, uint256 leaves, TraceTree.Opening calldata opening)
        internal
        view
        returns (bytes32 root, uint256 used)
    {
        bytes32 top;
        (top, used) = Fold.one(true, hashLeaf(opening.data), index, leaves, opening.path, 0);
        // SAFETY: a weight has less than 2^64 leaves: 2^20 rows of at most 64 pieces.
        root = hashRoot(uint64(leaves), top);
    }

    /// @notice Requires that `root` is that of weight number `weight`, with the rest of the path.
    function requireWeight(
        bytes32 weightsRoot,
        bytes32 root,
        uint256 weight,
        TraceTree.Opening calldata opening,
        uint256 used
    ) internal view {
        requireTop(weightsRoot, hashWord(root), weight, opening, used);
    }

    /// @notice The id of token `index` of the `count` tokens under `root`.
    function tokenAt(bytes32 root, uint256 index, uint256 count, TraceTree.Opening calldata opening)
        internal
        view
        returns (uint256 id)
    {
        uint256 leaf = index / TOKENS_PER_LEAF;
        requireTokenLeaf(root, leaf, count, opening);
        if (!isTokenLeaf(leaf, count, opening.data)) revert TokenLeafMalformed(leaf);
        return opening.data.unsigned(TOKENS_FROM + 4 * (index % TOKENS_PER_LEAF), 4);
    }

    /// @notice Requires that the opening, of whatever length, is leaf `leaf` of a commitment to `count` tokens.
    function requireTokenLeaf(
        bytes32 root,
        uint256 leaf,
        uint256 count,
        TraceTree.Opening calldata opening
    ) internal view {
        if (opening.count != leavesOf(count)) revert Fold.PathWrong();
        requireLeaf(root, leaf, opening);
    }

    /// @notice True if the bytes have the length and the number of leaf `leaf` of `count` tokens.
    function isTokenLeaf(uint256 leaf, uint256 count, bytes calldata data)
        internal
        pure
        returns (bool)
    {
        uint256 rest = count - leaf * TOKENS_PER_LEAF;
        uint256 size = rest < TOKENS_PER_LEAF ? rest : TOKENS_PER_LEAF;
        return data.length == TOKENS_FROM + 4 * size && data.unsigned(32, 4) == leaf;
    }

    /// @notice Leaves of a commitment to `count` tokens.
    function leavesOf(uint256 count) internal pure returns (uint256) {
        return (count + TOKENS_PER_LEAF - 1) / TOKENS_PER_LEAF;
    }

    /// @notice The root that `count` leaves under `top` have.
    function hashRoot(uint64 count, bytes32 top) internal pure returns (bytes32) {
        return Merkle.sealRoot(count, top);
    }

    function requireTop(
        bytes32 root,
        bytes32 leaf,
        uint256 index,
        TraceTree.Opening calldata opening,
        uint256 used
    ) private view {
        (bytes32 top, uint256 end) = Fold.one(true, leaf, index, opening.count, opening.path, used);
        if (end != opening.path.length) revert Fold.PathWrong();
        bytes32 shown = hashRoot(opening.count, top);
        if (shown != root) revert TraceTree.RootUnequal(root, shown);
    }

    function hashLeaf(bytes calldata data) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let at := mload(0x40)
            mstore8(at, 0)
            calldatacopy(add(at, 1), data.offset, data.length)
            hash := keccak256(at, add(data.length, 1))
        }
    }

    /// @dev Leaf whose data are 32 bytes.
    function hashWord(bytes32 word) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let at := mload(0x40)
            mstore8(at, 0)
            mstore(add(at, 1), word)
            hash := keccak256(at, 33)
        }
    }
}
