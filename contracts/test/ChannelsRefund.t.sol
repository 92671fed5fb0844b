// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IChannels} from "../settlement/IChannels.sol";
import {ChannelsTest} from "./base/ChannelsTest.sol";

contract ChannelsRefundTest is ChannelsTest {
    bytes32 private channelId;

    function setUp() public override {
        super.setUp();
        channelId = open(plainConfig(), 100);
    }

    function test_refund_byReceiver() public {
        vm.expectEmit(address(channels));
        emit IChannels.Refunded(channelId, 30);
        vm.prank(receiver);
        channels.refund(plainConfig(), 30);
        assertChannel(channelId, 70, 0);
        assertEq(dollar.balanceOf(payer), 1000e6 - 70);
    }

    function test_refund_byReceiverAuthorizer() public {
        vm.prank(receiverAuthorizer);
        channels.refund(plainConfig(), 30);
        assertChannel(channelId, 70, 0);
    }

    function testFuzz_refund_onlyWhatIsUnclaimed(uint128 claimed, uint128 amount) public {
        claimed = uint128(bound(claimed, 1, 99));
        amount = uint128(bound(amount, 1, type(uint128).max));
        claimLane(1, claimed);
        vm.prank(receiver);
        channels.refund(plainConfig(), amount);
        uint128 rest = 100 - claimed;
        assertChannel(channelId, 100 - (amount < rest ? amount : rest), claimed);
        channels.settle(receiver, address(dollar));
        assertEq(dollar.balanceOf(receiver), claimed);
    }

    /// @dev An emptied channel can be used again; what its lanes have claimed stays.
    function test_refund_thenReopen() public {
        claimLane(1, 40);
        vm.prank(receiver);
        channels.refund(plainConfig(), 100);
        open(plainConfig(), 50);
        assertChannel(channelId, 90, 40);
        assertEq(claimLane(1, 60), 20);
    }

    function test_refund_byOther_reverts() public {
        address[2] memory others = [payer, stranger];
        for (uint256 i = 0; i < others.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IChannels.CallerNotReceiver.selector, others[i]));
            vm.prank(others[i]);
            channels.refund(plainConfig(), 30);
        }
    }

    function test_refund_nothing_reverts() public {
        claimLane(0, 100);
        vm.expectRevert(abi.encodeWithSelector(IChannels.NothingToRefund.selector, channelId));
        vm.prank(receiver);
        channels.refund(plainConfig(), 1);
    }
}
