// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IAudits} from "../../dispute/IAudits.sol";
import {IStake} from "../../settlement/IStake.sol";
import {AuditBase} from "./AuditBase.sol";

/// @notice What reports settle to: the table of vectors/court/audits.json, and the money of each outcome.
contract AuditSettleTest is AuditBase {
    IAudits.Finding private constant NONE = IAudits.Finding.None;
    IAudits.Finding private constant RIGHT = IAudits.Finding.Right;
    IAudits.Finding private constant WRONG = IAudits.Finding.Wrong;
    IAudits.Finding private constant ABSTAINED = IAudits.Finding.Abstained;
    IAudits.Outcome private constant PAID = IAudits.Outcome.Paid;
    IAudits.Outcome private constant FORFEITED = IAudits.Outcome.Forfeited;

    string private json;

    function setUp() public override {
        super.setUp();
        json = vm.readFile("../vectors/court/audits.json");
        seatAll();
    }

    // THE TABLE

    /// @dev Every row plays a whole audit: alice says what the row says, and the outcome before and after the time for
    /// the court is the row's.
    function test_settle_isTheTable() external {
        uint256 count = 0;
        for (; vm.keyExistsJson(json, rowPath(count, "")); ++count) {
            playRow(count, false);
            playRow(count, true);
        }
        assertEq(count, 25);
    }

    function playRow(uint256 number, bool late) private {
        bytes32 state = text(number, ".state");
        bytes32 report_ = text(number, ".report");
        // A stake for the fee, which a conviction of another row may have taken.
        dollar.mint(provider, STAKED);
        vm.prank(provider);
        stake.deposit(provider, STAKED);
        bool planted = state == keccak256("planted");
        if (planted) drawPlanted(stranger, ROOT);
        else drawAll();
        if (report_ == keccak256("same")) commit(0, RIGHT, ROOT);
        if (report_ == keccak256("other")) commit(0, RIGHT, LIE);
        if (report_ == keccak256("wrong")) commit(0, WRONG, 0);
        if (report_ == keccak256("abstained")) commit(0, ABSTAINED, 0);
        toReveals();
        if (report_ == keccak256("same")) reveal(0, RIGHT, ROOT);
        if (report_ == keccak256("other")) reveal(0, RIGHT, LIE);
        if (report_ == keccak256("wrong")) reveal(0, WRONG, 0);
        if (report_ == keccak256("abstained")) reveal(0, ABSTAINED, 0);
        if (state == keccak256("answered") || state == keccak256("convicted")) answer(ROOT);
        if (planted) openPlant(stranger, ROOT);
        if (state == keccak256("convicted") || state == keccak256("convictedUnanswered")) {
            convictJob();
        }
        if (late) toEnd();
        else toDisputes();
        registry.settle(postedAt(0));
        assertEq(
            keccak256(bytes(outcomeName(outcomeOf(0)))), text(number, late ? ".late" : ".outcome")
        );
        // Whoever lost its seat takes another one for the next row.
        while (registry.seatCount() < 3 || bondOf(seatOf(0)) != SEAT_BOND) reseat();
    }

    /// @dev Puts alice, bob and carol into new seats.
    function reseat() private {
        for (uint32 slot = registry.seatCount(); slot > 0; --slot) {
            nextBlock();
            uint32 seat = seatOf(slot - 1);
            (address holder,,,,,,) = registry.seats(seat);
            vm.prank(holder);
            registry.giveUp(seat);
        }
        seatAll();
    }

    function seatOf(uint32 slot) private view returns (uint32) {
        return registry.seatAt(slot, uint64(auditVm.getBlockNumber()) + 1);
    }

    function outcomeName(IAudits.Outcome outcome) private pure returns (string memory) {
        if (outcome == IAudits.Outcome.Paid) return "paid";
        if (outcome == IAudits.Outcome.Unpaid) return "unpaid";
        if (outcome == IAudits.Outcome.Absent) return "absent";
        if (outcome == IAudits.Outcome.Forfeited) return "forfeited";
        return "none";
    }

    function rowPath(uint256 number, string memory key) private pure returns (string memory) {
        return string.concat(".rows[", vm.toString(number), "]", key);
    }

    function text(uint256 number, string memory key) private view returns (bytes32) {
        return keccak256(bytes(vm.parseJsonString(json, rowPath(number, key))));
    }

    // MONEY

    function test_settle_paysFees() external {
        drawAll();
        report([RIGHT, RIGHT, RIGHT], [ROOT, ROOT, ROOT]);
        answer(ROOT);
        toDisputes();
        vm.expectEmit(address(stake));
        emit IStake.StakeCharged(provider, alice, FEE, STAKED - FEE);
        vm.expectEmit(address(registry));
        emit IAudits.ReportSettled(jobIdAt(0), provider, alice, epoch, 0, 0, RIGHT, PAID, FEE);
        vm.prank(stranger);
        registry.settle(postedAt(0));
        assertEq(dollar.balanceOf(alice), FEE);
        assertEq(dollar.balanceOf(bob), FEE);
        assertEq(dollar.balanceOf(carol), FEE);
        assertEq(stakeOf(), STAKED - 3 * FEE);
    }

    /// @dev The least fee, for receipts whose share is smaller; a tenth, rounded down, for the others.
    function testFuzz_settle_fee(uint16 feeShare, uint96 feeMin) external {
        IAudits.Terms memory terms = terms_();
        terms.feeShare = uint16(bound(feeShare, 0, 10_000));
        terms.feeMin = uint96(bound(feeMin, 1, 2 * PRICE));
        // Another contract at the address that the stake knows.
        vm.etch(audits, address(deployAudits(terms)).code);
        drawAll();
        report([RIGHT, NONE, NONE], [ROOT, bytes32(0), bytes32(0)]);
        toDisputes();
        registry.settle(postedAt(0));
        uint256 share = uint256(PRICE) * terms.feeShare / 10_000;
        assertEq(dollar.balanceOf(alice), share < terms.feeMin ? terms.feeMin : share);
    }

    /// @dev Keeping a verifier from its work saves nothing.
    function test_settle_abstained_burnsTheFee() external {
        drawAll();
        report([ABSTAINED, ABSTAINED, ABSTAINED], [bytes32(0), 0, 0]);
        toDisputes();
        registry.settle(postedAt(0));
        assertOutcome(0, IAudits.Outcome.Unpaid);
        assertEq(dollar.balanceOf(alice), 0);
        assertEq(stakeOf(), STAKED - 3 * FEE);
        assertEq(dollar.balanceOf(BURNED), 3 * FEE);
        assertEq(bondOf(1), SEAT_BOND);
    }

    /// @dev Silence costs the seat what it costs the provider.
    function test_settle_absent() external {
        drawAll();
        commit(1, RIGHT, ROOT);
        toDisputes();
        vm.expectEmit(address(registry));
        emit IAudits.ReportSettled(
            jobIdAt(0), provider, alice, epoch, 0, 0, NONE, IAudits.Outcome.Absent, FEE
        );
        registry.settle(postedAt(0));
        assertOutcome(1, IAudits.Outcome.Absent);
        assertEq(bondOf(1), SEAT_BOND - FEE);
        assertEq(bondOf(2), SEAT_BOND - FEE);
        assertEq(stakeOf(), STAKED - 3 * FEE);
        assertEq(dollar.balanceOf(BURNED), 6 * FEE);
        (,,,,,, uint8 absences) = registry.seats(1);
        assertEq(absences, 1);
        assertEq(registry.seatCount(), 3);
    }

    /// @dev A provider without stake cannot harm a seat, whatever it posts.
    function test_settle_absent_withoutStake_costsNothing() external {
        drawAll();
        convictJob();
        toDisputes();
        registry.settle(postedAt(0));
        assertOutcome(0, IAudits.Outcome.Absent);
        assertEq(bondOf(1), SEAT_BOND);
        (,,,,,, uint8 absences) = registry.seats(1);
        assertEq(absences, 0);
    }

    function test_settle_absent_atMostThePenalty() external {
        IAudits.Terms memory terms = terms_();
        terms.feeMin = 3 * PENALTY;
        vm.etch(audits, address(deployAudits(terms)).code);
        drawAll();
        toDisputes();
        registry.settle(postedAt(0));
        assertEq(bondOf(1), SEAT_BOND - PENALTY);
        assertEq(stakeOf(), STAKED - 9 * PENALTY);
    }

    /// @dev Eight silences without a report give a seat up; its bond comes back to the holder.
    function test_settle_absent_givesUpTheSeat() external {
        for (uint256 round = 0; round < 8; ++round) {
            assertEq(registry.seatCount(), 3);
            drawAll();
            report([NONE, RIGHT, RIGHT], [bytes32(0), ROOT, ROOT]);
            toDisputes();
            registry.settle(postedAt(0));
        }
        assertEq(registry.seatCount(), 2);
        (,, uint48 leftBlock,, uint64 readyAt,,) = registry.seats(1);
        assertEq(leftBlock, auditVm.getBlockNumber());
        vm.warp(readyAt);
        vm.prank(alice);
        registry.withdraw(1);
        assertEq(dollar.balanceOf(alice), SEAT_BOND - 8 * FEE);
    }

    function test_settle_absent_countsAnewAfterAReport() external {
        for (uint256 round = 0; round < 12; ++round) {
            drawAll();
            bool says = round == 6;
            report([says ? ABSTAINED : NONE, RIGHT, RIGHT], [bytes32(0), ROOT, ROOT]);
            toDisputes();
            registry.settle(postedAt(0));
        }
        assertEq(registry.seatCount(), 3);
    }

    /// @dev An accusation costs the provider nothing, and its author the seat.
    function test_settle_forfeited() external {
        drawAll();
        report([WRONG, RIGHT, RIGHT], [bytes32(0), ROOT, ROOT]);
        answer(ROOT);
        toDisputes();
        registry.settle(postedAt(0));
        assertOutcome(0, IAudits.Outcome.None);
        toEnd();
        vm.expectEmit(address(registry));
        emit IAudits.SeatLeft(1, alice, 0);
        vm.expectEmit(address(registry));
        emit IAudits.ReportSettled(
            jobIdAt(0), provider, alice, epoch, 0, 0, WRONG, FORFEITED, SEAT_BOND
        );
        registry.settle(postedAt(0));
        assertEq(dollar.balanceOf(BURNED), SEAT_BOND);
        assertEq(stakeOf(), STAKED - 2 * FEE);
        assertEq(registry.seatCount(), 2);
        vm.expectRevert(abi.encodeWithSelector(IAudits.CallerNotHolder.selector, alice, 1));
        vm.prank(alice);
        registry.withdraw(1);
    }

    /// @dev A seat that was given up still answers for what was posted before.
    function test_settle_forfeited_whileLeaving() external {
        drawAll();
        report([WRONG, NONE, NONE], [bytes32(0), 0, 0]);
        vm.prank(alice);
        registry.giveUp(1);
        toEnd();
        registry.settle(postedAt(0));
        assertOutcome(0, FORFEITED);
        assertEq(dollar.balanceOf(address(registry)), 2 * (SEAT_BOND - FEE));
    }

    /// @dev One bond is lost once, however many lies hang on it.
    function test_settle_forfeited_twice() external {
        drawAll();
        report([WRONG, NONE, NONE], [bytes32(0), 0, 0]);
        IAudits.Posted memory first = postedAt(0);
        uint64 firstEpoch = epoch;
        drawAll();
        report([WRONG, NONE, NONE], [bytes32(0), 0, 0]);
        toEnd();
        registry.settle(first);
        registry.settle(postedAt(0));
        assertOutcome(0, FORFEITED);
        assertEq(epoch, firstEpoch + 1);
        assertEq(dollar.balanceOf(BURNED), SEAT_BOND + 8 * FEE);
    }

    // REFUSALS

    function test_settle_early_reverts() external {
        drawAll();
        report([RIGHT, NONE, NONE], [ROOT, bytes32(0), 0]);
        IAudits.Posted memory posted = postedAt(0);
        uint256 readyAt = drawnAt() + COMMIT_TIME + REVEAL_TIME;
        vm.warp(readyAt);
        vm.expectRevert(abi.encodeWithSelector(IAudits.SettleNotReady.selector, readyAt));
        registry.settle(posted);
    }

    function test_settle_twice_reverts() external {
        drawAll();
        report([RIGHT, WRONG, NONE], [ROOT, bytes32(0), 0]);
        toDisputes();
        IAudits.Posted memory posted = postedAt(0);
        registry.settle(posted);
        uint256 paid = dollar.balanceOf(alice);
        vm.expectRevert(IAudits.NothingToSettle.selector);
        registry.settle(posted);
        toEnd();
        registry.settle(posted);
        vm.expectRevert(IAudits.NothingToSettle.selector);
        registry.settle(posted);
        assertEq(dollar.balanceOf(alice), paid);
    }

    function test_settle_notPosted_reverts() external {
        drawAll();
        toDisputes();
        IAudits.Posted memory posted = postedAt(0);
        posted.receipt.price = 1e30;
        vm.expectRevert(
            abi.encodeWithSelector(IAudits.ReceiptNotPosted.selector, provider, epoch, 0)
        );
        registry.settle(posted);
    }

    function test_settle_notDrawn_reverts() external {
        post();
        IAudits.Posted memory posted = postedAt(0);
        vm.expectRevert(abi.encodeWithSelector(IAudits.NotDrawn.selector, provider, epoch));
        registry.settle(posted);
    }
}
