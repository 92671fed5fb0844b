// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IReceipts} from "../compute/IReceipts.sol";
import {Eip712} from "./Eip712.sol";

/// @title The EIP-712 messages of compute
/// @notice Type hashes and digests of jobs, stream heads, receipts and traces, for the contract in whose name they are
/// signed ({IReceipts}) and for the court. `packages/protocol/src/typed-data.ts` holds the same definitions, and
/// vectors/eip712.json holds both to them.
library Messages {
    bytes32 internal constant SAMPLER_TYPEHASH = keccak256(
        "Sampler(uint32 tau,uint32 topK,uint32 topP,uint32 minP,bytes32 seed,uint32[] stopIds,bytes32 controls)"
    );
    bytes32 internal constant JOB_TYPEHASH = keccak256(
        "Job(bytes32 modelId,address provider,address requester,bytes32 channelId,uint32 lane,uint8 tier,bytes32 inputRoot,bytes32 traceKeyHash,uint32 inputCount,uint32 outputCountMax,Sampler sampler,uint128 inputPrice,uint128 outputPrice,uint64 expiresAt,bytes32 nonce)Sampler(uint32 tau,uint32 topK,uint32 topP,uint32 minP,bytes32 seed,uint32[] stopIds,bytes32 controls)"
    );
    bytes32 internal constant STREAM_HEAD_TYPEHASH =
        keccak256("StreamHead(bytes32 jobId,uint32 count,bytes32 head)");
    bytes32 internal constant RECEIPT_TYPEHASH = keccak256(
        "Receipt(bytes32 jobId,bytes32 outputRoot,uint32 outputCount,uint8 finish,bytes32 streamHead,uint128 price,uint64 completedAt)"
    );
    bytes32 internal constant TRACE_TYPEHASH = keccak256("Trace(bytes32 jobId,bytes32 root)");
    bytes32 private constant NAME_HASH = keccak256("Assay Compute");
    bytes32 private constant VERSION_HASH = keccak256("1");

    /// @notice Domain of all these messages; `receipts` is the contract that they name.
    function separator(address receipts) internal view returns (bytes32) {
        return Eip712.separatorOf(NAME_HASH, VERSION_HASH, receipts);
    }

    /// @notice Digest of a job, which is also its id.
    function hashJob(bytes32 domain, IReceipts.Job calldata job) internal pure returns (bytes32) {
        // The encoding is cut in two, because the compiler cannot hold all fields at once.
        bytes memory head = abi.encode(
            JOB_TYPEHASH,
            job.modelId,
            job.provider,
            job.requester,
            job.channelId,
            job.lane,
            job.tier,
            job.inputRoot,
            job.traceKeyHash
        );
        bytes memory tail = abi.encode(
            job.inputCount,
            job.outputCountMax,
            hashSampler(job.sampler),
            job.inputPrice,
            job.outputPrice,
            job.expiresAt,
            job.nonce
        );
        return Eip712.digest(domain, keccak256(bytes.concat(head, tail)));
    }

    function hashStreamHead(bytes32 domain, IReceipts.StreamHead calldata streamHead)
        internal
        pure
        returns (bytes32)
    {
        return Eip712.digest(domain, keccak256(abi.encode(STREAM_HEAD_TYPEHASH, streamHead)));
    }

    function hashReceipt(bytes32 domain, IReceipts.Receipt calldata receipt)
        internal
        pure
        returns (bytes32)
    {
        return Eip712.digest(domain, keccak256(abi.encode(RECEIPT_TYPEHASH, receipt)));
    }

    /// @notice Digest by which a provider commits itself to the trace of a job.
    function hashTrace(bytes32 domain, bytes32 jobId, bytes32 root)
        internal
        pure
        returns (bytes32)
    {
        return Eip712.digest(domain, keccak256(abi.encode(TRACE_TYPEHASH, jobId, root)));
    }

    function hashSampler(IReceipts.Sampler calldata sampler) private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                SAMPLER_TYPEHASH,
                sampler.tau,
                sampler.topK,
                sampler.topP,
                sampler.minP,
                sampler.seed,
                // EIP-712: an array is the hash of its elements, each in a word of its own.
                keccak256(abi.encodePacked(sampler.stopIds)),
                sampler.controls
            )
        );
    }
}
