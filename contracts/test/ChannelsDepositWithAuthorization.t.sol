// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IChannels} from "../settlement/IChannels.sol";
import {ITestDollar} from "../settlement/ITestDollar.sol";
import {ChannelsTest} from "./base/ChannelsTest.sol";

contract ChannelsDepositWithAuthorizationTest is ChannelsTest {
    function test_depositWithAuthorization_byAnyone() public {
        IChannels.ChannelConfig memory config = plainConfig();
        (uint8 v, bytes32 r, bytes32 s) = sign(config, 5e6, 1);
        vm.prank(stranger);
        channels.depositWithAuthorization(config, 5e6, 0, START + 1, 1, v, r, s);
        assertChannel(channels.getChannelId(config), 5e6, 0);
        assertEq(dollar.balanceOf(payer), 995e6);
    }

    function test_depositWithAuthorization_twice_reverts() public {
        IChannels.ChannelConfig memory config = plainConfig();
        (uint8 v, bytes32 r, bytes32 s) = sign(config, 5e6, 1);
        channels.depositWithAuthorization(config, 5e6, 0, START + 1, 1, v, r, s);
        vm.expectPartialRevert(ITestDollar.AuthorizationSpent.selector);
        channels.depositWithAuthorization(config, 5e6, 0, START + 1, 1, v, r, s);
    }

    /// @dev A thief cannot send the payer's money into a channel of which it is the receiver.
    function testFuzz_depositWithAuthorization_otherChannel_reverts(address thief) public {
        IChannels.ChannelConfig memory config = plainConfig();
        (uint8 v, bytes32 r, bytes32 s) = sign(config, 5e6, 1);
        vm.assume(thief != receiver && thief != address(0));
        config.receiver = thief;
        vm.expectRevert(abi.encodeWithSelector(ITestDollar.SignatureInvalid.selector, payer));
        channels.depositWithAuthorization(config, 5e6, 0, START + 1, 1, v, r, s);
    }

    function test_depositWithAuthorization_otherAmount_reverts() public {
        IChannels.ChannelConfig memory config = plainConfig();
        (uint8 v, bytes32 r, bytes32 s) = sign(config, 5e6, 1);
        vm.expectRevert(abi.encodeWithSelector(ITestDollar.SignatureInvalid.selector, payer));
        channels.depositWithAuthorization(config, 6e6, 0, START + 1, 1, v, r, s);
    }

    function test_depositWithAuthorization_late_reverts() public {
        IChannels.ChannelConfig memory config = plainConfig();
        (uint8 v, bytes32 r, bytes32 s) = sign(config, 5e6, 1);
        vm.warp(START + 1);
        vm.expectRevert(
            abi.encodeWithSelector(ITestDollar.AuthorizationExpired.selector, START + 1)
        );
        channels.depositWithAuthorization(config, 5e6, 0, START + 1, 1, v, r, s);
    }

    function sign(IChannels.ChannelConfig memory config, uint256 amount, uint256 salt)
        private
        view
        returns (uint8 v, bytes32 r, bytes32 s)
    {
        bytes32 nonce = keccak256(abi.encode(channels.getChannelId(config), salt));
        return signReceive(PAYER_KEY, address(channels), amount, 0, START + 1, nonce);
    }
}
