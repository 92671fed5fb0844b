// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IReceipts} from "../compute/IReceipts.sol";
import {Descriptor} from "./Descriptor.sol";

/// @title Which leaf of a row holds what
/// @notice Closed forms of the node, the position and the number of positions (docs/reference/court.md): leaves of
/// facts, one per head; of 64 elements, head by head; of partial sums; of tiles. No address is ever read from a leaf.
library Layout {
    /// @notice The row of one node at one position.
    /// @param heads rows that share nothing but their tree; 1 for a tensor of rank 2
    /// @param size elements per head
    /// @param width bytes per element
    /// @param facts leaves of facts: none or one per head
    /// @param items partial sums, or lists of them, one per what they add up to; only known of the judged node itself
    /// @param itemBytes length of one of them
    /// @param itemsPerLeaf how many stand in a leaf
    struct Row {
        uint256 node;
        uint256 heads;
        uint256 size;
        uint256 width;
        uint256 facts;
        uint256 items;
        uint256 itemBytes;
        uint256 itemsPerLeaf;
    }

    /// @notice A leaf and a place in it.
    struct Spot {
        uint256 leaf;
        uint256 length;
        uint256 offset;
    }

    uint256 internal constant LEAF_ELEMENTS = 64;
    /// @dev Elements whose sum is claimed as one, and columns of one leaf of a matrix.
    uint256 internal constant PART_ELEMENTS = 1024;
    uint256 internal constant TILE_POSITIONS = 64;
    uint256 internal constant TILE_COLUMNS = 8;
    uint256 internal constant A16_BYTES = 2;
    uint256 internal constant WORD_BYTES = 4;
    uint256 internal constant SUM_BYTES = 8;
    /// @dev Facts of a head of softmax: largest score i32, its position u32, top i16, its position u32, exponent i16,
    /// witness u32, then sums of u64.
    uint256 internal constant SOFTMAX_TOP_AT = 8;
    uint256 internal constant SOFTMAX_EXPONENT_AT = 14;
    uint256 internal constant SOFTMAX_SUMS_AT = 20;
    uint256 private constant LEAF_SUMS = 64;
    uint256 private constant SAMPLE_BYTES = 24;
    uint256 private constant LEAF_SAMPLES = 32;
    uint256 private constant ONE_Q30 = 1 << 30;

    /// @dev The proof names an element, a head or a part that its row does not have.
    error NumberOutOfRange(uint256 number, uint256 size);

    /// @notice A16: two bytes per element, exponents.
    function activations(Descriptor.Tensor memory tensor) internal pure returns (Row memory) {
        return rowOf(tensor, 0, A16_BYTES, true);
    }

    /// @notice I30 and P30: four bytes per element, exponents.
    function words(Descriptor.Tensor memory tensor, uint256 position)
        internal
        pure
        returns (Row memory)
    {
        return rowOf(tensor, position, WORD_BYTES, true);
    }

    /// @notice H and scores: four bytes per element on a fixed grid, no facts.
    function fixedWords(Descriptor.Tensor memory tensor, uint256 position)
        internal
        pure
        returns (Row memory)
    {
        return rowOf(tensor, position, WORD_BYTES, false);
    }

    function rowOf(Descriptor.Tensor memory tensor, uint256 position, uint256 width, bool hasFacts)
        private
        pure
        returns (Row memory row)
    {
        if (tensor.index == 0) revert NumberOutOfRange(0, 0);
        row.node = tensor.index - 1;
        row.heads = tensor.heads;
        row.size = tensor.size == Descriptor.SYMBOLIC ? position + 1 : tensor.size;
        row.width = width;
        row.facts = hasFacts ? tensor.heads : 0;
    }

    /// @notice The row of the judged node itself, with its partial sums.
    function own(Descriptor.Node memory node, uint256 position, IReceipts.Sampler calldata sampler)
        internal
        pure
        returns (Row memory row)
    {
        uint256 op = node.op;
        bool isFixed =
            op == Descriptor.EMBED || op == Descriptor.RESIDUAL_ADD || op == Descriptor.SCORES;
        bool isActivations = op == Descriptor.RMS_NORM || op == Descriptor.ROPE
            || op == Descriptor.SPLIT_HEADS || op == Descriptor.JOIN_HEADS
            || op == Descriptor.SWI_GLU;
        row = rowOf(node.output, position, isActivations ? A16_BYTES : WORD_BYTES, !isFixed);
        if (op == Descriptor.MATMUL && node.weight.cols > PART_ELEMENTS) {
            setSums(row, parts(node.weight.cols));
        } else if (op == Descriptor.MIX) {
            setSums(row, blocks(position));
        } else if (op == Descriptor.LOGITS) {
            (bool rank, bool share) = cuts(sampler, row.size);
            if (rank || share) row.items = parts(row.size);
            (row.itemBytes, row.itemsPerLeaf) = (SAMPLE_BYTES, LEAF_SAMPLES);
        }
    }

    /// @dev Every element of the row has a list of `count` sums.
    function setSums(Row memory row, uint256 count) private pure {
        if (count > LEAF_SUMS) revert NumberOutOfRange(count, LEAF_SUMS);
        row.items = row.heads * row.size;
        row.itemBytes = count * SUM_BYTES;
        row.itemsPerLeaf = LEAF_SUMS / count;
    }

    /// @notice Parts in which `size` elements are added up.
    function parts(uint256 size) internal pure returns (uint256) {
        return ceilDiv(size, PART_ELEMENTS);
    }

    /// @notice Length of the facts of a head of softmax at `position`.
    function softmaxFacts(uint256 position) internal pure returns (uint256) {
        return SOFTMAX_SUMS_AT + SUM_BYTES * parts(position + 1);
    }

    /// @notice Blocks of 64 positions up to `position`.
    function blocks(uint256 position) internal pure returns (uint256) {
        return position / TILE_POSITIONS + 1;
    }

    /// @notice Which cuts of a row of logits the trace holds: none if anything else acts on the logits.
    function cuts(IReceipts.Sampler calldata sampler, uint256 vocabularySize)
        internal
        pure
        returns (bool rank, bool share)
    {
        if (sampler.tau == 0 || sampler.controls != 0) return (false, false);
        rank = sampler.topK != 0 && sampler.topK < vocabularySize;
        share = sampler.topP != 0 && sampler.topP < ONE_Q30;
    }

    /// @notice Element `index` of `head`.
    function element(Row memory row, uint256 head, uint256 index)
        internal
        pure
        returns (Spot memory spot)
    {
        if (head >= row.heads) revert NumberOutOfRange(head, row.heads);
        if (index >= row.size) revert NumberOutOfRange(index, row.size);
        uint256 place = index % LEAF_ELEMENTS;
        spot.leaf = row.facts + head * ceilDiv(row.size, LEAF_ELEMENTS) + index / LEAF_ELEMENTS;
        spot.length = least(LEAF_ELEMENTS, row.size - (index - place)) * row.width;
        spot.offset = place * row.width;
    }

    /// @notice The elements of part `part` of `head`, as one run of leaves.
    function run(Row memory row, uint256 head, uint256 part)
        internal
        pure
        returns (Spot memory spot)
    {
        spot = element(row, head, part * PART_ELEMENTS);
        spot.length = least(PART_ELEMENTS, row.size - part * PART_ELEMENTS) * row.width;
    }

    /// @notice The leaves that hold `size` elements from `index` on, as one run, and where in it they begin.
    function span(Row memory row, uint256 index, uint256 size)
        internal
        pure
        returns (Spot memory spot)
    {
        if (size == 0 || index + size > row.size) {
            revert NumberOutOfRange(index + size, row.size);
        }
        spot = element(row, 0, index);
        uint256 end = least(ceilDiv(index + size, LEAF_ELEMENTS) * LEAF_ELEMENTS, row.size);
        spot.length = (end - index) * row.width + spot.offset;
    }

    /// @notice Partial sums number `item`.
    function sums(Row memory row, uint256 item) internal pure returns (Spot memory spot) {
        if (item >= row.items) revert NumberOutOfRange(item, row.items);
        uint256 place = item % row.itemsPerLeaf;
        spot.leaf = sumsFrom(row) + item / row.itemsPerLeaf;
        spot.length = least(row.itemsPerLeaf, row.items - (item - place)) * row.itemBytes;
        spot.offset = place * row.itemBytes;
    }

    /// @notice First leaf of partial sums.
    function sumsFrom(Row memory row) internal pure returns (uint256) {
        return row.facts + row.heads * ceilDiv(row.size, LEAF_ELEMENTS);
    }

    /// @notice First leaf of tiles, which is the number of leaves of a row without tiles.
    function tilesFrom(Row memory row) internal pure returns (uint256) {
        uint256 from = sumsFrom(row);
        return row.items == 0 ? from : from + ceilDiv(row.items, row.itemsPerLeaf);
    }

    /// @notice Leaves of tiles of the values that a mix reads.
    function tiles(Descriptor.Tensor memory values) internal pure returns (uint256) {
        return values.heads * ceilDiv(values.size, TILE_COLUMNS);
    }

    /// @notice True if tiles end at `position` of `count`.
    function isClosing(uint256 position, uint256 count) internal pure returns (bool) {
        return position % TILE_POSITIONS == TILE_POSITIONS - 1 || position + 1 == count;
    }

    /// @notice The position at which the tiles of `block_` end.
    function closing(uint256 block_, uint256 count) internal pure returns (uint256) {
        return least(TILE_POSITIONS * (block_ + 1), count) - 1;
    }

    /// @notice Column `index` of `head` in the tile that ends at `position`.
    /// @return spot of the first position; `stride` bytes on stands the next one
    function tile(
        Row memory row,
        Descriptor.Tensor memory values,
        uint256 position,
        uint256 head,
        uint256 index
    ) internal pure returns (Spot memory spot, uint256 stride) {
        if (head >= values.heads) revert NumberOutOfRange(head, values.heads);
        if (index >= values.size) revert NumberOutOfRange(index, values.size);
        uint256 place = index % TILE_COLUMNS;
        stride = A16_BYTES * least(TILE_COLUMNS, values.size - (index - place));
        spot.leaf =
            tilesFrom(row) + head * ceilDiv(values.size, TILE_COLUMNS) + index / TILE_COLUMNS;
        spot.length = stride * (position % TILE_POSITIONS + 1);
        spot.offset = place * A16_BYTES;
    }

    /// @notice Of `heads` heads, the one that head `head` of `count` reads.
    function sharedHead(uint256 head, uint256 count, uint256 heads)
        internal
        pure
        returns (uint256)
    {
        return head * heads / count;
    }

    function ceilDiv(uint256 a, uint256 b) internal pure returns (uint256) {
        return (a + b - 1) / b;
    }

    function least(uint256 a, uint256 b) internal pure returns (uint256) {
        return a < b ? a : b;
    }
}
