// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Payments} from "../protocol/Payments.sol";
import {ChannelsTest} from "./base/ChannelsTest.sol";

contract ChannelsDepositWithPermitTest is ChannelsTest {
    function setUp() public override {
        super.setUp();
        vm.prank(payer);
        dollar.approve(address(channels), 0);
    }

    function test_depositWithPermit() public {
        (uint8 v, bytes32 r, bytes32 s) = signPermit(PAYER_KEY, address(channels), 5e6, START);
        vm.prank(payer);
        channels.depositWithPermit(plainConfig(), 5e6, START, v, r, s);
        assertChannel(channels.getChannelId(plainConfig()), 5e6, 0);
        assertEq(dollar.allowance(payer, address(channels)), 0);
    }

    /// @dev Who submits the permit ahead of the payer cannot stop the deposit.
    function test_depositWithPermit_frontRun() public {
        (uint8 v, bytes32 r, bytes32 s) = signPermit(PAYER_KEY, address(channels), 5e6, START);
        vm.prank(stranger);
        dollar.permit(payer, address(channels), 5e6, START, v, r, s);
        vm.prank(payer);
        channels.depositWithPermit(plainConfig(), 5e6, START, v, r, s);
        assertChannel(channels.getChannelId(plainConfig()), 5e6, 0);
    }

    /// @dev Nor spend the payer's money.
    function test_depositWithPermit_byOther_reverts() public {
        (uint8 v, bytes32 r, bytes32 s) = signPermit(PAYER_KEY, address(channels), 5e6, START);
        vm.expectRevert(abi.encodeWithSelector(Payments.TransferFailed.selector, address(dollar)));
        vm.prank(stranger);
        channels.depositWithPermit(plainConfig(), 5e6, START, v, r, s);
    }

    function test_depositWithPermit_expired_reverts() public {
        (uint8 v, bytes32 r, bytes32 s) = signPermit(PAYER_KEY, address(channels), 5e6, START - 1);
        vm.expectRevert(abi.encodeWithSelector(Payments.TransferFailed.selector, address(dollar)));
        vm.prank(payer);
        channels.depositWithPermit(plainConfig(), 5e6, START - 1, v, r, s);
    }
}
