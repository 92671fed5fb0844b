// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IReceipts} from "../compute/IReceipts.sol";
import {IAudits} from "../dispute/IAudits.sol";
import {IModelRegistry} from "../model/IModelRegistry.sol";
import {IChannels} from "../settlement/IChannels.sol";
import {Test} from "./base/Test.sol";

/// @notice The typed data of TypeScript (vectors/eip712.json) and of the contracts are the same bytes.
contract VectorsEip712Test is Test {
    string private json;
    IChannels private channels;
    IReceipts private receipts;
    IModelRegistry private registry;
    IAudits private audits;

    function setUp() public {
        json = vm.readFile("../vectors/eip712.json");
        vm.chainId(number(".chainId"));
        // The contracts have no immutables, so their code is right at any address.
        channels = IChannels(place(vm.deployCode("Channels.sol:Channels"), ".channels"));
        receipts = IReceipts(place(vm.deployCode("Receipts.sol:Receipts"), ".receipts"));
        registry = IModelRegistry(vm.deployCode("ModelRegistry.sol:ModelRegistry"));
        audits = IAudits(place(deployAudits(), ".audits"));
    }

    function test_types() public view {
        assertType("ChannelConfig", channels.CHANNEL_CONFIG_TYPEHASH());
        assertType("Voucher", channels.VOUCHER_TYPEHASH());
        assertType("LaneVoucher", channels.LANE_VOUCHER_TYPEHASH());
        assertType("Sampler", receipts.SAMPLER_TYPEHASH());
        assertType("Job", receipts.JOB_TYPEHASH());
        assertType("StreamHead", receipts.STREAM_HEAD_TYPEHASH());
        assertType("Receipt", receipts.RECEIPT_TYPEHASH());
        assertType("Plant", audits.PLANT_TYPEHASH());
        assertType("Model", registry.MODEL_TYPEHASH());
    }

    function test_domains() public view {
        assertEq(channels.domainSeparator(), word(".settlementSeparator"));
        assertEq(receipts.domainSeparator(), word(".computeSeparator"));
    }

    function test_channels() public view {
        uint256 count = 0;
        for (; vm.keyExistsJson(json, at(".channelVectors", count, "")); ++count) {
            string memory path = at(".channelVectors", count, "");
            bytes32 channelId = word(string.concat(path, ".channelId"));
            uint128 amount = uint128(number(string.concat(path, ".maxClaimableAmount")));
            assertEq(channels.getChannelId(readConfig(string.concat(path, ".config"))), channelId);
            assertEq(
                channels.getVoucherDigest(channelId, amount),
                word(string.concat(path, ".voucherDigest"))
            );
            bytes32 digest = channels.getLaneVoucherDigest(
                channelId,
                uint32(number(string.concat(path, ".lane"))),
                amount,
                word(string.concat(path, ".receiptRoot"))
            );
            assertEq(digest, word(string.concat(path, ".laneVoucherDigest")));
        }
        assertEq(count, 2);
    }

    function test_jobs() public view {
        uint256 count = 0;
        for (; vm.keyExistsJson(json, at(".jobVectors", count, "")); ++count) {
            IReceipts.Job memory job = readJob(at(".jobVectors", count, ".job"));
            assertEq(receipts.hashJob(job), word(at(".jobVectors", count, ".jobId")));
        }
        assertEq(count, 3);
    }

    function test_streamHeads() public view {
        uint256 count = 0;
        for (; vm.keyExistsJson(json, at(".streamHeadVectors", count, "")); ++count) {
            string memory path = at(".streamHeadVectors", count, ".streamHead");
            IReceipts.StreamHead memory streamHead = IReceipts.StreamHead(
                word(string.concat(path, ".jobId")),
                uint32(number(string.concat(path, ".count"))),
                word(string.concat(path, ".head"))
            );
            assertEq(
                receipts.hashStreamHead(streamHead),
                word(at(".streamHeadVectors", count, ".digest"))
            );
        }
        assertEq(count, 2);
    }

    function test_receipts() public view {
        uint256 count = 0;
        for (; vm.keyExistsJson(json, at(".receiptVectors", count, "")); ++count) {
            string memory path = at(".receiptVectors", count, ".receipt");
            IReceipts.Receipt memory receipt = IReceipts.Receipt({
                jobId: word(string.concat(path, ".jobId")),
                outputRoot: word(string.concat(path, ".outputRoot")),
                outputCount: uint32(number(string.concat(path, ".outputCount"))),
                finish: uint8(number(string.concat(path, ".finish"))),
                streamHead: word(string.concat(path, ".streamHead")),
                price: uint128(number(string.concat(path, ".price"))),
                completedAt: uint64(number(string.concat(path, ".completedAt")))
            });
            assertEq(receipts.hashReceipt(receipt), word(at(".receiptVectors", count, ".digest")));
        }
        assertEq(count, 2);
    }

    function test_plants() public view {
        uint256 count = 0;
        for (; vm.keyExistsJson(json, at(".plantVectors", count, "")); ++count) {
            string memory path = at(".plantVectors", count, ".plant");
            bytes32 digest = audits.hashPlant(
                word(string.concat(path, ".jobId")), word(string.concat(path, ".root"))
            );
            assertEq(digest, word(at(".plantVectors", count, ".digest")));
        }
        assertEq(count, 2);
    }

    /// @dev Their immutables do not enter a digest.
    function deployAudits() private returns (address) {
        address dollar = vm.deployCode("TestDollar.sol:TestDollar");
        address nobody = address(1);
        address stake =
            vm.deployCode("Stake.sol:Stake", abi.encode(dollar, nobody, nobody, uint64(1 days)));
        IAudits.Parts memory parts = IAudits.Parts(stake, nobody, nobody);
        IAudits.Terms memory terms =
            IAudits.Terms(1, 1, 0, 0, 1, 0, 1 hours, 1 hours, 1 hours, 3 days);
        return vm.deployCode("Audits.sol:Audits", abi.encode(parts, terms));
    }

    function test_models() public view {
        string memory path = ".modelVectors[0].model";
        IModelRegistry.Model memory model = IModelRegistry.Model({
            weightsRoot: word(string.concat(path, ".weightsRoot")),
            graphRoot: word(string.concat(path, ".graphRoot")),
            tablesRoot: word(string.concat(path, ".tablesRoot")),
            tokenizerHash: word(string.concat(path, ".tokenizerHash")),
            templateHash: word(string.concat(path, ".templateHash")),
            boundsHash: word(string.concat(path, ".boundsHash")),
            specId: word(string.concat(path, ".specId"))
        });
        assertEq(registry.getModelId(model), word(".modelVectors[0].modelId"));
    }

    function readConfig(string memory path) private view returns (IChannels.ChannelConfig memory) {
        return IChannels.ChannelConfig({
            payer: account(string.concat(path, ".payer")),
            payerAuthorizer: account(string.concat(path, ".payerAuthorizer")),
            receiver: account(string.concat(path, ".receiver")),
            receiverAuthorizer: account(string.concat(path, ".receiverAuthorizer")),
            token: account(string.concat(path, ".token")),
            withdrawDelay: uint40(number(string.concat(path, ".withdrawDelay"))),
            salt: word(string.concat(path, ".salt"))
        });
    }

    function readJob(string memory path) private view returns (IReceipts.Job memory job) {
        job.modelId = word(string.concat(path, ".modelId"));
        job.provider = account(string.concat(path, ".provider"));
        job.requester = account(string.concat(path, ".requester"));
        job.channelId = word(string.concat(path, ".channelId"));
        job.lane = uint32(number(string.concat(path, ".lane")));
        job.tier = uint8(number(string.concat(path, ".tier")));
        job.inputRoot = word(string.concat(path, ".inputRoot"));
        job.traceKeyHash = word(string.concat(path, ".traceKeyHash"));
        job.inputCount = uint32(number(string.concat(path, ".inputCount")));
        job.outputCountMax = uint32(number(string.concat(path, ".outputCountMax")));
        job.sampler = readSampler(string.concat(path, ".sampler"));
        job.inputPrice = uint128(number(string.concat(path, ".inputPrice")));
        job.outputPrice = uint128(number(string.concat(path, ".outputPrice")));
        job.expiresAt = uint64(number(string.concat(path, ".expiresAt")));
        job.nonce = word(string.concat(path, ".nonce"));
    }

    function readSampler(string memory path)
        private
        view
        returns (IReceipts.Sampler memory sampler)
    {
        sampler.tau = uint32(number(string.concat(path, ".tau")));
        sampler.topK = uint32(number(string.concat(path, ".topK")));
        sampler.topP = uint32(number(string.concat(path, ".topP")));
        sampler.minP = uint32(number(string.concat(path, ".minP")));
        sampler.seed = word(string.concat(path, ".seed"));
        uint256[] memory ids = vm.parseJsonUintArray(json, string.concat(path, ".stopIds"));
        sampler.stopIds = new uint32[](ids.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            sampler.stopIds[i] = uint32(ids[i]);
        }
        sampler.controls = word(string.concat(path, ".controls"));
    }

    function place(address deployed, string memory path) private returns (address target) {
        target = account(path);
        vm.etch(target, deployed.code);
    }

    function assertType(string memory name, bytes32 hash) private view {
        string memory path = string.concat(".types.", name);
        assertEq(hash, word(string.concat(path, ".hash")));
        assertEq(hash, keccak256(bytes(vm.parseJsonString(json, string.concat(path, ".type")))));
    }

    function at(string memory list, uint256 index, string memory key)
        private
        pure
        returns (string memory)
    {
        return string.concat(list, "[", vm.toString(index), "]", key);
    }

    function word(string memory path) private view returns (bytes32) {
        return vm.parseJsonBytes32(json, path);
    }

    function account(string memory path) private view returns (address) {
        return vm.parseJsonAddress(json, path);
    }

    function number(string memory path) private view returns (uint256) {
        return vm.parseJsonUint(json, path);
    }
}
