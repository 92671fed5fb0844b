// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IStake} from "../settlement/IStake.sol";
import {StakeTest} from "./base/StakeTest.sol";

contract StakeSlashTest is StakeTest {
    function setUp() public override {
        super.setUp();
        depositStake(100);
    }

    function test_slash_byCourt() public {
        vm.expectEmit(address(stake));
        emit IStake.StakeSlashed(provider, stranger, 30, 70);
        assertEq(slash(30), 30);
        assertStake(70, 0, 0);
        assertEq(dollar.balanceOf(stranger), 30);
    }

    function test_slash_takesNoMoreThanThereIs() public {
        assertEq(slash(type(uint96).max), 100);
        assertStake(0, 0, 0);
    }

    /// @dev Who has asked to leave is still at risk, until the money has left.
    function testFuzz_slash_whileLeaving(uint96 requested, uint96 slashed) public {
        requested = uint96(bound(requested, 1, 100));
        slashed = uint96(bound(slashed, 1, 99));
        requestStake(requested);
        vm.warp(START + WAIT);
        slash(slashed);
        uint96 rest = 100 - slashed;
        uint96 paid = requested < rest ? requested : rest;
        vm.prank(provider);
        stake.withdraw();
        assertStake(rest - paid, 0, 0);
        assertEq(dollar.balanceOf(provider), 1000e6 - 100 + paid);
    }

    function test_slash_allWhileLeaving() public {
        requestStake(100);
        slash(100);
        vm.warp(START + WAIT);
        vm.expectRevert(abi.encodeWithSelector(IStake.NothingToWithdraw.selector, provider));
        vm.prank(provider);
        stake.withdraw();
    }

    function testFuzz_slash_byOther_reverts(address caller) public {
        vm.assume(caller != court);
        vm.expectRevert(abi.encodeWithSelector(IStake.CallerNotCourt.selector, caller));
        vm.prank(caller);
        stake.slash(provider, 1, stranger);
    }

    /// @dev Without a court nobody can slash.
    function testFuzz_slash_noCourt_reverts(address caller) public {
        vm.assume(caller != address(0));
        stake = deployStake(address(dollar), address(0), WAIT);
        vm.expectRevert(abi.encodeWithSelector(IStake.CallerNotCourt.selector, caller));
        vm.prank(caller);
        stake.slash(provider, 1, stranger);
    }

    function test_slash_toNobody_reverts() public {
        vm.expectRevert(IStake.ZeroAddress.selector);
        vm.prank(court);
        stake.slash(provider, 1, address(0));
    }

    function slash(uint96 amount) private returns (uint96) {
        vm.prank(court);
        return stake.slash(provider, amount, stranger);
    }
}
