// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Fold} from "../../dispute/Fold.sol";
import {IJudge} from "../../dispute/IJudge.sol";
import {Judge} from "../../dispute/Judge.sol";
import {Kinds} from "../../dispute/Kinds.sol";
import {Layout} from "../../dispute/Layout.sol";
import {TraceTree} from "../../dispute/TraceTree.sol";
import {SparseTree} from "./SparseTree.sol";
import {TraceCases} from "./TraceCases.sol";

/// @notice Real proofs of guilt put in the wrong place are refused by a named error, and nothing that is done to a
/// proof about an honest trace convicts its provider.
contract JudgeRefusalsTest is TraceCases {
    uint256 private constant CHANGES = 25;

    /// @dev Families of models in the vectors.
    uint256 private constant LLAMA = 0;
    uint256 private constant QWEN2 = 1;

    IJudge.Case private facts;
    uint8 private judged;
    bytes private encoded;

    /// @dev The guilty proof of a kind.
    function load(uint8 kind) private returns (Judge.Proof memory) {
        facts = caseOf(LLAMA);
        Vector[] memory all = vectorsOf(LLAMA);
        for (uint256 i = 0; i < all.length; ++i) {
            Vector memory vector = all[i];
            if (vector.number != kind || !vector.guilty) continue;
            (facts.traceRoot, facts.outputRoot) = (vector.traceRoot, vector.outputRoot);
            (judged, encoded) = (kind, vector.proof);
            return abi.decode(encoded, (Judge.Proof));
        }
        revert("no such proof");
    }

    function ask(bytes memory proof) private view returns (bool success, bytes memory answer) {
        bytes memory call = abi.encodeCall(IJudge.isGuilty, (facts, judged, proof));
        return address(judgeOf(judged)).staticcall(call);
    }

    function refused(Judge.Proof memory proof, bytes4 selector) private view {
        (bool success, bytes memory answer) = ask(abi.encode(proof));
        assertTrue(!success, "not refused");
        assertEq(bytes32(bytes4(answer)), bytes32(selector));
    }

    // WRONG PLACES

    function test_wrongIndex() public {
        Judge.Proof memory proof = load(Kinds.LOGIT_ELEMENT);
        // In a leaf beside; within its leaf another element is just another claim.
        proof.index ^= 64;
        refused(proof, TraceTree.RootUnequal.selector);
        proof.index = 1 << 20;
        refused(proof, Layout.NumberOutOfRange.selector);
    }

    function test_wrongHead() public {
        Judge.Proof memory proof = load(Kinds.SCORE_ELEMENT);
        proof.head ^= 1;
        refused(proof, TraceTree.RootUnequal.selector);
        proof.head = 1 << 20;
        refused(proof, Layout.NumberOutOfRange.selector);
    }

    function test_wrongPart() public {
        Judge.Proof memory proof = load(Kinds.MATMUL_PARTIAL);
        proof.part = 64;
        refused(proof, Layout.NumberOutOfRange.selector);
    }

    function test_otherPosition() public {
        Judge.Proof memory proof = load(Kinds.RESIDUAL_ELEMENT);
        proof.position ^= 1;
        (bool success,) = ask(abi.encode(proof));
        assertTrue(!success, "other position");
        proof.position = 4096;
        refused(proof, Fold.PathWrong.selector);
    }

    function test_otherLayer() public {
        Judge.Proof memory proof = load(Kinds.RESIDUAL_ELEMENT);
        proof.node += 1;
        refused(proof, TraceTree.RootUnequal.selector);
        proof.node = type(uint32).max;
        refused(proof, Fold.PathWrong.selector);
    }

    function test_otherOp() public {
        Judge.Proof memory proof = load(Kinds.RESIDUAL_ELEMENT);
        judged = Kinds.SWI_GLU_ELEMENT;
        refused(proof, Judge.OpUnexpected.selector);
    }

    function test_otherModel() public {
        Judge.Proof memory proof = load(Kinds.MATMUL_ELEMENT);
        facts.weightsRoot = keccak256("weights of another model");
        refused(proof, TraceTree.RootUnequal.selector);
        bytes32 traceRoot = facts.traceRoot;
        facts = caseOf(QWEN2);
        facts.traceRoot = traceRoot;
        refused(proof, TraceTree.RootUnequal.selector);
    }

    function test_otherJob() public {
        Judge.Proof memory proof = load(Kinds.RESIDUAL_ELEMENT);
        facts.traceRoot = caseOf(QWEN2).traceRoot;
        refused(proof, TraceTree.RootUnequal.selector);
    }

    function test_otherCounts() public {
        Judge.Proof memory proof = load(Kinds.RESIDUAL_ELEMENT);
        ++facts.outputCount;
        (bool success,) = ask(abi.encode(proof));
        assertTrue(!success, "other count");
        facts.outputCount = 0;
        refused(proof, Judge.TraceImpossible.selector);
        facts.outputCount = 4097;
        refused(proof, Judge.TraceImpossible.selector);
    }

    function test_otherTables() public {
        Judge.Proof memory proof = load(Kinds.RESIDUAL_ELEMENT);
        facts.tablesRoot = keccak256("tables of another arithmetic");
        refused(proof, Judge.TablesUnknown.selector);
    }

    function test_otherGraph() public {
        Judge.Proof memory proof = load(Kinds.RESIDUAL_ELEMENT);
        facts.graphRoot = caseOf(QWEN2).graphRoot;
        refused(proof, TraceTree.RootUnequal.selector);
    }

    /// @dev One byte of a descriptor changed: wiring cannot be argued about.
    function test_otherDescriptor() public {
        Judge.Proof memory proof = load(Kinds.RESIDUAL_ELEMENT);
        for (uint256 i = 0; i < proof.descriptor.data.length; ++i) {
            proof.descriptor.data[i] ^= 0x01;
            refused(proof, TraceTree.RootUnequal.selector);
            proof.descriptor.data[i] ^= 0x01;
        }
    }

    function test_otherToken() public {
        Judge.Proof memory proof = load(Kinds.EMBED_ELEMENT);
        facts.inputRoot = keccak256("another prompt");
        facts.outputRoot = keccak256("another answer");
        refused(proof, TraceTree.RootUnequal.selector);
    }

    function test_controls() public {
        Judge.Proof memory proof = load(Kinds.TOKEN);
        facts.sampler.controls = keccak256("controls");
        (bool success,) = ask(abi.encode(proof));
        assertTrue(!success, "controls");
    }

    function test_traceKey() public {
        Judge.Proof memory proof = load(Kinds.SALT);
        proof.others[0].data[0] ^= 0x01;
        (bool success,) = ask(abi.encode(proof));
        assertTrue(!success, "another key");
    }

    // WRONG TREES

    function test_path() public {
        Judge.Proof memory proof = load(Kinds.RESIDUAL_ELEMENT);
        bytes32[] memory path = proof.rows[0].path;
        proof.rows[0].path = shortened(path);
        refused(proof, Fold.PathWrong.selector);
        proof.rows[0].path = join(path, new bytes32[](1));
        refused(proof, Fold.PathWrong.selector);
        path[0] ^= bytes32(uint256(1));
        proof.rows[0].path = path;
        refused(proof, TraceTree.RootUnequal.selector);
    }

    function shortened(bytes32[] memory path) private pure returns (bytes32[] memory out) {
        out = new bytes32[](path.length - 1);
        for (uint256 i = 0; i < out.length; ++i) {
            out[i] = path[i];
        }
    }

    function test_count() public {
        Judge.Proof memory proof = load(Kinds.RESIDUAL_ELEMENT);
        ++proof.rows[0].count;
        (bool success,) = ask(abi.encode(proof));
        assertTrue(!success, "one more leaf");
        proof.rows[0].count = 0;
        refused(proof, Fold.PathWrong.selector);
        proof.rows[0].count = type(uint64).max;
        refused(proof, Fold.PathWrong.selector);
    }

    function test_salt() public {
        Judge.Proof memory proof = load(Kinds.RESIDUAL_ELEMENT);
        proof.positions[0].salt ^= bytes32(uint256(1));
        refused(proof, TraceTree.RootUnequal.selector);
    }

    function test_leaf() public {
        Judge.Proof memory proof = load(Kinds.RESIDUAL_ELEMENT);
        bytes memory data = proof.rows[0].data;
        proof.rows[0].data = bytes.concat(data, hex"00");
        refused(proof, TraceTree.LeafLengthWrong.selector);
        proof.rows[0].data = part(data, 0, data.length - 1);
        refused(proof, TraceTree.LeafLengthWrong.selector);
        data[0] ^= 0x01;
        proof.rows[0].data = data;
        refused(proof, TraceTree.RootUnequal.selector);
    }

    /// @dev The path of a later opening of a row may end at the row, but only at the row that was opened before.
    function test_laterOpening() public {
        Judge.Proof memory proof = load(Kinds.LOGIT_ELEMENT);
        TraceTree.Opening memory exponents = proof.rows[1];
        bytes32[] memory path = exponents.path;
        uint256 levels = SparseTree.height(exponents.count);
        assembly ("memory-safe") {
            mstore(path, levels)
        }
        (bool success, bytes memory answer) = ask(abi.encode(proof));
        assertTrue(success && abi.decode(answer, (bool)), "shorter path");
        exponents.data[1] ^= 0x01;
        refused(proof, Fold.PathWrong.selector);
        exponents.data[1] ^= 0x01;
        // Before its row has been opened, the same is no proof.
        TraceTree.Opening memory element = proof.rows[0];
        path = element.path;
        assembly ("memory-safe") {
            mstore(path, levels)
        }
        (success,) = ask(abi.encode(proof));
        assertTrue(!success, "first opening");
    }

    /// @dev The path of another row ends where it meets that of the first, at the place of this row and no other.
    function test_rowBeside() public {
        Judge.Proof memory proof = load(Kinds.RESIDUAL_ELEMENT);
        TraceTree.Opening memory beside = proof.rows[1];
        (bool success, bytes memory answer) = ask(abi.encode(proof));
        assertTrue(success && abi.decode(answer, (bool)), "as the prover makes it");
        beside.data[0] ^= 0x01;
        refused(proof, TraceTree.RootUnequal.selector);
        beside.data[0] ^= 0x01;
        bytes32[] memory path = beside.path;
        beside.path = join(path, new bytes32[](1));
        refused(proof, Fold.PathWrong.selector);
        beside.path = shortened(path);
        refused(proof, Fold.PathWrong.selector);
        beside.path = path;
        // The first row leads up to the position, or nothing does.
        (bytes32[] memory first, uint256 last) = (proof.rows[0].path, proof.rows[0].path.length - 1);
        first[last] ^= bytes32(uint256(1));
        refused(proof, TraceTree.RootUnequal.selector);
    }

    function test_missing() public {
        Judge.Proof memory proof = load(Kinds.RESIDUAL_ELEMENT);
        TraceTree.Opening[] memory rows = proof.rows;
        proof.rows = new TraceTree.Opening[](0);
        refused(proof, Judge.OpeningMissing.selector);
        proof.rows = rows;
        proof.positions = new TraceTree.Position[](0);
        refused(proof, Judge.OpeningMissing.selector);
    }

    function test_encoding() public {
        load(Kinds.RESIDUAL_ELEMENT);
        (bool success, bytes memory answer) = ask("");
        assertTrue(!success && bytes4(answer) == Judge.ProofMalformed.selector, "empty");
        bytes memory proof = encoded;
        proof[31] = 0x40;
        (success, answer) = ask(proof);
        assertTrue(!success && bytes4(answer) == Judge.ProofMalformed.selector, "offset");
        (success,) = ask(part(proof, 0, 64));
        assertTrue(!success, "cut off");
    }

    function test_kinds() public {
        bytes memory empty = abi.encode(load(Kinds.RESIDUAL_ELEMENT));
        for (uint256 kind = 0; kind < 256; ++kind) {
            if (kind >> 4 == 0x02) continue;
            try mapJudge.isGuilty(facts, uint8(kind), empty) {
                revert("kind of another judge");
            } catch (bytes memory reason) {
                assertEq(bytes32(bytes4(reason)), bytes32(IJudge.KindUnknown.selector));
            }
        }
    }

    /// @dev Bytes of a pair in place of a leaf, with a path and a count that would fit one level up.
    function test_pairAsLeaf() public {
        Judge.Proof memory proof = load(Kinds.LOGITS_TOP);
        TraceTree.Opening memory opening = proof.rows[0];
        uint256 leaf = 1 + proof.index / 64;
        bytes32 own = sha256(abi.encodePacked(uint8(0), opening.data));
        bytes memory pair = leaf % 2 == 1
            ? abi.encodePacked(opening.path[0], own)
            : abi.encodePacked(own, opening.path[0]);
        bytes32[] memory path = new bytes32[](opening.path.length - 1);
        for (uint256 i = 0; i < path.length; ++i) {
            path[i] = opening.path[i + 1];
        }
        judged = Kinds.LEAF_FORM;
        proof.part = uint32(leaf / 2);
        proof.rows[0] = TraceTree.Opening(pair, (opening.count + 1) / 2, path);
        refused(proof, TraceTree.RootUnequal.selector);
        proof.rows[0].data = bytes.concat(hex"01", pair);
        refused(proof, TraceTree.RootUnequal.selector);
    }

    // HONEST TRACES

    /// @dev The cuts of a row whose token was proved right are right.
    function test_honestCuts() public {
        facts = caseOf(LLAMA);
        judged = Kinds.SAMPLE_CUTS;
        Vector[] memory all = vectorsOf(LLAMA);
        for (uint256 i = 0; i < all.length; ++i) {
            if (all[i].number != Kinds.TOKEN || all[i].guilty) continue;
            (facts.traceRoot, facts.outputRoot) = (all[i].traceRoot, all[i].outputRoot);
            (bool success, bytes memory answer) = ask(all[i].proof);
            assertTrue(success && !abi.decode(answer, (bool)), "cuts");
            return;
        }
        revert("no such proof");
    }

    /// @notice Whatever byte of a proof about an honest trace is changed, nobody is convicted.
    function test_changedBytes() public {
        uint256 refusals = 0;
        facts = caseOf(LLAMA);
        bytes32 traceRoot = facts.traceRoot;
        Vector[] memory all = vectorsOf(LLAMA);
        for (uint256 i = 0; i < all.length; ++i) {
            if (all[i].traceRoot != traceRoot || all[i].guilty) continue;
            (facts.outputRoot, judged) = (all[i].outputRoot, uint8(all[i].number));
            bytes memory proof = all[i].proof;
            for (uint256 c = 0; c < CHANGES; ++c) {
                uint256 draw = uint256(keccak256(abi.encode("changed byte", i, c)));
                uint256 place = draw % proof.length;
                bytes1 before = proof[place];
                proof[place] ^= bytes1(uint8(1 + (draw >> 128) % 255));
                if (!isInnocent(proof)) ++refusals;
                proof[place] = before;
            }
        }
        assertTrue(refusals > 500, "refusals");
    }

    /// @dev False if the proof is refused.
    function isInnocent(bytes memory proof) private view returns (bool) {
        (bool success, bytes memory answer) = ask(proof);
        if (!success) return false;
        assertTrue(!abi.decode(answer, (bool)), vm.toString(judged));
        return true;
    }

    /// @notice Nor does it help to read an honest proof as one of another place.
    function test_changedNumbers() public {
        facts = caseOf(LLAMA);
        bytes32 traceRoot = facts.traceRoot;
        Vector[] memory all = vectorsOf(LLAMA);
        for (uint256 i = 0; i < all.length; ++i) {
            if (all[i].traceRoot != traceRoot || all[i].guilty) continue;
            (facts.outputRoot, judged) = (all[i].outputRoot, uint8(all[i].number));
            for (uint256 c = 0; c < CHANGES; ++c) {
                Judge.Proof memory proof = abi.decode(all[i].proof, (Judge.Proof));
                change(proof, uint256(keccak256(abi.encode("changed number", i, c))));
                isInnocent(abi.encode(proof));
            }
        }
    }

    function change(Judge.Proof memory proof, uint256 draw) private pure {
        uint32 by = uint32(1 + (draw >> 16) % 3);
        uint256 field = draw % 6;
        if (field == 0) proof.position ^= by;
        if (field == 1) proof.node ^= by;
        if (field == 2) proof.head ^= by;
        if (field == 3) proof.index ^= by;
        if (field == 4) proof.part ^= by;
        if (field == 5 && proof.rows.length > 1) {
            uint256 other = (draw >> 32) % proof.rows.length;
            (proof.rows[0], proof.rows[other]) = (proof.rows[other], proof.rows[0]);
        }
    }
}
