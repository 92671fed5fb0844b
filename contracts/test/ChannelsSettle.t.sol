// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IChannels} from "../settlement/IChannels.sol";
import {ChannelsTest} from "./base/ChannelsTest.sol";

contract ChannelsSettleTest is ChannelsTest {
    function test_settle_byAnyone_paysReceiver() public {
        open(plainConfig(), 100);
        claimLane(0, 40);
        vm.expectEmit(address(channels));
        emit IChannels.Settled(receiver, address(dollar), stranger, 40);
        vm.prank(stranger);
        channels.settle(receiver, address(dollar));
        assertEq(dollar.balanceOf(receiver), 40);
        assertEarned(receiver, 40, 40);
    }

    function test_settle_onlyWhatIsNew() public {
        open(plainConfig(), 100);
        claimLane(0, 40);
        channels.settle(receiver, address(dollar));
        claimLane(1, 5);
        channels.settle(receiver, address(dollar));
        assertEq(dollar.balanceOf(receiver), 45);
        assertEq(dollar.balanceOf(address(channels)), 55);
    }

    function test_settle_nothing_reverts() public {
        vm.expectRevert(
            abi.encodeWithSelector(IChannels.NothingToSettle.selector, receiver, address(dollar))
        );
        channels.settle(receiver, address(dollar));
        open(plainConfig(), 100);
        claimLane(0, 40);
        channels.settle(receiver, address(dollar));
        vm.expectPartialRevert(IChannels.NothingToSettle.selector);
        channels.settle(receiver, address(dollar));
    }

    function test_settle_otherToken_reverts() public {
        open(plainConfig(), 100);
        claimLane(0, 40);
        vm.expectPartialRevert(IChannels.NothingToSettle.selector);
        channels.settle(receiver, address(channels));
    }
}
