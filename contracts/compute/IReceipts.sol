// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @title Receipts of jobs
/// @notice Where a provider commits itself: once per epoch it posts the Merkle root over the digests of all receipts
/// that it signed. This contract is the `verifyingContract` of jobs, stream heads and receipts ("Assay Compute",
/// version "1"), and it can rebuild each of their digests.
interface IReceipts {
    /// @notice Everything that decides which token comes next, besides the logits.
    struct Sampler {
        /// round(log2(e) / temperature · 2^16), 0 for greedy.
        uint32 tau;
        /// 0 is off.
        uint32 topK;
        /// Fraction of 2^30, 0 is off.
        uint32 topP;
        /// Fraction of 2^30, 0 is off.
        uint32 minP;
        bytes32 seed;
        uint32[] stopIds;
        /// Hash of the controls: penalties, biases and grammar that act on the logits first. Zero if there are none.
        bytes32 controls;
    }

    /// @notice What a requester asks for; its digest is the job id.
    struct Job {
        bytes32 modelId;
        address provider;
        address requester;
        bytes32 channelId;
        uint32 lane;
        uint8 tier;
        /// Merkle root over the salted token ids of the prompt.
        bytes32 inputRoot;
        /// Hash of the key that salts the leaves of the job's trace.
        bytes32 traceKeyHash;
        uint32 inputCount;
        uint32 outputCountMax;
        Sampler sampler;
        /// Atomic units per million input tokens.
        uint128 inputPrice;
        /// Atomic units per million output tokens.
        uint128 outputPrice;
        /// Unix seconds after which the job must not start.
        uint64 expiresAt;
        bytes32 nonce;
    }

    /// @notice A point in the stream of a job.
    struct StreamHead {
        bytes32 jobId;
        uint32 count;
        bytes32 head;
    }

    /// @notice What a provider says it did.
    struct Receipt {
        bytes32 jobId;
        bytes32 outputRoot;
        uint32 outputCount;
        /// 0 stop, 1 length, 2 cancelled.
        uint8 finish;
        bytes32 streamHead;
        /// Atomic units for the whole job.
        uint128 price;
        /// Unix seconds by the provider's clock.
        uint64 completedAt;
    }

    /// @param root Merkle root over the digests of the receipts of the epoch.
    /// @param count Receipts in the epoch.
    /// @param priceTotal Sum of their prices, in atomic units.
    event EpochPosted(
        address indexed provider,
        uint64 indexed epoch,
        bytes32 root,
        uint64 count,
        uint128 priceTotal
    );

    /// @notice Epochs of a provider only go forward: a posted root is final.
    error EpochNotNew(address provider, uint64 epoch, uint64 lastEpoch);
    error EpochEmpty();

    /// @notice Posts the caller's receipts of one epoch. Epochs start at 1 and may leave gaps.
    function post(uint64 epoch, bytes32 root, uint64 count, uint128 priceTotal) external;

    /// @notice Root that a provider posted for an epoch, or zero.
    function roots(address provider, uint64 epoch) external view returns (bytes32);

    /// @notice Receipts of an epoch, and block and time (Unix seconds) in which it was posted; zeros if it was not.
    function postings(address provider, uint64 epoch)
        external
        view
        returns (uint64 count, uint64 blockNumber, uint64 postedAt);

    /// @notice Last epoch of a provider, and its receipts so far.
    function providers(address provider)
        external
        view
        returns (uint64 lastEpoch, uint64 receiptCount, uint128 priceTotal);

    /// @notice True if the receipt with digest `receiptHash` is number `index` of the `count` of an epoch.
    /// @param proof Siblings from the leaf up, as `merkleProof` of `packages/protocol` gives them.
    function isPosted(
        address provider,
        uint64 epoch,
        bytes32 receiptHash,
        uint64 index,
        uint64 count,
        bytes32[] calldata proof
    ) external view returns (bool);

    /// @notice True if `data` is leaf `index` of the `count` leaves under `root`.
    function verifyProof(
        bytes32 root,
        bytes calldata data,
        uint64 index,
        uint64 count,
        bytes32[] calldata proof
    ) external pure returns (bool);

    /// @notice Digest of a job, which is also its id.
    function hashJob(Job calldata job) external view returns (bytes32);
    function hashStreamHead(StreamHead calldata streamHead) external view returns (bytes32);
    function hashReceipt(Receipt calldata receipt) external view returns (bytes32);
    /// @notice Digest by which a provider commits itself to the root of a job's trace.
    function hashTrace(bytes32 jobId, bytes32 root) external view returns (bytes32);
    function domainSeparator() external view returns (bytes32);

    function SAMPLER_TYPEHASH() external view returns (bytes32);
    function JOB_TYPEHASH() external view returns (bytes32);
    function STREAM_HEAD_TYPEHASH() external view returns (bytes32);
    function RECEIPT_TYPEHASH() external view returns (bytes32);
    function TRACE_TYPEHASH() external view returns (bytes32);
}
