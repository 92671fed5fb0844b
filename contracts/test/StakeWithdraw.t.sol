// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IStake} from "../settlement/IStake.sol";
import {StakeTest} from "./base/StakeTest.sol";

contract StakeWithdrawTest is StakeTest {
    function setUp() public override {
        super.setUp();
        depositStake(100);
    }

    function test_requestWithdrawal() public {
        vm.expectEmit(address(stake));
        emit IStake.StakeWithdrawalRequested(provider, 60, uint64(START) + WAIT);
        requestStake(60);
        assertStake(100, 60, START + WAIT);
    }

    function test_requestWithdrawal_againStartsTheClockAnew() public {
        requestStake(1);
        vm.warp(START + WAIT);
        requestStake(100);
        assertStake(100, 100, START + 2 * WAIT);
        vm.expectPartialRevert(IStake.WithdrawNotReady.selector);
        vm.prank(provider);
        stake.withdraw();
    }

    function test_requestWithdrawal_zeroTakesBack() public {
        requestStake(60);
        requestStake(0);
        assertStake(100, 0, 0);
    }

    function test_requestWithdrawal_tooMuch_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IStake.StakeTooLow.selector, provider, 100, 101));
        requestStake(101);
    }

    function testFuzz_withdraw(uint96 amount) public {
        amount = uint96(bound(amount, 1, 100));
        requestStake(amount);
        vm.warp(START + WAIT);
        vm.expectEmit(address(stake));
        emit IStake.StakeWithdrawn(provider, amount, 100 - amount);
        vm.prank(provider);
        stake.withdraw();
        assertStake(100 - amount, 0, 0);
        assertEq(dollar.balanceOf(provider), 1000e6 - 100 + amount);
    }

    function test_withdraw_oneSecondEarly_reverts() public {
        testFuzz_withdraw_early_reverts(WAIT - 1);
    }

    function testFuzz_withdraw_early_reverts(uint64 wait) public {
        requestStake(60);
        vm.warp(START + bound(wait, 0, WAIT - 1));
        vm.expectRevert(
            abi.encodeWithSelector(IStake.WithdrawNotReady.selector, provider, START + WAIT)
        );
        vm.prank(provider);
        stake.withdraw();
    }

    function test_withdraw_nothing_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IStake.NothingToWithdraw.selector, provider));
        vm.prank(provider);
        stake.withdraw();
    }

    function test_withdraw_once() public {
        requestStake(60);
        vm.warp(START + WAIT);
        vm.startPrank(provider);
        stake.withdraw();
        vm.expectRevert(abi.encodeWithSelector(IStake.NothingToWithdraw.selector, provider));
        stake.withdraw();
        vm.stopPrank();
    }
}
