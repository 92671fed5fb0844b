// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @title Offers of compute
/// @notice A provider's standing statements: this model, at this address, for this price, with this assurance. An offer
/// is a key of (provider, model, tier), so publishing it again updates it. The endpoint and all else that a search
/// needs are in the events; storage keeps the terms, so that contracts can read them.
interface IOffers {
    /// @notice One word of storage.
    struct Terms {
        /// Atomic units of the payment token per million input tokens.
        uint96 inputPrice;
        /// Atomic units of the payment token per million output tokens.
        uint96 outputPrice;
        /// Assurance tier that receipts under this offer carry.
        uint8 tier;
    }

    event OfferPublished(
        bytes32 indexed offerId,
        address indexed provider,
        bytes32 indexed modelId,
        Terms terms,
        string endpoint
    );
    event OfferWithdrawn(
        bytes32 indexed offerId, address indexed provider, bytes32 indexed modelId, uint8 tier
    );

    error EndpointLengthOutOfRange(uint256 length, uint256 lengthMax);
    error OfferUnknown(bytes32 offerId);

    /// @notice Publishes or updates the caller's offer of a model at `terms.tier`.
    /// @param endpoint URL of the provider, 1 to {ENDPOINT_LENGTH_MAX} bytes.
    function publish(bytes32 modelId, Terms calldata terms, string calldata endpoint)
        external
        returns (bytes32 offerId);

    /// @notice Takes the caller's offer back.
    function withdraw(bytes32 modelId, uint8 tier) external;

    /// @notice keccak256(abi.encode(provider, modelId, tier)).
    function getOfferId(address provider, bytes32 modelId, uint8 tier)
        external
        pure
        returns (bytes32);

    /// @notice `publishedAt` (Unix seconds) is 0 when there is no such offer.
    function offers(bytes32 offerId)
        external
        view
        returns (uint96 inputPrice, uint96 outputPrice, uint8 tier, uint40 publishedAt);

    function ENDPOINT_LENGTH_MAX() external view returns (uint256);
}
