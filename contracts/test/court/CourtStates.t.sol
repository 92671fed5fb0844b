// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Descent} from "../../dispute/Descent.sol";
import {ICourt} from "../../dispute/ICourt.sol";
import {CourtBase} from "./CourtBase.sol";
import {CourtMoves} from "./CourtMoves.sol";
import {TraceTrees} from "./TraceTrees.sol";

/// @notice The contract against vectors/court/states.json: in each phase every move of the table works, by whom and
/// whereto the table says, and every other move is refused by name.
contract CourtStatesTest is CourtBase {
    /// @dev One row of the table.
    struct Row {
        string move;
        string[] from;
        string by;
        string[] to;
    }

    string private constant PATH = "../vectors/court/states.json";
    uint256 private constant MOVE_COUNT = 8;
    uint256 private constant PHASE_COUNT = 6;

    CourtMoves private moves;
    string[] private phases;
    /// @dev Of the next job.
    uint256 private number;

    function setUp() public override {
        super.setUp();
        // As many positions as the claims have; the other trees small.
        trees = new TraceTrees(37, 2, 20);
        moves = new CourtMoves(trees);
        phases = abi.decode(vm.parseJson(vm.readFile(PATH), ".phases"), (string[]));
    }

    function testPhasesAreThoseOfTheTable() external view {
        assertEq(phases.length, PHASE_COUNT);
        assertEq(uint256(ICourt.Phase.Proving), PHASE_COUNT - 1);
    }

    function testTableNamesEveryMove() external view {
        string[MOVE_COUNT] memory names =
            ["open", "answer", "reveal", "choose", "show", "again", "convictOpened", "timeOut"];
        for (uint256 i = 0; i < MOVE_COUNT; ++i) {
            assertTrue(same(row(i).move, names[i]), names[i]);
        }
        string memory next = string.concat(".moves[", vm.toString(MOVE_COUNT), "]");
        assertTrue(!vm.keyExistsJson(vm.readFile(PATH), next), "no move is left out");
    }

    function testMovesOfTheTableWorkAndNoOthers() external {
        for (uint256 phase = 0; phase < PHASE_COUNT; ++phase) {
            for (uint256 i = 0; i < MOVE_COUNT; ++i) {
                Row memory entry = row(i);
                if (contains(entry.from, phases[phase])) works(ICourt.Phase(phase), entry, false);
                else isRefused(ICourt.Phase(phase), entry);
            }
        }
        // One move leads to two phases: it depends on how deep the walk is.
        works(ICourt.Phase.Choosing, row(3), true);
    }

    // WHAT IS TRIED

    function works(ICourt.Phase phase, Row memory entry, bool atLeaf) private {
        (ICourt.Claim memory claim, ICourt.Dispute memory dispute) = reach(phase, atLeaf);
        if (same(entry.move, "timeOut")) pastTheClock(dispute, claim);
        bytes memory call = callOf(entry.move, dispute, claim);
        if (!same(entry.by, "anyone") && phase != ICourt.Phase.None) {
            bool providers = same(entry.by, "provider");
            refuses(providers ? challenger : provider, call, ICourt.CallerNotMover.selector);
        }
        (bool done,) = send(sideOf(entry.by), valueOf(entry.move), call);
        assertTrue(done, string.concat(entry.move, " works in ", phases[uint256(phase)]));
        ICourt.Phase reached = ICourt.Phase.None;
        bytes32 stored = court.disputes(claim.receipt.jobId, challenger);
        if (phase == ICourt.Phase.None) {
            reached = ICourt.Phase.Answering;
            assertEq(stored, keccak256(abi.encode(openedState(claim))));
        } else if (!same(entry.by, "anyone")) {
            ICourt.Dispute memory next = moves.next(dispute, goal());
            reached = next.phase;
            assertEq(stored, keccak256(abi.encode(next)));
        } else {
            assertEq(stored, 0);
        }
        assertTrue(contains(entry.to, phases[uint256(reached)]), "the table says whereto");
        bool astray = atLeaf && reached != ICourt.Phase.Showing;
        assertTrue(!astray, "a leaf is shown next");
    }

    function isRefused(ICourt.Phase phase, Row memory entry) private {
        (ICourt.Claim memory claim, ICourt.Dispute memory dispute) = reach(phase, false);
        bytes memory call = callOf(entry.move, dispute, claim);
        bytes4 expected = ICourt.PhaseWrong.selector;
        if (phase == ICourt.Phase.None) expected = ICourt.DisputeUnknown.selector;
        if (same(entry.move, "open")) expected = ICourt.DisputeOpen.selector;
        courtVm.deal(challenger, 10 ether);
        (bool done, bytes memory reason) = send(sideOf(entry.by), valueOf(entry.move), call);
        string memory what = string.concat(entry.move, " in ", phases[uint256(phase)]);
        assertTrue(!done, what);
        assertTrue(bytes4(reason) == expected, what);
        if (expected == ICourt.PhaseWrong.selector) {
            bytes memory named = abi.encodeWithSelector(ICourt.PhaseWrong.selector, phase);
            assertEq(keccak256(reason), keccak256(named));
        }
    }

    function refuses(address from, bytes memory call, bytes4 selector) private {
        (bool done, bytes memory reason) = send(from, 0, call);
        assertTrue(!done && bytes4(reason) == selector, "only the side to move moves");
    }

    /// @dev Not a second before.
    function pastTheClock(ICourt.Dispute memory dispute, ICourt.Claim memory claim) private {
        vm.warp(START + CLOCK);
        refuses(stranger, callOf("timeOut", dispute, claim), ICourt.TimeNotUp.selector);
        vm.warp(START + CLOCK + 1);
    }

    // HOW

    /// @dev A fresh job whose dispute is in that phase; before the choice of a leaf, if asked.
    function reach(ICourt.Phase phase, bool atLeaf)
        private
        returns (ICourt.Claim memory claim, ICourt.Dispute memory dispute)
    {
        vm.warp(START);
        claim = claimOf(job(++number));
        if (phase == ICourt.Phase.None) {
            (dispute.jobId, dispute.challenger) = (claim.receipt.jobId, challenger);
            return (claim, dispute);
        }
        courtVm.deal(challenger, 10 ether);
        dispute = opened(claim);
        while (dispute.phase != phase || (atLeaf && !isAtLeaf(dispute.place))) {
            bytes memory call = moves.moveOf(dispute, goal());
            bool choosing = dispute.phase == ICourt.Phase.Choosing;
            (bool done,) = send(choosing ? challenger : provider, 0, call);
            assertTrue(done, "a right move works");
            dispute = moves.next(dispute, goal());
        }
    }

    function isAtLeaf(Descent.Place memory place) private pure returns (bool) {
        return place.tree == 2 && place.level <= 4;
    }

    function openedState(ICourt.Claim memory claim)
        private
        view
        returns (ICourt.Dispute memory dispute)
    {
        dispute.jobId = claim.receipt.jobId;
        (dispute.challenger, dispute.provider) = (challenger, provider);
        dispute.phase = ICourt.Phase.Answering;
        dispute.walks = court.WALKS() - 1;
        dispute.positions = uint32(trees.POSITIONS());
        (dispute.challengerTime, dispute.providerTime) = (CLOCK, CLOCK);
        dispute.movedAt = uint64(block.timestamp);
        dispute.receiptHash = receipts.hashReceipt(claim.receipt);
        dispute.bond = BOND;
    }

    /// @dev The right call where the move is the one of the phase; else one that could be right in its own phase.
    function callOf(string memory move, ICourt.Dispute memory dispute, ICourt.Claim memory claim)
        private
        view
        returns (bytes memory)
    {
        if (same(move, "open")) return abi.encodeCall(ICourt.open, (claim));
        if (same(move, "timeOut")) return abi.encodeCall(ICourt.timeOut, (dispute, claim));
        if (same(move, "convictOpened")) {
            return abi.encodeCall(ICourt.convictOpened, (dispute, claim, model, guilty()));
        }
        if (dispute.phase != ICourt.Phase.None) {
            bytes memory call = moves.moveOf(dispute, goal());
            if (bytes4(call) == selectorOf(move)) return call;
        }
        Descent.Reveal memory shown;
        if (same(move, "answer")) return abi.encodeCall(ICourt.answer, (dispute, 0, shown));
        if (same(move, "reveal")) return abi.encodeCall(ICourt.reveal, (dispute, shown));
        if (same(move, "choose")) {
            return abi.encodeCall(ICourt.choose, (dispute, new bytes32[](1), 0));
        }
        if (same(move, "show")) return abi.encodeCall(ICourt.show, (dispute, ""));
        return abi.encodeCall(ICourt.again, (dispute));
    }

    function selectorOf(string memory move) private pure returns (bytes4) {
        if (same(move, "answer")) return ICourt.answer.selector;
        if (same(move, "reveal")) return ICourt.reveal.selector;
        if (same(move, "choose")) return ICourt.choose.selector;
        if (same(move, "show")) return ICourt.show.selector;
        return ICourt.again.selector;
    }

    function send(address from, uint256 value, bytes memory call)
        private
        returns (bool done, bytes memory reason)
    {
        vm.prank(from);
        (done, reason) = address(court).call{value: value}(call);
    }

    function valueOf(string memory move) private pure returns (uint256) {
        return same(move, "open") ? BOND : 0;
    }

    function sideOf(string memory by) private view returns (address) {
        if (same(by, "provider")) return provider;
        return same(by, "challenger") ? challenger : stranger;
    }

    function goal() private pure returns (CourtMoves.Goal memory) {
        return CourtMoves.Goal(5, 1, 0);
    }

    // THE TABLE

    function row(uint256 index) private view returns (Row memory entry) {
        string memory json = vm.readFile(PATH);
        string memory at = string.concat(".moves[", vm.toString(index), "]");
        entry.move = vm.parseJsonString(json, string.concat(at, ".move"));
        entry.by = vm.parseJsonString(json, string.concat(at, ".by"));
        entry.from = abi.decode(vm.parseJson(json, string.concat(at, ".from")), (string[]));
        entry.to = abi.decode(vm.parseJson(json, string.concat(at, ".to")), (string[]));
    }

    function contains(string[] memory list, string memory wanted) private pure returns (bool) {
        for (uint256 i = 0; i < list.length; ++i) {
            if (same(list[i], wanted)) return true;
        }
        return false;
    }

    function same(string memory a, string memory b) private pure returns (bool) {
        return keccak256(bytes(a)) == keccak256(bytes(b));
    }
}
