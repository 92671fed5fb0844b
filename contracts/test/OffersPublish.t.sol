// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IOffers} from "../compute/IOffers.sol";
import {Test} from "./base/Test.sol";

contract OffersPublishTest is Test {
    bytes32 private constant MODEL = keccak256("model");
    uint256 private constant START = 1_800_000_000;

    IOffers private offers;

    function setUp() public {
        vm.warp(START);
        offers = IOffers(vm.deployCode("Offers.sol:Offers"));
    }

    function testFuzz_publish(address provider, IOffers.Terms memory terms) public {
        bytes32 offerId = offers.getOfferId(provider, MODEL, terms.tier);
        vm.expectEmit(address(offers));
        emit IOffers.OfferPublished(offerId, provider, MODEL, terms, "https://a.example");
        vm.prank(provider);
        assertEq(offers.publish(MODEL, terms, "https://a.example"), offerId);
        assertOffer(offerId, terms, START);
    }

    function test_publish_againUpdates() public {
        IOffers.Terms memory terms = IOffers.Terms(1, 2, 3);
        bytes32 offerId = offers.publish(MODEL, terms, "https://a.example");
        vm.warp(START + 1);
        terms.outputPrice = 5;
        assertEq(offers.publish(MODEL, terms, "https://b.example"), offerId);
        assertOffer(offerId, terms, START + 1);
    }

    /// @dev Provider, model and tier each make another offer.
    function test_publish_keepsOffersApart() public view {
        bytes32 offerId = offers.getOfferId(address(1), MODEL, 3);
        assertTrue(offerId != offers.getOfferId(address(2), MODEL, 3), "provider");
        assertTrue(offerId != offers.getOfferId(address(1), 0, 3), "model");
        assertTrue(offerId != offers.getOfferId(address(1), MODEL, 0), "tier");
    }

    function test_publish_endpointLength() public {
        IOffers.Terms memory terms = IOffers.Terms(1, 2, 3);
        uint256 most = offers.ENDPOINT_LENGTH_MAX();
        offers.publish(MODEL, terms, string(new bytes(most)));
        expectLengthRefused(terms, 0);
        expectLengthRefused(terms, most + 1);
    }

    function test_withdraw() public {
        bytes32 offerId = offers.publish(MODEL, IOffers.Terms(1, 2, 3), "https://a.example");
        vm.expectEmit(address(offers));
        emit IOffers.OfferWithdrawn(offerId, address(this), MODEL, 3);
        offers.withdraw(MODEL, 3);
        assertOffer(offerId, IOffers.Terms(0, 0, 0), 0);
    }

    function test_withdraw_unknown_reverts() public {
        offers.publish(MODEL, IOffers.Terms(1, 2, 3), "https://a.example");
        bytes32 offerId = offers.getOfferId(address(1), MODEL, 3);
        vm.expectRevert(abi.encodeWithSelector(IOffers.OfferUnknown.selector, offerId));
        vm.prank(address(1));
        offers.withdraw(MODEL, 3);
    }

    function expectLengthRefused(IOffers.Terms memory terms, uint256 length) private {
        uint256 most = offers.ENDPOINT_LENGTH_MAX();
        vm.expectRevert(
            abi.encodeWithSelector(IOffers.EndpointLengthOutOfRange.selector, length, most)
        );
        offers.publish(MODEL, terms, string(new bytes(length)));
    }

    function assertOffer(bytes32 offerId, IOffers.Terms memory terms, uint256 at) private view {
        (uint96 inputPrice, uint96 outputPrice, uint8 tier, uint40 publishedAt) =
            offers.offers(offerId);
        assertEq(inputPrice, terms.inputPrice);
        assertEq(outputPrice, terms.outputPrice);
        assertEq(tier, terms.tier);
        assertEq(publishedAt, at);
    }
}
