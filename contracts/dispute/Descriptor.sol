// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @title One node of a graph
/// @notice Decodes the bytes of docs/reference/arithmetic.md, section 8. Whoever judges a row knows from them alone
/// which op made it, from which rows and weights, and how large each of them is.
library Descriptor {
    /// @notice Where a row is and how large it is.
    /// @param index 0 the tokens, j + 1 the output of node j
    /// @param heads 1 unless the tensor has rank 3
    /// @param size of the row of a head; SYMBOLIC for as many as there are positions so far
    struct Tensor {
        uint256 index;
        uint256 heads;
        uint256 size;
    }

    /// @param rows 1 for a vector
    struct Weight {
        uint256 index;
        uint256 rows;
        uint256 cols;
    }

    /// @param inputs as many as the op has, the rest is zero
    /// @param parameters likewise
    struct Node {
        uint256 op;
        uint256 logitsFrom;
        Tensor[2] inputs;
        Weight weight;
        int256[2] parameters;
        Tensor output;
    }

    uint256 internal constant EMBED = 1;
    uint256 internal constant RMS_NORM = 2;
    uint256 internal constant MATMUL = 3;
    uint256 internal constant ROPE = 4;
    uint256 internal constant SPLIT_HEADS = 5;
    uint256 internal constant SCORES = 6;
    uint256 internal constant SOFTMAX = 7;
    uint256 internal constant MIX = 8;
    uint256 internal constant JOIN_HEADS = 9;
    uint256 internal constant SWI_GLU = 10;
    uint256 internal constant RESIDUAL_ADD = 11;
    uint256 internal constant LOGITS = 12;
    uint256 internal constant BIAS = 13;
    uint256 internal constant HEAD_NORM = 14;

    /// @dev T in a shape.
    uint256 internal constant SYMBOLIC = type(uint32).max;
    uint256 private constant INPUTS_MAX = 2;
    uint256 private constant WEIGHTS_MAX = 1;
    uint256 private constant PARAMETERS_MAX = 2;
    uint256 private constant RANK_MAX = 3;

    /// @dev The bytes are no node of an op that a judge knows.
    error DescriptorMalformed(uint256 offset);

    /// @param index of the node
    function decode(bytes calldata data, uint256 index) internal pure returns (Node memory node) {
        // SAFETY: offsets grow by constants, to a few hundred at most; that the last one is the end proves that nothing
        // was read behind it.
        unchecked {
            node.op = read(data, 0, 1);
            node.logitsFrom = read(data, 1, 4);
            uint256 offset = 6;
            uint256 count = countAt(data, 5, INPUTS_MAX);
            for (uint256 i = 0; i < count; ++i) {
                Tensor memory input = node.inputs[i];
                input.index = read(data, offset, 4);
                offset = readShape(data, offset + 4, input);
            }
            count = countAt(data, offset++, WEIGHTS_MAX);
            if (count == 1) offset = readWeight(data, offset, node.weight);
            count = countAt(data, offset++, PARAMETERS_MAX);
            for (uint256 i = 0; i < count; ++i) {
                // SAFETY: eight bytes.
                node.parameters[i] = int64(uint64(read(data, offset, 8)));
                offset += 8;
            }
            offset = readShape(data, offset, node.output);
            node.output.index = index + 1;
            if (offset != data.length) revert DescriptorMalformed(offset);
        }
    }

    /// @dev `size` bytes at `offset`, which may lie behind the end.
    function read(bytes calldata data, uint256 offset, uint256 size)
        private
        pure
        returns (uint256 value)
    {
        assembly ("memory-safe") {
            value := shr(sub(256, shl(3, size)), calldataload(add(data.offset, offset)))
        }
    }

    function countAt(bytes calldata data, uint256 offset, uint256 countMax)
        private
        pure
        returns (uint256 count)
    {
        count = read(data, offset, 1);
        if (count > countMax) revert DescriptorMalformed(offset);
    }

    /// @dev [T], [T, size] or [T, heads, size].
    function readShape(bytes calldata data, uint256 offset, Tensor memory tensor)
        private
        pure
        returns (uint256)
    {
        unchecked {
            uint256 rank = read(data, offset, 1);
            if (rank == 0 || rank > RANK_MAX || read(data, offset + 1, 4) != SYMBOLIC) {
                revert DescriptorMalformed(offset);
            }
            tensor.heads = rank == RANK_MAX ? read(data, offset + 5, 4) : 1;
            tensor.size = rank == 1 ? 1 : read(data, offset + 4 * rank - 3, 4);
            return offset + 1 + 4 * rank;
        }
    }

    /// @dev u32 index, u8 kind, then [cols] or [rows, cols].
    function readWeight(bytes calldata data, uint256 offset, Weight memory weight)
        private
        pure
        returns (uint256)
    {
        unchecked {
            weight.index = read(data, offset, 4);
            uint256 rank = read(data, offset + 5, 1);
            if (rank == 0 || rank > 2) revert DescriptorMalformed(offset);
            weight.rows = rank == 1 ? 1 : read(data, offset + 6, 4);
            weight.cols = read(data, offset + 2 + 4 * rank, 4);
            return offset + 6 + 4 * rank;
        }
    }
}
