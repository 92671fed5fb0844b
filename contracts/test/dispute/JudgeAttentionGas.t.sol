// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Judge} from "../../dispute/Judge.sol";
import {Kinds} from "../../dispute/Kinds.sol";
import {TraceTree} from "../../dispute/TraceTree.sol";
import {GraphBytes} from "./GraphBytes.sol";
import {JudgeGasWorld} from "./JudgeGasWorld.sol";

/// @notice Convictions over attention, sampling, shapes and receipts; see {JudgeGasWorld}.
contract JudgeAttentionGasTest is JudgeGasWorld {
    // ATTENTION

    function test_gas_score() public {
        limit("F5 scoreElement, T = 4,096", 230_000);
        bytes memory keys = GraphBytes.heads(KV_HEADS, HEAD_SIZE);
        bytes[2] memory inputs = two(GraphBytes.heads(HEADS, HEAD_SIZE), keys);
        describe2(6, inputs, "", GraphBytes.heads(HEADS, GraphBytes.T));
        writeRun(LAST, FIRST, HEADS * 3, HEADS + 62, random("q", 256), 128);
        write(LAST, FIRST, HEADS * 3, 31, quantised(-12));
        write(LAST, NODE, HEADS * 64, 31 * 64 + PAST / 64, random("out", 256));
        writeRun(1000, SECOND, KV_HEADS * 3, KV_HEADS + 14, random("k", 256), 128);
        write(1000, SECOND, KV_HEADS * 3, 7, quantised(-12));
        Judge.Proof memory proof = begin(LAST, NODE, 5, 0);
        also(proof, 1000);
        (proof.head, proof.index) = (31, 1000);
        proof.rows[0] = openRow(LAST, FIRST, HEADS + 62, 2);
        proof.rows[1] = openAgain(LAST, FIRST, 31, 1);
        proof.rows[2] = openBeside(LAST, NODE, 31 * 64 + PAST / 64, 1, FIRST);
        proof.rows[3] = openRow(1000, SECOND, KV_HEADS + 14, 2);
        proof.rows[4] = openAgain(1000, SECOND, 7, 1);
        measure(Kinds.SCORE_ELEMENT, proof);
    }

    function softmaxWorld() private {
        bytes memory values = GraphBytes.heads(KV_HEADS, HEAD_SIZE);
        bytes[2] memory inputs = two(GraphBytes.heads(HEADS, GraphBytes.T), values);
        describe2(7, inputs, "", GraphBytes.heads(HEADS, GraphBytes.T));
        write(LAST, NODE, HEADS * 65, 31, softmaxFacts());
    }

    function test_gas_softmaxElement() public {
        limit("F7 softmaxElement, T = 4,096", 230_000);
        softmaxWorld();
        uint256 leaf = 31 * 64 + PAST / 64;
        write(LAST, FIRST, HEADS * 64, leaf, random("scores", 256));
        write(LAST, NODE, HEADS * 65, HEADS + leaf, random("out", 256));
        write(1000, SECOND, KV_HEADS * 3, 7, quantised(-12));
        Judge.Proof memory proof = begin(LAST, NODE, 4, 0);
        also(proof, 1000);
        (proof.head, proof.index) = (31, 1000);
        proof.rows[0] = openRow(LAST, FIRST, leaf, 1);
        proof.rows[1] = openBeside(LAST, NODE, 31, 1, FIRST);
        proof.rows[2] = openAgain(LAST, NODE, HEADS + leaf, 1);
        proof.rows[3] = openRow(1000, SECOND, 7, 1);
        measure(Kinds.SOFTMAX_ELEMENT, proof);
    }

    function test_gas_softmaxTop() public {
        limit("F4 softmaxTop, T = 4,096", 160_000);
        softmaxWorld();
        write(1000, SECOND, KV_HEADS * 3, 7, quantised(-2));
        Judge.Proof memory proof = begin(LAST, NODE, 2, 0);
        also(proof, 1000);
        (proof.head, proof.index) = (31, 1000);
        proof.rows[0] = openRow(LAST, NODE, 31, 1);
        proof.rows[1] = openRow(1000, SECOND, 7, 1);
        measure(Kinds.SOFTMAX_TOP, proof);
    }

    function test_gas_softmaxPartial() public {
        limit("F7 softmaxPartial, T = 4,096", 590_000);
        softmaxWorld();
        writeRun(LAST, FIRST, HEADS * 64, 31 * 64 + 48, scores(), 256);
        Judge.Proof memory proof = begin(LAST, NODE, 2, 0);
        (proof.head, proof.part) = (31, 3);
        proof.rows[0] = openRow(LAST, FIRST, 31 * 64 + 48, 16);
        proof.rows[1] = openBeside(LAST, NODE, 31, 1, FIRST);
        measure(Kinds.SOFTMAX_PARTIAL, proof);
    }

    /// @dev Near the largest, so that every power is computed.
    function scores() private pure returns (bytes memory) {
        int256[] memory values = new int256[](1024);
        for (uint256 i = 0; i < 1024; ++i) {
            values[i] = 777 - int256(uint256(keccak256(abi.encode(i))) % 1_000_000);
        }
        return packWords(values);
    }

    function mixWorld() private returns (uint256 count) {
        bytes memory values = GraphBytes.heads(KV_HEADS, HEAD_SIZE);
        bytes[2] memory inputs = two(GraphBytes.heads(HEADS, GraphBytes.T), values);
        describe2(8, inputs, "", GraphBytes.heads(HEADS, HEAD_SIZE));
        return HEADS * 3 + HEADS * HEAD_SIZE + KV_HEADS * 16;
    }

    function test_gas_mixPartial() public {
        limit("F6 mixPartial, T = 4,096", 270_000);
        uint256 count = mixWorld();
        uint256 closing = 64 * 15 + 63;
        // At that position a leaf of sums holds four elements.
        uint256 earlier = HEADS * 3 + WIDTH / 4 + KV_HEADS * 16;
        uint256 tile = HEADS * 3 + WIDTH / 4 + 7 * 16 + 9;
        write(LAST, FIRST, HEADS * 65, HEADS + 31 * 64 + 15, random("p", 256));
        uint256 sums = HEADS * 3 + 31 * HEAD_SIZE + 77;
        write(LAST, NODE, count, sums, random("sums", 512));
        write(closing, NODE, earlier, tile, random("tile", 1024));
        Judge.Proof memory proof = begin(LAST, NODE, 3, 0);
        also(proof, closing);
        (proof.head, proof.index, proof.part) = (31, 77, 15);
        proof.rows[0] = openRow(LAST, FIRST, HEADS + 31 * 64 + 15, 1);
        proof.rows[1] = openBeside(LAST, NODE, sums, 1, FIRST);
        proof.rows[2] = openRow(closing, NODE, tile, 1);
        measure(Kinds.MIX_PARTIAL, proof);
    }

    function test_gas_mixElement() public {
        limit("F6 mixElement, T = 4,096", 220_000);
        uint256 count = mixWorld();
        uint256 sums = HEADS * 3 + 31 * HEAD_SIZE + 77;
        write(LAST, NODE, count, sums, random("sums", 512));
        write(LAST, FIRST, HEADS * 65, 31, softmaxFacts());
        write(LAST, NODE, count, 31, quantised(-12));
        write(LAST, NODE, count, HEADS + 63, random("out", 256));
        Judge.Proof memory proof = begin(LAST, NODE, 4, 0);
        (proof.head, proof.index) = (31, 77);
        proof.rows[0] = openRow(LAST, NODE, sums, 1);
        proof.rows[1] = openBeside(LAST, FIRST, 31, 1, NODE);
        proof.rows[2] = openAgain(LAST, NODE, 31, 1);
        proof.rows[3] = openAgain(LAST, NODE, HEADS + 63, 1);
        measure(Kinds.MIX_ELEMENT, proof);
    }

    function test_gas_tile() public {
        limit("F6 tile", 200_000);
        uint256 count = mixWorld();
        uint256 leaf = HEADS * 3 + WIDTH + 7 * 16 + 9;
        write(LAST, NODE, count, leaf, random("tile", 1024));
        write(LAST - 10, SECOND, KV_HEADS * 3, KV_HEADS + 15, random("v", 128));
        Judge.Proof memory proof = begin(LAST, NODE, 2, 0);
        also(proof, LAST - 10);
        (proof.head, proof.index, proof.part) = (7, 77, 53);
        proof.rows[0] = openRow(LAST, NODE, leaf, 1);
        proof.rows[1] = openRow(LAST - 10, SECOND, KV_HEADS + 15, 1);
        measure(Kinds.TILE, proof);
    }

    // SAMPLING

    function logitsWorld(uint256 vocabulary) private returns (uint256 count, uint256 parts) {
        describe1(12, GraphBytes.row(vocabulary), "", GraphBytes.row(vocabulary));
        parts = (vocabulary + 1023) / 1024;
        count = 1 + leaves(vocabulary) + (parts + 31) / 32;
        bytes memory cuts = abi.encodePacked(
            uint32(77), int32(900_000), uint32(78), int32(-800_000), uint32(79), int32(-700_000)
        );
        write(
            LAST,
            NODE,
            count,
            0,
            abi.encodePacked(cuts, uint64(40), uint64(1 << 33), uint64(1 << 32))
        );
    }

    function test_gas_samplePartial() public {
        limit("F8 samplePartial, V = 2^20", 1_420_000);
        (uint256 count,) = logitsWorld(1 << 20);
        uint256 sums = 1 + leaves(1 << 20);
        writeRun(LAST, NODE, count, 1 + 16, logits(), 256);
        write(LAST, NODE, count, sums, random("sums", 768));
        Judge.Proof memory proof = begin(LAST, NODE, 3, 0);
        proof.part = 1;
        proof.rows[0] = openRow(LAST, NODE, 1 + 16, 16);
        proof.rows[1] = openAgain(LAST, NODE, 0, 1);
        proof.rows[2] = openAgain(LAST, NODE, sums, 1);
        measure(Kinds.SAMPLE_PARTIAL, proof);
    }

    /// @dev Between the cuts and the largest, so that every weight is computed.
    function logits() private pure returns (bytes memory) {
        int256[] memory values = new int256[](1024);
        for (uint256 i = 0; i < 1024; ++i) {
            values[i] = 900_000 - int256(uint256(keccak256(abi.encode(i))) % 1_000_000);
        }
        return packWords(values);
    }

    function sampleTotal(uint256 vocabulary) private {
        (uint256 count, uint256 parts) = logitsWorld(vocabulary);
        uint256 from = 1 + leaves(vocabulary);
        writeRun(LAST, NODE, count, from, random("sums", 24 * parts), 768);
        Judge.Proof memory proof = begin(LAST, NODE, 2, 0);
        proof.rows[0] = openRow(LAST, NODE, from, count - from);
        proof.rows[1] = openAgain(LAST, NODE, 0, 1);
        measure(Kinds.SAMPLE_TOTAL, proof);
    }

    function test_gas_sampleTotal() public {
        limit("F8 sampleTotal, V = 151,936", 280_000);
        sampleTotal(VOCABULARY);
    }

    function test_gas_sampleTotalLargest() public {
        limit("F8 sampleTotal, V = 2^20", 1_150_000);
        sampleTotal(1 << 20);
    }

    function test_gas_sampleCuts() public {
        limit("F8 sampleCuts", 120_000);
        logitsWorld(VOCABULARY);
        Judge.Proof memory proof = begin(LAST, NODE, 1, 0);
        proof.rows[0] = openRow(LAST, NODE, 0, 1);
        measure(Kinds.SAMPLE_CUTS, proof);
    }

    function test_gas_token() public {
        limit("F8 token, V = 2^20", 190_000);
        (uint256 count,) = logitsWorld(1 << 20);
        // The chosen token is far below the cuts.
        write(LAST, NODE, count, 1 + 123_456 / 64, constant32(-2_000_000));
        write(LAST, NODE, count, 1 + OTHER / 64, constant32(800_000));
        Judge.Proof memory proof = begin(LAST, NODE, 3, 1);
        proof.index = 777_777;
        proof.rows[0] = openRow(LAST, NODE, 0, 1);
        proof.rows[1] = openAgain(LAST, NODE, 1 + 123_456 / 64, 1);
        proof.rows[2] = openAgain(LAST, NODE, 1 + OTHER / 64, 1);
        proof.others[0] = answerLast(123_456);
        measure(Kinds.TOKEN, proof);
    }

    function constant32(int256 value) private pure returns (bytes memory) {
        int256[] memory values = new int256[](64);
        for (uint256 i = 0; i < 64; ++i) {
            values[i] = value;
        }
        return packWords(values);
    }

    /// @dev The answer's last leaf, which holds one token.
    function answerLast(uint256 id) private returns (TraceTree.Opening memory) {
        return answer(6, abi.encodePacked(keccak256("salt"), uint32(6), uint32(id)));
    }

    // RECEIPT AND FORM

    function test_gas_price() public {
        limit("F10 price", 50_000);
        base.price = 1;
        Judge.Proof memory proof;
        measure(Kinds.PRICE, proof);
    }

    function test_gas_stopPassed() public {
        limit("F10 stopPassed", 60_000);
        base.sampler.stopIds[1] = 777;
        Judge.Proof memory proof;
        proof.index = 80;
        proof.others = new TraceTree.Opening[](1);
        proof.others[0] = answerLeaf(5, 777, 0);
        measure(Kinds.STOP_PASSED, proof);
    }
}
