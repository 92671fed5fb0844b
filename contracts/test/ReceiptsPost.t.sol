// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IReceipts} from "../compute/IReceipts.sol";
import {Merkle} from "../protocol/Merkle.sol";
import {Test} from "./base/Test.sol";

contract ReceiptsPostTest is Test {
    bytes32 private constant ROOT = keccak256("root");

    IReceipts private receipts;

    function setUp() public {
        receipts = IReceipts(vm.deployCode("Receipts.sol:Receipts"));
    }

    function testFuzz_post(address provider, uint64 epoch, bytes32 root, uint64 count, uint128 sum)
        public
    {
        vm.assume(epoch != 0 && count != 0);
        vm.expectEmit(address(receipts));
        emit IReceipts.EpochPosted(provider, epoch, root, count, sum);
        vm.prank(provider);
        receipts.post(epoch, root, count, sum);
        assertEq(receipts.roots(provider, epoch), root);
    }

    function test_post_addsUp() public {
        receipts.post(1, ROOT, 10, 100);
        receipts.post(5, keccak256("other"), 3, 7);
        (uint64 lastEpoch, uint64 count, uint128 priceTotal) = receipts.providers(address(this));
        assertEq(lastEpoch, 5);
        assertEq(count, 13);
        assertEq(priceTotal, 107);
        assertEq(receipts.roots(address(this), 1), ROOT);
    }

    /// @dev What a draw starts from.
    function test_post_keepsBlockAndTime() public {
        vm.warp(1_800_000_000);
        receipts.post(3, ROOT, 10, 100);
        (uint64 count, uint64 blockNumber, uint64 postedAt) = receipts.postings(address(this), 3);
        assertEq(count, 10);
        assertEq(blockNumber, block.number);
        assertEq(postedAt, 1_800_000_000);
        (count,,) = receipts.postings(address(this), 4);
        assertEq(count, 0);
    }

    /// @dev A root is final: no epoch is posted twice, or after a later one.
    function testFuzz_post_backwards_reverts(uint64 first, uint64 second) public {
        first = uint64(bound(first, 1, type(uint64).max));
        second = uint64(bound(second, 0, first));
        receipts.post(first, ROOT, 1, 1);
        vm.expectRevert(
            abi.encodeWithSelector(IReceipts.EpochNotNew.selector, address(this), second, first)
        );
        receipts.post(second, keccak256("other"), 1, 1);
    }

    function test_post_epochZero_reverts() public {
        vm.expectPartialRevert(IReceipts.EpochNotNew.selector);
        receipts.post(0, ROOT, 1, 1);
    }

    function test_post_empty_reverts() public {
        vm.expectRevert(IReceipts.EpochEmpty.selector);
        receipts.post(1, ROOT, 0, 0);
    }

    function testFuzz_isPosted(bytes32 digest, bytes32 sibling) public {
        bytes32[] memory proof = new bytes32[](1);
        proof[0] = sibling;
        bytes32 leaf = Merkle.hashLeaf(abi.encode(digest));
        receipts.post(9, Merkle.sealRoot(2, Merkle.hashNode(sibling, leaf)), 2, 1);
        assertTrue(receipts.isPosted(address(this), 9, digest, 1, 2, proof), "posted");
        assertTrue(!receipts.isPosted(address(this), 8, digest, 1, 2, proof), "other epoch");
        assertTrue(!receipts.isPosted(address(1), 9, digest, 1, 2, proof), "other provider");
        assertTrue(!receipts.isPosted(address(this), 9, ~digest, 1, 2, proof), "other receipt");
    }

    /// @dev Nothing is posted where nothing was posted.
    function testFuzz_isPosted_unknownEpoch(bytes32 digest, bytes32[] memory proof) public view {
        assertTrue(
            !receipts.isPosted(address(this), 1, digest, 0, 1, proof), "no epoch, no receipt"
        );
    }
}
