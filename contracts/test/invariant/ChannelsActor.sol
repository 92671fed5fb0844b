// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IChannels} from "../../settlement/IChannels.sol";
import {ITestDollar} from "../../settlement/ITestDollar.sol";
import {Test} from "../base/Test.sol";

/// @notice Everything that payers, receivers and strangers can do to six channels (three payers, two receivers), in any
/// order. It keeps its own account of the money, apart from the contract.
contract ChannelsActor is Test {
    uint256 public constant CHANNEL_COUNT = 6;
    uint256 private constant LANE_COUNT = 5;
    uint40 private constant DELAY = 1 hours;

    IChannels private immutable CHANNELS;
    ITestDollar private immutable DOLLAR;
    address private immutable TEST = msg.sender;

    /// @notice Atomic units that went into and came out of the contract.
    uint256 public moneyIn;
    uint256 public moneyOut;
    /// @dev Known from the start: to derive addresses and ids anew at each look is what would take the time.
    address[3] private _payers;
    address[2] private _receivers;
    bytes32[CHANNEL_COUNT] public idOf;
    /// @notice Largest amount that a payer signed for, by channel and lane.
    mapping(uint256 channel => mapping(uint32 lane => uint128)) public signed;

    constructor(IChannels channels, ITestDollar dollar) {
        CHANNELS = channels;
        DOLLAR = dollar;
        _receivers = [vm.addr(0x9E0), vm.addr(0x9E1)];
        for (uint256 i = 0; i < 3; ++i) {
            _payers[i] = vm.addr(payerKey(i));
            dollar.mint(_payers[i], 1_000_000e6);
            vm.prank(_payers[i]);
            dollar.approve(address(channels), type(uint256).max);
        }
        for (uint256 i = 0; i < CHANNEL_COUNT; ++i) {
            idOf[i] = channels.getChannelId(configOf(i));
        }
    }

    function deposit(uint256 channel, uint128 amount) external {
        channel %= CHANNEL_COUNT;
        amount = uint128(bound(amount, 1, 100e6));
        vm.prank(configOf(channel).payer);
        CHANNELS.deposit(configOf(channel), amount);
        moneyIn += amount;
    }

    /// @dev Payers sign what they like, also far more than they have put in.
    function claimLane(uint256 channel, uint32 lane, uint128 amount) external {
        channel %= CHANNEL_COUNT;
        lane = laneOf(lane);
        amount = uint128(bound(amount, 1, 300e6));
        if (amount > signed[channel][lane]) signed[channel][lane] = amount;
        IChannels.LaneClaim[] memory claims = new IChannels.LaneClaim[](1);
        claims[0] = signLane(channel, lane, amount);
        try CHANNELS.claimLanes(payeeOf(channel), claims) {}
        catch (bytes memory reason) {
            assertEq(bytes32(reason), bytes32(IChannels.NothingToClaim.selector));
        }
    }

    function claimVoucher(uint256 channel, uint128 max, uint128 target) external {
        channel %= CHANNEL_COUNT;
        max = uint128(bound(max, 1, 300e6));
        if (max > signed[channel][0]) signed[channel][0] = max;
        IChannels.VoucherClaim[] memory claims = new IChannels.VoucherClaim[](1);
        claims[0] = signVoucher(channel, max, uint128(bound(target, 1, max)));
        vm.prank(configOf(channel).receiver);
        try CHANNELS.claim(claims) {}
        catch (bytes memory reason) {
            assertTrue(
                bytes4(reason) == IChannels.NothingToClaim.selector
                    || bytes4(reason) == IChannels.ClaimAboveBalance.selector,
                "a claim fails for one of two reasons"
            );
        }
    }

    function settle(uint256 channel) public {
        address receiver = configOf(channel % CHANNEL_COUNT).receiver;
        (uint128 claimed, uint128 settled) = CHANNELS.receivers(receiver, address(DOLLAR));
        if (claimed == settled) return;
        uint256 before = DOLLAR.balanceOf(receiver);
        CHANNELS.settle(receiver, address(DOLLAR));
        assertEq(DOLLAR.balanceOf(receiver) - before, claimed - settled);
        moneyOut += claimed - settled;
    }

    function refund(uint256 channel, uint128 amount) external {
        channel %= CHANNEL_COUNT;
        if (available(channel) == 0) return;
        uint256 before = DOLLAR.balanceOf(configOf(channel).payer);
        vm.prank(configOf(channel).receiver);
        CHANNELS.refund(configOf(channel), uint128(bound(amount, 1, 200e6)));
        moneyOut += DOLLAR.balanceOf(configOf(channel).payer) - before;
    }

    function initiateWithdraw(uint256 channel, uint128 amount) public {
        channel %= CHANNEL_COUNT;
        vm.prank(configOf(channel).payer);
        CHANNELS.initiateWithdraw(configOf(channel), amount);
    }

    function finalizeWithdraw(uint256 channel) public {
        channel %= CHANNEL_COUNT;
        (uint128 amount, uint40 at) = CHANNELS.pendingWithdrawals(idOf[channel]);
        bool ready = amount != 0 && block.timestamp >= at + DELAY && available(channel) != 0;
        uint256 before = DOLLAR.balanceOf(configOf(channel).payer);
        try CHANNELS.finalizeWithdraw(configOf(channel)) {
            assertTrue(ready, "withdrawn in time");
        } catch {
            assertTrue(!ready, "a ready withdrawal works");
        }
        moneyOut += DOLLAR.balanceOf(configOf(channel).payer) - before;
    }

    function wait(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1, 2 hours));
    }

    /// @notice Every payer leaves, every receiver is paid. Only the test ends the game.
    function leave() external {
        if (msg.sender != TEST) return;
        for (uint256 i = 0; i < CHANNEL_COUNT; ++i) {
            settle(i);
            initiateWithdraw(i, type(uint128).max);
        }
        vm.warp(block.timestamp + DELAY);
        for (uint256 i = 0; i < CHANNEL_COUNT; ++i) {
            finalizeWithdraw(i);
        }
    }

    /// @notice The lanes in use, both ends among them.
    function lanes() public pure returns (uint32[LANE_COUNT] memory) {
        return [uint32(0), 1, 2, 3, 63];
    }

    function configOf(uint256 channel) public view returns (IChannels.ChannelConfig memory) {
        return IChannels.ChannelConfig({
            payer: _payers[channel % 3],
            payerAuthorizer: address(0),
            receiver: _receivers[channel % 2],
            receiverAuthorizer: address(0),
            token: address(DOLLAR),
            withdrawDelay: DELAY,
            salt: 0
        });
    }

    function available(uint256 channel) private view returns (uint256) {
        (uint128 balance, uint128 claimed) = CHANNELS.channels(idOf[channel]);
        return balance - claimed;
    }

    function payeeOf(uint256 channel) private view returns (IChannels.Payee memory) {
        IChannels.ChannelConfig memory config = configOf(channel);
        return IChannels.Payee(config.receiver, address(0), config.token, config.withdrawDelay);
    }

    function signLane(uint256 channel, uint32 lane, uint128 amount)
        private
        view
        returns (IChannels.LaneClaim memory)
    {
        bytes32 digest = CHANNELS.getLaneVoucherDigest(idOf[channel], lane, amount, 0);
        (bytes32 r, bytes32 vs) = vm.signCompact(payerKey(channel % 3), digest);
        address payer = configOf(channel).payer;
        return IChannels.LaneClaim(payer, address(0), 0, lane, amount, 0, r, vs);
    }

    function signVoucher(uint256 channel, uint128 max, uint128 target)
        private
        view
        returns (IChannels.VoucherClaim memory)
    {
        bytes32 digest = CHANNELS.getVoucherDigest(idOf[channel], max);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(payerKey(channel % 3), digest);
        return IChannels.VoucherClaim(
            IChannels.Voucher(configOf(channel), max), abi.encodePacked(r, s, v), target
        );
    }

    function laneOf(uint32 lane) private pure returns (uint32) {
        return lanes()[lane % LANE_COUNT];
    }

    function payerKey(uint256 payer) private pure returns (uint256) {
        return 0xA11CE + payer;
    }
}
