// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IModelRegistry} from "./IModelRegistry.sol";

/// @title Registry of models
/// @notice What it does and refuses is told in {IModelRegistry}.
contract ModelRegistry is IModelRegistry {
    struct Registration {
        address registrant;
        uint64 registeredAt;
    }

    bytes32 public constant MODEL_TYPEHASH = keccak256(
        "Model(bytes32 weightsRoot,bytes32 graphRoot,bytes32 tablesRoot,bytes32 tokenizerHash,bytes32 templateHash,bytes32 boundsHash,bytes32 specId)"
    );
    /// @dev Bounds what an index stores; a content address or a URL fits many times.
    uint256 public constant URI_LENGTH_MAX = 512;

    mapping(bytes32 modelId => Registration) public models;

    /// @inheritdoc IModelRegistry
    function register(Model calldata model, string calldata uri)
        external
        returns (bytes32 modelId)
    {
        uint256 length = bytes(uri).length;
        if (length > URI_LENGTH_MAX) revert UriTooLong(length, URI_LENGTH_MAX);
        modelId = getModelId(model);
        address registrant = models[modelId].registrant;
        if (registrant != address(0)) revert ModelKnown(modelId, registrant);
        models[modelId] = Registration(msg.sender, uint64(block.timestamp));
        emit ModelRegistered(modelId, msg.sender, model, uri);
    }

    /// @inheritdoc IModelRegistry
    function getModelId(Model calldata model) public pure returns (bytes32) {
        return keccak256(abi.encode(MODEL_TYPEHASH, model));
    }
}
