// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IChannels} from "../settlement/IChannels.sol";
import {ChannelsTest} from "./base/ChannelsTest.sol";

contract ChannelsInitiateWithdrawTest is ChannelsTest {
    bytes32 private channelId;

    function setUp() public override {
        super.setUp();
        channelId = open(plainConfig(), 100);
    }

    function test_initiateWithdraw_byPayer() public {
        vm.expectEmit(address(channels));
        emit IChannels.WithdrawInitiated(channelId, 60, uint40(START) + DELAY);
        initiate(payer, 60);
        assertPending(60, START);
        assertChannel(channelId, 100, 0);
    }

    /// @dev A stolen voucher key could otherwise restart the clock for ever.
    function test_initiateWithdraw_byPayerAuthorizer_reverts() public {
        IChannels.ChannelConfig memory config = plainConfig();
        config.payerAuthorizer = authorizer;
        vm.expectRevert(abi.encodeWithSelector(IChannels.CallerNotPayer.selector, authorizer));
        vm.prank(authorizer);
        channels.initiateWithdraw(config, 10);
    }

    function test_initiateWithdraw_againStartsTheClockAnew() public {
        initiate(payer, 60);
        vm.warp(START + DELAY - 1);
        initiate(payer, 100);
        assertPending(100, START + DELAY - 1);
        vm.warp(START + DELAY);
        vm.expectPartialRevert(IChannels.WithdrawNotReady.selector);
        channels.finalizeWithdraw(plainConfig());
    }

    function test_initiateWithdraw_zeroTakesBack() public {
        initiate(payer, 60);
        initiate(payer, 0);
        assertPending(0, 0);
        vm.warp(START + DELAY);
        vm.expectPartialRevert(IChannels.NothingToWithdraw.selector);
        channels.finalizeWithdraw(plainConfig());
    }

    function test_initiateWithdraw_byOther_reverts() public {
        address[3] memory others = [receiver, receiverAuthorizer, stranger];
        for (uint256 i = 0; i < others.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IChannels.CallerNotPayer.selector, others[i]));
            initiate(others[i], 60);
        }
    }

    function initiate(address sender, uint128 amount) private {
        vm.prank(sender);
        channels.initiateWithdraw(plainConfig(), amount);
    }

    function assertPending(uint256 amount, uint256 initiatedAt) private view {
        (uint128 actualAmount, uint40 actualAt) = channels.pendingWithdrawals(channelId);
        assertEq(actualAmount, amount);
        assertEq(actualAt, initiatedAt);
    }
}
