// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IJudge} from "../../dispute/IJudge.sol";
import {Judge} from "../../dispute/Judge.sol";
import {Kinds} from "../../dispute/Kinds.sol";
import {Layout} from "../../dispute/Layout.sol";
import {GraphBytes} from "./GraphBytes.sol";
import {TraceWorld} from "./TraceWorld.sol";

/// @notice Judges open rows of any size at any position of traces and graphs of any size, odd trees among them, and
/// find the same leaves as trees built from their definition; and the longest rows with the largest numbers.
contract JudgeLayoutTest is TraceWorld {
    uint256 private constant FIRST = 1;
    uint256 private constant SECOND = 2;
    uint256 private constant NODE = 3;

    /// @dev A trace of `count` positions in which every position has all rows.
    function world(uint256 count, uint256 nodes) private {
        base.inputCount = 1;
        base.outputCount = uint32(count);
        base.outputCountMax = uint32(count);
        nodeCount = uint64(nodes);
        weightCount = 9;
        logitsFrom = nodes;
    }

    function answerOf(uint8 kind, Judge.Proof memory proof)
        private
        view
        returns (bool success, bytes memory answer)
    {
        bytes memory call = abi.encodeCall(IJudge.isGuilty, (signed(), kind, abi.encode(proof)));
        return address(judgeOf(kind)).staticcall(call);
    }

    function guilty(uint8 kind, Judge.Proof memory proof) private view {
        (bool success, bytes memory answer) = answerOf(kind, proof);
        assertTrue(success && abi.decode(answer, (bool)), "not guilty");
    }

    function random(uint256 seed, uint256 size) private pure returns (bytes memory out) {
        out = new bytes(size);
        for (uint256 i = 0; i < size; i += 32) {
            bytes32 word = keccak256(abi.encode(seed, i));
            for (uint256 j = i; j < i + 32 && j < size; ++j) {
                out[j] = word[j - i];
            }
        }
    }

    function leaves(uint256 size) private pure returns (uint256) {
        return (size + 63) / 64;
    }

    /// @dev Bytes of the leaf that holds element `index` of `size`, 4 bytes each.
    function leafBytes(uint256 size, uint256 index) private pure returns (uint256) {
        uint256 rest = size - index / 64 * 64;
        return 4 * (rest < 64 ? rest : 64);
    }

    /// forge-config: default.fuzz.runs = 32
    function testFuzz_element(uint256 width, uint256 index, uint256 count, uint256 seed) public {
        width = bound(width, 1, 16_384);
        index = bound(index, 0, width - 1);
        count = bound(count, 1, 4096);
        world(count, bound(seed, 4, 3000));
        uint256 position = seed % count;
        bytes memory shape = GraphBytes.row(width);
        bytes[2] memory inputs =
            [GraphBytes.input(FIRST + 1, shape), GraphBytes.input(SECOND + 1, shape)];
        bytes memory residualBits = abi.encodePacked(int64(16));
        describe(NODE, GraphBytes.node(11, logitsFrom, inputs, "", residualBits, shape));
        uint256 leaf = index / 64;
        uint256 size = leafBytes(width, index);
        write(position, FIRST, leaves(width), leaf, random(seed, size));
        write(position, SECOND, 1 + leaves(width), 1 + leaf, random(~seed, size));
        write(position, SECOND, 1 + leaves(width), 0, abi.encodePacked(int16(-16), uint32(0)));
        write(position, NODE, leaves(width), leaf, random(seed / 2 + 1, size));
        Judge.Proof memory proof = begin(position, NODE, 4, 0);
        proof.index = uint32(index);
        proof.rows[0] = openRow(position, FIRST, leaf, 1);
        proof.rows[1] = openRow(position, SECOND, 1 + leaf, 1);
        proof.rows[2] = openAgain(position, SECOND, 0, 1);
        proof.rows[3] = openRow(position, NODE, leaf, 1);
        guilty(Kinds.RESIDUAL_ELEMENT, proof);
        if (width <= 64) return;
        proof.index = uint32((index + 64) % width);
        if (proof.index / 64 == leaf) return;
        (bool success,) = answerOf(Kinds.RESIDUAL_ELEMENT, proof);
        assertTrue(!success, "another leaf");
    }

    /// forge-config: default.fuzz.runs = 32
    function testFuzz_run(uint256 position, uint256 heads, uint256 head, uint256 seed) public {
        position = bound(position, 0, 4095);
        heads = bound(heads, 1, 40);
        head = bound(head, 0, heads - 1);
        world(4096, bound(seed, 4, 3000));
        bytes[2] memory inputs = [
            GraphBytes.input(FIRST + 1, GraphBytes.heads(heads, GraphBytes.T)),
            GraphBytes.input(SECOND + 1, GraphBytes.heads(1, 64))
        ];
        bytes memory output = GraphBytes.heads(heads, GraphBytes.T);
        describe(NODE, GraphBytes.node(7, logitsFrom, inputs, "", "", output));
        uint256 parts = (position + 1024) / 1024;
        uint256 from = seed % parts;
        uint256 size = position + 1 - 1024 * from;
        if (size > 1024) size = 1024;
        uint256 perHead = leaves(position + 1);
        uint256 leaf = head * perHead + 16 * from;
        writeRun(position, FIRST, heads * perHead, leaf, random(seed, 4 * size), 256);
        bytes memory facts = random(seed, 20 + 8 * parts);
        write(position, NODE, heads * (1 + perHead), head, facts);
        Judge.Proof memory proof = begin(position, NODE, 2, 0);
        (proof.head, proof.part) = (uint32(head), uint32(from));
        proof.rows[0] = openRow(position, FIRST, leaf, leaves(size));
        proof.rows[1] = openRow(position, NODE, head, 1);
        guilty(Kinds.SOFTMAX_PARTIAL, proof);
    }

    /// @dev Neighbouring heads share one head of values.
    function test_sharedHeads() public {
        world(9, 5);
        bytes[2] memory inputs = [
            GraphBytes.input(FIRST + 1, GraphBytes.heads(6, GraphBytes.T)),
            GraphBytes.input(SECOND + 1, GraphBytes.heads(2, 64))
        ];
        bytes memory output = GraphBytes.heads(6, GraphBytes.T);
        describe(NODE, GraphBytes.node(7, logitsFrom, inputs, "", "", output));
        // The top is claimed too low for the second head of values only.
        write(4, SECOND, 4, 0, abi.encodePacked(int16(-9), uint32(0)));
        write(4, SECOND, 4, 1, abi.encodePacked(int16(-3), uint32(0)));
        bytes memory facts = abi.encodePacked(int32(0), uint32(0), int16(-6), uint32(1));
        facts = abi.encodePacked(facts, int16(0), uint32(0), uint64(1 << 30));
        for (uint256 head = 0; head < 6; ++head) {
            write(8, NODE, 12, head, facts);
        }
        for (uint32 head = 0; head < 6; ++head) {
            Judge.Proof memory proof = begin(8, NODE, 2, 0);
            also(proof, 4);
            (proof.head, proof.index) = (head, 4);
            proof.rows[0] = openRow(8, NODE, head, 1);
            proof.rows[1] = openRow(4, SECOND, head / 3, 1);
            (bool success, bytes memory answer) = answerOf(Kinds.SOFTMAX_TOP, proof);
            assertTrue(success && abi.decode(answer, (bool)) == (head > 2), "head of values");
        }
    }

    // BOUNDS

    /// @dev 2^7 * 65,535 * 1,024 * (-128) * (-32,767), the most that one leaf of a matrix can add.
    int64 private constant MOST = 128 * 65_535 * 1024 * 128 * 32_767;

    function matmul(uint256 cols) private {
        world(1, 4);
        bytes[2] memory inputs = [GraphBytes.input(FIRST + 1, GraphBytes.row(cols)), bytes("")];
        bytes memory weight = GraphBytes.matrix(5, 3, cols);
        describe(NODE, GraphBytes.node(3, logitsFrom, inputs, weight, "", GraphBytes.row(3)));
    }

    function repeated(bytes memory item, uint256 count) private pure returns (bytes memory out) {
        for (uint256 i = 0; i < count; ++i) {
            out = bytes.concat(out, item);
        }
    }

    /// @dev The last part of the last element of three, each with 64 sums in a leaf.
    function partialProof(int64 claimed) private returns (Judge.Proof memory proof) {
        matmul(65_536);
        writeRun(0, FIRST, 1025, 1 + 63 * 16, repeated(hex"0001", 1024), 128);
        bytes memory leaf = bytes.concat(hex"07", repeated(hex"ffff", 32), new bytes(1024));
        writeWeight(5, 1 + 3 * 64, 3 * 64, leaf);
        bytes memory sums = repeated(abi.encodePacked(MOST), 63);
        write(0, NODE, 5, 4, bytes.concat(sums, abi.encodePacked(claimed)));
        proof = begin(0, NODE, 2, 1);
        (proof.index, proof.part) = (2, 63);
        proof.rows[0] = openRow(0, FIRST, 1 + 63 * 16, 16);
        proof.rows[1] = openRow(0, NODE, 4, 1);
        proof.others[0] = openWeight(5, 3 * 64);
    }

    function test_longestRow_largestPartial() public {
        (bool success, bytes memory answer) = answerOf(Kinds.MATMUL_PARTIAL, partialProof(MOST));
        assertTrue(success && !abi.decode(answer, (bool)), "honest");
    }

    function test_longestRow_wrongPartial() public {
        guilty(Kinds.MATMUL_PARTIAL, partialProof(MOST - 1));
    }

    /// @dev 64 * MOST has 61 bits, so a shift of 31.
    function sumProof(int32 mantissa) private returns (Judge.Proof memory proof) {
        matmul(65_536);
        writeWeight(5, 1 + 3 * 64, 0, abi.encodePacked(uint8(1), uint64(0), int64(-20)));
        write(0, FIRST, 1025, 0, abi.encodePacked(int16(-12), uint32(0)));
        write(0, NODE, 5, 0, abi.encodePacked(int16(-32 + 31), uint32(2)));
        write(0, NODE, 5, 1, abi.encodePacked(int32(0), int32(0), mantissa));
        write(0, NODE, 5, 4, repeated(abi.encodePacked(MOST), 64));
        proof = begin(0, NODE, 4, 1);
        proof.index = 2;
        proof.rows[0] = openRow(0, NODE, 4, 1);
        proof.rows[1] = openRow(0, FIRST, 0, 1);
        proof.rows[2] = openRow(0, NODE, 0, 1);
        proof.rows[3] = openRow(0, NODE, 1, 1);
        proof.others[0] = openWeight(5, 0);
    }

    function test_longestRow_largestSum() public {
        // A tie, which goes down to the even neighbour.
        int256 total = 64 * int256(MOST);
        (bool success, bytes memory answer) =
            answerOf(Kinds.MATMUL_SUM, sumProof(int32(total >> 31)));
        assertTrue(success && !abi.decode(answer, (bool)), "honest");
    }

    function test_longestRow_wrongSum() public {
        guilty(Kinds.MATMUL_SUM, sumProof(1));
    }

    /// @dev One block of columns more has no place for its sums.
    function test_longerRow() public {
        matmul(65_568);
        Judge.Proof memory proof = begin(0, NODE, 0, 0);
        (bool success, bytes memory answer) = answerOf(Kinds.MATMUL_SUM, proof);
        assertTrue(!success, "longer row");
        assertEq(bytes32(bytes4(answer)), bytes32(Layout.NumberOutOfRange.selector));
    }
}
