// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Judge} from "../../dispute/Judge.sol";
import {Kinds} from "../../dispute/Kinds.sol";
import {GraphBytes} from "./GraphBytes.sol";
import {TraceWorld} from "./TraceWorld.sol";

/// @notice Rows name the lowest element that could be their witness. Every op that stores exponents is given rows of
/// zeros, whose first element is as good a witness as any: naming it is right, naming the second one convicts. Each
/// case is also a small honest row by hand.
contract JudgeWitnessTest is TraceWorld {
    uint256 private constant WIDTH = 64;
    uint256 private constant LAST = 2;
    uint256 private constant FIRST = 1;
    uint256 private constant SECOND = 2;
    uint256 private constant NODE = 3;
    int16 private constant EXPONENT = -12;

    /// @dev The witness that the judged row names.
    uint32 private named;

    function setUp() public override {
        super.setUp();
        base.inputCount = 2;
        base.outputCount = 2;
        base.outputCountMax = 2;
        nodeCount = 5;
        weightCount = 3;
        logitsFrom = 5;
    }

    function zeros(uint256 size) private pure returns (bytes memory) {
        return new bytes(size);
    }

    /// @dev Mantissas of A16 are stored plus 32,768.
    function zeros16(uint256 count) private pure returns (bytes memory out) {
        out = new bytes(2 * count);
        for (uint256 i = 0; i < count; ++i) {
            out[2 * i] = 0x80;
        }
    }

    function facts(int256 exponent) private view returns (bytes memory) {
        return abi.encodePacked(int16(exponent), named);
    }

    function node(uint8 op, bytes memory weight, bytes memory parameters) private {
        bytes[2] memory inputs = [GraphBytes.input(FIRST + 1, GraphBytes.row(WIDTH)), bytes("")];
        describe(
            NODE, GraphBytes.node(op, logitsFrom, inputs, weight, parameters, GraphBytes.row(WIDTH))
        );
    }

    function header(int64 exponent) private {
        writeWeight(1, 1 + WIDTH, 0, abi.encodePacked(uint8(1), uint32(64), uint32(64), exponent));
    }

    /// @dev Facts at 0 and one leaf of elements at 1, of an input and of the judged row.
    function rows(bytes memory input, int256 exponent, bytes memory output) private {
        write(LAST, FIRST, 2, 0, abi.encodePacked(EXPONENT, uint32(0)));
        write(LAST, FIRST, 2, 1, input);
        write(LAST, NODE, 2, 0, facts(exponent));
        write(LAST, NODE, 2, 1, output);
    }

    function proofOf(uint256 others) private view returns (Judge.Proof memory proof) {
        proof = begin(LAST, NODE, 4, others);
        proof.rows[0] = openRow(LAST, FIRST, 1, 1);
        proof.rows[1] = openAgain(LAST, FIRST, 0, 1);
        proof.rows[2] = openRow(LAST, NODE, 0, 1);
        proof.rows[3] = openAgain(LAST, NODE, 1, 1);
    }

    function convicts(uint8 kind, Judge.Proof memory proof) private view {
        bool guilty = judgeOf(kind).isGuilty(signed(), kind, abi.encode(proof));
        assertTrue(guilty == (named != 0), vm.toString(kind));
    }

    function matmul() private {
        node(3, GraphBytes.matrix(1, WIDTH, WIDTH), "");
        header(-20);
        writeWeight(1, 1 + WIDTH, 1, zeros(1 + 34 * 2));
        rows(zeros16(WIDTH), EXPONENT - 20, zeros(4 * WIDTH));
        Judge.Proof memory proof = proofOf(2);
        proof.others[0] = openWeight(1, 1);
        proof.others[1] = openWeightAgain(1, 0);
        convicts(Kinds.MATMUL_ELEMENT, proof);
    }

    function test_matmul_first() public {
        matmul();
    }

    function test_matmul_second() public {
        named = 1;
        matmul();
    }

    /// @dev K = 1,088: two sums for each of 64 elements, 32 elements in a leaf.
    function matmulSum() private {
        bytes[2] memory inputs = [GraphBytes.input(FIRST + 1, GraphBytes.row(1088)), bytes("")];
        bytes memory weight = GraphBytes.matrix(1, WIDTH, 1088);
        describe(NODE, GraphBytes.node(3, logitsFrom, inputs, weight, "", GraphBytes.row(WIDTH)));
        writeWeight(1, 1 + 2 * WIDTH, 0, abi.encodePacked(uint8(1), uint64(0), int64(-20)));
        write(LAST, FIRST, 18, 0, abi.encodePacked(EXPONENT, uint32(0)));
        write(LAST, NODE, 4, 0, facts(EXPONENT - 20));
        write(LAST, NODE, 4, 1, zeros(4 * WIDTH));
        write(LAST, NODE, 4, 2, zeros(512));
        Judge.Proof memory proof = begin(LAST, NODE, 4, 1);
        proof.rows[0] = openRow(LAST, NODE, 2, 1);
        proof.rows[1] = openRow(LAST, FIRST, 0, 1);
        proof.rows[2] = openAgain(LAST, NODE, 0, 1);
        proof.rows[3] = openAgain(LAST, NODE, 1, 1);
        proof.others[0] = openWeight(1, 0);
        convicts(Kinds.MATMUL_SUM, proof);
    }

    function test_matmulSum_first() public {
        matmulSum();
    }

    function test_matmulSum_second() public {
        named = 1;
        matmulSum();
    }

    function bias() private {
        node(13, GraphBytes.vector(1, 2, WIDTH), "");
        writeWeight(1, 2, 0, abi.encodePacked(uint8(2), uint32(1), uint32(64), int64(-20)));
        writeWeight(1, 2, 1, zeros(4 * WIDTH));
        rows(zeros(4 * WIDTH), EXPONENT - 30, zeros(4 * WIDTH));
        Judge.Proof memory proof = proofOf(2);
        proof.others[0] = openWeight(1, 1);
        proof.others[1] = openWeight(1, 0);
        convicts(Kinds.BIAS_ELEMENT, proof);
    }

    function test_bias_first() public {
        bias();
    }

    function test_bias_second() public {
        named = 1;
        bias();
    }

    /// @dev Two heads of 32.
    function headNorm() private {
        bytes memory parameters = abi.encodePacked(int64(2), int64(10_995_116));
        node(14, GraphBytes.vector(1, 2, 32), parameters);
        writeWeight(1, 2, 0, abi.encodePacked(uint8(2), uint32(1), uint32(32), int64(-20)));
        writeWeight(1, 2, 1, zeros(128));
        rows(zeros(4 * WIDTH), -44, zeros(4 * WIDTH));
        Judge.Proof memory proof = proofOf(2);
        proof.others[0] = openWeight(1, 1);
        proof.others[1] = openWeight(1, 0);
        convicts(Kinds.HEAD_NORM_ELEMENT, proof);
    }

    function test_headNorm_first() public {
        headNorm();
    }

    function test_headNorm_second() public {
        named = 1;
        headNorm();
    }

    /// @dev One head of 64.
    function heads(uint8 op, bytes memory weight) private {
        bytes[2] memory inputs = [GraphBytes.input(FIRST + 1, GraphBytes.row(WIDTH)), bytes("")];
        bytes memory output = GraphBytes.heads(1, WIDTH);
        bytes memory parameters = abi.encodePacked(int64(1));
        describe(NODE, GraphBytes.node(op, logitsFrom, inputs, weight, parameters, output));
    }

    function rope() private {
        heads(4, GraphBytes.vector(1, 3, WIDTH / 2));
        writeWeight(1, 2, 1, zeros(8 * 32));
        rows(zeros(4 * WIDTH), EXPONENT - 30, zeros16(WIDTH));
        Judge.Proof memory proof = proofOf(1);
        proof.others[0] = openWeight(1, 1);
        convicts(Kinds.ROPE_ELEMENT, proof);
    }

    function test_rope_first() public {
        rope();
    }

    function test_rope_second() public {
        named = 1;
        rope();
    }

    function split() private {
        heads(5, "");
        rows(zeros(4 * WIDTH), EXPONENT, zeros16(WIDTH));
        convicts(Kinds.SPLIT_ELEMENT, proofOf(0));
    }

    function test_split_first() public {
        split();
    }

    function test_split_second() public {
        named = 1;
        split();
    }

    function swiGlu() private {
        bytes memory shape = GraphBytes.row(WIDTH);
        bytes[2] memory inputs =
            [GraphBytes.input(FIRST + 1, shape), GraphBytes.input(SECOND + 1, shape)];
        describe(NODE, GraphBytes.node(10, logitsFrom, inputs, "", "", shape));
        rows(zeros(4 * WIDTH), EXPONENT - 16, zeros16(WIDTH));
        write(LAST, SECOND, 2, 0, abi.encodePacked(EXPONENT, uint32(0)));
        write(LAST, SECOND, 2, 1, zeros(4 * WIDTH));
        Judge.Proof memory proof = begin(LAST, NODE, 6, 0);
        proof.rows[0] = openRow(LAST, FIRST, 1, 1);
        proof.rows[1] = openRow(LAST, FIRST, 0, 1);
        proof.rows[2] = openRow(LAST, SECOND, 1, 1);
        proof.rows[3] = openRow(LAST, SECOND, 0, 1);
        proof.rows[4] = openRow(LAST, NODE, 0, 1);
        proof.rows[5] = openRow(LAST, NODE, 1, 1);
        convicts(Kinds.SWI_GLU_ELEMENT, proof);
    }

    function test_swiGlu_first() public {
        swiGlu();
    }

    function test_swiGlu_second() public {
        named = 1;
        swiGlu();
    }

    function norm() private {
        bytes memory parameters = abi.encodePacked(int64(16), int64(10_995_116));
        node(2, GraphBytes.vector(1, 2, WIDTH), parameters);
        writeWeight(1, 2, 0, abi.encodePacked(uint8(2), uint32(1), uint32(64), int64(-20)));
        writeWeight(1, 2, 1, zeros(4 * WIDTH));
        write(LAST, FIRST, 1, 0, zeros(4 * WIDTH));
        bytes memory all = abi.encodePacked(facts(-44), uint8(0), named, uint64(0));
        write(LAST, NODE, 2, 0, all);
        write(LAST, NODE, 2, 1, zeros16(WIDTH));
        Judge.Proof memory proof = begin(LAST, NODE, 3, 2);
        proof.rows[0] = openRow(LAST, FIRST, 0, 1);
        proof.rows[1] = openRow(LAST, NODE, 0, 1);
        proof.rows[2] = openRow(LAST, NODE, 1, 1);
        proof.others[0] = openWeight(1, 1);
        proof.others[1] = openWeight(1, 0);
        convicts(Kinds.NORM_ELEMENT, proof);
        convicts(Kinds.NORM_SHIFT, proof);
    }

    function test_norm_first() public {
        norm();
    }

    function test_norm_second() public {
        named = 1;
        norm();
    }

    /// @dev One head, position 2: the first of three equal scores.
    function softmax() private {
        bytes[2] memory inputs = [
            GraphBytes.input(FIRST + 1, GraphBytes.heads(1, GraphBytes.T)),
            GraphBytes.input(SECOND + 1, GraphBytes.heads(1, WIDTH))
        ];
        bytes memory output = GraphBytes.heads(1, GraphBytes.T);
        describe(NODE, GraphBytes.node(7, logitsFrom, inputs, "", "", output));
        write(LAST, FIRST, 1, 0, zeros(12));
        write(0, SECOND, 2, 0, abi.encodePacked(EXPONENT, uint32(0)));
        bytes memory maxima = abi.encodePacked(int32(0), named, EXPONENT, named);
        // Weights of 2^46 leave a shift of 17.
        bytes memory all = abi.encodePacked(maxima, facts(EXPONENT + 1), uint64(3 << 30));
        write(LAST, NODE, 2, 0, all);
        uint32 weight = 1 << 29;
        write(LAST, NODE, 2, 1, abi.encodePacked(weight, weight, weight));
        softmaxElement();
        softmaxMaxima();
    }

    function softmaxElement() private view {
        Judge.Proof memory proof = begin(LAST, NODE, 4, 0);
        also(proof, 0);
        proof.rows[0] = openRow(LAST, FIRST, 0, 1);
        proof.rows[1] = openRow(LAST, NODE, 0, 1);
        proof.rows[2] = openAgain(LAST, NODE, 1, 1);
        proof.rows[3] = openRow(0, SECOND, 0, 1);
        convicts(Kinds.SOFTMAX_ELEMENT, proof);
        convicts(Kinds.SOFTMAX_LARGEST, proof);
    }

    function softmaxMaxima() private view {
        Judge.Proof memory proof = begin(LAST, NODE, 2, 0);
        also(proof, 0);
        proof.rows[0] = openRow(LAST, NODE, 0, 1);
        proof.rows[1] = openRow(0, SECOND, 0, 1);
        convicts(Kinds.SOFTMAX_TOP, proof);
    }

    function test_softmax_first() public {
        softmax();
    }

    function test_softmax_second() public {
        named = 1;
        softmax();
    }

    /// @dev Two heads of 32, with S = 2^30: 1 / S is 2^32, so two bits are added to their exponent, less 62.
    function join() private {
        bytes[2] memory inputs = [
            GraphBytes.input(FIRST + 1, GraphBytes.heads(2, 32)),
            GraphBytes.input(SECOND + 1, GraphBytes.heads(2, GraphBytes.T))
        ];
        describe(NODE, GraphBytes.node(9, logitsFrom, inputs, "", "", GraphBytes.row(WIDTH)));
        write(LAST, FIRST, 5, 0, abi.encodePacked(EXPONENT, uint32(0)));
        write(LAST, FIRST, 5, 2, zeros(128));
        bytes memory before = abi.encodePacked(uint32(0), uint32(0), int16(0), uint32(0));
        write(LAST, SECOND, 4, 0, abi.encodePacked(before, int16(0), uint32(0), uint64(1 << 30)));
        int16 top = EXPONENT + 2 - 62;
        write(LAST, NODE, 2, 0, abi.encodePacked(facts(top), top, uint16(named)));
        write(LAST, NODE, 2, 1, zeros16(WIDTH));
        Judge.Proof memory proof = begin(LAST, NODE, 5, 0);
        proof.rows[0] = openRow(LAST, FIRST, 2, 1);
        proof.rows[1] = openAgain(LAST, FIRST, 0, 1);
        proof.rows[2] = openRow(LAST, SECOND, 0, 1);
        proof.rows[3] = openRow(LAST, NODE, 0, 1);
        proof.rows[4] = openAgain(LAST, NODE, 1, 1);
        convicts(Kinds.JOIN_ELEMENT, proof);
        proof.rows[0] = openRow(LAST, FIRST, 0, 1);
        proof.rows[1] = proof.rows[2];
        proof.rows[2] = proof.rows[3];
        convicts(Kinds.JOIN_TOP, proof);
    }

    function test_join_first() public {
        join();
    }

    function test_join_second() public {
        named = 1;
        join();
    }
}
