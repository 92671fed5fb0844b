// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IReceipts} from "../compute/IReceipts.sol";

/// @title A judge of one family of fraud
/// @notice The court tells it what was signed, somebody hands it a proof, and it says whether the proof shows that what
/// was signed is wrong. It stores nothing, owns nothing, and derives every address that a proof opens by itself.
interface IJudge {
    /// @notice What the provider signed, as far as judges read it. Fields that a kind of fraud does not need are zero.
    struct Case {
        /// Root of the trace, see docs/reference/court.md.
        bytes32 traceRoot;
        /// keccak256 of the key that salts positions.
        bytes32 traceKeyHash;
        /// Root over the prompt's salted token leaves.
        bytes32 inputRoot;
        /// Root over the answer's salted token leaves.
        bytes32 outputRoot;
        uint32 inputCount;
        uint32 outputCount;
        uint32 outputCountMax;
        /// 0 stop, 1 length, 2 cancelled.
        uint8 finish;
        /// Atomic units for the whole job.
        uint128 price;
        /// Atomic units per million tokens.
        uint128 inputPrice;
        uint128 outputPrice;
        IReceipts.Sampler sampler;
        bytes32 weightsRoot;
        bytes32 graphRoot;
        bytes32 tablesRoot;
    }

    /// @notice The kind belongs to another judge, or to none.
    error KindUnknown(uint8 kind);

    /// @notice True if `proof` shows that what was signed is wrong. A proof that does not open what it must reverts
    /// with a named error; a proof of something right gives false.
    /// @param kind Its upper four bits chose this judge; vectors/court/kinds.json lists all.
    function isGuilty(Case calldata facts, uint8 kind, bytes calldata proof)
        external
        view
        returns (bool guilty);
}
