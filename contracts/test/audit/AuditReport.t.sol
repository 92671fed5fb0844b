// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IAudits} from "../../dispute/IAudits.sol";
import {AuditBase} from "./AuditBase.sol";

contract AuditReportTest is AuditBase {
    IAudits.Finding private constant RIGHT = IAudits.Finding.Right;
    IAudits.Finding private constant WRONG = IAudits.Finding.Wrong;

    function setUp() public override {
        super.setUp();
        seatAll();
        drawAll();
    }

    // COMMIT

    function test_commit() external {
        vm.expectEmit(address(registry));
        emit IAudits.ReportCommitted(provider, epoch, alice, 0, 0);
        commit(0, RIGHT, ROOT);
        (address holder, uint32 seat, IAudits.Finding finding,, bytes32 content) =
            registry.reports(placeOf(0, 0));
        assertEq(holder, alice);
        assertEq(seat, 1);
        assertEq(uint256(finding), 0);
        assertEq(content, commitmentOf(placeOf(0, 0), RIGHT, ROOT, alice));
    }

    /// @dev So that a commitment from another branch of the chain, sent again by a stranger, blocks nobody.
    function test_commit_again_replaces() external {
        vm.prank(alice);
        registry.commit(placeOf(0, 0), keccak256("of another branch"));
        commit(0, RIGHT, ROOT);
        toReveals();
        reveal(0, RIGHT, ROOT);
    }

    function test_commit_byOther_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(IAudits.CallerNotHolder.selector, bob, 1));
        vm.prank(bob);
        registry.commit(placeOf(0, 0), ROOT);
    }

    function test_commit_late_reverts() external {
        uint256 closesAt = drawnAt() + COMMIT_TIME;
        vm.warp(closesAt);
        commit(0, RIGHT, ROOT);
        vm.warp(closesAt + 1);
        vm.expectRevert(abi.encodeWithSelector(IAudits.CommitClosed.selector, closesAt));
        vm.prank(alice);
        registry.commit(placeOf(0, 0), ROOT);
    }

    function test_commit_noSuchPlace_reverts() external {
        vm.expectRevert(
            abi.encodeWithSelector(IAudits.PlaceNotDrawn.selector, provider, epoch, 0, PLACES)
        );
        vm.prank(alice);
        registry.commit(placeOf(0, PLACES), ROOT);
        vm.expectRevert(
            abi.encodeWithSelector(IAudits.PlaceNotDrawn.selector, provider, epoch, 2, 0)
        );
        vm.prank(alice);
        registry.commit(placeOf(2, 0), ROOT);
    }

    function test_commit_notDrawn_reverts() external {
        post();
        vm.expectRevert(abi.encodeWithSelector(IAudits.NotDrawn.selector, provider, epoch));
        vm.prank(alice);
        registry.commit(placeOf(0, 0), ROOT);
    }

    // REVEAL

    function test_reveal() external {
        commit(0, RIGHT, ROOT);
        toReveals();
        vm.expectEmit(address(registry));
        emit IAudits.ReportRevealed(provider, epoch, alice, 0, 0, RIGHT, ROOT);
        reveal(0, RIGHT, ROOT);
        (,, IAudits.Finding finding,, bytes32 content) = registry.reports(placeOf(0, 0));
        assertEq(uint256(finding), uint256(RIGHT));
        assertEq(content, ROOT);
    }

    /// @dev Nobody shows anything while others may still commit themselves.
    function test_reveal_early_reverts() external {
        commit(0, RIGHT, ROOT);
        uint256 opensAt = drawnAt() + COMMIT_TIME;
        vm.warp(opensAt);
        vm.expectRevert(abi.encodeWithSelector(IAudits.RevealNotOpen.selector, opensAt));
        reveal(0, RIGHT, ROOT);
    }

    function test_reveal_late_reverts() external {
        commit(0, RIGHT, ROOT);
        toDisputes();
        vm.expectRevert(
            abi.encodeWithSelector(
                IAudits.RevealClosed.selector, drawnAt() + COMMIT_TIME + REVEAL_TIME
            )
        );
        reveal(0, RIGHT, ROOT);
    }

    function test_reveal_anotherThanCommitted_reverts() external {
        commit(0, RIGHT, ROOT);
        toReveals();
        vm.expectPartialRevert(IAudits.RevealUnequal.selector);
        reveal(0, RIGHT, LIE);
        vm.expectPartialRevert(IAudits.RevealUnequal.selector);
        reveal(0, WRONG, ROOT);
        vm.expectPartialRevert(IAudits.RevealUnequal.selector);
        reveal(1, RIGHT, ROOT);
        vm.expectPartialRevert(IAudits.RevealUnequal.selector);
        registry.reveal(placeOf(0, 0), RIGHT, ROOT, keccak256("another salt"));
    }

    function test_reveal_twice_reverts() external {
        commit(0, RIGHT, ROOT);
        toReveals();
        reveal(0, RIGHT, ROOT);
        vm.expectRevert(IAudits.AlreadyRevealed.selector);
        reveal(0, RIGHT, ROOT);
    }

    /// @dev `Right` needs a root, and silence is not a finding.
    function test_reveal_findingInvalid_reverts() external {
        commit(0, RIGHT, 0);
        commit(1, IAudits.Finding.None, ROOT);
        toReveals();
        vm.expectRevert(IAudits.FindingInvalid.selector);
        reveal(0, RIGHT, 0);
        vm.expectRevert(IAudits.FindingInvalid.selector);
        reveal(1, IAudits.Finding.None, ROOT);
    }

    function test_reveal_wrongWithoutRoot() external {
        commit(0, WRONG, 0);
        toReveals();
        reveal(0, WRONG, 0);
    }

    // ANSWER

    function test_answer() external {
        toReveals();
        bytes32 digest = receipts.hashTrace(jobIdAt(0), ROOT);
        vm.expectEmit(address(registry));
        emit IAudits.AuditAnswered(jobIdAt(0), provider, epoch, 0, ROOT, signed(digest));
        answer(ROOT);
        assertEq(registry.answers(provider, epoch, 0), ROOT);
    }

    /// @dev An answer while commitments are open would be copied by whoever is lazy.
    function test_answer_early_reverts() external {
        vm.expectPartialRevert(IAudits.RevealNotOpen.selector);
        this.answers(ROOT);
    }

    function test_answer_late_reverts() external {
        toDisputes();
        vm.expectPartialRevert(IAudits.RevealClosed.selector);
        this.answers(ROOT);
    }

    function test_answer_twice_reverts() external {
        toReveals();
        answer(ROOT);
        vm.expectRevert(IAudits.AlreadyAnswered.selector);
        this.answers(LIE);
    }

    function test_answer_nothing_reverts() external {
        toReveals();
        vm.expectRevert(IAudits.FindingInvalid.selector);
        this.answers(0);
    }

    function test_answer_byOther_reverts() external {
        toReveals();
        IAudits.Posted memory posted = postedAt(0);
        bytes memory signature = signed(receipts.hashTrace(jobIdAt(0), ROOT));
        vm.expectRevert(
            abi.encodeWithSelector(IAudits.CallerNotProvider.selector, stranger, provider)
        );
        vm.prank(stranger);
        registry.answer(posted, ROOT, signature);
    }

    function test_answer_signedForAnother_reverts() external {
        toReveals();
        IAudits.Posted memory posted = postedAt(0);
        bytes memory signature = signed(receipts.hashTrace(jobIdAt(1), ROOT));
        vm.expectPartialRevert(IAudits.SignatureInvalid.selector);
        vm.prank(provider);
        registry.answer(posted, ROOT, signature);
    }

    function test_answer_notPosted_reverts() external {
        toReveals();
        IAudits.Posted memory posted = postedAt(0);
        posted.receipt.price += 1;
        vm.expectRevert(
            abi.encodeWithSelector(IAudits.ReceiptNotPosted.selector, provider, epoch, 0)
        );
        vm.prank(provider);
        registry.answer(posted, ROOT, "");
        posted = postedAt(0);
        posted.index = 1;
        vm.expectRevert(
            abi.encodeWithSelector(IAudits.ReceiptNotPosted.selector, provider, epoch, 1)
        );
        vm.prank(provider);
        registry.answer(posted, ROOT, "");
    }

    /// @dev From outside, so that `expectRevert` meets the call to the contract and not a helper's view.
    function answers(bytes32 root) external {
        answer(root);
    }
}
