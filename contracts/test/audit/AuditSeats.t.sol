// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IAudits} from "../../dispute/IAudits.sol";
import {AuditBase} from "./AuditBase.sol";

contract AuditSeatsTest is AuditBase {
    uint64 private constant WAIT = DRAW_TIME + 2 * COMMIT_TIME + REVEAL_TIME + DISPUTE_TIME;

    // TERMS

    function test_terms() external view {
        assertEq(keccak256(abi.encode(registry.terms())), keccak256(abi.encode(terms_())));
        IAudits.Parts memory parts = registry.parts();
        assertEq(parts.stake, address(stake));
        assertEq(parts.receipts, address(receipts));
        assertEq(parts.court, address(court));
    }

    function test_terms_outOfRange_reverts() external {
        for (uint256 change = 0; change < 12; ++change) {
            IAudits.Terms memory terms = terms_();
            if (change == 0) terms.rate = 0;
            if (change == 1) terms.places = 0;
            if (change == 2) terms.places = 17;
            if (change == 3) terms.feeShare = 10_001;
            if (change == 4) terms.bond = 0;
            if (change == 5) terms.absencePenalty = SEAT_BOND + 1;
            if (change == 6) terms.drawTime = 0;
            if (change == 7) terms.commitTime = 0;
            if (change == 8) terms.revealTime = 0;
            if (change == 9) terms.disputeTime = 0;
            if (change == 10) terms.drawTime = 90 days + 1;
            if (change == 11) terms.disputeTime = 90 days + 1;
            vm.expectRevert();
            this.deploy(terms);
        }
        this.deploy(terms_());
    }

    /// @dev A public chain must leave time for a restart and for two clocks of a court.
    function test_terms_onPublicChain() external {
        vm.chainId(1);
        this.deploy(terms_());
        IAudits.Terms memory terms = terms_();
        terms.commitTime = 1 hours - 1;
        vm.expectRevert();
        this.deploy(terms);
        terms = terms_();
        terms.disputeTime = 3 days - 1;
        vm.expectRevert();
        this.deploy(terms);
        vm.chainId(31_337);
        this.deploy(terms);
    }

    function deploy(IAudits.Terms memory terms) external returns (IAudits) {
        return deployAudits(terms);
    }

    // TAKE

    function test_take() external {
        dollar.mint(alice, 2 * SEAT_BOND);
        vm.prank(alice);
        dollar.approve(address(registry), type(uint256).max);
        vm.expectEmit(address(registry));
        emit IAudits.SeatTaken(1, alice);
        vm.expectEmit(address(registry));
        emit IAudits.SeatTaken(2, alice);
        vm.prank(alice);
        uint32[] memory seats = registry.take(2);
        assertEq(seats.length, 2);
        assertEq(seats[0], 1);
        assertEq(seats[1], 2);
        assertEq(registry.seatCount(), 2);
        assertEq(dollar.balanceOf(address(registry)), 2 * SEAT_BOND);
        assertEq(dollar.balanceOf(alice), 0);
        assertSeat(2, alice, 1, 0);
    }

    function test_take_withoutMoney_reverts() external {
        vm.expectRevert();
        vm.prank(alice);
        registry.take(1);
    }

    function test_take_tooMany_reverts() external {
        uint32 seatsMax = 1 << 20;
        take(alice, 1);
        vm.expectRevert(abi.encodeWithSelector(IAudits.SeatsFull.selector, seatsMax));
        registry.take(seatsMax);
    }

    // LEAVE AND WITHDRAW

    function test_giveUp_thenWithdraw() external {
        seatAll();
        uint64 readyAt = uint64(START) + WAIT;
        vm.expectEmit(address(registry));
        emit IAudits.SeatLeaving(1, alice, readyAt);
        vm.prank(alice);
        registry.giveUp(1);
        assertEq(registry.seatCount(), 2);
        vm.warp(readyAt - 1);
        vm.expectRevert(abi.encodeWithSelector(IAudits.SeatNotReady.selector, 1, readyAt));
        vm.prank(alice);
        registry.withdraw(1);
        vm.warp(readyAt);
        vm.expectEmit(address(registry));
        emit IAudits.SeatLeft(1, alice, SEAT_BOND);
        vm.prank(alice);
        registry.withdraw(1);
        assertEq(dollar.balanceOf(alice), SEAT_BOND);
        vm.expectRevert(abi.encodeWithSelector(IAudits.CallerNotHolder.selector, alice, 1));
        vm.prank(alice);
        registry.withdraw(1);
    }

    function test_giveUp_byOther_reverts() external {
        seatAll();
        vm.expectRevert(abi.encodeWithSelector(IAudits.CallerNotHolder.selector, bob, 1));
        vm.prank(bob);
        registry.giveUp(1);
    }

    function test_giveUp_twice_reverts() external {
        seatAll();
        vm.prank(alice);
        registry.giveUp(1);
        vm.expectRevert(abi.encodeWithSelector(IAudits.SeatLeavingAlready.selector, 1));
        vm.prank(alice);
        registry.giveUp(1);
    }

    function test_withdraw_withoutLeaving_reverts() external {
        seatAll();
        vm.expectRevert(abi.encodeWithSelector(IAudits.SeatNotLeaving.selector, 1));
        vm.prank(alice);
        registry.withdraw(1);
    }

    // SLOTS

    /// @dev The last seat moves into the slot that became empty, from the next block on.
    function test_slots_haveNoGaps() external {
        seatAll();
        uint64 before = uint64(auditVm.getBlockNumber());
        vm.prank(alice);
        registry.giveUp(1);
        assertEq(registry.seatAt(0, before), 1);
        assertEq(registry.seatAt(0, before + 1), 3);
        assertEq(registry.seatAt(1, before + 1), 2);
        assertSeat(3, carol, 0, 0);
        nextBlock();
        vm.prank(carol);
        registry.giveUp(3);
        assertEq(registry.seatAt(0, before + 1), 3);
        assertEq(registry.seatAt(0, before + 2), 2);
        assertEq(registry.seatCount(), 1);
    }

    /// @dev Whatever is taken and left, slots hold each seat that is not given up once, and every past block still
    /// answers as it did.
    function testFuzz_slots(uint8[24] memory moves) external {
        uint32[] memory seats = take(alice, 4);
        uint256 first = auditVm.getBlockNumber() + 1;
        uint32[4][] memory seen = new uint32[4][](moves.length);
        for (uint256 i = 0; i < moves.length; ++i) {
            nextBlock();
            for (uint32 slot = 0; slot < 4; ++slot) {
                seen[i][slot] = registry.seatAt(slot, uint64(first + i));
            }
            uint256 which = moves[i] % 4;
            (,, uint48 leftBlock,,,,) = registry.seats(seats[which]);
            if (leftBlock == 0) {
                vm.prank(alice);
                registry.giveUp(seats[which]);
            } else {
                seats[which] = take(alice, 1)[0];
            }
            assertSlots(seats);
        }
        for (uint256 i = 0; i < moves.length; ++i) {
            for (uint32 slot = 0; slot < 4; ++slot) {
                assertEq(registry.seatAt(slot, uint64(first + i)), seen[i][slot]);
            }
        }
    }

    function assertSlots(uint32[] memory seats) private view {
        uint64 next = uint64(auditVm.getBlockNumber()) + 1;
        uint256 sitting = 0;
        for (uint256 i = 0; i < seats.length; ++i) {
            (,, uint48 leftBlock,,, uint32 slot,) = registry.seats(seats[i]);
            if (leftBlock != 0) continue;
            sitting += 1;
            assertTrue(slot < registry.seatCount(), "slot below the count");
            assertEq(registry.seatAt(slot, next), seats[i]);
        }
        assertEq(sitting, registry.seatCount());
    }

    function assertSeat(uint32 seat, address holder, uint32 slot, uint48 leftBlock) private view {
        (address actual,, uint48 left, uint96 bond,, uint32 actualSlot,) = registry.seats(seat);
        assertEq(actual, holder);
        assertEq(actualSlot, slot);
        assertEq(left, leftBlock);
        assertEq(bond, SEAT_BOND);
    }
}
