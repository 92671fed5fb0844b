// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IJudge} from "../../dispute/IJudge.sol";
import {Judge} from "../../dispute/Judge.sol";
import {TraceTree} from "../../dispute/TraceTree.sol";
import {GraphBytes} from "./GraphBytes.sol";
import {TraceWorld} from "./TraceWorld.sol";

/// @notice What a conviction costs for a large model: width 4,096, 14,336 hidden, 32 heads of 128 over 8, 151,936
/// tokens, 700 nodes, 300 weights, 4,096 positions; and at the bounds of the arithmetic. Committed in
/// snapshots/judge-gas.json: execution of `isGuilty` with nothing warm, its calldata, and the transaction that both
/// would make at 16 gas per byte and under the floor of EIP-7623. The court adds its own storage, signatures and claim.
/// Later openings of a row or a weight have the shorter path that judges accept.
/// @dev Leaves and siblings are random bytes, so every claim is wrong: the judge opens everything and convicts.
abstract contract JudgeGasWorld is TraceWorld {
    string private constant GROUP = "judge-gas";
    uint256 private constant TRANSACTION = 21_000;

    uint256 internal constant WIDTH = 4096;
    uint256 internal constant HIDDEN = 14_336;
    uint256 internal constant HEADS = 32;
    uint256 internal constant KV_HEADS = 8;
    uint256 internal constant HEAD_SIZE = 128;
    uint256 internal constant VOCABULARY = 151_936;
    uint256 internal constant LAST = 4095;
    /// @dev The judged node, and those whose rows it reads.
    uint256 internal constant NODE = 500;
    uint256 internal constant FIRST = 498;
    uint256 internal constant SECOND = 499;

    /// @dev The judged element, an earlier position, and a token beside the chosen one.
    uint256 internal constant ELEMENT = 777;
    uint256 internal constant PAST = 1000;
    uint256 internal constant OTHER = 777_777;

    string private label;
    uint256 private most;

    function setUp() public virtual override {
        super.setUp();
        base.inputCount = 4000;
        base.outputCount = 97;
        base.outputCountMax = 512;
        base.sampler.tau = 94_548;
        base.sampler.topK = 40;
        base.sampler.topP = 966_367_642;
        base.sampler.seed = keccak256("seed");
        base.sampler.stopIds = new uint32[](2);
        nodeCount = 700;
        weightCount = 300;
        logitsFrom = 697;
    }

    function limit(string memory name, uint256 transactionMax) internal {
        (label, most) = (name, transactionMax);
    }

    function measure(uint8 kind, Judge.Proof memory proof) internal {
        bytes memory call = abi.encodeCall(IJudge.isGuilty, (signed(), kind, abi.encode(proof)));
        address judge = address(judgeOf(kind));
        courtVm.cool(judge);
        courtVm.cool(address(checker));
        courtVm.cool(tableData);
        (bool success, bytes memory answer) = judge.call(call);
        uint256 execution = vm.snapshotGasLastCall(GROUP, string.concat(label, ": execution"));
        assertTrue(success, string.concat(label, ": reverted"));
        assertTrue(abi.decode(answer, (bool)), string.concat(label, ": not guilty"));
        (uint256 plain, uint256 floor) = calldataGas(call);
        uint256 transaction = TRANSACTION + plain + execution;
        floor += TRANSACTION;
        if (floor < transaction) floor = transaction;
        assertTrue(floor <= most, string.concat(label, ": ", vm.toString(floor)));
        courtVm.snapshotValue(GROUP, string.concat(label, ": calldata bytes"), call.length);
        courtVm.snapshotValue(GROUP, string.concat(label, ": transaction"), transaction);
        courtVm.snapshotValue(GROUP, string.concat(label, ": transaction, EIP-7623"), floor);
    }

    function calldataGas(bytes memory call) internal pure returns (uint256 plain, uint256 floor) {
        uint256 tokens = 0;
        for (uint256 i = 0; i < call.length; ++i) {
            tokens += call[i] == 0 ? 1 : 4;
        }
        return (4 * tokens, 10 * tokens);
    }

    function random(string memory name, uint256 size) internal pure returns (bytes memory out) {
        out = new bytes(size);
        bytes32 word = keccak256(bytes(name));
        for (uint256 i = 0; i < size; ++i) {
            if (i % 32 == 0) word = keccak256(abi.encode(word));
            out[i] = word[i % 32];
        }
    }

    /// @dev A W8 leaf of 1,024 columns with row shift 3.
    function weightLeaf() internal pure returns (bytes memory leaf) {
        leaf = random("w", 1089);
        leaf[0] = 0x03;
    }

    function header() internal pure returns (bytes memory) {
        return abi.encodePacked(uint8(1), uint32(1), uint32(1), int64(-20));
    }

    /// @dev An exponent, and a witness that no measured element is.
    function quantised(int16 exponent) internal pure returns (bytes memory) {
        return abi.encodePacked(exponent, uint32(1));
    }

    function describe1(uint8 op, bytes memory shape, bytes memory weight, bytes memory output)
        internal
    {
        describe2(op, [GraphBytes.input(FIRST + 1, shape), bytes("")], weight, output);
    }

    function describe2(uint8 op, bytes[2] memory inputs, bytes memory weight, bytes memory output)
        internal
    {
        bytes memory parameters = abi.encodePacked(int64(16), int64(10_995_116));
        if (op == 1 || op == 4 || op == 5 || op == 6 || op == 11) {
            parameters = abi.encodePacked(int64(16));
        } else if (op != 2 && op != 14) {
            parameters = "";
        }
        describe(NODE, GraphBytes.node(op, logitsFrom, inputs, weight, parameters, output));
    }

    function leaves(uint256 size) internal pure returns (uint256) {
        return (size + 63) / 64;
    }

    /// @dev Leaf `leaf` of the answer, which has `id` at `place`; the answer's root becomes that of this leaf.
    function answerLeaf(uint256 leaf, uint256 id, uint256 place)
        internal
        returns (TraceTree.Opening memory opening)
    {
        bytes memory data = abi.encodePacked(keccak256("salt"), uint32(leaf));
        for (uint256 i = 0; i < 16; ++i) {
            data = abi.encodePacked(data, uint32(i == place ? id : 1000 + i));
        }
        return answer(leaf, data);
    }

    function two(bytes memory first, bytes memory second) internal pure returns (bytes[2] memory) {
        return [GraphBytes.input(FIRST + 1, first), GraphBytes.input(SECOND + 1, second)];
    }

    function softmaxFacts() internal pure returns (bytes memory) {
        return abi.encodePacked(
            int32(777),
            uint32(5),
            int16(-9),
            uint32(6),
            int16(-20),
            uint32(7),
            uint64(1 << 33),
            uint64(1 << 33),
            uint64(1 << 33),
            uint64(1 << 33)
        );
    }
}
