// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IChannels} from "../../settlement/IChannels.sol";
import {ITestDollar} from "../../settlement/ITestDollar.sol";
import {Test} from "./Test.sol";

/// @notice A payer with money and a receiver, a channel between them, and the signatures that both need.
abstract contract ChannelsTest is Test {
    uint256 internal constant PAYER_KEY = 0xA11CE;
    uint256 internal constant AUTHORIZER_KEY = 0xA07;
    uint40 internal constant DELAY = 1 hours;
    uint256 internal constant START = 1_800_000_000;

    IChannels internal channels;
    ITestDollar internal dollar;
    address internal payer = vm.addr(PAYER_KEY);
    address internal authorizer = vm.addr(AUTHORIZER_KEY);
    address internal receiver = vm.addr(0xBEEF);
    address internal receiverAuthorizer = vm.addr(0xFACE);
    address internal stranger = vm.addr(0x57A4);

    function setUp() public virtual {
        vm.warp(START);
        dollar = ITestDollar(vm.deployCode("TestDollar.sol:TestDollar"));
        channels = IChannels(vm.deployCode("Channels.sol:Channels"));
        dollar.mint(payer, 1000e6);
        vm.prank(payer);
        dollar.approve(address(channels), type(uint256).max);
    }

    /// @notice The payer signs its own vouchers.
    function plainConfig() internal view returns (IChannels.ChannelConfig memory) {
        return IChannels.ChannelConfig({
            payer: payer,
            payerAuthorizer: address(0),
            receiver: receiver,
            receiverAuthorizer: receiverAuthorizer,
            token: address(dollar),
            withdrawDelay: DELAY,
            salt: keccak256("salt")
        });
    }

    function open(IChannels.ChannelConfig memory config, uint128 amount)
        internal
        returns (bytes32 channelId)
    {
        vm.prank(config.payer);
        channels.deposit(config, amount);
        return channels.getChannelId(config);
    }

    function payeeOf(IChannels.ChannelConfig memory config)
        internal
        pure
        returns (IChannels.Payee memory)
    {
        return IChannels.Payee(
            config.receiver, config.receiverAuthorizer, config.token, config.withdrawDelay
        );
    }

    function laneClaim(
        uint256 key,
        IChannels.ChannelConfig memory config,
        uint32 lane,
        uint128 amount,
        bytes32 root
    ) internal view returns (IChannels.LaneClaim memory) {
        bytes32 channelId = channels.getChannelId(config);
        bytes32 digest = channels.getLaneVoucherDigest(channelId, lane, amount, root);
        (bytes32 r, bytes32 vs) = vm.signCompact(key, digest);
        return IChannels.LaneClaim({
            payer: config.payer,
            payerAuthorizer: config.payerAuthorizer,
            salt: config.salt,
            lane: lane,
            maxClaimableAmount: amount,
            receiptRoot: root,
            r: r,
            vs: vs
        });
    }

    function oneLane(uint32 lane, uint128 amount)
        internal
        view
        returns (IChannels.LaneClaim[] memory claims)
    {
        claims = new IChannels.LaneClaim[](1);
        claims[0] = laneClaim(PAYER_KEY, plainConfig(), lane, amount, keccak256("receipts"));
    }

    function claimLane(uint32 lane, uint128 amount) internal returns (uint128) {
        return channels.claimLanes(payeeOf(plainConfig()), oneLane(lane, amount));
    }

    function voucherClaim(
        uint256 key,
        IChannels.ChannelConfig memory config,
        uint128 max,
        uint128 target
    ) internal view returns (IChannels.VoucherClaim memory) {
        bytes32 digest = channels.getVoucherDigest(channels.getChannelId(config), max);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return IChannels.VoucherClaim({
            voucher: IChannels.Voucher(config, max),
            signature: abi.encodePacked(r, s, v),
            totalClaimed: target
        });
    }

    function oneVoucher(uint128 max, uint128 target)
        internal
        view
        returns (IChannels.VoucherClaim[] memory claims)
    {
        claims = new IChannels.VoucherClaim[](1);
        claims[0] = voucherClaim(PAYER_KEY, plainConfig(), max, target);
    }

    function signPermit(uint256 key, address spender, uint256 value, uint256 deadline)
        internal
        view
        returns (uint8 v, bytes32 r, bytes32 s)
    {
        address owner = vm.addr(key);
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256(
                    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
                ),
                owner,
                spender,
                value,
                dollar.nonces(owner),
                deadline
            )
        );
        return vm.sign(key, _tokenDigest(structHash));
    }

    function signReceive(
        uint256 key,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce
    ) internal view returns (uint8 v, bytes32 r, bytes32 s) {
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256(
                    "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
                ),
                vm.addr(key),
                to,
                value,
                validAfter,
                validBefore,
                nonce
            )
        );
        return vm.sign(key, _tokenDigest(structHash));
    }

    function assertChannel(bytes32 channelId, uint128 balance, uint128 claimed) internal view {
        (uint128 actualBalance, uint128 actualClaimed) = channels.channels(channelId);
        assertEq(actualBalance, balance);
        assertEq(actualClaimed, claimed);
    }

    function assertEarned(address account, uint128 claimed, uint128 settled) internal view {
        (uint128 actualClaimed, uint128 actualSettled) =
            channels.receivers(account, address(dollar));
        assertEq(actualClaimed, claimed);
        assertEq(actualSettled, settled);
    }

    function _tokenDigest(bytes32 structHash) private view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", dollar.DOMAIN_SEPARATOR(), structHash));
    }
}
