// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Judge} from "../../dispute/Judge.sol";
import {Kinds} from "../../dispute/Kinds.sol";
import {GraphBytes} from "./GraphBytes.sol";
import {JudgeGasWorld} from "./JudgeGasWorld.sol";

/// @notice Convictions over matrices, maps and rows; see {JudgeGasWorld}.
contract JudgeGasTest is JudgeGasWorld {
    // MATRICES

    function matmul(uint256 rows, uint256 cols) private returns (uint256 count, uint256 parts) {
        bytes memory weight = GraphBytes.matrix(7, rows, cols);
        describe1(3, GraphBytes.row(cols), weight, GraphBytes.row(rows));
        parts = (cols + 1023) / 1024;
        count = 1 + leaves(rows);
        if (parts > 1) count += (rows + 64 / parts - 1) / (64 / parts);
        writeWeight(7, 1 + rows * parts, 0, header());
        write(LAST, FIRST, 1 + leaves(cols), 0, quantised(-12));
        write(LAST, NODE, count, 0, quantised(-12));
        write(LAST, NODE, count, 1 + ELEMENT / 64, random("out", 256));
    }

    function matmulSum(uint256 rows, uint256 cols) private {
        (uint256 count, uint256 parts) = matmul(rows, cols);
        uint256 perLeaf = 64 / parts;
        uint256 leaf = 1 + leaves(rows) + 777 / perLeaf;
        write(LAST, NODE, count, leaf, random("partials", perLeaf * parts * 8));
        Judge.Proof memory proof = begin(LAST, NODE, 4, 1);
        proof.index = 777;
        proof.rows[0] = openRow(LAST, NODE, leaf, 1);
        proof.rows[1] = openBeside(LAST, FIRST, 0, 1, NODE);
        proof.rows[2] = openAgain(LAST, NODE, 0, 1);
        proof.rows[3] = openAgain(LAST, NODE, 1 + ELEMENT / 64, 1);
        proof.others[0] = openWeight(7, 0);
        measure(Kinds.MATMUL_SUM, proof);
    }

    function matmulPartial(uint256 rows, uint256 cols) private {
        (uint256 count, uint256 parts) = matmul(rows, cols);
        uint256 perLeaf = 64 / parts;
        uint256 leaf = 1 + leaves(rows) + 777 / perLeaf;
        write(LAST, NODE, count, leaf, random("partials", perLeaf * parts * 8));
        uint256 from = 1 + 16 * (parts - 1);
        writeRun(LAST, FIRST, 1 + leaves(cols), from, random("x", 2048), 128);
        uint256 piece = 1 + 777 * parts + parts - 1;
        writeWeight(7, 1 + rows * parts, piece, weightLeaf());
        Judge.Proof memory proof = begin(LAST, NODE, 2, 1);
        (proof.index, proof.part) = (777, uint32(parts - 1));
        proof.rows[0] = openRow(LAST, FIRST, from, 16);
        proof.rows[1] = openBeside(LAST, NODE, leaf, 1, FIRST);
        proof.others[0] = openWeight(7, piece);
        measure(Kinds.MATMUL_PARTIAL, proof);
    }

    /// @notice The promise of issue 4 for a row of 4,096 columns, without what the court adds.
    function test_gas_matmul4096() public {
        limit("F1 matmulSum, K = 4,096", 230_000);
        matmulSum(WIDTH, WIDTH);
    }

    function test_gas_matmulPartial4096() public {
        limit("F2 matmulPartial, K = 4,096", 320_000);
        matmulPartial(WIDTH, WIDTH);
    }

    function test_gas_matmul65536() public {
        limit("F1 matmulSum, K = 65,536", 270_000);
        matmulSum(16_384, 65_536);
    }

    function test_gas_matmulPartial65536() public {
        limit("F2 matmulPartial, K = 65,536", 340_000);
        matmulPartial(16_384, 65_536);
    }

    function test_gas_matmulElement() public {
        limit("F1 matmulElement, K = 1,024", 340_000);
        (uint256 count,) = matmul(WIDTH, 1024);
        writeRun(LAST, FIRST, 17, 1, random("x", 2048), 128);
        writeWeight(7, 1 + WIDTH, 778, weightLeaf());
        Judge.Proof memory proof = begin(LAST, NODE, 4, 2);
        proof.index = 777;
        proof.rows[0] = openRow(LAST, FIRST, 1, 16);
        proof.rows[1] = openAgain(LAST, FIRST, 0, 1);
        proof.rows[2] = openBeside(LAST, NODE, 0, 1, FIRST);
        proof.rows[3] = openAgain(LAST, NODE, 1 + ELEMENT / 64, 1);
        proof.others[0] = openWeight(7, 778);
        proof.others[1] = openWeightAgain(7, 0);
        assertTrue(count == 65, "leaves");
        measure(Kinds.MATMUL_ELEMENT, proof);
    }

    // MAPS

    function test_gas_embed() public {
        limit("F9 embedElement", 250_000);
        bytes memory tokens = abi.encodePacked(uint8(1), GraphBytes.T);
        bytes memory weight = GraphBytes.matrix(0, VOCABULARY, WIDTH);
        bytes[2] memory inputs = [GraphBytes.input(0, tokens), bytes("")];
        describe2(1, inputs, weight, GraphBytes.row(WIDTH));
        write(LAST, NODE, 64, ELEMENT / 64, random("out", 256));
        uint256 token = 123_456;
        writeWeight(0, 1 + VOCABULARY * 4, 0, header());
        writeWeight(0, 1 + VOCABULARY * 4, 1 + 4 * token, weightLeaf());
        Judge.Proof memory proof = begin(LAST, NODE, 1, 3);
        proof.index = 777;
        proof.rows[0] = openRow(LAST, NODE, ELEMENT / 64, 1);
        proof.others[0] = openWeight(0, 1 + 4 * token);
        proof.others[1] = openWeightAgain(0, 0);
        proof.others[2] = answerLeaf(5, token, 15);
        measure(Kinds.EMBED_ELEMENT, proof);
    }

    function test_gas_residual() public {
        limit("F3 residualElement", 210_000);
        bytes[2] memory inputs = two(GraphBytes.row(WIDTH), GraphBytes.row(WIDTH));
        describe2(11, inputs, "", GraphBytes.row(WIDTH));
        write(LAST, FIRST, 64, 12, random("a", 256));
        write(LAST, SECOND, 65 + 256, 13, random("b", 256));
        write(LAST, SECOND, 65 + 256, 0, quantised(-12));
        write(LAST, NODE, 64, 12, random("c", 256));
        Judge.Proof memory proof = begin(LAST, NODE, 4, 0);
        proof.index = 777;
        proof.rows[0] = openRow(LAST, FIRST, 12, 1);
        proof.rows[1] = openBeside(LAST, SECOND, 13, 1, FIRST);
        proof.rows[2] = openAgain(LAST, SECOND, 0, 1);
        proof.rows[3] = openBeside(LAST, NODE, 12, 1, FIRST);
        measure(Kinds.RESIDUAL_ELEMENT, proof);
    }

    function test_gas_swiGlu() public {
        limit("F3 swiGluElement", 250_000);
        bytes[2] memory inputs = two(GraphBytes.row(HIDDEN), GraphBytes.row(HIDDEN));
        describe2(10, inputs, "", GraphBytes.row(HIDDEN));
        uint256 count = 1 + leaves(HIDDEN);
        write(LAST, FIRST, count + HIDDEN / 16, 13, random("a", 256));
        write(LAST, FIRST, count + HIDDEN / 16, 0, quantised(-26));
        write(LAST, SECOND, count + HIDDEN / 16, 13, random("b", 256));
        write(LAST, SECOND, count + HIDDEN / 16, 0, quantised(-20));
        write(LAST, NODE, count, 13, random("c", 128));
        write(LAST, NODE, count, 0, quantised(-10));
        Judge.Proof memory proof = begin(LAST, NODE, 6, 0);
        proof.index = 777;
        uint256[6] memory nodes = [FIRST, FIRST, SECOND, SECOND, NODE, NODE];
        uint256[6] memory places = [uint256(13), 0, 13, 0, 0, 13];
        for (uint256 i = 0; i < 6; ++i) {
            if (i % 2 == 1) proof.rows[i] = openAgain(LAST, nodes[i], places[i], 1);
            else if (i == 0) proof.rows[i] = openRow(LAST, FIRST, places[i], 1);
            else proof.rows[i] = openBeside(LAST, nodes[i], places[i], 1, FIRST);
        }
        measure(Kinds.SWI_GLU_ELEMENT, proof);
    }

    function test_gas_rope() public {
        limit("F3 ropeElement", 220_000);
        uint256 count = 1 + leaves(WIDTH) + WIDTH / 16;
        bytes memory steps = GraphBytes.vector(3, 3, HEAD_SIZE / 2);
        describe1(4, GraphBytes.row(WIDTH), steps, GraphBytes.heads(HEADS, HEAD_SIZE));
        uint256 pair = 1 + (31 * HEAD_SIZE + 76) / 64;
        write(LAST, FIRST, count, pair, random("a", 256));
        write(LAST, FIRST, count, 0, quantised(-20));
        uint256 own = HEADS + 31 * 2 + 1;
        write(LAST, NODE, HEADS * 3, 31, quantised(-12));
        write(LAST, NODE, HEADS * 3, own, random("out", 128));
        writeWeight(3, 2, 1, random("steps", 512));
        Judge.Proof memory proof = begin(LAST, NODE, 4, 1);
        (proof.head, proof.index) = (31, 77);
        proof.rows[0] = openRow(LAST, FIRST, pair, 1);
        proof.rows[1] = openAgain(LAST, FIRST, 0, 1);
        proof.rows[2] = openBeside(LAST, NODE, 31, 1, FIRST);
        proof.rows[3] = openAgain(LAST, NODE, own, 1);
        proof.others[0] = openWeight(3, 1);
        measure(Kinds.ROPE_ELEMENT, proof);
    }

    function test_gas_join() public {
        limit("F3 joinElement", 220_000);
        joinWorld();
        Judge.Proof memory proof = begin(LAST, NODE, 5, 0);
        proof.index = uint32(31 * HEAD_SIZE + 77);
        proof.rows[0] = openRow(LAST, FIRST, HEADS + 63, 1);
        proof.rows[1] = openAgain(LAST, FIRST, 31, 1);
        proof.rows[2] = openBeside(LAST, SECOND, 31, 1, FIRST);
        proof.rows[3] = openBeside(LAST, NODE, 0, 1, FIRST);
        proof.rows[4] = openAgain(LAST, NODE, 1 + proof.index / 64, 1);
        measure(Kinds.JOIN_ELEMENT, proof);
    }

    function test_gas_joinTop() public {
        limit("F4 joinTop", 180_000);
        joinWorld();
        Judge.Proof memory proof = begin(LAST, NODE, 3, 0);
        proof.head = 31;
        proof.rows[0] = openRow(LAST, FIRST, 31, 1);
        proof.rows[1] = openBeside(LAST, SECOND, 31, 1, FIRST);
        proof.rows[2] = openBeside(LAST, NODE, 0, 1, FIRST);
        measure(Kinds.JOIN_TOP, proof);
    }

    function joinWorld() private {
        bytes[2] memory inputs =
            two(GraphBytes.heads(HEADS, HEAD_SIZE), GraphBytes.heads(HEADS, GraphBytes.T));
        describe2(9, inputs, "", GraphBytes.row(WIDTH));
        uint256 mixed = HEADS * 3 + WIDTH + 8 * 16;
        write(LAST, FIRST, mixed, HEADS + 63, random("mixed", 256));
        write(LAST, FIRST, mixed, 31, quantised(-12));
        write(LAST, SECOND, HEADS * 65, 31, softmaxFacts());
        write(LAST, NODE, 65, 0, abi.encodePacked(quantised(-14), int16(-80), uint16(3)));
        write(LAST, NODE, 65, 1 + (31 * HEAD_SIZE + 77) / 64, random("out", 128));
    }

    // ROWS

    function normWorld(uint256 width) private returns (uint256 parts) {
        parts = width / 1024;
        describe1(2, GraphBytes.row(width), GraphBytes.vector(9, 2, width), GraphBytes.row(width));
        bytes memory facts = abi.encodePacked(quantised(-10), uint8(3), uint32(2));
        for (uint256 i = 0; i < parts; ++i) {
            facts = abi.encodePacked(facts, uint64(1 << 50));
        }
        write(LAST, NODE, 1 + width / 64, 0, facts);
    }

    function test_gas_normElement() public {
        limit("F3 normElement", 360_000);
        normWorld(WIDTH);
        write(LAST, FIRST, 64, 12, random("h", 256));
        write(LAST, NODE, 65, 13, random("out", 128));
        writeWeight(9, 5, 0, header());
        writeWeight(9, 5, 1, random("gains", 4096));
        Judge.Proof memory proof = begin(LAST, NODE, 3, 2);
        proof.index = 777;
        proof.rows[0] = openRow(LAST, FIRST, 12, 1);
        proof.rows[1] = openBeside(LAST, NODE, 0, 1, FIRST);
        proof.rows[2] = openAgain(LAST, NODE, 13, 1);
        proof.others[0] = openWeight(9, 1);
        proof.others[1] = openWeightAgain(9, 0);
        measure(Kinds.NORM_ELEMENT, proof);
    }

    function test_gas_normPartial() public {
        limit("F4 normPartial, D = 16,384", 340_000);
        uint256 parts = normWorld(16_384);
        writeRun(LAST, FIRST, 256, 240, random("h", 4096), 256);
        Judge.Proof memory proof = begin(LAST, NODE, 2, 0);
        proof.part = uint32(parts - 1);
        proof.rows[0] = openRow(LAST, FIRST, 240, 16);
        proof.rows[1] = openBeside(LAST, NODE, 0, 1, FIRST);
        measure(Kinds.NORM_PARTIAL, proof);
    }

    function test_gas_normShift() public {
        limit("F4 normShift", 140_000);
        normWorld(WIDTH);
        write(LAST, FIRST, 64, 12, abi.encodePacked(type(int32).max, random("h", 252)));
        Judge.Proof memory proof = begin(LAST, NODE, 2, 0);
        proof.index = 768;
        proof.rows[0] = openRow(LAST, FIRST, 12, 1);
        proof.rows[1] = openBeside(LAST, NODE, 0, 1, FIRST);
        measure(Kinds.NORM_SHIFT, proof);
    }

    /// @dev An input of one part, as a matrix of 1,024 columns makes it, and the row of the judged node.
    function vectorProof(uint256 from, uint256 size) private returns (Judge.Proof memory proof) {
        uint256 leaf = 1 + ELEMENT / 64;
        writeRun(LAST, FIRST, 65, from, random("a", size), 256);
        write(LAST, FIRST, 65, 0, quantised(-20));
        write(LAST, NODE, 65, 0, quantised(-30));
        write(LAST, NODE, 65, leaf, random("out", 256));
        proof = begin(LAST, NODE, 4, 2);
        proof.index = uint32(ELEMENT);
        proof.rows[0] = openRow(LAST, FIRST, from, size / 256);
        proof.rows[1] = openAgain(LAST, FIRST, 0, 1);
        proof.rows[2] = openBeside(LAST, NODE, 0, 1, FIRST);
        proof.rows[3] = openAgain(LAST, NODE, leaf, 1);
        proof.others[0] = openWeight(9, 1);
        proof.others[1] = openWeightAgain(9, 0);
    }

    function test_gas_bias() public {
        limit("F3 biasElement", 360_000);
        describe1(13, GraphBytes.row(WIDTH), GraphBytes.vector(9, 2, WIDTH), GraphBytes.row(WIDTH));
        writeWeight(9, 5, 0, header());
        writeWeight(9, 5, 1, random("bias", 4096));
        measure(Kinds.BIAS_ELEMENT, vectorProof(1 + ELEMENT / 64, 256));
    }

    function test_gas_headNorm() public {
        limit("F3 headNormElement", 300_000);
        describe2(
            14,
            [GraphBytes.input(FIRST + 1, GraphBytes.row(WIDTH)), bytes("")],
            GraphBytes.vector(9, 2, HEAD_SIZE),
            GraphBytes.row(WIDTH)
        );
        writeWeight(9, 2, 0, header());
        writeWeight(9, 2, 1, random("gains", 4 * HEAD_SIZE));
        measure(Kinds.HEAD_NORM_ELEMENT, vectorProof(1 + ELEMENT / HEAD_SIZE * 2, 512));
    }

    function test_gas_leafForm() public {
        limit("F11 leafForm", 120_000);
        matmul(WIDTH, WIDTH);
        write(LAST, NODE, 65 + 256, 20, random("short", 255));
        Judge.Proof memory proof = begin(LAST, NODE, 1, 0);
        proof.part = 20;
        proof.rows[0] = openRow(LAST, NODE, 20, 1);
        measure(Kinds.LEAF_FORM, proof);
    }
}
