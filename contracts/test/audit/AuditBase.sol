// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IReceipts} from "../../compute/IReceipts.sol";
import {IAudits} from "../../dispute/IAudits.sol";
import {ICourt} from "../../dispute/ICourt.sol";
import {CourtBase} from "../court/CourtBase.sol";
import {AuditVm} from "./AuditVm.sol";

/// @notice Audits over the court of {CourtBase}: a provider that posts epochs of two receipts, verifiers with seats.
/// Every receipt is audited here, unless a test says otherwise; who is drawn follows from block hashes that tests set.
abstract contract AuditBase is CourtBase {
    uint96 internal constant SEAT_BOND = 50e6;
    uint96 internal constant PENALTY = 1e6;
    uint32 internal constant COMMIT_TIME = 6 hours;
    uint32 internal constant REVEAL_TIME = 6 hours;
    uint32 internal constant DISPUTE_TIME = 4 days;
    uint32 internal constant DRAW_TIME = 1 days;
    uint8 internal constant PLACES = 3;
    /// @dev A tenth of the price of every receipt here.
    uint96 internal constant FEE = uint96(PRICE) / 10;
    uint256 internal constant FIRST_BLOCK = 1000;
    bytes32 internal constant ROOT = keccak256("the honest trace");
    bytes32 internal constant LIE = keccak256("another trace");
    bytes32 internal constant SALT = keccak256("salt of a report");
    AuditVm internal constant auditVm = AuditVm(address(vm));

    IAudits internal registry;
    address internal alice = vm.addr(0xA1);
    address internal bob = vm.addr(0xB0B);
    address internal carol = vm.addr(0xCA);
    /// @dev The receipts of the last epoch, and their claims.
    ICourt.Claim[] private _claims;
    bytes32[2] private _leaves;
    uint64 internal epoch;

    function terms_() internal view virtual returns (IAudits.Terms memory) {
        return IAudits.Terms({
            rate: type(uint32).max,
            places: PLACES,
            feeShare: 1000,
            feeMin: 1000,
            bond: SEAT_BOND,
            absencePenalty: PENALTY,
            drawTime: DRAW_TIME,
            commitTime: COMMIT_TIME,
            revealTime: REVEAL_TIME,
            disputeTime: DISPUTE_TIME
        });
    }

    function setUp() public virtual override {
        // The base creates, in this order: dollar, channels, trees, receipts, judge, stake, vaults, court.
        audits = courtVm.computeCreateAddress(
            address(this), courtVm.getNonce(address(this)) + CREATIONS_OF_BASE
        );
        super.setUp();
        courtVm.roll(FIRST_BLOCK);
        registry = deployAudits(terms_());
        assertEq(address(registry), audits);
    }

    uint64 private constant CREATIONS_OF_BASE = 8;

    function deployAudits(IAudits.Terms memory terms) internal returns (IAudits) {
        IAudits.Parts memory parts =
            IAudits.Parts(address(stake), address(receipts), address(court));
        return IAudits(vm.deployCode("Audits.sol:Audits", abi.encode(parts, terms)));
    }

    // SEATS

    function take(address holder, uint32 count) internal returns (uint32[] memory) {
        dollar.mint(holder, uint256(SEAT_BOND) * count);
        vm.prank(holder);
        dollar.approve(address(registry), type(uint256).max);
        vm.prank(holder);
        return registry.take(count);
    }

    /// @dev One seat each, so that a place's holder says which seat it is.
    function seatAll() internal {
        take(alice, 1);
        take(bob, 1);
        take(carol, 1);
        nextBlock();
    }

    function nextBlock() internal {
        courtVm.roll(auditVm.getBlockNumber() + 1);
    }

    // EPOCHS

    /// @dev Posts two receipts of jobs that no epoch had before.
    function post() internal {
        epoch += 1;
        delete _claims;
        _claims.push(claimOf(job(2 * epoch)));
        _claims.push(claimOf(job(2 * epoch + 1)));
        // Kept, because a call in the arguments of another one would use up its prank.
        for (uint64 index = 0; index < 2; ++index) {
            bytes32 digest = receipts.hashReceipt(_claims[index].receipt);
            _leaves[index] = keccak256(abi.encodePacked(bytes1(0x00), digest));
        }
        bytes32 root = keccak256(
            abi.encodePacked(
                bytes1(0x02),
                uint64(2),
                keccak256(abi.encodePacked(bytes1(0x01), _leaves[0], _leaves[1]))
            )
        );
        vm.prank(provider);
        receipts.post(epoch, root, 2, 2 * PRICE);
    }

    function claimAt(uint64 index) internal view returns (ICourt.Claim memory) {
        return _claims[index];
    }

    function jobIdAt(uint64 index) internal view returns (bytes32) {
        return _claims[index].receipt.jobId;
    }

    function postedAt(uint64 index) internal view returns (IAudits.Posted memory posted) {
        posted.provider = provider;
        posted.epoch = epoch;
        posted.index = index;
        posted.receipt = _claims[index].receipt;
        posted.proof = new bytes32[](1);
        posted.proof[0] = _leaves[1 - index];
    }

    /// @dev Two blocks after the epoch decide, so the third can draw.
    function drawWith(bytes32 blockHash) internal {
        uint256 beaconBlock = auditVm.getBlockNumber() + registry.BEACON_BLOCKS();
        courtVm.roll(beaconBlock + 1);
        auditVm.setBlockhash(beaconBlock, blockHash);
        registry.draw(provider, epoch);
    }

    /// @dev Posts and draws so that the places of receipt 0 belong to alice, bob and carol in this order.
    function drawAll() internal {
        post();
        address[3] memory wanted = [alice, bob, carol];
        uint256 postedBlock = auditVm.getBlockNumber();
        drawWith(hashFor(wanted));
        assertEq(registry.draws(provider, epoch).postedBlock, postedBlock);
        for (uint8 place = 0; place < PLACES; ++place) {
            assertEq(holderOf(0, place), wanted[place]);
        }
    }

    /// @dev A block hash that draws these holders for receipt 0, given that they have one seat each, in this order.
    function hashFor(address[3] memory wanted) internal view returns (bytes32 blockHash) {
        for (uint256 salt = 0;; ++salt) {
            blockHash = keccak256(abi.encode(salt));
            bytes32 beacon = keccak256(abi.encode(blockHash, provider, epoch));
            bool found = true;
            for (uint8 place = 0; place < PLACES && found; ++place) {
                uint256 slot =
                    uint256(keccak256(abi.encode(beacon, uint64(0), place))) % registry.seatCount();
                found = holderOfSlot(uint32(slot)) == wanted[place];
            }
            if (found) return blockHash;
        }
    }

    function holderOfSlot(uint32 slot) internal view returns (address holder) {
        uint32 seat = registry.seatAt(slot, uint64(auditVm.getBlockNumber()));
        (holder,,,,,,) = registry.seats(seat);
    }

    function holderOf(uint64 index, uint8 place) internal view returns (address holder) {
        (, holder) = registry.holderOf(placeOf(index, place));
    }

    function placeOf(uint64 index, uint8 place) internal view returns (IAudits.Place memory) {
        return IAudits.Place(provider, epoch, index, place);
    }

    // REPORTS

    function commitmentOf(
        IAudits.Place memory place,
        IAudits.Finding finding,
        bytes32 root,
        address holder
    ) internal view returns (bytes32) {
        bytes32 beacon = registry.draws(place.provider, place.epoch).beacon;
        return keccak256(abi.encode(beacon, place, finding, root, holder, SALT));
    }

    /// @dev The holder of a place of receipt 0 commits itself.
    function commit(uint8 place, IAudits.Finding finding, bytes32 root) internal {
        address holder = holderOf(0, place);
        bytes32 commitment = commitmentOf(placeOf(0, place), finding, root, holder);
        vm.prank(holder);
        registry.commit(placeOf(0, place), commitment);
    }

    function reveal(uint8 place, IAudits.Finding finding, bytes32 root) internal {
        registry.reveal(placeOf(0, place), finding, root, SALT);
    }

    /// @dev What the three places say of receipt 0, up to the reveals.
    function report(IAudits.Finding[3] memory findings, bytes32[3] memory roots) internal {
        for (uint8 place = 0; place < PLACES; ++place) {
            if (findings[place] != IAudits.Finding.None) {
                commit(place, findings[place], roots[place]);
            }
        }
        toReveals();
        for (uint8 place = 0; place < PLACES; ++place) {
            if (findings[place] != IAudits.Finding.None) {
                reveal(place, findings[place], roots[place]);
            }
        }
    }

    function answer(bytes32 root) internal {
        bytes memory signature = signed(receipts.hashTrace(jobIdAt(0), root));
        vm.prank(provider);
        registry.answer(postedAt(0), root, signature);
    }

    function drawnAt() internal view returns (uint256) {
        return registry.draws(provider, epoch).drawnAt;
    }

    function toReveals() internal {
        vm.warp(drawnAt() + COMMIT_TIME + 1);
    }

    function toDisputes() internal {
        vm.warp(drawnAt() + COMMIT_TIME + REVEAL_TIME + 1);
    }

    function toEnd() internal {
        vm.warp(drawnAt() + COMMIT_TIME + REVEAL_TIME + DISPUTE_TIME + 1);
    }

    function convictJob() internal {
        vm.prank(challenger);
        court.convict(claimAt(0), traceOf(claimAt(0), LIE), model, guilty(), 0);
    }

    // PLANTS

    function plantOf(bytes32 root, address planter) internal view returns (bytes32) {
        return keccak256(abi.encode(jobIdAt(0), root, planter, SALT));
    }

    function consentTo(bytes32 root) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(PAYER_KEY, registry.hashPlant(jobIdAt(0), root));
        return abi.encodePacked(r, s, v);
    }

    function openPlant(address planter, bytes32 root) internal {
        bytes memory consent = consentTo(root);
        ICourt.Trace memory trace = traceOf(claimAt(0), root);
        vm.prank(planter);
        registry.openPlant(postedAt(0), claimAt(0), trace, SALT, consent, model, guilty());
    }

    /// @dev A drawn epoch whose receipt 0 is a fault that `planter` planted under `root`.
    function drawPlanted(address planter, bytes32 root) internal {
        epoch += 1;
        bytes32 jobId = receipts.hashJob(job(2 * epoch));
        epoch -= 1;
        vm.prank(planter);
        registry.plant(keccak256(abi.encode(jobId, root, planter, SALT)));
        nextBlock();
        drawAll();
    }

    // WHAT IS LEFT

    function outcomeOf(uint8 place) internal view returns (IAudits.Outcome outcome) {
        (,,, outcome,) = registry.reports(placeOf(0, place));
    }

    function assertOutcome(uint8 place, IAudits.Outcome expected) internal view {
        assertEq(uint256(outcomeOf(place)), uint256(expected));
    }

    function bondOf(uint32 seat) internal view returns (uint96 bond) {
        (,,, bond,,,) = registry.seats(seat);
    }

    function stakeOf() internal view returns (uint96 staked) {
        (staked,,) = stake.stakes(provider);
    }
}
