// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IContractSigner} from "../protocol/Signatures.sol";
import {IChannels} from "../settlement/IChannels.sol";
import {ChannelsTest} from "./base/ChannelsTest.sol";

contract ChannelsClaimTest is ChannelsTest {
    bytes32 private channelId;

    function setUp() public override {
        super.setUp();
        channelId = open(plainConfig(), 100);
    }

    function test_claim_byReceiver() public {
        IChannels.VoucherClaim[] memory claims = oneVoucher(60, 40);
        vm.expectEmit(address(channels));
        emit IChannels.Claimed(channelId, 0, 40, 0);
        vm.prank(receiver);
        channels.claim(claims);
        assertChannel(channelId, 100, 40);
        assertEarned(receiver, 40, 0);
    }

    function test_claim_byReceiverAuthorizer() public {
        IChannels.VoucherClaim[] memory claims = oneVoucher(60, 60);
        vm.prank(receiverAuthorizer);
        channels.claim(claims);
        assertEarned(receiver, 60, 0);
    }

    function test_claim_sharesLaneZero() public {
        claimLane(0, 30);
        IChannels.VoucherClaim[] memory claims = oneVoucher(50, 50);
        vm.prank(receiver);
        channels.claim(claims);
        assertEq(channels.laneClaimed(channelId, 0), 50);
        assertChannel(channelId, 100, 50);
    }

    function test_claim_passesOverOldVouchers() public {
        IChannels.VoucherClaim[] memory claims = new IChannels.VoucherClaim[](3);
        claims[0] = voucherClaim(PAYER_KEY, plainConfig(), 20, 20);
        claims[1] = voucherClaim(PAYER_KEY, plainConfig(), 10, 10);
        claims[2] = voucherClaim(PAYER_KEY, plainConfig(), 50, 45);
        vm.prank(receiver);
        channels.claim(claims);
        assertEarned(receiver, 45, 0);
    }

    function testFuzz_claim_moneyOfChannelOnly(uint128 max, uint128 target) public {
        IChannels.VoucherClaim[] memory claims = oneVoucher(max, target);
        vm.prank(receiver);
        try channels.claim(claims) {
            assertTrue(target <= max && target <= 100 && target != 0, "within voucher and balance");
            assertChannel(channelId, 100, target);
        } catch {
            assertTrue(target > max || target > 100 || target == 0, "refused for a reason");
            assertChannel(channelId, 100, 0);
        }
    }

    /// @dev A contract may pay too: it says itself what it signed.
    function test_claim_contractPayer() public {
        IChannels.ChannelConfig memory config = plainConfig();
        config.payer = address(new Wallet(payer));
        vm.prank(payer);
        channels.deposit(config, 100);
        IChannels.VoucherClaim[] memory claims = new IChannels.VoucherClaim[](1);
        claims[0] = voucherClaim(PAYER_KEY, config, 60, 60);
        vm.prank(receiver);
        channels.claim(claims);
        assertEarned(receiver, 60, 0);
        claims[0] = voucherClaim(AUTHORIZER_KEY, config, 70, 70);
        vm.expectPartialRevert(IChannels.VoucherSignatureInvalid.selector);
        vm.prank(receiver);
        channels.claim(claims);
    }

    function test_claim_byStranger_reverts() public {
        IChannels.VoucherClaim[] memory claims = oneVoucher(60, 40);
        vm.expectRevert(abi.encodeWithSelector(IChannels.CallerNotReceiver.selector, stranger));
        vm.prank(stranger);
        channels.claim(claims);
    }

    function test_claim_aboveVoucher_reverts() public {
        IChannels.VoucherClaim[] memory claims = oneVoucher(60, 61);
        vm.expectRevert(
            abi.encodeWithSelector(IChannels.ClaimAboveVoucher.selector, channelId, 61, 60)
        );
        vm.prank(receiver);
        channels.claim(claims);
    }

    function test_claim_aboveBalance_reverts() public {
        IChannels.VoucherClaim[] memory claims = oneVoucher(200, 101);
        vm.expectRevert(
            abi.encodeWithSelector(IChannels.ClaimAboveBalance.selector, channelId, 101, 100)
        );
        vm.prank(receiver);
        channels.claim(claims);
    }

    function test_claim_old_reverts() public {
        IChannels.VoucherClaim[] memory claims = oneVoucher(60, 40);
        vm.startPrank(receiver);
        channels.claim(claims);
        vm.expectRevert(IChannels.NothingToClaim.selector);
        channels.claim(claims);
        vm.stopPrank();
    }

    function test_claim_wrongKey_reverts() public {
        IChannels.VoucherClaim[] memory claims = new IChannels.VoucherClaim[](1);
        claims[0] = voucherClaim(AUTHORIZER_KEY, plainConfig(), 60, 40);
        vm.expectRevert(
            abi.encodeWithSelector(IChannels.VoucherSignatureInvalid.selector, channelId)
        );
        vm.prank(receiver);
        channels.claim(claims);
    }

    /// @dev Each signature has one form: its mirror image is refused.
    function test_claim_highS_reverts() public {
        uint256 order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(PAYER_KEY, channels.getVoucherDigest(channelId, 60));
        IChannels.VoucherClaim[] memory claims = oneVoucher(60, 40);
        claims[0].signature = abi.encodePacked(r, bytes32(order - uint256(s)), 55 - v);
        vm.expectRevert(
            abi.encodeWithSelector(IChannels.VoucherSignatureInvalid.selector, channelId)
        );
        vm.prank(receiver);
        channels.claim(claims);
    }

    function testFuzz_claim_nonsenseSignature_reverts(bytes memory signature) public {
        IChannels.VoucherClaim[] memory claims = oneVoucher(60, 40);
        claims[0].signature = signature;
        vm.expectRevert(
            abi.encodeWithSelector(IChannels.VoucherSignatureInvalid.selector, channelId)
        );
        vm.prank(receiver);
        channels.claim(claims);
    }
}

/// @dev A wallet that accepts what its owner signed.
contract Wallet is IContractSigner {
    address private immutable OWNER;

    constructor(address owner) {
        OWNER = owner;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature)
        external
        view
        returns (bytes4)
    {
        address signer = ecrecover(
            digest, uint8(signature[64]), bytes32(signature[:32]), bytes32(signature[32:64])
        );
        return signer == OWNER ? IContractSigner.isValidSignature.selector : bytes4(0);
    }
}
