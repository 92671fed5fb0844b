// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IAudits} from "../../dispute/IAudits.sol";
import {ICourt} from "../../dispute/ICourt.sol";
import {AuditBase} from "./AuditBase.sol";

contract AuditPlantTest is AuditBase {
    IAudits.Finding private constant RIGHT = IAudits.Finding.Right;
    IAudits.Finding private constant WRONG = IAudits.Finding.Wrong;
    address private planter = vm.addr(0x91A47);

    function setUp() public override {
        super.setUp();
        seatAll();
    }

    /// @dev Whoever found it is paid, whoever believed what leaked loses its seat, half of it to the planter.
    function test_openPlant() external {
        drawPlanted(planter, LIE);
        report([RIGHT, WRONG, RIGHT], [LIE, bytes32(0), ROOT]);
        vm.expectEmit(address(registry));
        emit IAudits.PlantOpened(jobIdAt(0), provider, epoch, 0, planter);
        openPlant(planter, LIE);
        assertTrue(registry.isPlanted(jobIdAt(0)), "planted");
        toDisputes();
        registry.settle(postedAt(0));
        assertOutcome(0, IAudits.Outcome.Forfeited);
        assertOutcome(1, IAudits.Outcome.Paid);
        // A fault may be planted in the trace alone; who ran the model and found the answer right loses nothing.
        assertOutcome(2, IAudits.Outcome.Unpaid);
        assertEq(dollar.balanceOf(planter), SEAT_BOND / 2);
        assertEq(dollar.balanceOf(BURNED), SEAT_BOND / 2 + FEE);
        assertEq(dollar.balanceOf(bob), FEE);
        assertEq(bondOf(3), SEAT_BOND);
    }

    // REFUSALS OF PLANTS

    function test_openPlant_unknown_reverts() external {
        drawAll();
        toReveals();
        vm.expectPartialRevert(IAudits.PlantUnknown.selector);
        this.opens(planter, LIE);
    }

    /// @dev Only the planter that committed itself; only under that root.
    function test_openPlant_ofAnother_reverts() external {
        drawPlanted(planter, LIE);
        toReveals();
        vm.expectPartialRevert(IAudits.PlantUnknown.selector);
        this.opens(stranger, LIE);
        vm.expectPartialRevert(IAudits.PlantUnknown.selector);
        this.opens(planter, ROOT);
    }

    /// @dev A cheat that is found out cannot become a planted fault afterwards, not even in the block of the epoch.
    function test_openPlant_committedTooLate_reverts() external {
        post();
        uint256 postedBlock = auditVm.getBlockNumber();
        bytes32 commitment = plantOf(LIE, planter);
        vm.prank(planter);
        registry.plant(commitment);
        drawWith(ROOT);
        toReveals();
        vm.expectRevert(
            abi.encodeWithSelector(IAudits.PlantTooLate.selector, postedBlock, postedBlock)
        );
        this.opens(planter, LIE);
    }

    function test_plant_again_keepsTheFirstBlock() external {
        vm.expectEmit(address(registry));
        emit IAudits.PlantCommitted(ROOT, planter);
        vm.prank(planter);
        registry.plant(ROOT);
        uint64 first = registry.plants(ROOT);
        nextBlock();
        registry.plant(ROOT);
        assertEq(registry.plants(ROOT), first);
    }

    function test_openPlant_outsideReveals_reverts() external {
        drawPlanted(planter, LIE);
        vm.expectPartialRevert(IAudits.RevealNotOpen.selector);
        this.opens(planter, LIE);
        toDisputes();
        vm.expectPartialRevert(IAudits.RevealClosed.selector);
        this.opens(planter, LIE);
    }

    function test_openPlant_twice_reverts() external {
        drawPlanted(planter, LIE);
        toReveals();
        openPlant(planter, LIE);
        vm.expectRevert(abi.encodeWithSelector(IAudits.AlreadyPlanted.selector, jobIdAt(0)));
        this.opens(planter, LIE);
    }

    /// @dev The requester knew: without its word a provider could call a cheat on a stranger planted.
    function test_openPlant_withoutConsent_reverts() external {
        drawPlanted(planter, LIE);
        toReveals();
        bytes memory consent = consentTo(ROOT);
        ICourt.Trace memory trace = traceOf(claimAt(0), LIE);
        vm.expectPartialRevert(IAudits.SignatureInvalid.selector);
        this.opensWith(postedAt(0), claimAt(0), trace, consent, guilty());
    }

    /// @dev The judges decide whether there is a fault, not the planter.
    function test_openPlant_ofARightReceipt_reverts() external {
        drawPlanted(planter, LIE);
        toReveals();
        bytes memory consent = consentTo(LIE);
        ICourt.Trace memory trace = traceOf(claimAt(0), LIE);
        vm.expectRevert(IAudits.PlantRight.selector);
        this.opensWith(postedAt(0), claimAt(0), trace, consent, innocent());
    }

    /// @dev Its provider signed the root; a stranger's root would find a fault in anything.
    function test_openPlant_underAnUnsignedRoot_reverts() external {
        drawPlanted(planter, LIE);
        toReveals();
        bytes memory consent = consentTo(LIE);
        ICourt.Trace memory trace = traceOf(claimAt(0), ROOT);
        trace.root = LIE;
        vm.expectPartialRevert(ICourt.SignatureInvalid.selector);
        this.opensWith(postedAt(0), claimAt(0), trace, consent, guilty());
    }

    /// @dev A fault that shows without a trace is seen without running the model.
    function test_openPlant_withoutTrace_reverts() external {
        drawPlanted(planter, 0);
        toReveals();
        bytes memory consent = consentTo(0);
        vm.expectRevert(IAudits.PlantRight.selector);
        this.opensWith(postedAt(0), claimAt(0), noTrace(), consent, guilty());
    }

    function test_openPlant_ofAnotherReceipt_reverts() external {
        drawPlanted(planter, LIE);
        toReveals();
        bytes memory consent = consentTo(LIE);
        ICourt.Trace memory trace = traceOf(claimAt(0), LIE);
        vm.expectPartialRevert(IAudits.ReceiptNotPosted.selector);
        this.opensWith(postedAt(0), claimAt(1), trace, consent, guilty());
        vm.expectPartialRevert(IAudits.ReceiptNotPosted.selector);
        IAudits.Posted memory posted = postedAt(0);
        posted.index = 1;
        this.opensWith(posted, claimAt(0), trace, consent, guilty());
    }

    /// @dev A provider that stands by another root has planted nothing under this one.
    function test_openPlant_afterAnotherAnswer_reverts() external {
        drawPlanted(planter, LIE);
        toReveals();
        answer(ROOT);
        vm.expectRevert(abi.encodeWithSelector(IAudits.PlantUnequal.selector, ROOT, LIE));
        this.opens(planter, LIE);
    }

    function test_openPlant_afterTheSameAnswer() external {
        drawPlanted(planter, LIE);
        toReveals();
        answer(LIE);
        openPlant(planter, LIE);
        assertTrue(registry.isPlanted(jobIdAt(0)), "planted");
    }

    function test_openPlant_afterConviction_reverts() external {
        drawPlanted(planter, LIE);
        toReveals();
        convictJob();
        vm.expectRevert(abi.encodeWithSelector(ICourt.AlreadyConvicted.selector, jobIdAt(0)));
        this.opens(planter, LIE);
    }

    // THE COURT AND PLANTED FAULTS

    function test_isGuilty() external {
        drawAll();
        ICourt.Trace memory trace = traceOf(claimAt(0), LIE);
        assertTrue(court.isGuilty(claimAt(0), trace, model, guilty()), "guilty");
        assertTrue(!court.isGuilty(claimAt(0), trace, model, innocent()), "innocent");
        ICourt.Claim memory claim = claimAt(0);
        claim.receipt.price += 1;
        vm.expectPartialRevert(ICourt.SignatureInvalid.selector);
        court.isGuilty(claim, trace, model, guilty());
        trace.root = ROOT;
        vm.expectPartialRevert(ICourt.SignatureInvalid.selector);
        court.isGuilty(claimAt(0), trace, model, guilty());
    }

    function test_court_convictsNobodyOfAPlantedFault() external {
        drawPlanted(planter, LIE);
        ICourt.Claim memory claim = claimAt(0);
        ICourt.Dispute memory silent = opened(claim);
        toReveals();
        openPlant(planter, LIE);
        bytes memory refusal = abi.encodeWithSelector(ICourt.JobPlanted.selector, jobIdAt(0));
        ICourt.Trace memory lie = traceOf(claim, LIE);
        ICourt.Trace memory truth = traceOf(claim, ROOT);
        vm.expectRevert(refusal);
        court.convict(claim, lie, model, guilty(), 0);
        vm.expectRevert(refusal);
        court.convictOfTwoTraces(claim, lie, truth, 0);
        ICourt.Claim memory second = claim;
        second.receipt.price += 1;
        bytes memory signature = signed(receipts.hashReceipt(second.receipt));
        vm.expectRevert(refusal);
        court.convictOfTwoReceipts(claimAt(0), second.receipt, signature, 0);
        vm.warp(block.timestamp + CLOCK + 1);
        vm.expectRevert(refusal);
        court.timeOut(silent, claimAt(0));
        uint256 before = challenger.balance;
        vm.prank(stranger);
        court.returnBond(silent);
        assertEq(challenger.balance, before + BOND);
        assertEq(stakeOf(), STAKED);
    }

    /// @dev A challenger whose clock runs out meanwhile loses nothing either.
    function test_court_convictOpened_ofAPlantedFault_reverts() external {
        drawPlanted(planter, LIE);
        ICourt.Claim memory claim = claimAt(0);
        ICourt.Dispute memory dispute = opened(claim);
        shows(dispute, 5, 3);
        toReveals();
        openPlant(planter, LIE);
        bytes memory refusal = abi.encodeWithSelector(ICourt.JobPlanted.selector, jobIdAt(0));
        vm.expectRevert(refusal);
        court.convictOpened(dispute, claim, model, guilty());
        vm.warp(block.timestamp + CLOCK + 1);
        vm.expectRevert(refusal);
        court.timeOut(dispute, claim);
        court.returnBond(dispute);
    }

    function test_court_returnBond_withoutPlant_reverts() external {
        drawAll();
        ICourt.Dispute memory dispute = opened(claimAt(0));
        vm.expectRevert(abi.encodeWithSelector(ICourt.NotConvicted.selector, jobIdAt(0)));
        court.returnBond(dispute);
    }

    // FROM OUTSIDE, so that `expectRevert` meets one call.

    function opens(address who, bytes32 root) external {
        openPlant(who, root);
    }

    function opensWith(
        IAudits.Posted memory posted,
        ICourt.Claim memory claim,
        ICourt.Trace memory trace,
        bytes memory consent,
        ICourt.Proof memory proof
    ) external {
        vm.prank(planter);
        registry.openPlant(posted, claim, trace, SALT, consent, model, proof);
    }
}
