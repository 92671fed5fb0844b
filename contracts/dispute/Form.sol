// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IReceipts} from "../compute/IReceipts.sol";
import {Descriptor} from "./Descriptor.sol";
import {Fields} from "./Fields.sol";
import {Layout} from "./Layout.sol";

/// @title How many leaves a row has, and how long each is
/// @notice What {Layout} says of addresses, turned around: given a leaf, what it must look like.
library Form {
    using Fields for bytes;

    uint256 private constant QUANTISED_BYTES = 6;
    uint256 private constant NORM_BYTES = 11;
    uint256 private constant JOIN_BYTES = 10;
    uint256 private constant LOGITS_BYTES = 48;

    /// @notice Leaves of the row of `node` at `position` of `count`.
    function leavesOf(
        Descriptor.Node memory node,
        Layout.Row memory row,
        uint256 position,
        uint256 count
    ) internal pure returns (uint256 leaves) {
        leaves = Layout.tilesFrom(row);
        if (node.op == Descriptor.MIX && Layout.isClosing(position, count)) {
            leaves += Layout.tiles(node.inputs[1]);
        }
    }

    /// @notice Length of leaf `leaf`; reverts if the row has no such leaf.
    function lengthOf(
        Descriptor.Node memory node,
        Layout.Row memory row,
        uint256 position,
        uint256 count,
        uint256 leaf
    ) internal pure returns (uint256) {
        uint256 leaves = leavesOf(node, row, position, count);
        if (leaf >= leaves) revert Layout.NumberOutOfRange(leaf, leaves);
        if (leaf < row.facts) return factsLength(node, row, position);
        uint256 from = Layout.sumsFrom(row);
        if (leaf < from) {
            uint256 perHead = (from - row.facts) / row.heads;
            uint256 index = (leaf - row.facts) % perHead * Layout.LEAF_ELEMENTS;
            return Layout.element(row, 0, index).length;
        }
        if (leaf < Layout.tilesFrom(row)) {
            return Layout.sums(row, (leaf - from) * row.itemsPerLeaf).length;
        }
        Descriptor.Tensor memory values = node.inputs[1];
        uint256 perHeadTiles = Layout.ceilDiv(values.size, Layout.TILE_COLUMNS);
        uint256 column = (leaf - Layout.tilesFrom(row)) % perHeadTiles * Layout.TILE_COLUMNS;
        (Layout.Spot memory spot,) = Layout.tile(row, values, position, 0, column);
        return spot.length;
    }

    function factsLength(Descriptor.Node memory node, Layout.Row memory row, uint256 position)
        private
        pure
        returns (uint256)
    {
        if (node.op == Descriptor.RMS_NORM) {
            return NORM_BYTES + Layout.SUM_BYTES * Layout.parts(row.size);
        }
        if (node.op == Descriptor.SOFTMAX) return Layout.softmaxFacts(position);
        if (node.op == Descriptor.JOIN_HEADS) return JOIN_BYTES;
        if (node.op == Descriptor.LOGITS) return LOGITS_BYTES;
        return QUANTISED_BYTES;
    }

    /// @notice True if facts of the right length name an element, position or head that their row does not have: there
    /// would be no leaf to prove them wrong by.
    function areIndicesWrong(
        Descriptor.Node memory node,
        Layout.Row memory row,
        bytes calldata facts
    ) internal pure returns (bool) {
        if (node.op == Descriptor.SOFTMAX) {
            return facts.unsigned(4, 4) >= row.size
                || facts.unsigned(Layout.SOFTMAX_TOP_AT + 2, 4) >= row.size
                || facts.unsigned(Layout.SOFTMAX_EXPONENT_AT + 2, 4) >= row.size;
        }
        if (facts.unsigned(2, 4) >= row.size) return true;
        if (node.op == Descriptor.RMS_NORM) return facts.unsigned(7, 4) >= row.size;
        if (node.op == Descriptor.JOIN_HEADS) {
            return facts.unsigned(8, 2) >= node.inputs[0].heads;
        }
        return false;
    }

    /// @notice The same for a row of logits; and what the job's sampler switches off must be zero.
    function areLogitsWrong(
        Layout.Row memory row,
        IReceipts.Sampler calldata sampler,
        bytes calldata facts
    ) internal pure returns (bool) {
        (bool rank, bool share) = Layout.cuts(sampler, row.size);
        if (facts.unsigned(0, 4) >= row.size) return true;
        if (rank ? facts.unsigned(8, 4) >= row.size : facts.unsigned(8, 8) != 0) return true;
        if (share ? facts.unsigned(16, 4) >= row.size : facts.unsigned(16, 8) != 0) return true;
        return !rank && !share && facts.unsigned(24, 24) != 0;
    }
}
