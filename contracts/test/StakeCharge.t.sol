// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IStake} from "../settlement/IStake.sol";
import {StakeTest} from "./base/StakeTest.sol";

contract StakeChargeTest is StakeTest {
    uint96 private constant STAKED = 1600;

    function setUp() public override {
        super.setUp();
        depositStake(STAKED);
    }

    function test_charge_byAudits() public {
        vm.expectEmit(address(stake));
        emit IStake.StakeCharged(provider, stranger, 30, STAKED - 30);
        assertEq(charge(30), 30);
        assertStake(STAKED - 30, 0, 0);
        assertEq(dollar.balanceOf(stranger), 30);
    }

    /// @dev A sixteenth of the stake in a period, so that nobody carries a stake out as fees of its own verifiers.
    function test_charge_noMoreThanASixteenthInAPeriod() public {
        assertEq(charge(60), 60);
        assertEq(charge(60), 40);
        assertEq(charge(60), 0);
        vm.warp(START + WAIT - 1);
        assertEq(charge(1), 0);
        vm.warp(START + WAIT);
        assertEq(charge(type(uint96).max), 93);
        (uint96 charged, uint96 chargedMax, uint64 endsAt) = stake.periods(provider);
        assertEq(charged, 93);
        assertEq(chargedMax, 93);
        assertEq(endsAt, START + 2 * WAIT);
    }

    /// @dev What is on its way out is still at risk, and stays no larger than the stake.
    function test_charge_whileLeaving() public {
        requestStake(STAKED);
        charge(50);
        assertStake(STAKED - 50, STAKED - 50, START + WAIT);
    }

    function test_charge_withoutStake_startsNoPeriod() public {
        vm.prank(court);
        stake.slash(provider, STAKED, stranger);
        assertEq(charge(10), 0);
        (,, uint64 endsAt) = stake.periods(provider);
        assertEq(endsAt, 0);
        depositStake(160);
        assertEq(charge(11), 10);
    }

    /// @dev A period's bound is that of its first charge; a slashed stake gives no more than there is.
    function test_charge_noMoreThanThereIs() public {
        charge(1);
        vm.prank(court);
        stake.slash(provider, STAKED - 6, stranger);
        assertEq(charge(90), 5);
        assertStake(0, 0, 0);
    }

    function testFuzz_charge_byOther_reverts(address caller) public {
        vm.assume(caller != audits);
        vm.expectRevert(abi.encodeWithSelector(IStake.CallerNotAudits.selector, caller));
        vm.prank(caller);
        stake.charge(provider, 1, stranger);
    }

    /// @dev The court slashes, and charges no fees; audits charge, and slash nobody.
    function test_charge_byCourt_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IStake.CallerNotAudits.selector, court));
        vm.prank(court);
        stake.charge(provider, 1, stranger);
        vm.expectRevert(abi.encodeWithSelector(IStake.CallerNotCourt.selector, audits));
        vm.prank(audits);
        stake.slash(provider, 1, stranger);
    }

    function test_charge_toNobody_reverts() public {
        vm.expectRevert(IStake.ZeroAddress.selector);
        vm.prank(audits);
        stake.charge(provider, 1, address(0));
    }

    function charge(uint96 amount) private returns (uint96) {
        vm.prank(audits);
        return stake.charge(provider, amount, stranger);
    }
}
