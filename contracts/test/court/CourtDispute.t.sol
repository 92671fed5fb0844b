// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Descent} from "../../dispute/Descent.sol";
import {ICourt} from "../../dispute/ICourt.sol";
import {IModelRegistry} from "../../model/IModelRegistry.sol";
import {CourtBase} from "./CourtBase.sol";

/// @notice The forced path: every move, out of turn, out of time, and with something else than what was committed.
contract CourtDisputeTest is CourtBase {
    function testWalkEndsAtTheChosenLeaf() external {
        ICourt.Claim memory claim = claimOf(job(1));
        ICourt.Dispute memory dispute = opened(claim);
        uint256 moves = walks(dispute, 36, 18, 272);
        assertEq(dispute.place.position, 36);
        assertEq(dispute.place.row, 18);
        assertEq(dispute.place.index, 272);
        // Two levels of sixteen for positions, two for rows, three for leaves; and the leaf.
        assertEq(moves, 15);
    }

    /// forge-config: default.fuzz.runs = 16
    function testEveryLeafCanBeReached(uint256 position, uint256 row, uint256 leaf) external {
        position = bound(position, 0, trees.POSITIONS() - 1);
        row = bound(row, 0, trees.ROWS() - 1);
        leaf = bound(leaf, 0, trees.LEAVES() - 1);
        ICourt.Dispute memory dispute = opened(claimOf(job(1)));
        walks(dispute, position, row, leaf);
        assertEq(dispute.place.position, position);
        assertEq(dispute.place.row, row);
        assertEq(dispute.place.index, leaf);
    }

    function testChallengerMayWalkAgainThreeTimes() external {
        ICourt.Dispute memory dispute = opened(claimOf(job(1)));
        walks(dispute, 5, 3, 8);
        for (uint256 walk = 1; walk < court.WALKS(); ++walk) {
            vm.prank(challenger);
            court.again(dispute);
            moved(dispute);
            dispute.walks -= 1;
            dispute.phase = ICourt.Phase.Revealing;
            dispute.place = this.beginning(dispute.traceRoot);
            walks(dispute, 5, 3, 20 * walk);
            assertEq(dispute.place.index, 20 * walk);
        }
        vm.prank(challenger);
        vm.expectRevert(ICourt.WalksUsedUp.selector);
        court.again(dispute);
    }

    function beginning(bytes32 root) external pure returns (Descent.Place memory) {
        return Descent.begin(root);
    }

    function testProofAfterTheWalkConvicts() external {
        ICourt.Claim memory claim = claimOf(job(1));
        ICourt.Dispute memory dispute = opened(claim);
        walks(dispute, 5, 3, 8);
        uint256 before = challenger.balance;
        vm.prank(stranger);
        court.convictOpened(dispute, claim, model, guilty());
        assertEq(challenger.balance, before + BOND);
        assertTrue(court.verdicts(dispute.jobId) != 0, "convicted");
        assertEq(court.disputes(dispute.jobId, challenger), 0);
    }

    function testProofOfSomethingRightIsRefused() external {
        ICourt.Claim memory claim = claimOf(job(1));
        ICourt.Dispute memory dispute = opened(claim);
        walks(dispute, 5, 3, 8);
        vm.expectRevert(abi.encodeWithSelector(ICourt.ClaimRight.selector, uint8(0x11)));
        court.convictOpened(dispute, claim, model, innocent());
    }

    /// @dev Another version is another court: what is open here is judged by the arithmetic that it was opened under.
    function testAnotherArithmeticInTheMiddleOfADisputeChangesNothing() external {
        ICourt.Claim memory claim = claimOf(job(1));
        ICourt.Dispute memory dispute = opened(claim);
        walks(dispute, 5, 3, 8);
        ICourt.Parts memory parts = court.parts();
        ICourt.Parts memory later = court.parts();
        later.specId = keccak256("a later arithmetic");
        bytes memory deployment = abi.encode(later, court.terms());
        ICourt successor = ICourt(vm.deployCode("Court.sol:Court", deployment));
        assertEq(keccak256(abi.encode(court.parts())), keccak256(abi.encode(parts)));
        IModelRegistry.Model memory other = model;
        other.specId = later.specId;
        vm.expectPartialRevert(ICourt.ModelOfAnotherJob.selector);
        court.convictOpened(dispute, claim, other, guilty());
        // The successor knows neither the dispute nor the model.
        vm.expectPartialRevert(ICourt.DisputeUnknown.selector);
        successor.convictOpened(dispute, claim, model, guilty());
        ICourt.Trace memory trace = traceOf(claim, dispute.traceRoot);
        vm.expectRevert(abi.encodeWithSelector(ICourt.SpecUnknown.selector, SPEC_ID));
        successor.convict(claim, trace, model, guilty(), 0);
        court.convictOpened(dispute, claim, model, guilty());
        assertTrue(court.verdicts(dispute.jobId) != 0, "convicted");
    }

    /// @dev Under public terms: for a day nothing of the provider gets through, then nothing of the challenger.
    function testADayOfCensorshipIsOutlastedByEitherSide() external {
        uint32 clock = 30 hours;
        ICourt.Terms memory terms = ICourt.Terms(clock, WINDOW, RELEASE, BOND);
        bytes memory deployment = abi.encode(court.parts(), terms);
        vm.chainId(1);
        court = ICourt(vm.deployCode("Court.sol:Court", deployment));
        ICourt.Claim memory claim = claimOf(job(1));
        vm.warp(claim.job.expiresAt + 1 days);
        ICourt.Dispute memory dispute = opened(claim);
        (dispute.challengerTime, dispute.providerTime) = (clock, clock);
        vm.warp(block.timestamp + 1 days);
        vm.expectPartialRevert(ICourt.TimeNotUp.selector);
        court.timeOut(dispute, claim);
        Descent.Reveal memory shown = shows(dispute, 5, 3);
        vm.warp(block.timestamp + 1 days);
        vm.expectPartialRevert(ICourt.TimeNotUp.selector);
        court.timeOut(dispute, claim);
        chooses(dispute, shown.children, trees.childTowards(dispute.place, 5));
        walks(dispute, 5, 3, 8);
        assertEq(uint256(dispute.phase), uint256(ICourt.Phase.Proving));
        // And no public court has clocks that a day of censorship uses up.
        terms.clock = 24 hours;
        deployment = abi.encode(court.parts(), terms);
        vm.expectRevert();
        vm.deployCode("Court.sol:Court", deployment);
    }

    function testProofBeforeTheRootIsRefused() external {
        ICourt.Claim memory claim = claimOf(job(1));
        ICourt.Dispute memory dispute = opened(claim);
        vm.expectRevert(abi.encodeWithSelector(ICourt.PhaseWrong.selector, ICourt.Phase.Answering));
        court.convictOpened(dispute, claim, model, guilty());
    }

    // SILENCE

    function testSilentProviderIsConvictedInEveryPhaseOfItsOwn() external {
        for (uint256 stage = 0; stage < 3; ++stage) {
            ICourt.Claim memory claim = claimOf(job(100 + stage));
            ICourt.Dispute memory dispute = opened(claim);
            if (stage == 1) {
                Descent.Reveal memory shown = shows(dispute, 5, 3);
                chooses(dispute, shown.children, 0);
            }
            if (stage == 2) {
                while (dispute.phase != ICourt.Phase.Showing) {
                    Descent.Reveal memory shown = shows(dispute, 0, 0);
                    chooses(dispute, shown.children, 0);
                }
            }
            vm.warp(dispute.movedAt + dispute.providerTime);
            vm.expectPartialRevert(ICourt.TimeNotUp.selector);
            court.timeOut(dispute, claim);
            vm.warp(dispute.movedAt + dispute.providerTime + 1);
            court.timeOut(dispute, claim);
            assertTrue(court.verdicts(dispute.jobId) != 0, "convicted");
            vm.warp(START);
        }
    }

    function testSilentChallengerLosesTheBond() external {
        ICourt.Claim memory claim = claimOf(job(1));
        ICourt.Dispute memory dispute = opened(claim);
        shows(dispute, 5, 3);
        uint256 before = provider.balance;
        vm.warp(block.timestamp + CLOCK + 1);
        court.timeOut(dispute, claim);
        assertEq(provider.balance, before + BOND);
        assertEq(court.verdicts(dispute.jobId), 0);
        assertEq(court.disputes(dispute.jobId, challenger), 0);
    }

    function testChallengerWithoutProofLosesTheBond() external {
        ICourt.Claim memory claim = claimOf(job(1));
        ICourt.Dispute memory dispute = opened(claim);
        walks(dispute, 5, 3, 8);
        uint256 before = provider.balance;
        vm.warp(block.timestamp + CLOCK + 1);
        court.timeOut(dispute, claim);
        assertEq(provider.balance, before + BOND);
        (uint96 staked,,) = stake.stakes(provider);
        assertEq(staked, STAKED);
    }

    function testAnswerInTheLastSecondCountsAndUsesTheWholeClock() external {
        ICourt.Dispute memory dispute = opened(claimOf(job(1)));
        vm.warp(block.timestamp + CLOCK);
        Descent.Reveal memory shown = shows(dispute, 5, 3);
        assertEq(dispute.providerTime, 0);
        assertEq(dispute.challengerTime, CLOCK);
        chooses(dispute, shown.children, 1);
        // Nothing is left: the provider must move in the very second.
        shown = trees.reveal(dispute.place, 20, 3);
        vm.warp(block.timestamp + 1);
        vm.prank(provider);
        vm.expectPartialRevert(ICourt.TimeUp.selector);
        court.reveal(dispute, shown);
    }

    // WRONG MOVES

    function testMovesOutOfTurnAreRefused() external {
        ICourt.Dispute memory dispute = opened(claimOf(job(1)));
        bytes32[] memory none;
        vm.prank(challenger);
        vm.expectRevert(abi.encodeWithSelector(ICourt.PhaseWrong.selector, ICourt.Phase.Answering));
        court.choose(dispute, none, 0);
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(ICourt.PhaseWrong.selector, ICourt.Phase.Answering));
        court.show(dispute, "");
        Descent.Reveal memory shown;
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ICourt.CallerNotMover.selector, stranger, provider));
        court.answer(dispute, bytes32(uint256(1)), shown);
    }

    function testAnotherStateIsRefused() external {
        ICourt.Dispute memory dispute = opened(claimOf(job(1)));
        dispute.providerTime += 1;
        Descent.Reveal memory shown;
        vm.prank(provider);
        vm.expectPartialRevert(ICourt.DisputeUnknown.selector);
        court.answer(dispute, bytes32(uint256(1)), shown);
    }

    function testRevealMustHashToTheNode() external {
        ICourt.Dispute memory dispute = opened(claimOf(job(1)));
        dispute.place.level = Descent.SEALED;
        Descent.Reveal memory shown = trees.reveal(dispute.place, 5, 3);
        dispute.place.level = 0;
        bytes32 root = trees.root(5, 3);
        shown.children[1] = bytes32(uint256(7));
        vm.prank(provider);
        vm.expectPartialRevert(Descent.RevealUnequal.selector);
        court.answer(dispute, root, shown);
        shown.count = 0;
        vm.prank(provider);
        vm.expectPartialRevert(Descent.ChildrenMiscounted.selector);
        court.answer(dispute, root, shown);
    }

    function testChoiceMustBeAmongWhatWasShown() external {
        ICourt.Dispute memory dispute = opened(claimOf(job(1)));
        Descent.Reveal memory shown = shows(dispute, 5, 3);
        vm.prank(challenger);
        vm.expectRevert(abi.encodeWithSelector(Descent.ChildUnknown.selector, 16));
        court.choose(dispute, shown.children, 16);
        shown.children[0] = bytes32(uint256(7));
        vm.prank(challenger);
        vm.expectRevert(ICourt.ChildrenUnknown.selector);
        court.choose(dispute, shown.children, 0);
    }

    function testInnerNodeIsNoLeaf() external {
        // 65 bytes 1 ‖ left ‖ right hash to an inner node, but a leaf's bytes are hashed behind a zero.
        ICourt.Dispute memory dispute = opened(claimOf(job(1)));
        Descent.Reveal memory shown;
        while (dispute.phase != ICourt.Phase.Showing) {
            shown = shows(dispute, 0, 0);
            chooses(dispute, shown.children, 0);
        }
        vm.prank(provider);
        vm.expectPartialRevert(Descent.RevealUnequal.selector);
        court.show(dispute, abi.encodePacked(uint8(1), shown.children[0], shown.children[1]));
    }

    // OPENING

    function testOpenNeedsTheBondTheSignatureAndTheWindow() external {
        ICourt.Claim memory claim = claimOf(job(1));
        vm.prank(challenger);
        vm.expectRevert(abi.encodeWithSelector(ICourt.BondWrong.selector, BOND - 1, BOND));
        court.open{value: BOND - 1}(claim);
        claim.receipt.price += 1;
        vm.prank(challenger);
        vm.expectPartialRevert(ICourt.SignatureInvalid.selector);
        court.open{value: BOND}(claim);
        claim.receipt.price -= 1;
        claim.job.nonce = bytes32(uint256(2));
        vm.prank(challenger);
        vm.expectPartialRevert(ICourt.ReceiptOfAnotherJob.selector);
        court.open{value: BOND}(claim);
        claim = claimOf(job(1));
        vm.warp(claim.job.expiresAt + WINDOW + 1);
        vm.prank(challenger);
        vm.expectPartialRevert(ICourt.WindowClosed.selector);
        court.open{value: BOND}(claim);
    }

    function testOneDisputePerChallengerAndJobButNobodyShields() external {
        ICourt.Claim memory claim = claimOf(job(1));
        opened(claim);
        vm.prank(challenger);
        vm.expectPartialRevert(ICourt.DisputeOpen.selector);
        court.open{value: BOND}(claim);
        vm.prank(stranger);
        court.open{value: BOND}(claim);
    }

    function testBondsOfOtherDisputesComeBack() external {
        ICourt.Claim memory claim = claimOf(job(1));
        ICourt.Dispute memory dispute = opened(claim);
        vm.expectPartialRevert(ICourt.NotConvicted.selector);
        court.returnBond(dispute);
        vm.prank(stranger);
        court.convict(claim, noTrace(), model, guilty(), 0);
        uint256 before = challenger.balance;
        court.returnBond(dispute);
        assertEq(challenger.balance, before + BOND);
        assertEq(address(court).balance, 0);
    }

    function testConvictedProviderWinsNoBond() external {
        ICourt.Claim memory claim = claimOf(job(1));
        ICourt.Dispute memory dispute = opened(claim);
        shows(dispute, 5, 3);
        vm.prank(stranger);
        court.convict(claim, noTrace(), model, guilty(), 0);
        // It is the challenger's move, but nobody can move any more.
        vm.warp(block.timestamp + CLOCK + 1);
        vm.expectPartialRevert(ICourt.AlreadyConvicted.selector);
        court.timeOut(dispute, claim);
        uint256 before = challenger.balance;
        court.returnBond(dispute);
        assertEq(challenger.balance, before + BOND);
    }
}
