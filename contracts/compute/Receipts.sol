// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Merkle} from "../protocol/Merkle.sol";
import {Messages} from "../protocol/Messages.sol";
import {IReceipts} from "./IReceipts.sol";

/// @title Receipts of jobs
/// @notice What it does and refuses is told in {IReceipts}.
contract Receipts is IReceipts {
    struct Provider {
        uint64 lastEpoch;
        uint64 receiptCount;
        uint128 priceTotal;
    }

    /// @dev | 0..64 count | 64..128 blockNumber | 128..192 postedAt |
    struct Posting {
        uint64 count;
        uint64 blockNumber;
        uint64 postedAt;
    }

    bytes32 public constant SAMPLER_TYPEHASH = Messages.SAMPLER_TYPEHASH;
    bytes32 public constant JOB_TYPEHASH = Messages.JOB_TYPEHASH;
    bytes32 public constant STREAM_HEAD_TYPEHASH = Messages.STREAM_HEAD_TYPEHASH;
    bytes32 public constant RECEIPT_TYPEHASH = Messages.RECEIPT_TYPEHASH;
    bytes32 public constant TRACE_TYPEHASH = Messages.TRACE_TYPEHASH;

    mapping(address provider => mapping(uint64 epoch => bytes32)) public roots;
    mapping(address provider => Provider) public providers;
    mapping(address provider => mapping(uint64 epoch => Posting)) public postings;

    // INVARIANT: a root and its posting, once there, never change.

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
        postings[msg.sender][epoch] = Posting(count, uint64(block.number), uint64(block.timestamp));
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
        return Messages.hashJob(domainSeparator(), job);
    }

    /// @inheritdoc IReceipts
    function hashStreamHead(StreamHead calldata streamHead) external view returns (bytes32) {
        return Messages.hashStreamHead(domainSeparator(), streamHead);
    }

    /// @inheritdoc IReceipts
    function hashReceipt(Receipt calldata receipt) external view returns (bytes32) {
        return Messages.hashReceipt(domainSeparator(), receipt);
    }

    /// @inheritdoc IReceipts
    function hashTrace(bytes32 jobId, bytes32 root) external view returns (bytes32) {
        return Messages.hashTrace(domainSeparator(), jobId, root);
    }

    /// @inheritdoc IReceipts
    function domainSeparator() public view returns (bytes32) {
        return Messages.separator(address(this));
    }
}
