// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IReceipts} from "../compute/IReceipts.sol";
import {IModelRegistry} from "../model/IModelRegistry.sol";
import {ICourt} from "./ICourt.sol";

/// @title Audits of receipts
/// @notice Who re-computes which receipts, what for, and what laziness costs. Nobody judges here: the truth of an audit
/// is the trace root that the provider signs, unless the court convicts the provider for that job.
///
///     provider posts an epoch (Receipts) ──BEACON_BLOCKS──► anyone draws ──commitTime──► reveal and answer ──revealTime──►
///     settle what agrees ──disputeTime──► settle what differs
///
/// A draw needs the hash of a block after the epoch was posted, so no provider knows which of its receipts are audited
/// when it commits itself to them. Every receipt is drawn with the same probability; each drawn one gives `places` to
/// seats of verifiers. A seat is one bond of the same size, so who has more at stake is drawn more often. Seats count
/// for an epoch only if they were taken before it was posted and not given up before that.
///
/// A verifier commits to what it found, and shows it after everybody had to commit; the commitment holds its address,
/// so another one's is worth nothing. Finding `Right` needs the root of the whole trace, which nobody has who did not
/// run the model, and which the provider does not sign for anybody before commitments close.
///
/// | at settlement | Right, root is the provider's | Right, another root | Wrong | Abstained | silent |
/// | --- | --- | --- | --- | --- | --- |
/// | provider answered | fee | pending, forfeited in the end | pending, forfeited in the end | nothing | absent |
/// | provider silent | fee | fee | pending, forfeited in the end | nothing | absent |
/// | court convicted for the job | nothing | fee | fee | nothing | absent |
/// | planted fault | forfeited | forfeited | fee | nothing | absent |
///
/// (`Right` with another root than the provider's says that its trace is wrong, and the court finds that too.)
/// "Pending" waits `disputeTime` for a conviction. That table is `vectors/court/audits.json`, which the rules of
/// `packages/compute` and the simulation share.
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
        /// The seat kept silent: it lost `absencePenalty` and was given up.
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
        /// What a seat loses that keeps silent; at most the bond.
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
        /// Seats that there were when the epoch was posted, empty ones included.
        uint32 seatCount;
    }

    /// @dev | 0..160 holder | 160..208 takenBlock | 208..256 leftBlock |
    struct Seat {
        address holder;
        uint48 takenBlock;
        /// Block in which the holder asked to leave, or zero.
        uint48 leftBlock;
    }

    event SeatTaken(uint32 indexed seat, address indexed holder);
    /// @param readyAt Unix seconds from which {withdraw} works.
    event SeatLeaving(uint32 indexed seat, address indexed holder, uint64 readyAt);
    /// @param amount what was returned of the bond
    event SeatLeft(uint32 indexed seat, address indexed holder, uint96 amount);
    event EpochDrawn(address indexed provider, uint64 indexed epoch, Draw draw);
    event ReportCommitted(
        address indexed provider, uint64 indexed epoch, address indexed holder, uint64 index, uint8 place
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
    /// @param amount fee paid, or bond and penalty lost
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
    error AlreadyCommitted();
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
    /// @notice A plant counts only if it was committed before the epoch was posted.
    error PlantTooLate(uint64 committedBlock, uint64 postedBlock);
    /// @notice The judges find nothing wrong under that root.
    error PlantRight();

    // SEATS

    /// @notice Takes `count` seats for the caller, a bond each, from its allowance.
    function take(uint32 count) external returns (uint32[] memory seats);

    /// @notice Gives a seat up. It answers for epochs that are posted already, so the bond stays until those are over.
    function leave(uint32 seat) external;

    /// @notice Returns the bond of a seat that was given up long enough ago.
    function withdraw(uint32 seat) external;

    // AUDITS

    /// @notice Decides which receipts of an epoch are audited, and by which seats. Anyone may call, once.
    function draw(address provider, uint64 epoch) external;

    /// @notice Commits the caller to a report: keccak256(abi.encode(place, finding, root, holder, salt)).
    function commit(Place calldata place, bytes32 commitment) external;

    /// @notice Shows a report. `root` is that of the honest trace; it may be zero where nothing was computed.
    function reveal(Place calldata place, Finding finding, bytes32 root, bytes32 salt) external;

    /// @notice The provider says which trace root it stands by.
    /// @param signature Of the provider over `Receipts.hashTrace(jobId, root)`.
    function answer(Posted calldata posted, bytes32 root, bytes calldata signature) external;

    /// @notice Pays and punishes every place of an audit that can be decided. Anyone may call, again where something
    /// was pending.
    function settle(Posted calldata posted) external;

    // PLANTED FAULTS

    /// @notice Announces a fault that the caller plants: keccak256(abi.encode(jobId, root, planter, salt)). Must be in
    /// a block before the one in which the epoch of the receipt is posted.
    function plant(bytes32 commitment) external;

    /// @notice Opens a planted fault while reports are revealed. The judges must find the receipt wrong under `root`,
    /// the one that the provider would have signed; nobody is believed. From then on the court convicts nobody of this
    /// job. Half of the bonds that are forfeited for it go to the planter.
    /// @param consent Of the requester of the job over `hashPlant(jobId, root)`: it knew that its answer is wrong, so
    /// no provider can call a cheat on a stranger planted.
    function openPlant(
        Posted calldata posted,
        ICourt.Claim calldata claim,
        bytes32 root,
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
    function seats(uint32 seat)
        external
        view
        returns (address holder, uint48 takenBlock, uint48 leftBlock);
    /// @notice Seats that were ever taken.
    function seatCount() external view returns (uint32);
    function terms() external view returns (Terms memory);
    function hashPlant(bytes32 jobId, bytes32 root) external view returns (bytes32);
    /// @notice Between the block in which an epoch is posted and the one whose hash is the beacon.
    function BEACON_BLOCKS() external view returns (uint64);
}
