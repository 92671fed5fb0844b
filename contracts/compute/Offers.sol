// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IOffers} from "./IOffers.sol";

/// @title Offers of compute
/// @notice What it does and refuses is told in {IOffers}.
contract Offers is IOffers {
    /// @dev | 0..96 inputPrice | 96..192 outputPrice | 192..200 tier | 200..240 publishedAt |
    struct Offer {
        uint96 inputPrice;
        uint96 outputPrice;
        uint8 tier;
        uint40 publishedAt;
    }

    /// @dev Long enough for any host name with a path, short enough to bound what an index stores.
    uint256 public constant ENDPOINT_LENGTH_MAX = 256;

    mapping(bytes32 offerId => Offer) public offers;

    /// @inheritdoc IOffers
    function publish(bytes32 modelId, Terms calldata terms, string calldata endpoint)
        external
        returns (bytes32 offerId)
    {
        uint256 length = bytes(endpoint).length;
        if (length == 0 || length > ENDPOINT_LENGTH_MAX) {
            revert EndpointLengthOutOfRange(length, ENDPOINT_LENGTH_MAX);
        }
        offerId = getOfferId(msg.sender, modelId, terms.tier);
        offers[offerId] =
            Offer(terms.inputPrice, terms.outputPrice, terms.tier, uint40(block.timestamp));
        emit OfferPublished(offerId, msg.sender, modelId, terms, endpoint);
    }

    /// @inheritdoc IOffers
    function withdraw(bytes32 modelId, uint8 tier) external {
        bytes32 offerId = getOfferId(msg.sender, modelId, tier);
        if (offers[offerId].publishedAt == 0) revert OfferUnknown(offerId);
        delete offers[offerId];
        emit OfferWithdrawn(offerId, msg.sender, modelId, tier);
    }

    /// @inheritdoc IOffers
    function getOfferId(address provider, bytes32 modelId, uint8 tier)
        public
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(provider, modelId, tier));
    }
}
