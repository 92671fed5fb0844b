// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ITestDollar} from "../settlement/ITestDollar.sol";
import {ChannelsTest} from "./base/ChannelsTest.sol";

contract TestDollarTransferTest is ChannelsTest {
    function testFuzz_transfer(uint256 amount) public {
        amount = bound(amount, 0, 1000e6);
        vm.expectEmit(address(dollar));
        emit ITestDollar.Transfer(payer, stranger, amount);
        vm.prank(payer);
        assertTrue(dollar.transfer(stranger, amount), "transfer");
        assertEq(dollar.balanceOf(stranger), amount);
        assertEq(dollar.balanceOf(payer), 1000e6 - amount);
    }

    function test_transfer_toSelf() public {
        vm.prank(payer);
        dollar.transfer(payer, 10);
        assertEq(dollar.balanceOf(payer), 1000e6);
    }

    function test_transfer_refuses() public {
        vm.startPrank(payer);
        vm.expectRevert(
            abi.encodeWithSelector(ITestDollar.BalanceTooLow.selector, payer, 1000e6, 1000e6 + 1)
        );
        dollar.transfer(stranger, 1000e6 + 1);
        vm.expectRevert(ITestDollar.ZeroAddress.selector);
        dollar.transfer(address(0), 1);
        vm.stopPrank();
    }

    function test_transferFrom_usesAllowance() public {
        vm.prank(payer);
        dollar.approve(stranger, 10);
        vm.startPrank(stranger);
        dollar.transferFrom(payer, stranger, 6);
        assertEq(dollar.allowance(payer, stranger), 4);
        vm.expectRevert(
            abi.encodeWithSelector(ITestDollar.AllowanceTooLow.selector, stranger, 4, 5)
        );
        dollar.transferFrom(payer, stranger, 5);
        vm.stopPrank();
    }

    function test_transferFrom_standingAllowance() public {
        vm.prank(payer);
        dollar.approve(stranger, type(uint256).max);
        vm.prank(stranger);
        dollar.transferFrom(payer, stranger, 6);
        assertEq(dollar.allowance(payer, stranger), type(uint256).max);
    }
}
