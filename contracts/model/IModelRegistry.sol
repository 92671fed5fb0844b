// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @title Registry of models
/// @notice A model id commits to everything that decides what a model computes; two models with one id are the same
/// model, on every chain. Anyone may register one; who was first is recorded, which says who found it, not who owns it.
interface IModelRegistry {
    struct Model {
        /// Merkle root over the quantised weights.
        bytes32 weightsRoot;
        /// Merkle root over the graph: a header, then one leaf per op with how it is wired.
        bytes32 graphRoot;
        /// Merkle root over the tables that stand for transcendental functions.
        bytes32 tablesRoot;
        bytes32 tokenizerHash;
        /// Chat template.
        bytes32 templateHash;
        /// Proved bounds of every accumulator.
        bytes32 boundsHash;
        /// Version of the arithmetic itself.
        bytes32 specId;
    }

    /// @param uri Where the model file can be fetched; nothing binds it but the id.
    event ModelRegistered(
        bytes32 indexed modelId, address indexed registrant, Model model, string uri
    );

    error ModelKnown(bytes32 modelId, address registrant);
    error UriTooLong(uint256 length, uint256 lengthMax);

    function register(Model calldata model, string calldata uri) external returns (bytes32 modelId);

    /// @notice keccak256(abi.encode(MODEL_TYPEHASH, fields of the model in order)).
    function getModelId(Model calldata model) external pure returns (bytes32);

    /// @notice First registrant and Unix seconds of its registration; zeros for an unknown model.
    function models(bytes32 modelId) external view returns (address registrant, uint64 registeredAt);

    function MODEL_TYPEHASH() external view returns (bytes32);
    function URI_LENGTH_MAX() external view returns (uint256);
}
