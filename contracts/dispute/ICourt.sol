// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IReceipts} from "../compute/IReceipts.sol";
import {IModelRegistry} from "../model/IModelRegistry.sol";
import {Descent} from "./Descent.sol";

/// @title The court
/// @notice Takes the stake of a provider that signed a result which is wrong, if somebody proves it. There is no
/// committee and no administrator: judges ({IJudge}) recompute the one number that is disputed.
///
/// Two ways lead to a conviction. If the provider has signed the root of its trace, {convict} does it in one
/// transaction. If it keeps silent, {open} makes it answer on chain: it owes the root, then the nodes below it, sixteen
/// at a time, where the challenger points, and at the end the leaf; whoever lets his clock run out loses.
///
///     none ──open──► Answering ──answer──► Choosing ──choose──► Revealing ──reveal──► Choosing ...
///                                             └──choose a leaf──► Showing ──show──► Proving ──again──► Revealing
///     Answering, Revealing, Showing ──provider's time is up──► convicted
///     Choosing, Proving ──challenger's time is up──► none, the bond is the provider's
///     any ──convict──► convicted ──RELEASE_DELAY, release──► paid
///
/// A dispute belongs to one job and one challenger, so that nobody can shield a provider by disputing slowly himself.
/// Its state is stored as one hash and travels with every call; events carry it. {Phase} and its moves are the table of
/// vectors/court/states.json, which the state machine of `packages/compute` and the simulation share.
///
/// INVARIANT: a provider whose every signed claim is right, and that answers within its time, is never convicted.
/// INVARIANT: from every phase some move ends the dispute in bounded time, whoever keeps silent.
/// INVARIANT: bonds and slashed money in = refunds, bounties, returned bonds and burned money out.
/// SAFETY: nobody can change the judges, the clocks or an open dispute; another version is another court, and stake
/// that answers to this one does so until it has left.
interface ICourt {
    /// @notice Who owes what. Values are part of the interface.
    enum Phase {
        None,
        Answering,
        Revealing,
        Choosing,
        Showing,
        Proving
    }

    /// @notice A receipt and the job that it answers, as the provider signed them.
    struct Claim {
        IReceipts.Job job;
        IReceipts.Receipt receipt;
        /// Of the provider, over the receipt.
        bytes signature;
    }

    /// @notice A root that the provider signed for the trace of the job. Zero root: the proof needs no trace.
    struct Trace {
        bytes32 root;
        bytes signature;
    }

    /// @notice What a proof convicts of. Judges know the kinds (vectors/court/kinds.json).
    struct Proof {
        uint8 kind;
        bytes data;
    }

    /// @notice One challenger against the provider of one job.
    struct Dispute {
        bytes32 jobId;
        address challenger;
        address provider;
        Phase phase;
        /// Walks that the challenger may still ask for.
        uint8 walks;
        /// Positions that the trace must have.
        uint32 positions;
        /// Seconds that each side has left for all its moves.
        uint32 challengerTime;
        uint32 providerTime;
        /// Unix seconds since which the side to move is thinking.
        uint64 movedAt;
        /// Of the receipt that is disputed.
        bytes32 receiptHash;
        bytes32 traceRoot;
        /// Hash of the nodes that were shown last.
        bytes32 children;
        /// Wei, held by this contract.
        uint256 bond;
        Descent.Place place;
    }

    /// @notice A conviction that waits for its delay.
    struct Verdict {
        bytes32 jobId;
        address provider;
        address requester;
        /// Gets the bounty, unless somebody else had committed himself to the same proof before.
        address claimant;
        /// Block in which the claimant committed himself, or proved.
        uint64 committedAt;
        /// Hash of the proof; zero if the bounty is the challenger's in any case.
        bytes32 proofHash;
        /// Unix seconds from which {release} works.
        uint64 releaseAt;
        /// Atomic units: price of the job.
        uint128 price;
        /// Atomic units: stake and unpaid earnings that this conviction took.
        uint128 taken;
        /// Atomic units: the part of it that was stake.
        uint128 slashed;
    }

    /// @notice What a court is made of; fixed at deployment.
    struct Parts {
        address stake;
        address vaults;
        address receipts;
        /// The arithmetic that the judges recompute; models of another one cannot be judged here.
        bytes32 specId;
        /// Judges by the upper four bits of a kind.
        address[5] judges;
        /// Knows planted faults; zero if there are no audits.
        address audits;
    }

    /// @notice Times in seconds, money in wei.
    struct Terms {
        /// For all moves of one side of one dispute.
        uint32 clock;
        /// After a job's `expiresAt`, in which a dispute may be opened.
        uint32 window;
        /// Between a conviction and its payments.
        uint32 releaseDelay;
        /// Pays the gas of the side that wins.
        uint256 bond;
    }

    /// @notice The whole state follows from it, from the terms and from the block's time.
    event Opened(
        bytes32 indexed jobId,
        address indexed challenger,
        address indexed provider,
        bytes32 receiptHash,
        uint32 positions
    );
    event Answered(
        bytes32 indexed jobId, address indexed challenger, Dispute dispute, bytes32[] children
    );
    /// @param salt of the position, where the walk enters its rows, else 0
    event Revealed(
        bytes32 indexed jobId,
        address indexed challenger,
        Dispute dispute,
        bytes32 salt,
        bytes32[] children
    );
    event Chosen(bytes32 indexed jobId, address indexed challenger, Dispute dispute);
    event AskedAgain(bytes32 indexed jobId, address indexed challenger, Dispute dispute);
    event Shown(bytes32 indexed jobId, address indexed challenger, Dispute dispute, bytes data);
    /// @notice The challenger's time ran out.
    event Dismissed(bytes32 indexed jobId, address indexed challenger, address indexed provider);
    /// @param kind of fraud; {KIND_EQUIVOCATION} or {KIND_SILENCE} where no judge was needed
    event Convicted(
        bytes32 indexed jobId,
        address indexed provider,
        address indexed claimant,
        uint8 kind,
        Verdict verdict
    );
    event Committed(bytes32 indexed commitment, uint64 blockNumber);
    event BountyClaimed(bytes32 indexed jobId, address indexed claimant, Verdict verdict);
    /// @param refund to the requester
    /// @param bounty to the claimant
    /// @param kept rest, burned once no other conviction of the provider can need it
    event Released(
        bytes32 indexed jobId,
        address indexed provider,
        uint128 refund,
        uint128 bounty,
        uint128 kept
    );
    /// @param amount that had come into the vault since the conviction
    /// @param kept of the provider, with it
    event Swept(address indexed provider, uint128 amount, uint128 kept);
    event Burned(address indexed provider, uint128 amount);
    event BondReturned(bytes32 indexed jobId, address indexed challenger, uint256 bond);

    error TermsOutOfRange();
    error ZeroAddress();
    error SignatureInvalid(address provider, bytes32 digest);
    /// @notice The job has no answer, and so no trace.
    error TraceImpossible(uint256 positions);
    /// @notice The receipt is of another job.
    error ReceiptOfAnotherJob(bytes32 jobId, bytes32 receiptJobId);
    error ModelOfAnotherJob(bytes32 modelId, bytes32 jobModelId);
    /// @notice The model is of another arithmetic than the judges.
    error SpecUnknown(bytes32 specId);
    error BondWrong(uint256 sent, uint256 bond);
    /// @notice Too late: honest providers may have deleted the job.
    error WindowClosed(uint64 closedAt);
    error DisputeOpen(bytes32 jobId, address challenger);
    /// @notice The dispute handed in is not the one that is stored.
    error DisputeUnknown(bytes32 jobId, address challenger);
    error PhaseWrong(Phase phase);
    error CallerNotMover(address caller, address mover);
    error TimeUp(uint64 upAt);
    error TimeNotUp(uint64 upAt);
    error ChildrenUnknown();
    /// @notice The trace has another length than the job.
    error PositionsMiscounted(uint64 shown, uint32 expected);
    /// @notice A dispute has {WALKS} walks: a bond pays the provider for so many.
    error WalksUsedUp();
    error AlreadyConvicted(bytes32 jobId);
    error NotConvicted(bytes32 jobId);
    /// @notice The fault was planted, with the requester's consent, to see who looks ({IAudits}).
    error JobPlanted(bytes32 jobId);
    /// @notice The judge recomputed it, and the provider is right.
    error ClaimRight(uint8 kind);
    error NotEquivocal();
    error CommitmentLater(uint64 blockNumber, uint64 committedAt);
    error ReleaseNotReady(uint64 releaseAt);
    /// @notice The provider is not convicted, or what was kept of it may be burned already.
    error SweepOver(uint64 until);
    error NothingToSweep();
    error NothingToBurn(address provider);
    error BurnNotReady(uint64 readyAt);
    error PaymentFailed(address recipient);

    // DISPUTES

    /// @notice Makes the provider answer for a receipt on chain. The bond must be exactly the one of the terms.
    function open(Claim calldata claim) external payable;

    /// @notice The provider posts the root of its trace and the nodes four levels below its top.
    function answer(Dispute calldata dispute, bytes32 root, Descent.Reveal calldata reveal) external;

    /// @notice The provider shows what is below the chosen node.
    function reveal(Dispute calldata dispute, Descent.Reveal calldata shown) external;

    /// @notice The challenger points at the node below which it differs.
    function choose(Dispute calldata dispute, bytes32[] calldata children, uint256 child) external;

    /// @notice The provider shows the bytes of the chosen leaf.
    function show(Dispute calldata dispute, bytes calldata data) external;

    /// @notice The challenger asks for another leaf of the trace, from the root on: some proofs need two leaves that it
    /// cannot know, such as a row's exponent and an element, or a tile that closes later.
    function again(Dispute calldata dispute) external;

    /// @notice Ends a dispute whose side to move has used up its time. Anyone may call. Once the provider is convicted
    /// otherwise, {returnBond} ends it instead.
    function timeOut(Dispute calldata dispute, Claim calldata claim) external;

    // CONVICTIONS

    /// @notice Writes down that the caller holds a proof, without showing it: keccak256(abi.encode(jobId, hash of the
    /// proof's data, caller, salt)). The earliest one has the bounty, so copying a proof from the pool is in vain; and
    /// the proof is in it, so committing oneself to every job in advance is too.
    function commit(bytes32 commitment) external;

    /// @notice Convicts by a proof about what the provider signed.
    /// @param model The one that the job names; may be empty for kinds that need none.
    /// @param salt Of the caller's commitment, or zero.
    function convict(
        Claim calldata claim,
        Trace calldata trace,
        IModelRegistry.Model calldata model,
        Proof calldata proof,
        bytes32 salt
    ) external;

    /// @notice The same with the trace root that the provider posted in an open dispute.
    function convictOpened(
        Dispute calldata dispute,
        Claim calldata claim,
        IModelRegistry.Model calldata model,
        Proof calldata proof
    ) external;

    /// @notice Convicts a provider that signed two receipts for one job.
    function convictOfTwoReceipts(
        Claim calldata claim,
        IReceipts.Receipt calldata second,
        bytes calldata secondSignature,
        bytes32 salt
    ) external;

    /// @notice Convicts a provider that signed two trace roots for one job.
    function convictOfTwoTraces(
        Claim calldata claim,
        Trace calldata first,
        Trace calldata second,
        bytes32 salt
    ) external;

    // AFTERWARDS

    /// @notice Moves the bounty of a conviction to the caller, who committed himself in an earlier block.
    function claimBounty(Verdict calldata verdict, bytes32 salt) external;

    /// @notice Pays a verdict: the requester its price, the claimant at most half of the stake. Anyone may call.
    function release(Verdict calldata verdict) external;

    /// @notice Takes what has come into the vault of a convicted provider since: vouchers that it had not yet claimed.
    /// It refunds like the rest. Works from the conviction until what is kept may be burned, so that a provider can
    /// earn again afterwards; only another conviction makes that time longer. Anyone may call.
    /// @param verdict of the provider: one that is not paid, or any while something may still be kept.
    function sweep(Verdict calldata verdict) external;

    /// @notice Burns what no conviction of the provider needed. Anyone may call.
    function burn(address provider) external;

    /// @notice Gives the bond of a dispute back whose provider was convicted otherwise, or whose job was a planted
    /// fault. Anyone may call.
    function returnBond(Dispute calldata dispute) external;

    // VIEWS

    /// @notice Whether {convict} would find the provider guilty; reverts where it would refuse the claim or the proof.
    function isGuilty(
        Claim calldata claim,
        Trace calldata trace,
        IModelRegistry.Model calldata model,
        Proof calldata proof
    ) external view returns (bool);

    /// @notice Hash of an open dispute, or zero.
    function disputes(bytes32 jobId, address challenger) external view returns (bytes32);

    /// @notice Hash of a verdict, zero if there is none, one if it is paid.
    function verdicts(bytes32 jobId) external view returns (bytes32);

    /// @notice Block of a commitment, or zero.
    function commitments(bytes32 commitment) external view returns (uint64);

    /// @notice What is kept of a provider, in atomic units, and Unix seconds from which it may be burned.
    function remainders(address provider) external view returns (uint128 amount, uint64 burnAt);

    function parts() external view returns (Parts memory);
    function terms() external view returns (Terms memory);
    function KIND_EQUIVOCATION() external view returns (uint8);
    function KIND_SILENCE() external view returns (uint8);
    /// @notice Walks down a trace in one dispute.
    function WALKS() external view returns (uint8);
}
