// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IAudits} from "../../dispute/IAudits.sol";
import {AuditBase} from "./AuditBase.sol";

/// @notice Who tries what against audits, and what comes of it. Numbers are those of docs/reference/attacks.md.
contract AuditAttacksTest is AuditBase {
    IAudits.Finding private constant NONE = IAudits.Finding.None;
    IAudits.Finding private constant RIGHT = IAudits.Finding.Right;
    IAudits.Finding private constant WRONG = IAudits.Finding.Wrong;
    address private planter = vm.addr(0x91A47);

    function setUp() public override {
        super.setUp();
        seatAll();
    }

    // 34: CHEATING WHERE NOBODY LOOKS

    /// @dev With another block after the epoch, other receipts are drawn: at posting time nothing tells which.
    function test_attack34_selectionIsNotKnownWhenPosting() external {
        IAudits.Terms memory terms = terms_();
        terms.rate = 1 << 31;
        vm.etch(audits, address(deployAudits(terms)).code);
        uint256 drawn;
        for (uint256 round = 0; round < 64; ++round) {
            post();
            drawWith(keccak256(abi.encode(round)));
            if (registry.isAudited(provider, epoch, 0)) drawn += 1;
        }
        assertTrue(drawn > 16 && drawn < 48, "half of the draws, whatever is in the epoch");
    }

    /// @dev Choosing what to post (count, root, receipts) does not choose the beacon.
    function test_attack34_provider_cannotGrindTheDraw() external {
        post();
        bytes32 blockHash = keccak256("a later block");
        drawWith(blockHash);
        bytes32 beacon = registry.draws(provider, epoch).beacon;
        assertEq(beacon, keccak256(abi.encode(blockHash, provider, epoch)));
    }

    // 47: A REORGANISATION AFTER THE BEACON

    /// @dev Another branch has another block hash, so another draw; what was committed for the old one opens nothing.
    function test_attack47_reorganisation_voidsOldCommitments() external {
        post();
        uint256 beaconBlock = auditVm.getBlockNumber() + 2;
        bytes32 first = hashFor([alice, bob, carol]);
        bytes32 oldBeacon = keccak256(abi.encode(first, provider, epoch));
        bytes32 old = keccak256(abi.encode(oldBeacon, placeOf(0, 0), RIGHT, ROOT, alice, SALT));
        courtVm.roll(beaconBlock + 1);
        auditVm.setBlockhash(beaconBlock, keccak256("another branch"));
        registry.draw(provider, epoch);
        address holder = holderOf(0, 0);
        vm.prank(holder);
        registry.commit(placeOf(0, 0), old);
        toReveals();
        vm.expectPartialRevert(IAudits.RevealUnequal.selector);
        registry.reveal(placeOf(0, 0), RIGHT, ROOT, SALT);
    }

    // 49: LAZINESS

    /// @dev The holder is in the commitment, so a copied one opens for nobody else.
    function test_attack49_copiedCommitment_isWorthless() external {
        drawAll();
        commit(0, RIGHT, ROOT);
        (,,,, bytes32 copied) = registry.reports(placeOf(0, 0));
        vm.prank(bob);
        registry.commit(placeOf(0, 1), copied);
        toReveals();
        reveal(0, RIGHT, ROOT);
        vm.expectPartialRevert(IAudits.RevealUnequal.selector);
        reveal(1, RIGHT, ROOT);
        answer(ROOT);
        toDisputes();
        registry.settle(postedAt(0));
        assertOutcome(0, IAudits.Outcome.Paid);
        assertOutcome(1, IAudits.Outcome.Absent);
    }

    /// @dev Nothing that is shown can still be committed to.
    function test_attack49_copiedReveal_isTooLate() external {
        drawAll();
        commit(0, RIGHT, ROOT);
        toReveals();
        reveal(0, RIGHT, ROOT);
        bytes32 commitment = commitmentOf(placeOf(0, 1), RIGHT, ROOT, bob);
        vm.expectPartialRevert(IAudits.CommitClosed.selector);
        vm.prank(bob);
        registry.commit(placeOf(0, 1), commitment);
    }

    /// @dev "Right" without the root of the trace: the provider signs another one.
    function test_attack49_guessedRoot_losesTheSeat() external {
        drawAll();
        report([RIGHT, RIGHT, NONE], [keccak256("guess"), ROOT, bytes32(0)]);
        answer(ROOT);
        toEnd();
        registry.settle(postedAt(0));
        assertOutcome(0, IAudits.Outcome.Forfeited);
        assertOutcome(1, IAudits.Outcome.Paid);
    }

    // 50: COLLUSION

    /// @dev Votes count for nothing: two of three who call a right receipt wrong convict nobody and lose their seats.
    function test_attack50_colludingMajority_convictsNobody() external {
        drawAll();
        report([WRONG, WRONG, RIGHT], [bytes32(0), 0, ROOT]);
        answer(ROOT);
        toEnd();
        registry.settle(postedAt(0));
        assertOutcome(0, IAudits.Outcome.Forfeited);
        assertOutcome(1, IAudits.Outcome.Forfeited);
        assertOutcome(2, IAudits.Outcome.Paid);
        assertEq(stakeOf(), STAKED - FEE);
        assertEq(dollar.balanceOf(BURNED), 2 * SEAT_BOND);
    }

    /// @dev One honest verifier among colluding ones keeps its seat, and is paid from what is at stake again.
    function test_attack50_oneHonestVerifier_isEnough() external {
        drawAll();
        report([RIGHT, RIGHT, WRONG], [LIE, LIE, bytes32(0)]);
        answer(LIE);
        toDisputes();
        convictJob();
        assertEq(stakeOf(), 0);
        vm.prank(provider);
        stake.deposit(provider, 100e6);
        registry.settle(postedAt(0));
        assertOutcome(0, IAudits.Outcome.Unpaid);
        assertOutcome(1, IAudits.Outcome.Unpaid);
        assertOutcome(2, IAudits.Outcome.Paid);
        assertEq(dollar.balanceOf(carol), FEE);
        assertEq(bondOf(3), SEAT_BOND);
    }

    /// @dev A provider that signs a garbage root against an honest verifier is convicted for it, like for any lie.
    function test_attack50_garbageAnswer_convictsItsProvider() external {
        drawAll();
        report([RIGHT, NONE, NONE], [ROOT, bytes32(0), 0]);
        answer(LIE);
        toDisputes();
        registry.settle(postedAt(0));
        assertOutcome(0, IAudits.Outcome.None);
        convictJob();
        vm.prank(provider);
        stake.deposit(provider, 100e6);
        registry.settle(postedAt(0));
        assertOutcome(0, IAudits.Outcome.Paid);
    }

    /// @dev Who sees the block that decides cannot buy itself in, nor push others out.
    function test_attack50_seatsAfterPosting_changeNothing() external {
        post();
        bytes32 blockHash = hashFor([alice, bob, carol]);
        uint256 postedBlock = auditVm.getBlockNumber();
        // In the very block of the epoch, and later.
        take(stranger, 5);
        vm.prank(bob);
        registry.giveUp(2);
        courtVm.roll(postedBlock + 1);
        take(stranger, 5);
        vm.prank(carol);
        registry.giveUp(3);
        courtVm.roll(postedBlock + 3);
        auditVm.setBlockhash(postedBlock + 2, blockHash);
        registry.draw(provider, epoch);
        assertEq(registry.draws(provider, epoch).seatCount, 3);
        assertEq(holderOf(0, 0), alice);
        assertEq(holderOf(0, 1), bob);
        assertEq(holderOf(0, 2), carol);
        commit(1, RIGHT, ROOT);
    }

    /// @dev Taking many seats and leaving them thins no draw: slots have no gaps.
    function test_attack50_emptySeats_areNotDrawn() external {
        uint32[] memory seats = take(stranger, 20);
        nextBlock();
        for (uint256 i = 0; i < seats.length; ++i) {
            vm.prank(stranger);
            registry.giveUp(seats[i]);
        }
        nextBlock();
        for (uint256 round = 0; round < 10; ++round) {
            post();
            drawWith(keccak256(abi.encode(round)));
            for (uint8 place = 0; place < PLACES; ++place) {
                address holder = holderOf(0, place);
                assertTrue(holder != address(0) && holder != stranger, "somebody answers");
            }
        }
    }

    /// @dev Receipts that nobody can look at cost their provider as much as they cost the seats that are silent.
    function test_attack50_ghostReceipts_costWhatTheyHarm() external {
        drawAll();
        toDisputes();
        registry.settle(postedAt(0));
        uint256 harm = 3 * SEAT_BOND - bondOf(1) - bondOf(2) - bondOf(3);
        assertEq(STAKED - stakeOf(), harm);
        assertTrue(harm != 0, "it does harm");
    }

    /// @dev Fees are no way out for a stake before a conviction: a sixteenth, however high the prices.
    function test_attack36_feesToOneself_carryNoStakeOut() external {
        IAudits.Terms memory terms = terms_();
        terms.feeMin = STAKED;
        vm.etch(audits, address(deployAudits(terms)).code);
        drawAll();
        report([RIGHT, RIGHT, RIGHT], [ROOT, ROOT, ROOT]);
        toDisputes();
        registry.settle(postedAt(0));
        assertEq(stakeOf(), STAKED - STAKED / 16);
    }

    // 51: PLANTED FAULTS

    /// @dev Who believes what a provider leaks loses its seat to a planted fault.
    function test_attack51_leakedFalseRoot_forfeits() external {
        drawPlanted(planter, LIE);
        report([RIGHT, WRONG, NONE], [LIE, bytes32(0), 0]);
        openPlant(planter, LIE);
        toDisputes();
        registry.settle(postedAt(0));
        assertOutcome(0, IAudits.Outcome.Forfeited);
        assertOutcome(1, IAudits.Outcome.Paid);
        assertEq(dollar.balanceOf(planter), SEAT_BOND / 2);
    }

    /// @dev Until it is opened, nothing on chain tells a planted fault from another receipt: its commitment names
    /// nothing, and draw, places and commitments are the same.
    function test_attack51_plantedFaults_lookLikeReceipts() external {
        drawPlanted(planter, LIE);
        assertTrue(!registry.isPlanted(jobIdAt(0)), "not before it is opened");
        bytes32 planted = keccak256(abi.encode(registry.draws(provider, epoch).seatCount));
        report([RIGHT, RIGHT, RIGHT], [LIE, LIE, LIE]);
        answer(LIE);
        assertTrue(!registry.isPlanted(jobIdAt(0)), "not before it is opened");
        drawAll();
        assertEq(planted, keccak256(abi.encode(registry.draws(provider, epoch).seatCount)));
    }

    /// @dev A trap for honest verifiers: a right answer, "planted" under a false trace. Who ran the model has another
    /// root, and keeps its seat.
    function test_attack51_plantInTheTraceAlone_takesNoBond() external {
        drawPlanted(planter, LIE);
        report([RIGHT, RIGHT, RIGHT], [ROOT, ROOT, ROOT]);
        openPlant(planter, LIE);
        toEnd();
        registry.settle(postedAt(0));
        for (uint8 place = 0; place < PLACES; ++place) {
            assertOutcome(place, IAudits.Outcome.Unpaid);
        }
        assertEq(dollar.balanceOf(address(registry)), 3 * SEAT_BOND);
        assertEq(dollar.balanceOf(planter), 0);
    }
}
