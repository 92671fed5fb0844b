// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IReceipts} from "../compute/IReceipts.sol";
import {IModelRegistry} from "../model/IModelRegistry.sol";
import {Eip712} from "../protocol/Eip712.sol";
import {Payments} from "../protocol/Payments.sol";
import {Signatures} from "../protocol/Signatures.sol";
import {IStake} from "../settlement/IStake.sol";
import {IAudits} from "./IAudits.sol";
import {ICourt} from "./ICourt.sol";
import {Seats} from "./Seats.sol";

/// @title Audits of receipts
/// @notice What it does and refuses is told in {IAudits}. Here are draws, reports, answers, planted faults and what
/// they settle to; seats and bonds are in {Seats}.
contract Audits is Seats {
    using Payments for address;

    /// @dev One report. | 0..160 holder | 160..192 seat | 192..200 finding | 200..208 outcome |, then one word
    struct Report {
        address holder;
        uint32 seat;
        Finding finding;
        Outcome outcome;
        /// Commitment, from {reveal} on the root.
        bytes32 content;
    }

    struct Planted {
        bytes32 root;
        address planter;
    }

    /// @dev What the outcome of a report follows from, beside the report itself.
    struct Facts {
        /// Root that the provider stands by, or under which the fault was planted; zero if it kept silent.
        bytes32 root;
        bool convicted;
        address planter;
        /// Whether the time for the court is over.
        bool late;
        uint96 fee;
    }

    uint64 public constant BEACON_BLOCKS = 2;
    bytes32 public constant PLANT_TYPEHASH = keccak256("Plant(bytes32 jobId,bytes32 root)");

    bytes32 private constant NAME_HASH = keccak256("Assay Audits");
    bytes32 private constant VERSION_HASH = keccak256("1");
    /// @dev EIP-2935: the hashes of the last 8,191 blocks, on chains that have Prague.
    address private constant HISTORY = 0x0000F90827F1C53a10cb7A02335B175320002935;
    uint256 private constant SHARE_ONE = 10_000;
    /// @dev Half of a bond that is lost to a planted fault pays whoever planted it.
    uint96 private constant PLANTER_DIVISOR = 2;

    IReceipts private immutable RECEIPTS;
    ICourt private immutable COURT;

    // STORAGE

    mapping(address provider => mapping(uint64 epoch => Draw)) private _draws;
    mapping(bytes32 placeKey => Report) private _reports;
    mapping(bytes32 auditKey => bytes32) private _answers;
    mapping(bytes32 commitment => uint64) public plants;
    mapping(bytes32 jobId => Planted) private _planted;

    constructor(Parts memory parts_, Terms memory terms_) Seats(IStake(parts_.stake), terms_) {
        if (parts_.receipts == address(0) || parts_.court == address(0)) revert ZeroAddress();
        (RECEIPTS, COURT) = (IReceipts(parts_.receipts), ICourt(parts_.court));
    }

    // AUDITS

    /// @inheritdoc IAudits
    function draw(address provider, uint64 epoch) external {
        (uint64 count, uint64 postedBlock, uint64 postedAt) = RECEIPTS.postings(provider, epoch);
        if (count == 0) revert EpochUnknown(provider, epoch);
        if (_draws[provider][epoch].drawnAt != 0) revert AlreadyDrawn(provider, epoch);
        uint64 beaconBlock = postedBlock + BEACON_BLOCKS;
        if (block.number <= beaconBlock) revert BeaconNotReady(beaconBlock);
        bytes32 blockHash = _hashOf(beaconBlock);
        if (blockHash == 0 || block.timestamp > postedAt + DRAW_TIME) {
            revert DrawClosed(provider, epoch);
        }
        Draw memory drawn = Draw({
            beacon: keccak256(abi.encode(blockHash, provider, epoch)),
            count: count,
            postedBlock: postedBlock,
            drawnAt: uint64(block.timestamp),
            seatCount: _countAt(postedBlock)
        });
        _draws[provider][epoch] = drawn;
        emit EpochDrawn(provider, epoch, drawn);
    }

    /// @inheritdoc IAudits
    function commit(Place calldata place, bytes32 commitment) external {
        Draw memory drawn = _drawnAt(place);
        uint64 closesAt = drawn.drawnAt + COMMIT_TIME;
        if (block.timestamp > closesAt) revert CommitClosed(closesAt);
        (uint32 seat, address holder) = _seatOf(drawn, place);
        if (holder == address(0)) revert SeatEmpty(seat);
        if (msg.sender != holder) revert CallerNotHolder(msg.sender, seat);
        _reports[_placeKey(place)] = Report(holder, seat, Finding.None, Outcome.None, commitment);
        emit ReportCommitted(place.provider, place.epoch, holder, place.index, place.place);
    }

    /// @inheritdoc IAudits
    function reveal(Place calldata place, Finding finding, bytes32 root, bytes32 salt) external {
        Draw memory drawn = _drawnAt(place);
        _requireRevealing(drawn);
        if (finding == Finding.None || (finding == Finding.Right && root == 0)) {
            revert FindingInvalid();
        }
        Report storage report = _reports[_placeKey(place)];
        if (report.finding != Finding.None) revert AlreadyRevealed();
        address holder = report.holder;
        bytes32 commitment = keccak256(abi.encode(drawn.beacon, place, finding, root, holder, salt));
        // SAFETY: a place without a report has commitment zero, which nothing hashes to.
        if (commitment != report.content) revert RevealUnequal(report.content, commitment);
        (report.finding, report.content) = (finding, root);
        _attend(report.seat);
        emit ReportRevealed(
            place.provider, place.epoch, holder, place.index, place.place, finding, root
        );
    }

    /// @inheritdoc IAudits
    function answer(Posted calldata posted, bytes32 root, bytes calldata signature) external {
        _requireRevealing(_postedDraw(posted));
        address provider = posted.provider;
        if (msg.sender != provider) revert CallerNotProvider(msg.sender, provider);
        if (root == 0) revert FindingInvalid();
        bytes32 auditKey = _auditKey(posted);
        if (_answers[auditKey] != 0) revert AlreadyAnswered();
        bytes32 jobId = posted.receipt.jobId;
        _requireSigned(provider, RECEIPTS.hashTrace(jobId, root), signature);
        _answers[auditKey] = root;
        emit AuditAnswered(jobId, provider, posted.epoch, posted.index, root, signature);
    }

    /// @inheritdoc IAudits
    function settle(Posted calldata posted) external {
        Draw memory drawn = _postedDraw(posted);
        uint64 readyAt = drawn.drawnAt + COMMIT_TIME + REVEAL_TIME;
        if (block.timestamp <= readyAt) revert SettleNotReady(readyAt);
        Facts memory facts = _factsOf(posted);
        facts.late = block.timestamp > readyAt + DISPUTE_TIME;
        bool settled = false;
        for (uint8 place = 0; place < PLACES; ++place) {
            if (_settlePlace(drawn, posted, place, facts)) settled = true;
        }
        if (!settled) revert NothingToSettle();
    }

    // PLANTED FAULTS

    /// @inheritdoc IAudits
    function plant(bytes32 commitment) external {
        if (plants[commitment] == 0) {
            plants[commitment] = uint64(block.number);
            emit PlantCommitted(commitment, msg.sender);
        }
    }

    /// @inheritdoc IAudits
    function openPlant(
        Posted calldata posted,
        ICourt.Claim calldata claim,
        ICourt.Trace calldata trace,
        bytes32 salt,
        bytes calldata consent,
        IModelRegistry.Model calldata model,
        ICourt.Proof calldata proof
    ) external {
        Draw memory drawn = _postedDraw(posted);
        _requireRevealing(drawn);
        bytes32 jobId = posted.receipt.jobId;
        _requirePlanted(drawn, keccak256(abi.encode(jobId, trace.root, msg.sender, salt)));
        if (_planted[jobId].planter != address(0)) revert AlreadyPlanted(jobId);
        bytes32 answered = _answers[_auditKey(posted)];
        if (answered != 0 && answered != trace.root) revert PlantUnequal(answered, trace.root);
        if (COURT.verdicts(jobId) != 0) revert ICourt.AlreadyConvicted(jobId);
        bool same = claim.job.provider == posted.provider
            && keccak256(abi.encode(claim.receipt)) == keccak256(abi.encode(posted.receipt));
        if (!same) revert ReceiptNotPosted(posted.provider, posted.epoch, posted.index);
        _requireSigned(claim.job.requester, hashPlant(jobId, trace.root), consent);
        // A fault without a trace is seen without running anything, so nobody need plant it.
        if (trace.root == 0 || !COURT.isGuilty(claim, trace, model, proof)) revert PlantRight();
        _planted[jobId] = Planted(trace.root, msg.sender);
        emit PlantOpened(jobId, posted.provider, posted.epoch, posted.index, msg.sender);
    }

    // VIEWS

    /// @inheritdoc IAudits
    function isAudited(address provider, uint64 epoch, uint64 index) external view returns (bool) {
        return _isAudited(_drawn(provider, epoch), index);
    }

    /// @inheritdoc IAudits
    function holderOf(Place calldata place) external view returns (uint32 seat, address holder) {
        return _seatOf(_drawnAt(place), place);
    }

    /// @inheritdoc IAudits
    function isPlanted(bytes32 jobId) external view returns (bool) {
        return _planted[jobId].planter != address(0);
    }

    /// @inheritdoc IAudits
    function draws(address provider, uint64 epoch) external view returns (Draw memory) {
        return _draws[provider][epoch];
    }

    /// @inheritdoc IAudits
    function reports(Place calldata place)
        external
        view
        returns (address holder, uint32 seat, Finding finding, Outcome outcome, bytes32 content)
    {
        Report memory report = _reports[_placeKey(place)];
        return (report.holder, report.seat, report.finding, report.outcome, report.content);
    }

    /// @inheritdoc IAudits
    function answers(address provider, uint64 epoch, uint64 index)
        external
        view
        returns (bytes32 root)
    {
        return _answers[keccak256(abi.encode(provider, epoch, index))];
    }

    /// @inheritdoc IAudits
    function parts() external view returns (Parts memory) {
        return Parts(address(STAKE), address(RECEIPTS), address(COURT));
    }

    /// @inheritdoc IAudits
    function hashPlant(bytes32 jobId, bytes32 root) public view returns (bytes32) {
        bytes32 domain = Eip712.separator(NAME_HASH, VERSION_HASH);
        return Eip712.digest(domain, keccak256(abi.encode(PLANT_TYPEHASH, jobId, root)));
    }

    // SETTLING

    function _factsOf(Posted calldata posted) private view returns (Facts memory facts) {
        bytes32 jobId = posted.receipt.jobId;
        Planted memory planted = _planted[jobId];
        facts.planter = planted.planter;
        facts.root = planted.planter == address(0) ? _answers[_auditKey(posted)] : planted.root;
        facts.convicted = COURT.verdicts(jobId) != 0;
        uint256 fee = uint256(posted.receipt.price) * FEE_SHARE / SHARE_ONE;
        if (fee < FEE_MIN) fee = FEE_MIN;
        facts.fee = fee > type(uint96).max ? type(uint96).max : uint96(fee);
    }

    /// @dev Ends the report of one place, if it can be decided.
    function _settlePlace(
        Draw memory drawn,
        Posted calldata posted,
        uint8 number,
        Facts memory facts
    ) private returns (bool) {
        Place memory place = Place(posted.provider, posted.epoch, posted.index, number);
        Report storage stored = _reports[_placeKey(place)];
        Report memory report = stored;
        if (report.outcome != Outcome.None) return false;
        if (report.holder == address(0)) {
            (report.seat, report.holder) = _seatOf(drawn, place);
            if (report.holder == address(0)) return false;
        }
        Outcome outcome = _outcomeOf(report, facts);
        if (outcome == Outcome.None) return false;
        report.outcome = outcome;
        // SAFETY: settled before money moves; stake and token are fixed contracts.
        _reports[_placeKey(place)] = report;
        uint96 amount = _pay(posted.provider, report, facts);
        emit ReportSettled(
            posted.receipt.jobId,
            posted.provider,
            report.holder,
            posted.epoch,
            posted.index,
            number,
            report.finding,
            outcome,
            amount
        );
        return true;
    }

    /// @dev The table of {IAudits} and vectors/court/audits.json; `None` is pending.
    function _outcomeOf(Report memory report, Facts memory facts) private pure returns (Outcome) {
        Finding finding = report.finding;
        if (finding == Finding.None) return Outcome.Absent;
        if (finding == Finding.Abstained) return Outcome.Unpaid;
        bool same = facts.root != 0 && report.content == facts.root;
        bool right = finding == Finding.Right;
        if (facts.planter != address(0)) {
            if (!right) return Outcome.Paid;
            return same ? Outcome.Forfeited : Outcome.Unpaid;
        }
        if (facts.convicted) {
            return right && (same || facts.root == 0) ? Outcome.Unpaid : Outcome.Paid;
        }
        if (right && (same || facts.root == 0)) return Outcome.Paid;
        return facts.late ? Outcome.Forfeited : Outcome.None;
    }

    /// @dev Moves the money of one report. Whatever a report earns, the provider pays the same fee, so that it gains
    /// nothing by keeping verifiers from their work; only who accuses it falsely costs it nothing.
    function _pay(address provider, Report memory report, Facts memory facts)
        private
        returns (uint96 amount)
    {
        if (report.outcome == Outcome.Paid) {
            return STAKE.charge(provider, facts.fee, report.holder);
        }
        if (report.outcome == Outcome.Forfeited) {
            amount = _forfeit(report.seat);
            uint96 share = facts.planter == address(0) ? 0 : amount / PLANTER_DIVISOR;
            if (share != 0) TOKEN.push(facts.planter, share);
            if (amount != share) TOKEN.push(BURNED, amount - share);
            return amount;
        }
        uint96 charged = STAKE.charge(provider, facts.fee, BURNED);
        if (report.outcome == Outcome.Absent) {
            amount = _miss(report.seat, charged);
            if (amount != 0) TOKEN.push(BURNED, amount);
        }
    }

    // CHECKS

    function _drawn(address provider, uint64 epoch) private view returns (Draw memory drawn) {
        drawn = _draws[provider][epoch];
        if (drawn.drawnAt == 0) revert NotDrawn(provider, epoch);
    }

    /// @dev The draw of a place that was drawn.
    function _drawnAt(Place calldata place) private view returns (Draw memory drawn) {
        drawn = _drawn(place.provider, place.epoch);
        if (place.place >= PLACES || !_isAudited(drawn, place.index)) {
            revert PlaceNotDrawn(place.provider, place.epoch, place.index, place.place);
        }
    }

    /// @dev The draw of a receipt that was drawn and posted.
    function _postedDraw(Posted calldata posted) private view returns (Draw memory drawn) {
        (address provider, uint64 epoch, uint64 index) =
            (posted.provider, posted.epoch, posted.index);
        drawn = _drawn(provider, epoch);
        if (!_isAudited(drawn, index)) revert PlaceNotDrawn(provider, epoch, index, 0);
        bytes32 receiptHash = RECEIPTS.hashReceipt(posted.receipt);
        bool isPosted =
            RECEIPTS.isPosted(provider, epoch, receiptHash, index, drawn.count, posted.proof);
        if (!isPosted) revert ReceiptNotPosted(provider, epoch, index);
    }

    function _isAudited(Draw memory drawn, uint64 index) private view returns (bool) {
        if (index >= drawn.count || drawn.seatCount == 0) return false;
        return uint32(uint256(keccak256(abi.encode(drawn.beacon, index)))) < RATE;
    }

    /// @dev Who answers for a place: whoever held the seat before the epoch was posted.
    function _seatOf(Draw memory drawn, Place memory place)
        private
        view
        returns (uint32 seat, address holder)
    {
        bytes32 number = keccak256(abi.encode(drawn.beacon, place.index, place.place));
        seat = seatAt(uint32(uint256(number) % drawn.seatCount), drawn.postedBlock);
        holder = seats[seat].holder;
    }

    function _requireRevealing(Draw memory drawn) private view {
        uint64 opensAt = drawn.drawnAt + COMMIT_TIME;
        if (block.timestamp <= opensAt) revert RevealNotOpen(opensAt);
        uint64 closesAt = opensAt + REVEAL_TIME;
        if (block.timestamp > closesAt) revert RevealClosed(closesAt);
    }

    function _requirePlanted(Draw memory drawn, bytes32 commitment) private view {
        uint64 committedBlock = plants[commitment];
        if (committedBlock == 0) revert PlantUnknown(commitment);
        if (committedBlock >= drawn.postedBlock) {
            revert PlantTooLate(committedBlock, drawn.postedBlock);
        }
    }

    function _requireSigned(address signer, bytes32 digest, bytes calldata signature) private view {
        if (!Signatures.isFrom(signer, digest, signature)) revert SignatureInvalid(signer, digest);
    }

    /// @dev Zero where the chain has forgotten the block.
    function _hashOf(uint64 blockNumber) private view returns (bytes32 blockHash) {
        blockHash = blockhash(blockNumber);
        if (blockHash != 0 || HISTORY.code.length == 0) return blockHash;
        (bool success, bytes memory result) = HISTORY.staticcall(abi.encode(blockNumber));
        return success && result.length == 32 ? bytes32(result) : bytes32(0);
    }

    function _placeKey(Place memory place) private pure returns (bytes32) {
        return keccak256(abi.encode(place));
    }

    function _auditKey(Posted calldata posted) private pure returns (bytes32) {
        return keccak256(abi.encode(posted.provider, posted.epoch, posted.index));
    }
}
