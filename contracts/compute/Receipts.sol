// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Eip712} from "../protocol/Eip712.sol";
import {Merkle} from "../protocol/Merkle.sol";
import {IReceipts} from "./IReceipts.sol";

/// @title Receipts of jobs
/// @notice What it does and refuses is told in {IReceipts}.
contract Receipts is IReceipts {
    struct Provider {
        uint64 lastEpoch;
        uint64 receiptCount;
        uint128 priceTotal;
    }

    bytes32 public constant SAMPLER_TYPEHASH = keccak256(
        "Sampler(uint32 tau,uint32 topK,uint32 topP,uint32 minP,bytes32 seed,uint32[] stopIds)"
    );
    bytes32 public constant JOB_TYPEHASH = keccak256(
        "Job(bytes32 modelId,address provider,address requester,bytes32 channelId,uint32 lane,uint8 tier,bytes32 inputRoot,uint32 inputCount,uint32 outputCountMax,Sampler sampler,uint128 inputPrice,uint128 outputPrice,uint64 expiresAt,bytes32 nonce)Sampler(uint32 tau,uint32 topK,uint32 topP,uint32 minP,bytes32 seed,uint32[] stopIds)"
    );
    bytes32 public constant STREAM_HEAD_TYPEHASH =
        keccak256("StreamHead(bytes32 jobId,uint32 count,bytes32 head)");
    bytes32 public constant RECEIPT_TYPEHASH = keccak256(
        "Receipt(bytes32 jobId,bytes32 outputRoot,uint32 outputCount,uint8 finish,bytes32 streamHead,uint128 price,uint64 completedAt)"
    );
    bytes32 private constant NAME_HASH = keccak256("Assay Compute");
    bytes32 private constant VERSION_HASH = keccak256("1");

    mapping(address provider => mapping(uint64 epoch => bytes32)) public roots;
    mapping(address provider => Provider) public providers;

    // INVARIANT: a root, once posted, never changes.

    /// @inheritdoc IReceipts
    function post(uint64 epoch, bytes32 root, uint64 count, uint128 priceTotal) external {
        if (count == 0) revert EpochEmpty();
        Provider storage provider = providers[msg.sender];
        uint64 lastEpoch = provider.lastEpoch;
        if (epoch <= lastEpoch) revert EpochNotNew(msg.sender, epoch, lastEpoch);
        provider.lastEpoch = epoch;
        provider.receiptCount += count;
        provider.priceTotal += priceTotal;
        roots[msg.sender][epoch] = root;
        emit EpochPosted(msg.sender, epoch, root, count, priceTotal);
    }

    /// @inheritdoc IReceipts
    function isPosted(
        address provider,
        uint64 epoch,
        bytes32 receiptHash,
        uint64 index,
        uint64 count,
        bytes32[] calldata proof
    ) external view returns (bool) {
        bytes32 leaf = Merkle.hashLeaf(abi.encode(receiptHash));
        // SAFETY: an epoch that was not posted has root zero, which no tree has (it would be a preimage of zero).
        return Merkle.verify(roots[provider][epoch], leaf, index, count, proof);
    }

    /// @inheritdoc IReceipts
    function verifyProof(
        bytes32 root,
        bytes calldata data,
        uint64 index,
        uint64 count,
        bytes32[] calldata proof
    ) external pure returns (bool) {
        return Merkle.verify(root, Merkle.hashLeaf(data), index, count, proof);
    }

    /// @inheritdoc IReceipts
    function hashJob(Job calldata job) external view returns (bytes32) {
        // The encoding is cut in two, because the compiler cannot hold all fields at once.
        bytes memory head = abi.encode(
            JOB_TYPEHASH,
            job.modelId,
            job.provider,
            job.requester,
            job.channelId,
            job.lane,
            job.tier,
            job.inputRoot
        );
        bytes memory tail = abi.encode(
            job.inputCount,
            job.outputCountMax,
            _hashSampler(job.sampler),
            job.inputPrice,
            job.outputPrice,
            job.expiresAt,
            job.nonce
        );
        return Eip712.digest(domainSeparator(), keccak256(bytes.concat(head, tail)));
    }

    /// @inheritdoc IReceipts
    function hashStreamHead(StreamHead calldata streamHead) external view returns (bytes32) {
        return
            Eip712.digest(
                domainSeparator(), keccak256(abi.encode(STREAM_HEAD_TYPEHASH, streamHead))
            );
    }

    /// @inheritdoc IReceipts
    function hashReceipt(Receipt calldata receipt) external view returns (bytes32) {
        return Eip712.digest(domainSeparator(), keccak256(abi.encode(RECEIPT_TYPEHASH, receipt)));
    }

    /// @inheritdoc IReceipts
    function domainSeparator() public view returns (bytes32) {
        return Eip712.separator(NAME_HASH, VERSION_HASH);
    }

    function _hashSampler(Sampler calldata sampler) private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                SAMPLER_TYPEHASH,
                sampler.tau,
                sampler.topK,
                sampler.topP,
                sampler.minP,
                sampler.seed,
                // EIP-712: an array is the hash of its elements, each in a word of its own.
                keccak256(abi.encodePacked(sampler.stopIds))
            )
        );
    }
}
