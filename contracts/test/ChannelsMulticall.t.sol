// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IChannels} from "../settlement/IChannels.sol";
import {ChannelsTest} from "./base/ChannelsTest.sol";

contract ChannelsMulticallTest is ChannelsTest {
    function setUp() public override {
        super.setUp();
        open(plainConfig(), 100);
    }

    function test_multicall_claimAndSettle() public {
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(IChannels.claimLanes, (payeeOf(plainConfig()), oneLane(0, 40)));
        calls[1] = abi.encodeCall(IChannels.settle, (receiver, address(dollar)));
        bytes[] memory results = channels.multicall(calls);
        assertEq(abi.decode(results[0], (uint256)), 40);
        assertEq(dollar.balanceOf(receiver), 40);
    }

    /// @dev The sender stays the sender.
    function test_multicall_keepsSender() public {
        bytes[] memory calls = new bytes[](1);
        calls[0] = abi.encodeCall(IChannels.refund, (plainConfig(), 10));
        vm.prank(receiver);
        channels.multicall(calls);
        assertEq(dollar.balanceOf(payer), 1000e6 - 90);
        vm.expectRevert(abi.encodeWithSelector(IChannels.CallerNotReceiver.selector, stranger));
        vm.prank(stranger);
        channels.multicall(calls);
    }

    function test_multicall_oneFailureUndoesAll() public {
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(IChannels.claimLanes, (payeeOf(plainConfig()), oneLane(0, 40)));
        calls[1] = abi.encodeCall(IChannels.settle, (stranger, address(dollar)));
        vm.expectRevert(
            abi.encodeWithSelector(IChannels.NothingToSettle.selector, stranger, address(dollar))
        );
        channels.multicall(calls);
        assertEarned(receiver, 0, 0);
    }
}
