// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Fold} from "../../dispute/Fold.sol";
import {IJudge} from "../../dispute/IJudge.sol";
import {Judge} from "../../dispute/Judge.sol";
import {Kinds} from "../../dispute/Kinds.sol";
import {Layout} from "../../dispute/Layout.sol";
import {ModelTree} from "../../dispute/ModelTree.sol";
import {TraceTree} from "../../dispute/TraceTree.sol";
import {SparseTree} from "./SparseTree.sol";
import {TraceWorld} from "./TraceWorld.sol";

/// @notice Receipts that contradict their job, and commitments to answers that are not built as their count says; no
/// trace is needed for them.
contract JudgeReceiptTest is TraceWorld {
    using SparseTree for SparseTree.Tree;

    uint8 private constant STOP = 0;
    uint8 private constant LENGTH = 1;
    uint8 private constant CANCELLED = 2;
    uint32 private constant STOP_ID = 777;

    Judge.Proof private blank;

    function setUp() public override {
        super.setUp();
        base.inputCount = 7;
        base.outputCount = 20;
        base.outputCountMax = 20;
        base.finish = LENGTH;
        base.inputPrice = 1_000_001;
        base.outputPrice = 3_000_000;
        // 7 * 1.000001 + 20 * 3, rounded up.
        base.price = 68;
        base.sampler.stopIds = new uint32[](2);
        base.sampler.stopIds[1] = STOP_ID;
    }

    function isGuilty(uint8 kind, Judge.Proof memory proof) private view returns (bool) {
        return formJudge.isGuilty(base, kind, abi.encode(proof));
    }

    function honest(uint8 kind) private view {
        assertTrue(!isGuilty(kind, blank), vm.toString(kind));
    }

    function wrong(uint8 kind) private view {
        assertTrue(isGuilty(kind, blank), vm.toString(kind));
    }

    function test_outputCount() public {
        honest(Kinds.OUTPUT_COUNT);
        base.outputCountMax = 19;
        wrong(Kinds.OUTPUT_COUNT);
    }

    function test_price() public {
        honest(Kinds.PRICE);
        base.price = 67;
        wrong(Kinds.PRICE);
        base.price = 69;
        wrong(Kinds.PRICE);
    }

    function testFuzz_price(uint32 input, uint32 output, uint128 first, uint128 second) public {
        (base.inputCount, base.outputCount) = (input, output);
        (base.inputPrice, base.outputPrice) = (first % 1e30, second % 1e30);
        uint256 total = uint256(input) * base.inputPrice + uint256(output) * base.outputPrice;
        uint256 down = total / 1_000_000;
        base.price = uint128(total % 1_000_000 == 0 ? down : down + 1);
        honest(Kinds.PRICE);
        ++base.price;
        wrong(Kinds.PRICE);
    }

    function test_finish_atTheLimit() public {
        honest(Kinds.FINISH);
        base.finish = STOP;
        honest(Kinds.FINISH);
        base.finish = CANCELLED;
        wrong(Kinds.FINISH);
        base.finish = 3;
        wrong(Kinds.FINISH);
    }

    function test_finish_before() public {
        base.outputCount = 19;
        wrong(Kinds.FINISH);
        base.finish = STOP;
        honest(Kinds.FINISH);
        base.finish = CANCELLED;
        honest(Kinds.FINISH);
        base.finish = 3;
        wrong(Kinds.FINISH);
    }

    function test_finish_empty() public {
        base.outputCount = 0;
        base.finish = CANCELLED;
        honest(Kinds.FINISH);
        base.finish = STOP;
        wrong(Kinds.FINISH);
    }

    /// @dev Leaf 1 of the answer: tokens 16 to 19, of which number `place` is `id`.
    function answerWith(uint256 place, uint32 id) private returns (Judge.Proof memory proof) {
        bytes memory data = abi.encodePacked(keccak256("salt"), uint32(1));
        for (uint32 i = 16; i < 20; ++i) {
            data = abi.encodePacked(data, i == place ? id : i);
        }
        return opened(data);
    }

    function opened(bytes memory data) private returns (Judge.Proof memory proof) {
        proof.others = new TraceTree.Opening[](1);
        proof.others[0] = answer(1, data);
    }

    function test_stopMissing() public {
        base.finish = STOP;
        assertTrue(!isGuilty(Kinds.STOP_MISSING, answerWith(19, STOP_ID)), "stop id");
        assertTrue(isGuilty(Kinds.STOP_MISSING, answerWith(18, STOP_ID)), "no stop id");
        Judge.Proof memory proof = answerWith(19, STOP_ID);
        base.finish = LENGTH;
        vm.expectRevert(abi.encodeWithSignature("FinishUnexpected(uint8)", LENGTH));
        isGuilty(Kinds.STOP_MISSING, proof);
    }

    function test_stopPassed() public {
        Judge.Proof memory proof = answerWith(18, STOP_ID);
        proof.index = 18;
        assertTrue(isGuilty(Kinds.STOP_PASSED, proof), "before the end");
        proof.index = 17;
        assertTrue(!isGuilty(Kinds.STOP_PASSED, proof), "no stop id");
        proof = answerWith(19, STOP_ID);
        proof.index = 19;
        assertTrue(isGuilty(Kinds.STOP_PASSED, proof), "at the end, as length");
        base.finish = STOP;
        assertTrue(!isGuilty(Kinds.STOP_PASSED, proof), "at the end, as stop");
        proof.index = 20;
        vm.expectRevert(abi.encodeWithSelector(Layout.NumberOutOfRange.selector, 20, 20));
        isGuilty(Kinds.STOP_PASSED, proof);
    }

    function test_stopPassed_otherLeaf() public {
        Judge.Proof memory proof = answerWith(18, STOP_ID);
        // Of leaf 0, which was not opened.
        proof.index = 2;
        vm.expectPartialRevert(TraceTree.RootUnequal.selector);
        isGuilty(Kinds.STOP_PASSED, proof);
        proof.index = 18;
        ++proof.others[0].count;
        vm.expectRevert(Fold.PathWrong.selector);
        isGuilty(Kinds.STOP_PASSED, proof);
    }

    function test_tokenForm() public {
        Judge.Proof memory proof = answerWith(19, STOP_ID);
        bytes memory data = proof.others[0].data;
        proof.part = 1;
        assertTrue(!isGuilty(Kinds.TOKEN_FORM, proof), "honest");
        proof = opened(bytes.concat(data, hex"00"));
        proof.part = 1;
        assertTrue(isGuilty(Kinds.TOKEN_FORM, proof), "longer");
        data[35] = 0x02;
        proof = opened(data);
        proof.part = 1;
        assertTrue(isGuilty(Kinds.TOKEN_FORM, proof), "another number");
        proof.index = 19;
        vm.expectRevert(abi.encodeWithSelector(ModelTree.TokenLeafMalformed.selector, 1));
        isGuilty(Kinds.STOP_PASSED, proof);
    }

    function test_outputLeaves() public {
        SparseTree.Tree memory tree = SparseTree.create("answer", 2, 0, true);
        Judge.Proof memory proof;
        proof.others = new TraceTree.Opening[](1);
        proof.others[0] = TraceTree.Opening(abi.encodePacked(tree.top()), 2, new bytes32[](0));
        base.outputRoot = tree.root();
        assertTrue(!isGuilty(Kinds.OUTPUT_LEAVES, proof), "honest");
        proof.others[0].count = 3;
        vm.expectPartialRevert(TraceTree.RootUnequal.selector);
        isGuilty(Kinds.OUTPUT_LEAVES, proof);
        base.outputRoot = tree.seal(3, tree.top());
        assertTrue(isGuilty(Kinds.OUTPUT_LEAVES, proof), "one more");
    }

    function test_unknownKind() public {
        vm.expectRevert(abi.encodeWithSelector(IJudge.KindUnknown.selector, uint8(0x0d)));
        isGuilty(0x0d, blank);
        vm.expectRevert(abi.encodeWithSelector(IJudge.KindUnknown.selector, uint8(0)));
        isGuilty(0, blank);
    }
}
