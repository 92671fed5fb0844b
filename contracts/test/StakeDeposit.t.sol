// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Payments} from "../protocol/Payments.sol";
import {IStake} from "../settlement/IStake.sol";
import {StakeTest} from "./base/StakeTest.sol";
import {FeeToken} from "./base/Tokens.sol";

contract StakeDepositTest is StakeTest {
    function testFuzz_deposit(uint96 amount) public {
        amount = uint96(bound(amount, 1, 1000e6));
        vm.expectEmit(address(stake));
        emit IStake.StakeDeposited(provider, provider, amount, amount);
        depositStake(amount);
        assertStake(amount, 0, 0);
        assertEq(dollar.balanceOf(address(stake)), amount);
    }

    function test_deposit_forAnother() public {
        dollar.mint(stranger, 5);
        vm.startPrank(stranger);
        dollar.approve(address(stake), 5);
        stake.deposit(provider, 5);
        vm.stopPrank();
        assertStake(5, 0, 0);
    }

    function test_depositWithPermit() public {
        vm.prank(provider);
        dollar.approve(address(stake), 0);
        (uint8 v, bytes32 r, bytes32 s) = signPermit(PAYER_KEY, address(stake), 5, START);
        vm.prank(provider);
        stake.depositWithPermit(provider, 5, START, v, r, s);
        assertStake(5, 0, 0);
    }

    function test_depositWithPermit_byOther_reverts() public {
        (uint8 v, bytes32 r, bytes32 s) = signPermit(PAYER_KEY, address(stake), 5, START);
        vm.expectRevert(abi.encodeWithSelector(Payments.TransferFailed.selector, address(dollar)));
        vm.prank(stranger);
        stake.depositWithPermit(stranger, 5, START, v, r, s);
    }

    function test_deposit_zero_reverts() public {
        vm.expectRevert(IStake.ZeroAmount.selector);
        stake.deposit(provider, 0);
        vm.expectRevert(IStake.ZeroAddress.selector);
        stake.deposit(address(0), 1);
    }

    function test_deposit_tooLarge_reverts() public {
        depositStake(1);
        vm.expectRevert(abi.encodeWithSelector(IStake.AmountTooLarge.selector, uint256(1) << 96));
        depositStake(type(uint96).max);
    }

    function test_deposit_feeToken_reverts() public {
        FeeToken token = new FeeToken();
        token.mint(provider, 100);
        stake = deployStake(address(token), court, WAIT);
        vm.expectRevert(
            abi.encodeWithSelector(IStake.TransferIncomplete.selector, address(token), 99, 100)
        );
        depositStake(100);
    }

    function test_constructor_refuses() public {
        vm.expectRevert(IStake.ZeroAddress.selector);
        deployStake(address(0), court, WAIT);
        expectWaitRefused(31_337, 0, 1);
        expectWaitRefused(31_337, 90 days + 1, 1);
        expectWaitRefused(1, 1 days - 1, 1 days);
    }

    function expectWaitRefused(uint256 chainId, uint64 wait, uint64 waitMin) private {
        vm.chainId(chainId);
        vm.expectRevert(
            abi.encodeWithSelector(
                IStake.WithdrawDelayOutOfRange.selector, wait, waitMin, uint64(90 days)
            )
        );
        deployStake(address(dollar), court, wait);
    }
}
