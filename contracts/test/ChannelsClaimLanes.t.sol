// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IChannels} from "../settlement/IChannels.sol";
import {ChannelsTest} from "./base/ChannelsTest.sol";

contract ChannelsClaimLanesTest is ChannelsTest {
    bytes32 private constant ROOT = keccak256("receipts");

    bytes32 private channelId;

    function setUp() public override {
        super.setUp();
        channelId = open(plainConfig(), 100);
    }

    function test_claimLanes_byAnyone_paysReceiver() public {
        IChannels.LaneClaim[] memory claims = oneLane(0, 40);
        vm.expectEmit(address(channels));
        emit IChannels.Claimed(channelId, 0, 40, ROOT);
        vm.prank(stranger);
        assertEq(channels.claimLanes(payeeOf(plainConfig()), claims), 40);
        assertChannel(channelId, 100, 40);
        assertEarned(receiver, 40, 0);
        assertEq(channels.laneClaimed(channelId, 0), 40);
    }

    function test_claimLanes_isCumulative() public {
        assertEq(claimLane(7, 10), 10);
        assertEq(claimLane(7, 25), 15);
        assertEq(channels.laneClaimed(channelId, 7), 25);
        assertEarned(receiver, 25, 0);
    }

    function test_claimLanes_allLanes() public {
        uint32 lanes = channels.LANES_MAX();
        for (uint32 lane = 0; lane < lanes; ++lane) {
            assertEq(claimLane(lane, 1 + lane % 2), 1 + lane % 2);
        }
        uint256 sum = 0;
        for (uint32 lane = 0; lane < lanes; ++lane) {
            assertEq(channels.laneClaimed(channelId, lane), 1 + lane % 2);
            sum += 1 + lane % 2;
        }
        assertChannel(channelId, 100, uint128(sum));
    }

    /// @dev Three lanes share a word: the largest amounts must not run into each other.
    function test_claimLanes_largestAmounts() public {
        uint128 third = uint128((uint256(1) << 80) / 3);
        mintMuch(payer, uint256(1) << 80);
        open(plainConfig(), (uint128(1) << 80) - 101);
        for (uint32 lane = 0; lane < 3; ++lane) {
            assertEq(claimLane(lane, third), third);
            assertEq(channels.laneClaimed(channelId, lane), third);
        }
        assertChannel(channelId, (uint128(1) << 80) - 1, 3 * third);
        // One lane alone may hold it all.
        assertEq(channels.laneClaimed(channelId, 3), 0);
    }

    function test_claimLanes_delegatedKey() public {
        IChannels.ChannelConfig memory config = plainConfig();
        config.payerAuthorizer = authorizer;
        open(config, 10);
        IChannels.LaneClaim[] memory claims = new IChannels.LaneClaim[](1);
        claims[0] = laneClaim(AUTHORIZER_KEY, config, 3, 10, ROOT);
        assertEq(channels.claimLanes(payeeOf(config), claims), 10);
        // Then the payer's own key signs nothing.
        claims[0] = laneClaim(PAYER_KEY, config, 3, 10, ROOT);
        vm.expectPartialRevert(IChannels.VoucherSignatureInvalid.selector);
        channels.claimLanes(payeeOf(config), claims);
    }

    function test_claimLanes_manyChannels() public {
        IChannels.LaneClaim[] memory claims = new IChannels.LaneClaim[](5);
        for (uint256 i = 0; i < 5; ++i) {
            IChannels.ChannelConfig memory config = plainConfig();
            config.salt = bytes32(i);
            open(config, 100);
            claims[i] = laneClaim(PAYER_KEY, config, uint32(i), uint128(10 * (i + 1)), ROOT);
        }
        assertEq(channels.claimLanes(payeeOf(plainConfig()), claims), 150);
        assertEarned(receiver, 150, 0);
    }

    /// @dev One part of a batch that was claimed by somebody else first does not stop the rest.
    function test_claimLanes_passesOverOldVouchers() public {
        claimLane(1, 10);
        IChannels.LaneClaim[] memory claims = new IChannels.LaneClaim[](3);
        claims[0] = laneClaim(PAYER_KEY, plainConfig(), 1, 10, ROOT);
        claims[1] = laneClaim(PAYER_KEY, plainConfig(), 1, 5, ROOT);
        claims[2] = laneClaim(PAYER_KEY, plainConfig(), 2, 7, ROOT);
        vm.recordLogs();
        assertEq(channels.claimLanes(payeeOf(plainConfig()), claims), 7);
        assertEq(vm.getRecordedLogs().length, 1);
    }

    function test_claimLanes_twiceInOneBatch() public {
        IChannels.LaneClaim[] memory claims = new IChannels.LaneClaim[](2);
        claims[0] = laneClaim(PAYER_KEY, plainConfig(), 1, 10, ROOT);
        claims[1] = laneClaim(PAYER_KEY, plainConfig(), 1, 30, ROOT);
        assertEq(channels.claimLanes(payeeOf(plainConfig()), claims), 30);
    }

    function test_claimLanes_asFarAsBalanceReaches() public {
        assertEq(claimLane(1, 80), 80);
        assertEq(claimLane(2, 80), 20);
        assertChannel(channelId, 100, 100);
        // The rest of the voucher is good after a top-up.
        open(plainConfig(), 100);
        assertEq(claimLane(2, 80), 60);
    }

    function testFuzz_claimLanes_neverAboveBalance(uint128[8] memory amounts, uint8[8] memory lanes)
        public
    {
        uint256 claimed = 0;
        for (uint256 i = 0; i < amounts.length; ++i) {
            uint32 lane = lanes[i] % 64;
            IChannels.LaneClaim[] memory claims = oneLane(lane, amounts[i]);
            try channels.claimLanes(payeeOf(plainConfig()), claims) returns (uint128 amount) {
                claimed += amount;
            } catch (bytes memory reason) {
                assertEq(bytes32(reason), bytes32(IChannels.NothingToClaim.selector));
            }
            assertTrue(channels.laneClaimed(channelId, lane) <= 100, "lane within deposit");
        }
        assertTrue(claimed <= 100, "claimed within deposit");
        assertChannel(channelId, 100, uint128(claimed));
        assertEarned(receiver, uint128(claimed), 0);
    }

    function test_claimLanes_nothing_reverts() public {
        vm.expectRevert(IChannels.NothingToClaim.selector);
        channels.claimLanes(payeeOf(plainConfig()), new IChannels.LaneClaim[](0));
        claimLane(1, 10);
        IChannels.LaneClaim[] memory claims = oneLane(1, 10);
        vm.expectRevert(IChannels.NothingToClaim.selector);
        channels.claimLanes(payeeOf(plainConfig()), claims);
    }

    function test_claimLanes_unfunded_reverts() public {
        IChannels.ChannelConfig memory config = plainConfig();
        config.salt = 0;
        IChannels.LaneClaim[] memory claims = new IChannels.LaneClaim[](1);
        claims[0] = laneClaim(PAYER_KEY, config, 1, 10, ROOT);
        vm.expectRevert(IChannels.NothingToClaim.selector);
        channels.claimLanes(payeeOf(config), claims);
    }

    function test_claimLanes_laneOutOfRange_reverts() public {
        IChannels.LaneClaim[] memory claims = oneLane(64, 10);
        vm.expectRevert(abi.encodeWithSelector(IChannels.LaneOutOfRange.selector, 64));
        channels.claimLanes(payeeOf(plainConfig()), claims);
    }

    /// @dev A voucher is good for one channel, lane, amount and root on one contract and chain.
    function testFuzz_claimLanes_anyChange_reverts(uint8 field, uint128 noise) public {
        vm.assume(noise != 0);
        IChannels.LaneClaim[] memory claims = oneLane(1, 10);
        IChannels.Payee memory payee = payeeOf(plainConfig());
        field %= 10;
        if (field == 0) claims[0].payer = address(uint160(claims[0].payer) ^ noise);
        if (field == 1) claims[0].payerAuthorizer = address(uint160(noise));
        if (field == 2) claims[0].salt ^= bytes32(uint256(noise));
        if (field == 3) claims[0].lane = 2;
        if (field == 4) claims[0].maxClaimableAmount ^= noise;
        if (field == 5) claims[0].receiptRoot ^= bytes32(uint256(noise));
        if (field == 6) payee.receiver = address(uint160(payee.receiver) ^ noise);
        if (field == 7) payee.token = address(uint160(payee.token) ^ noise);
        if (field == 8) claims[0].r ^= bytes32(uint256(noise));
        if (field == 9) vm.chainId(1);
        vm.expectPartialRevert(IChannels.VoucherSignatureInvalid.selector);
        channels.claimLanes(payee, claims);
    }

    /// @dev ecrecover answers zero to nonsense; zero must sign for nobody, not even for a payer of zero.
    function test_claimLanes_zeroSigner_reverts() public {
        IChannels.LaneClaim[] memory claims = oneLane(1, 10);
        claims[0].payer = address(0);
        claims[0].r = 0;
        vm.expectPartialRevert(IChannels.VoucherSignatureInvalid.selector);
        channels.claimLanes(payeeOf(plainConfig()), claims);
    }

    /// @dev Words are hashed unchecked, so words with bits outside their type must lead nowhere.
    function testFuzz_claimLanes_dirtyWords_reverts(uint8 field, uint96 dirt) public {
        vm.assume(dirt != 0);
        bytes memory data =
            abi.encodeCall(IChannels.claimLanes, (payeeOf(plainConfig()), oneLane(1, 10)));
        // Selector, four words of payee, offset and length; then payer, payerAuthorizer, salt, lane, amount.
        uint256[4] memory words = [uint256(0), 1, 3, 4];
        uint256 position = 4 + (6 + words[field % 4]) * 32;
        for (uint256 i = 0; i < 12; ++i) {
            data[position + i] = data[position + i] ^ bytes12(dirt)[i];
        }
        (bool success,) = address(channels).call(data);
        assertTrue(!success, "dirty words are refused");
        assertChannel(channelId, 100, 0);
    }

    function mintMuch(address to, uint256 amount) private {
        uint256 most = dollar.MINT_MAX();
        // Storage of the faucet is out of reach of calls; write the balance as the chain would hold it.
        bytes32 slot = keccak256(abi.encode(to, uint256(1)));
        vm.store(address(dollar), slot, bytes32(dollar.balanceOf(to) + amount));
        assertTrue(dollar.balanceOf(to) > most, "balance was written");
    }
}
