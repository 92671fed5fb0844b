// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IChannels} from "../settlement/IChannels.sol";
import {Payments} from "../protocol/Payments.sol";
import {ChannelsTest} from "./base/ChannelsTest.sol";
import {FalseToken, FeeToken, HookToken, IHook, SilentToken} from "./base/Tokens.sol";

contract ChannelsDepositTest is ChannelsTest {
    function test_deposit_opens() public {
        IChannels.ChannelConfig memory config = plainConfig();
        bytes32 channelId = channels.getChannelId(config);
        vm.expectEmit(address(channels));
        emit IChannels.ChannelOpened(channelId, payer, receiver, config);
        vm.expectEmit(address(channels));
        emit IChannels.Deposited(channelId, 5e6, 5e6);
        open(config, 5e6);
        assertChannel(channelId, 5e6, 0);
        assertEq(dollar.balanceOf(address(channels)), 5e6);
    }

    function test_deposit_topsUp() public {
        bytes32 channelId = open(plainConfig(), 5e6);
        vm.recordLogs();
        open(plainConfig(), 7e6);
        // Transfer and Deposited, but no second ChannelOpened.
        assertEq(vm.getRecordedLogs().length, 2);
        assertChannel(channelId, 12e6, 0);
    }

    function test_deposit_byAnyone_belongsToPayer() public {
        dollar.mint(stranger, 5e6);
        vm.startPrank(stranger);
        dollar.approve(address(channels), 5e6);
        channels.deposit(plainConfig(), 5e6);
        vm.stopPrank();
        vm.prank(receiver);
        channels.refund(plainConfig(), 5e6);
        assertEq(dollar.balanceOf(payer), 1005e6);
    }

    function testFuzz_deposit_addsUp(uint64 first, uint64 second) public {
        uint128 a = uint128(bound(first, 1, 500e6));
        uint128 b = uint128(bound(second, 1, 500e6));
        bytes32 channelId = open(plainConfig(), a);
        open(plainConfig(), b);
        assertChannel(channelId, a + b, 0);
        assertEq(dollar.balanceOf(address(channels)), a + b);
        assertEq(dollar.balanceOf(payer), 1000e6 - a - b);
    }

    function testFuzz_deposit_keepsChannelsApart(bytes32 salt) public {
        IChannels.ChannelConfig memory other = plainConfig();
        vm.assume(salt != other.salt);
        other.salt = salt;
        bytes32 channelId = open(plainConfig(), 1e6);
        bytes32 otherId = open(other, 2e6);
        assertChannel(channelId, 1e6, 0);
        assertChannel(otherId, 2e6, 0);
    }

    function test_deposit_zero_reverts() public {
        vm.expectRevert(IChannels.ZeroAmount.selector);
        channels.deposit(plainConfig(), 0);
    }

    function test_deposit_noPayer_reverts() public {
        IChannels.ChannelConfig memory config = plainConfig();
        config.payer = address(0);
        vm.expectRevert(IChannels.ZeroAddress.selector);
        channels.deposit(config, 1);
    }

    function test_deposit_noReceiver_reverts() public {
        IChannels.ChannelConfig memory config = plainConfig();
        config.receiver = address(0);
        vm.expectRevert(IChannels.ZeroAddress.selector);
        channels.deposit(config, 1);
    }

    function test_deposit_delayTooShort_reverts() public {
        expectDelayRefused(31_337, 0, 1);
        expectDelayRefused(1, 15 minutes - 1, 15 minutes);
        expectDelayRefused(31_337, 30 days + 1, 1);
        expectDelayRefused(1, type(uint40).max, 15 minutes);
    }

    function test_deposit_delayAtEdges() public {
        IChannels.ChannelConfig memory config = plainConfig();
        config.withdrawDelay = 1;
        open(config, 1);
        vm.chainId(8453);
        config.withdrawDelay = 15 minutes;
        open(config, 1);
        config.withdrawDelay = 30 days;
        open(config, 1);
    }

    function test_deposit_tooLarge_reverts() public {
        uint128 tooLarge = 1 << 80;
        vm.expectRevert(abi.encodeWithSelector(IChannels.AmountTooLarge.selector, tooLarge));
        channels.deposit(plainConfig(), tooLarge);
        open(plainConfig(), 1);
        vm.expectRevert(abi.encodeWithSelector(IChannels.AmountTooLarge.selector, tooLarge));
        channels.deposit(plainConfig(), tooLarge - 1);
    }

    /// @dev No channel has an id that hashes bits outside of a type; claims rely on it.
    function testFuzz_deposit_dirtyWords_reverts(uint8 field, uint96 dirt) public {
        vm.assume(dirt != 0);
        bytes memory data = abi.encodeCall(IChannels.deposit, (plainConfig(), 1));
        // The first six words are five addresses and a uint40; the amount is the eighth.
        uint256 position = 4 + (field % 6) * 32;
        for (uint256 i = 0; i < 12; ++i) {
            data[position + i] = data[position + i] ^ bytes12(dirt)[i];
        }
        vm.prank(payer);
        (bool success,) = address(channels).call(data);
        assertTrue(!success, "dirty words are refused");
    }

    function test_deposit_withoutAllowance_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(Payments.TransferFailed.selector, address(dollar)));
        vm.prank(stranger);
        channels.deposit(plainConfig(), 1);
    }

    function test_deposit_noToken_reverts() public {
        IChannels.ChannelConfig memory config = plainConfig();
        config.token = address(0xDEAD);
        vm.expectRevert();
        vm.prank(payer);
        channels.deposit(config, 1);
    }

    function test_deposit_feeToken_reverts() public {
        FeeToken token = new FeeToken();
        token.mint(payer, 100);
        vm.expectRevert(
            abi.encodeWithSelector(IChannels.TransferIncomplete.selector, address(token), 99, 100)
        );
        depositOf(address(token), 100);
    }

    function test_deposit_falseToken_reverts() public {
        FalseToken token = new FalseToken();
        vm.expectRevert(abi.encodeWithSelector(Payments.TransferFailed.selector, address(token)));
        depositOf(address(token), 100);
    }

    function test_deposit_silentToken() public {
        SilentToken token = new SilentToken();
        token.mint(payer, 100);
        IChannels.ChannelConfig memory config = depositOf(address(token), 100);
        vm.prank(receiver);
        channels.refund(config, 100);
        assertEq(token.balanceOf(payer), 100);
    }

    /// @dev A payer that is called in the middle of its deposit cannot take out what it has not yet paid in.
    function test_deposit_reentrantPayer_reverts() public {
        HookToken token = new HookToken();
        Reentrant thief = new Reentrant(channels, address(token));
        token.mint(address(channels), 100);
        token.mint(address(thief), 100);
        vm.expectRevert(
            abi.encodeWithSelector(IChannels.TransferIncomplete.selector, address(token), 0, 100)
        );
        thief.attack();
        assertEq(token.balanceOf(address(channels)), 100);
    }

    function expectDelayRefused(uint256 chainId, uint40 delay, uint40 delayMin) private {
        vm.chainId(chainId);
        IChannels.ChannelConfig memory config = plainConfig();
        config.withdrawDelay = delay;
        vm.expectRevert(
            abi.encodeWithSelector(
                IChannels.WithdrawDelayOutOfRange.selector, delay, delayMin, uint40(30 days)
            )
        );
        channels.deposit(config, 1);
    }

    function depositOf(address token, uint128 amount)
        private
        returns (IChannels.ChannelConfig memory config)
    {
        config = plainConfig();
        config.token = token;
        vm.prank(payer);
        channels.deposit(config, amount);
    }
}

/// @dev Payer and receiver of one channel; refunds itself while its deposit is under way.
contract Reentrant is IHook {
    IChannels private immutable CHANNELS;
    address private immutable TOKEN;

    constructor(IChannels channels, address token) {
        CHANNELS = channels;
        TOKEN = token;
    }

    function attack() external {
        CHANNELS.deposit(config(), 100);
    }

    function beforeTransfer() external {
        CHANNELS.refund(config(), 100);
    }

    function config() private view returns (IChannels.ChannelConfig memory) {
        return IChannels.ChannelConfig(
            address(this), address(0), address(this), address(0), TOKEN, 1 hours, 0
        );
    }
}
