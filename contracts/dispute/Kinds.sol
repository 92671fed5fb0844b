// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @title Numbers of the kinds of fraud
/// @notice The upper four bits say which judge. `vectors/court/kinds.json` has the same list; a test compares them.
library Kinds {
    // FormJudge: what was signed contradicts itself, its job, or the shape of a trace.
    uint8 internal constant LEAF_FORM = 0x01;
    uint8 internal constant ROW_COUNT = 0x02;
    uint8 internal constant POSITION_COUNT = 0x03;
    uint8 internal constant TRACE_COUNT = 0x04;
    uint8 internal constant SALT = 0x05;
    uint8 internal constant OUTPUT_COUNT = 0x06;
    uint8 internal constant PRICE = 0x07;
    uint8 internal constant FINISH = 0x08;
    uint8 internal constant STOP_MISSING = 0x09;
    uint8 internal constant STOP_PASSED = 0x0a;
    uint8 internal constant OUTPUT_LEAVES = 0x0b;
    uint8 internal constant TOKEN_FORM = 0x0c;

    // LinearJudge: sums of products.
    uint8 internal constant EMBED_ELEMENT = 0x10;
    uint8 internal constant MATMUL_ELEMENT = 0x11;
    uint8 internal constant MATMUL_SUM = 0x12;
    uint8 internal constant MATMUL_PARTIAL = 0x13;
    uint8 internal constant SCORE_ELEMENT = 0x14;
    uint8 internal constant MIX_ELEMENT = 0x15;
    uint8 internal constant MIX_PARTIAL = 0x16;
    uint8 internal constant TILE = 0x17;
    uint8 internal constant BIAS_ELEMENT = 0x18;

    // MapJudge: an element from a few others.
    uint8 internal constant ROPE_ELEMENT = 0x20;
    uint8 internal constant SPLIT_ELEMENT = 0x21;
    uint8 internal constant SWI_GLU_ELEMENT = 0x22;
    uint8 internal constant RESIDUAL_ELEMENT = 0x23;
    uint8 internal constant LOGIT_ELEMENT = 0x24;
    uint8 internal constant JOIN_ELEMENT = 0x25;
    uint8 internal constant JOIN_TOP = 0x26;

    // RowJudge: ops that first reduce a row.
    uint8 internal constant NORM_ELEMENT = 0x30;
    uint8 internal constant NORM_SHIFT = 0x31;
    uint8 internal constant NORM_PARTIAL = 0x32;
    uint8 internal constant SOFTMAX_ELEMENT = 0x33;
    uint8 internal constant SOFTMAX_LARGEST = 0x34;
    uint8 internal constant SOFTMAX_TOP = 0x35;
    uint8 internal constant SOFTMAX_PARTIAL = 0x36;
    uint8 internal constant HEAD_NORM_ELEMENT = 0x37;

    // SamplingJudge: from logits to the token.
    uint8 internal constant LOGITS_TOP = 0x40;
    uint8 internal constant SAMPLE_PARTIAL = 0x41;
    uint8 internal constant SAMPLE_TOTAL = 0x42;
    uint8 internal constant SAMPLE_CUTS = 0x43;
    uint8 internal constant CUT_VALUE = 0x44;
    uint8 internal constant TOKEN = 0x45;
}
