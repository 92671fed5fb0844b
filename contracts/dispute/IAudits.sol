// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IReceipts} from "../compute/IReceipts.sol";
import {IModelRegistry} from "../model/IModelRegistry.sol";
import {ICourt} from "./ICourt.sol";

/// @title Audits of receipts
/// @notice Who re-computes which receipts, what for, and what laziness costs. Nobody judges here: the truth of an audit
/// is the trace root that the provider signs, unless the court convicts the provider for that job.
///
///     provider posts an epoch (Receipts) ──BEACON_BLOCKS──► anyone draws ──commitTime──► reveal, answer
///     ──revealTime──► settle what agrees ──disputeTime──► settle what differs
///
/// A draw needs the hash of a block after the epoch was posted, so no provider knows which of its receipts are audited
/// when it commits itself to them. Every receipt is drawn with the same probability; each drawn one gives `places` to
/// seats of verifiers. A seat is one bond of the same size, so who has more at stake is drawn more often. Seats count
/// for an epoch only if they were taken in a block before the one in which it was posted, and not given up in one.
///
/// A verifier commits to what it found, and shows it after everybody had to commit; the commitment holds its address,
/// so another one's is worth nothing, and the beacon, so that it opens on no other branch of the chain. Finding `Right`
/// says that the court could convict of nothing, and needs the root of the whole trace, which nobody has who did not
/// run the model, and which the provider does not sign for anybody before commitments close.
///
/// | at settlement | Right, same root | Right, another root | Wrong | Abstained | silent |
/// | --- | --- | --- | --- | --- | --- |
/// | provider answered with a root | fee | pending, then forfeited | pending, then forfeited | nothing | absent |
/// | provider kept silent | fee | fee | pending, then forfeited | nothing | absent |
/// | court convicted, provider answered | nothing | fee | fee | nothing | absent |
/// | court convicted, provider kept silent | nothing | nothing | fee | nothing | absent |
/// | planted fault under a root | forfeited | nothing | fee | nothing | absent |
///
/// (`Right` with another root than the provider's says that its trace is wrong, and the court finds that too. `Right`
/// under the root of a planted fault says that somebody believed what leaked; under another one it may be true, because
/// a fault can be planted in the trace alone.) "Pending" waits `disputeTime` for a conviction. That table is
/// `vectors/court/audits.json`, which the rules of `packages/compute` and the simulation share.
///
/// The provider pays the fee of each place in every case but a false accusation; where the verifier does not earn it,
/// it is burned. So a provider gains nothing by keeping verifiers from their work. An absent seat loses as much as the
/// provider pays for it, so a provider that posts receipts which nobody can look at pays for every harm that it does.
///
/// INVARIANT: a verifier that is on time and computes what it says never loses a bond.
/// INVARIANT: bonds in = bonds held + returned + forfeited; every fee comes from the audited provider's stake.
/// INVARIANT: every report is settled at most once.
/// SAFETY: no owner. Terms are fixed at deployment.
interface IAudits {
    /// @notice What a verifier says about a receipt. Values are part of the interface.
    enum Finding {
        None,
        Right,
        Wrong,
        /// The receipt could not be judged: no tokens were given, or no judge exists for its kind of job.
        Abstained
    }

    /// @notice How a report ended. Values are part of the interface.
    enum Outcome {
        None,
        /// The fee went to the holder of the seat.
        Paid,
        /// Nothing was owed in either direction.
        Unpaid,
        /// The seat kept silent; it is given up for its holder after eight times without a report.
        Absent,
        /// The bond is lost.
        Forfeited
    }

    /// @notice Times in seconds, money in atomic units.
    struct Terms {
        /// Of 2^32: probability that a receipt is audited.
        uint32 rate;
        /// Seats drawn for one audit.
        uint8 places;
        /// Fee of one place in 1/10,000 of the price of the receipt.
        uint16 feeShare;
        /// Fee of one place for receipts whose share is smaller.
        uint96 feeMin;
        /// What one seat puts at risk.
        uint96 bond;
        /// What a seat loses at most that keeps silent; it loses what the provider pays for its place.
        uint96 absencePenalty;
        /// After an epoch was posted, in which it may be drawn.
        uint32 drawTime;
        /// After the draw, for commitments.
        uint32 commitTime;
        /// After that, for reveals, answers and opened plants.
        uint32 revealTime;
        /// After that, for the court.
        uint32 disputeTime;
    }

    /// @notice One seat of one audit.
    struct Place {
        address provider;
        uint64 epoch;
        /// Of the receipt in the epoch, from 0.
        uint64 index;
        /// From 0, below `places`.
        uint8 place;
    }

    /// @notice Where a receipt stands in an epoch.
    struct Posted {
        address provider;
        uint64 epoch;
        uint64 index;
        IReceipts.Receipt receipt;
        /// Siblings from the leaf up, as `Receipts.isPosted` takes them.
        bytes32[] proof;
    }

    /// @notice A drawn epoch.
    struct Draw {
        bytes32 beacon;
        /// Receipts in the epoch.
        uint64 count;
        /// Block in which the epoch was posted.
        uint64 postedBlock;
        /// Unix seconds.
        uint64 drawnAt;
        /// Seats that there were before the epoch was posted.
        uint32 seatCount;
    }

    /// @dev | 0..160 holder | 160..208 takenBlock | 208..256 leftBlock |,
    /// | 0..96 bond | 96..160 readyAt | 160..192 slot | 192..200 absences |
    struct Seat {
        address holder;
        uint48 takenBlock;
        /// Block in which the seat was given up, or zero.
        uint48 leftBlock;
        /// What is left of its bond.
        uint96 bond;
        /// Unix seconds from which the bond can be withdrawn, or zero.
        uint64 readyAt;
        /// Where it is drawn, from 0.
        uint32 slot;
        /// Silences since its last report.
        uint8 absences;
    }

    /// @notice What audits are made of; fixed at deployment.
    struct Parts {
        address stake;
        address receipts;
        address court;
    }

    event SeatTaken(uint32 indexed seat, address indexed holder);
    /// @param readyAt Unix seconds from which {withdraw} works.
    event SeatLeaving(uint32 indexed seat, address indexed holder, uint64 readyAt);
    /// @param amount what was returned of the bond
    event SeatLeft(uint32 indexed seat, address indexed holder, uint96 amount);
    event EpochDrawn(address indexed provider, uint64 indexed epoch, Draw draw);
    event ReportCommitted(
        address indexed provider,
        uint64 indexed epoch,
        address indexed holder,
        uint64 index,
        uint8 place
    );
    event ReportRevealed(
        address indexed provider,
        uint64 indexed epoch,
        address indexed holder,
        uint64 index,
        uint8 place,
        Finding finding,
        bytes32 root
    );
    /// @param signature of the provider over the root, as {ICourt.convict} takes it
    event AuditAnswered(
        bytes32 indexed jobId,
        address indexed provider,
        uint64 indexed epoch,
        uint64 index,
        bytes32 root,
        bytes signature
    );
    event PlantCommitted(bytes32 indexed commitment, address indexed planter);
    event PlantOpened(
        bytes32 indexed jobId,
        address indexed provider,
        uint64 indexed epoch,
        uint64 index,
        address planter
    );
    /// @param amount fee paid, or bond lost
    event ReportSettled(
        bytes32 indexed jobId,
        address indexed provider,
        address indexed holder,
        uint64 epoch,
        uint64 index,
        uint8 place,
        Finding finding,
        Outcome outcome,
        uint96 amount
    );

    error TermsOutOfRange();
    error ZeroAddress();
    error SeatsFull(uint32 seatsMax);
    error CallerNotHolder(address caller, uint32 seat);
    error SeatLeavingAlready(uint32 seat);
    error SeatNotLeaving(uint32 seat);
    error SeatNotReady(uint32 seat, uint64 readyAt);
    error EpochUnknown(address provider, uint64 epoch);
    error AlreadyDrawn(address provider, uint64 epoch);
    /// @notice The block that decides is not there yet.
    error BeaconNotReady(uint64 blockNumber);
    /// @notice The chain has forgotten the block that decides, or the time to draw is over.
    error DrawClosed(address provider, uint64 epoch);
    error NotDrawn(address provider, uint64 epoch);
    /// @notice The receipt is not audited, or the place does not exist.
    error PlaceNotDrawn(address provider, uint64 epoch, uint64 index, uint8 place);
    /// @notice Nobody is in that seat who answers for this epoch.
    error SeatEmpty(uint32 seat);
    error CommitClosed(uint64 closedAt);
    error AlreadyRevealed();
    error RevealNotOpen(uint64 opensAt);
    error RevealClosed(uint64 closedAt);
    error RevealUnequal(bytes32 committed, bytes32 revealed);
    error FindingInvalid();
    error ReceiptNotPosted(address provider, uint64 epoch, uint64 index);
    error CallerNotProvider(address caller, address provider);
    error AlreadyAnswered();
    error SignatureInvalid(address signer, bytes32 digest);
    error SettleNotReady(uint64 readyAt);
    error NothingToSettle();
    error PlantUnknown(bytes32 commitment);
    error AlreadyPlanted(bytes32 jobId);
    /// @notice A plant counts only if it was committed before the epoch was posted.
    error PlantTooLate(uint64 committedBlock, uint64 postedBlock);
    /// @notice The judges find nothing wrong under that root.
    error PlantRight();
    /// @notice The provider stands by another root than the one under which the fault was planted.
    error PlantUnequal(bytes32 answered, bytes32 root);

    // SEATS

    /// @notice Takes `count` seats for the caller, a bond each, from its allowance.
    function take(uint32 count) external returns (uint32[] memory seats);

    /// @notice Gives a seat up. It answers for epochs that are posted already, so the bond stays until those are over.
    function giveUp(uint32 seat) external;

    /// @notice Returns the bond of a seat that was given up long enough ago.
    function withdraw(uint32 seat) external;

    // AUDITS

    /// @notice Decides which receipts of an epoch are audited, and by which seats. Anyone may call, once.
    function draw(address provider, uint64 epoch) external;

    /// @notice Commits the caller to a report: keccak256(abi.encode(beacon, place, finding, root, holder, salt)). A
    /// later one replaces it, until commitments close.
    function commit(Place calldata place, bytes32 commitment) external;

    /// @notice Shows a report, after commitments closed. `root` is that of the honest trace; it may be zero where the
    /// finding is not `Right`. Anyone may call who knows the salt.
    function reveal(Place calldata place, Finding finding, bytes32 root, bytes32 salt) external;

    /// @notice The provider says which trace root it stands by, after commitments closed.
    /// @param signature Of the provider over `Receipts.hashTrace(jobId, root)`.
    function answer(Posted calldata posted, bytes32 root, bytes calldata signature) external;

    /// @notice Pays and punishes every place of an audit that can be decided. Anyone may call, again where something
    /// was pending.
    function settle(Posted calldata posted) external;

    // PLANTED FAULTS

    /// @notice Announces a fault that the caller plants: keccak256(abi.encode(jobId, root, planter, salt)). Must be in
    /// a block before the one in which the epoch of the receipt is posted.
    function plant(bytes32 commitment) external;

    /// @notice Opens a planted fault of a drawn receipt while reports are revealed. The judges must find the receipt
    /// wrong under a root that its provider signed; nobody is believed. From then on the court convicts nobody of this
    /// job. Half of the bonds that are forfeited for it go to the planter.
    /// @param consent Of the requester of the job over `hashPlant(jobId, root)`: it knew that its answer is wrong, so
    /// no provider can call a cheat on a stranger planted.
    function openPlant(
        Posted calldata posted,
        ICourt.Claim calldata claim,
        ICourt.Trace calldata trace,
        bytes32 salt,
        bytes calldata consent,
        IModelRegistry.Model calldata model,
        ICourt.Proof calldata proof
    ) external;

    // VIEWS

    /// @notice True if a drawn epoch's receipt is audited.
    function isAudited(address provider, uint64 epoch, uint64 index) external view returns (bool);

    /// @notice Seat that a place of a drawn epoch belongs to, and who answers for it; zero if nobody does.
    function holderOf(Place calldata place) external view returns (uint32 seat, address holder);

    /// @notice True if a fault was planted and opened in this job.
    function isPlanted(bytes32 jobId) external view returns (bool);

    function draws(address provider, uint64 epoch) external view returns (Draw memory);

    /// @notice What is stored of a place: nobody, unless somebody committed itself or it was settled.
    /// @param content commitment, once revealed the root
    function reports(Place calldata place)
        external
        view
        returns (address holder, uint32 seat, Finding finding, Outcome outcome, bytes32 content);

    /// @notice Root that the provider stands by, or zero.
    function answers(address provider, uint64 epoch, uint64 index)
        external
        view
        returns (bytes32 root);

    /// @notice Block in which a planted fault was announced, or zero.
    function plants(bytes32 commitment) external view returns (uint64);

    /// @notice Seats count from 1; see {Seat}. Zeros if the seat is empty.
    function seats(uint32 seat)
        external
        view
        returns (
            address holder,
            uint48 takenBlock,
            uint48 leftBlock,
            uint96 bond,
            uint64 readyAt,
            uint32 slot,
            uint8 absences
        );

    /// @notice Seats that can be drawn now.
    function seatCount() external view returns (uint32);

    /// @notice Seat in a slot before a block; a draw's slots are those before its `postedBlock`.
    function seatAt(uint32 slot, uint64 blockNumber) external view returns (uint32 seat);

    function parts() external view returns (Parts memory);
    function terms() external view returns (Terms memory);
    function PLANT_TYPEHASH() external view returns (bytes32);
    function hashPlant(bytes32 jobId, bytes32 root) external view returns (bytes32);
    /// @notice Between the block in which an epoch is posted and the one whose hash is the beacon.
    function BEACON_BLOCKS() external view returns (uint64);
}
