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

    function test_initiateWithdraw_byPayerAuthorizer() public {
        IChannels.ChannelConfig memory config = plainConfig();
        config.payerAuthorizer = authorizer;
        open(config, 10);
        vm.prank(authorizer);
        channels.initiateWithdraw(config, 10);
        vm.warp(START + DELAY);
        uint256 before = dollar.balanceOf(payer);
        channels.finalizeWithdraw(config);
        assertEq(dollar.balanceOf(payer), before + 10);
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

contract ChannelsFinalizeWithdrawTest is ChannelsTest {
    bytes32 private channelId;

    function setUp() public override {
        super.setUp();
        channelId = open(plainConfig(), 100);
        vm.prank(payer);
        channels.initiateWithdraw(plainConfig(), 60);
    }

    function test_finalizeWithdraw_byAnyone_paysPayer() public {
        vm.warp(START + DELAY);
        vm.expectEmit(address(channels));
        emit IChannels.WithdrawFinalized(channelId, 60);
        vm.prank(stranger);
        channels.finalizeWithdraw(plainConfig());
        assertChannel(channelId, 40, 0);
        assertEq(dollar.balanceOf(payer), 1000e6 - 40);
    }

    /// @dev Everything that a voucher claims before the end is the receiver's, however late.
    function testFuzz_finalizeWithdraw_afterClaims(uint128 claimed) public {
        claimed = uint128(bound(claimed, 1, 99));
        vm.warp(START + DELAY);
        claimLane(2, claimed);
        channels.finalizeWithdraw(plainConfig());
        uint128 rest = 100 - claimed;
        uint128 withdrawn = rest < 60 ? rest : 60;
        assertChannel(channelId, 100 - withdrawn, claimed);
        assertEq(dollar.balanceOf(payer), 1000e6 - 100 + withdrawn);
    }

    function test_finalizeWithdraw_once() public {
        vm.warp(START + DELAY);
        channels.finalizeWithdraw(plainConfig());
        vm.expectRevert(abi.encodeWithSelector(IChannels.NothingToWithdraw.selector, channelId));
        channels.finalizeWithdraw(plainConfig());
    }

    function testFuzz_finalizeWithdraw_early_reverts(uint40 wait) public {
        vm.warp(START + bound(wait, 0, DELAY - 1));
        vm.expectRevert(
            abi.encodeWithSelector(
                IChannels.WithdrawNotReady.selector, channelId, START + DELAY
            )
        );
        channels.finalizeWithdraw(plainConfig());
    }

    function test_finalizeWithdraw_allClaimed_reverts() public {
        claimLane(0, 100);
        vm.warp(START + DELAY);
        vm.expectRevert(abi.encodeWithSelector(IChannels.NothingToWithdraw.selector, channelId));
        channels.finalizeWithdraw(plainConfig());
    }

    /// @dev A channel in which nobody answers any more gives everything back.
    function test_finalizeWithdraw_all_withoutReceiver() public {
        vm.prank(payer);
        channels.initiateWithdraw(plainConfig(), type(uint128).max);
        vm.warp(block.timestamp + DELAY);
        channels.finalizeWithdraw(plainConfig());
        assertEq(dollar.balanceOf(payer), 1000e6);
        assertEq(dollar.balanceOf(address(channels)), 0);
    }
}
