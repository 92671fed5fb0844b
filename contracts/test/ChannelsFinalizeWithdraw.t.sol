// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IChannels} from "../settlement/IChannels.sol";
import {ChannelsTest} from "./base/ChannelsTest.sol";

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

    function test_finalizeWithdraw_oneSecondEarly_reverts() public {
        testFuzz_finalizeWithdraw_early_reverts(DELAY - 1);
    }

    function testFuzz_finalizeWithdraw_early_reverts(uint40 wait) public {
        vm.warp(START + bound(wait, 0, DELAY - 1));
        vm.expectRevert(
            abi.encodeWithSelector(IChannels.WithdrawNotReady.selector, channelId, START + DELAY)
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
