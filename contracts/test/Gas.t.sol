// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IOffers} from "../compute/IOffers.sol";
import {IReceipts} from "../compute/IReceipts.sol";
import {IModelRegistry} from "../model/IModelRegistry.sol";
import {IChannels} from "../settlement/IChannels.sol";
import {IStake} from "../settlement/IStake.sol";
import {ChannelsTest} from "./base/ChannelsTest.sol";

/// @notice What whole transactions cost, with base and calldata and after refunds: every call is a transaction of its
/// own (`isolate`). The figures go to snapshots/gas.json, which CI compares; the ceilings are the promise.
/// forge-config: default.isolate = true
contract GasTest is ChannelsTest {
    uint256 private constant CHANNEL_OPEN_MAX = 85_000;
    uint256 private constant CLAIM_MAX = 46_000;
    uint256 private constant CLAIM_OF_TEN_MAX = 17_000;
    uint256 private constant OFFER_MAX = 60_000;
    uint256 private constant MODEL_MAX = 150_000;
    uint256 private constant DEADLINE = 2_000_000_000;

    bytes32 private constant ROOT = keccak256("receipts");

    /// @dev The network is in use: somebody else's money is already in the contract.
    function setUp() public override {
        super.setUp();
        dollar.mint(address(this), 1e6);
        dollar.approve(address(channels), 1e6);
        IChannels.ChannelConfig memory config = plainConfig();
        config.payer = address(this);
        channels.deposit(config, 1e6);
    }

    function test_gas_deposit() public {
        vm.prank(payer);
        channels.deposit(plainConfig(), 5e6);
        snapshot("channel open, standing allowance", CHANNEL_OPEN_MAX);
        vm.prank(payer);
        channels.deposit(plainConfig(), 5e6);
        snapshot("channel top-up, standing allowance", CHANNEL_OPEN_MAX);
    }

    function test_gas_depositWithPermit() public {
        vm.prank(payer);
        dollar.approve(address(channels), 0);
        (uint8 v, bytes32 r, bytes32 s) = signPermit(PAYER_KEY, address(channels), 5e6, DEADLINE);
        vm.prank(payer);
        channels.depositWithPermit(plainConfig(), 5e6, DEADLINE, v, r, s);
        snapshot("channel open, permit", CHANNEL_OPEN_MAX);
        (v, r, s) = signPermit(PAYER_KEY, address(channels), 5e6, DEADLINE);
        vm.prank(payer);
        channels.depositWithPermit(plainConfig(), 5e6, DEADLINE, v, r, s);
        snapshot("channel top-up, permit", CHANNEL_OPEN_MAX);
    }

    function test_gas_depositWithAuthorization() public {
        depositWithAuthorization(1);
        snapshot("channel open, authorization", 200_000);
        depositWithAuthorization(2);
        snapshot("channel top-up, authorization", 200_000);
    }

    function test_gas_claimLanes() public {
        open(plainConfig(), 50e6);
        claim(0, 1e6);
        snapshot("claim lane 0, first of a receiver", 64_000);
        claim(0, 2e6);
        snapshot("claim lane 0", CLAIM_MAX);
        claim(1, 1e6);
        snapshot("claim lane 1, first of lanes 1 to 3", 70_000);
        claim(1, 2e6);
        snapshot("claim lane 1", 50_000);
        claim(2, 2e6);
        snapshot("claim lane 2, after lane 1", 50_000);
    }

    function test_gas_claimLanes_firstOfChannel() public {
        open(plainConfig(), 50e6);
        claim(0, 1e6);
        IChannels.ChannelConfig memory config = plainConfig();
        config.salt = bytes32(uint256(2));
        open(config, 50e6);
        claims(config, 0, 1e6);
        snapshot("claim lane 0, first of a channel", CLAIM_MAX);
    }

    function test_gas_claimLanes_tenChannels() public {
        uint256 count = 10;
        open(plainConfig(), 5e6);
        claim(0, 1e6);
        IChannels.LaneClaim[] memory batch = new IChannels.LaneClaim[](count);
        for (uint128 round = 1; round <= 2; ++round) {
            for (uint256 i = 0; i < count; ++i) {
                IChannels.ChannelConfig memory config = plainConfig();
                config.salt = bytes32(i + 1);
                if (round == 1) open(config, 5e6);
                batch[i] = laneClaim(PAYER_KEY, config, 0, round * 1e6, ROOT);
            }
            channels.claimLanes(payeeOf(plainConfig()), batch);
            snapshot(
                round == 1 ? "claim of ten channels, first of each" : "claim of ten channels",
                10 * CLAIM_OF_TEN_MAX
            );
        }
    }

    /// @dev The dearest calldata: salts of 32 random bytes, and a key of its own that signs vouchers.
    function test_gas_claimLanes_tenChannels_random() public {
        open(plainConfig(), 5e6);
        claim(0, 1e6);
        IChannels.LaneClaim[] memory batch = new IChannels.LaneClaim[](10);
        for (uint256 i = 0; i < 10; ++i) {
            IChannels.ChannelConfig memory config = plainConfig();
            config.salt = keccak256(abi.encode(i));
            config.payerAuthorizer = authorizer;
            open(config, 5e6);
            batch[i] = laneClaim(AUTHORIZER_KEY, config, 0, 1e6, ROOT);
        }
        channels.claimLanes(payeeOf(plainConfig()), batch);
        snapshot("claim of ten channels, random salts and delegated key", 180_000);
    }

    function test_gas_claimLanes_tenLanes() public {
        open(plainConfig(), 50e6);
        for (uint128 round = 1; round <= 2; ++round) {
            IChannels.LaneClaim[] memory batch = new IChannels.LaneClaim[](10);
            for (uint32 i = 0; i < 10; ++i) {
                batch[i] = laneClaim(PAYER_KEY, plainConfig(), i, round * 1e6, ROOT);
            }
            channels.claimLanes(payeeOf(plainConfig()), batch);
            snapshot(round == 1 ? "claim of ten lanes, first" : "claim of ten lanes", 250_000);
        }
    }

    function test_gas_claim() public {
        open(plainConfig(), 50e6);
        for (uint128 round = 1; round <= 2; ++round) {
            IChannels.VoucherClaim[] memory batch = oneVoucher(round * 1e6, round * 1e6);
            vm.prank(receiver);
            channels.claim(batch);
            snapshot(
                round == 1 ? "claim x402, first of a receiver" : "claim x402",
                round == 1 ? 63_000 : CLAIM_MAX
            );
        }
    }

    function test_gas_moneyOut() public {
        open(plainConfig(), 50e6);
        dollar.mint(receiver, 1);
        claim(0, 1e6);
        channels.settle(receiver, address(dollar));
        snapshot("settle, first", 65_000);
        claim(0, 2e6);
        channels.settle(receiver, address(dollar));
        snapshot("settle", 50_000);
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(IChannels.claimLanes, (payeeOf(plainConfig()), oneLane(0, 3e6)));
        calls[1] = abi.encodeCall(IChannels.settle, (receiver, address(dollar)));
        channels.multicall(calls);
        snapshot("claim lane 0 and settle", 70_000);
        vm.prank(receiver);
        channels.refund(plainConfig(), 1e6);
        snapshot("refund", 55_000);
        vm.prank(payer);
        channels.initiateWithdraw(plainConfig(), 1e6);
        snapshot("initiate withdraw", 55_000);
        vm.warp(block.timestamp + DELAY);
        channels.finalizeWithdraw(plainConfig());
        snapshot("finalize withdraw", 60_000);
    }

    function test_gas_stake() public {
        IStake stake = IStake(
            vm.deployCode(
                "Stake.sol:Stake", abi.encode(address(dollar), address(0), address(0), 1 days)
            )
        );
        vm.prank(payer);
        dollar.approve(address(stake), type(uint256).max);
        vm.prank(payer);
        stake.deposit(payer, 100e6);
        snapshot("stake deposit, first", 100_000);
        vm.prank(payer);
        stake.requestWithdrawal(50e6);
        snapshot("stake request", 35_000);
        vm.warp(block.timestamp + 1 days);
        vm.prank(payer);
        stake.withdraw();
        snapshot("stake withdraw", 60_000);
    }

    function test_gas_offer() public {
        IOffers offers = IOffers(vm.deployCode("Offers.sol:Offers"));
        IOffers.Terms memory terms = IOffers.Terms(100_000, 400_000, 3);
        offers.publish(keccak256("model"), terms, "https://provider-17.example.org:8443/assay");
        snapshot("offer publish", OFFER_MAX);
        terms.outputPrice = 300_000;
        offers.publish(keccak256("model"), terms, "https://provider-17.example.org:8443/assay");
        snapshot("offer update", OFFER_MAX);
        offers.withdraw(keccak256("model"), 3);
        snapshot("offer withdraw", OFFER_MAX);
    }

    function test_gas_receipts() public {
        IReceipts receipts = IReceipts(vm.deployCode("Receipts.sol:Receipts"));
        receipts.post(1, ROOT, 1000, 5e6);
        // A word of root and a word of what draws need: count, block, time.
        snapshot("epoch post, first", 95_000);
        receipts.post(2, ROOT, 1000, 5e6);
        snapshot("epoch post", 80_000);
    }

    function test_gas_model() public {
        IModelRegistry registry = IModelRegistry(vm.deployCode("ModelRegistry.sol:ModelRegistry"));
        IModelRegistry.Model memory model = IModelRegistry.Model(
            keccak256("weights"),
            keccak256("graph"),
            keccak256("tables"),
            keccak256("tokenizer"),
            keccak256("template"),
            keccak256("bounds"),
            keccak256("spec")
        );
        registry.register(model, "https://provider-17.example.org:8443/v1/models/assay-small/file");
        snapshot("model register", MODEL_MAX);
    }

    function snapshot(string memory name, uint256 gasMax) private {
        uint256 gasUsed = vm.snapshotGasLastCall("gas", name);
        assertTrue(gasUsed <= gasMax, string.concat(name, ": ", vm.toString(gasUsed)));
    }

    function claim(uint32 lane, uint128 amount) private {
        claims(plainConfig(), lane, amount);
    }

    function claims(IChannels.ChannelConfig memory config, uint32 lane, uint128 amount) private {
        IChannels.LaneClaim[] memory batch = new IChannels.LaneClaim[](1);
        batch[0] = laneClaim(PAYER_KEY, config, lane, amount, ROOT);
        channels.claimLanes(payeeOf(config), batch);
    }

    function depositWithAuthorization(uint256 salt) private {
        IChannels.ChannelConfig memory config = plainConfig();
        bytes32 nonce = keccak256(abi.encode(channels.getChannelId(config), salt));
        (uint8 v, bytes32 r, bytes32 s) =
            signReceive(PAYER_KEY, address(channels), 5e6, 0, DEADLINE, nonce);
        channels.depositWithAuthorization(config, 5e6, 0, DEADLINE, salt, v, r, s);
    }
}
