// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IReceipts} from "../compute/IReceipts.sol";
import {Messages} from "../protocol/Messages.sol";
import {IModelRegistry} from "../model/IModelRegistry.sol";
import {LocalChain} from "../protocol/LocalChain.sol";
import {Payments} from "../protocol/Payments.sol";
import {Signatures} from "../protocol/Signatures.sol";
import {IStake} from "../settlement/IStake.sol";
import {Descent} from "./Descent.sol";
import {ICourt} from "./ICourt.sol";
import {IJudge} from "./IJudge.sol";
import {IVaults} from "./IVaults.sol";

/// @title The court
/// @notice What it does and refuses is told in {ICourt}.
contract Court is ICourt {
    using Payments for address;

    /// @dev | 0..128 amount | 128..192 burnAt |
    struct Remainder {
        uint128 amount;
        uint64 burnAt;
    }

    /// @dev Who brought a conviction about.
    struct Claimant {
        address account;
        bytes32 proofHash;
        bytes32 salt;
    }

    uint8 public constant KIND_EQUIVOCATION = 0xf0;
    uint8 public constant KIND_SILENCE = 0xf1;
    /// @dev No proof reads more than three leaves that only the provider knows.
    uint8 public constant WALKS = 4;

    /// @dev Where burned money goes: nobody has the key of this address.
    address private constant BURNED = 0x000000000000000000000000000000000000dEaD;
    /// @dev Longer jobs have no trace (judges refuse them too).
    uint256 private constant POSITIONS_MAX = 4097;
    /// @dev At most half to whoever convicts, so that convicting oneself through another account loses the rest.
    uint256 private constant BOUNTY_DIVISOR = 2;
    /// @dev Enough for a wallet that is a contract to log what it gets.
    uint256 private constant BOND_GAS = 30_000;
    /// @dev Stands for a verdict that is paid.
    bytes32 private constant PAID = bytes32(uint256(1));
    bytes32 private constant MODEL_TYPEHASH = keccak256(
        "Model(bytes32 weightsRoot,bytes32 graphRoot,bytes32 tablesRoot,bytes32 tokenizerHash,bytes32 templateHash,bytes32 boundsHash,bytes32 specId)"
    );
    /// @dev A public chain must leave time for a day of censorship (verification.md H19); a local one may go faster.
    uint32 private constant CLOCK_MIN = 1 hours;
    uint32 private constant WINDOW_MIN = 1 days;
    uint32 private constant DELAY_MIN = 1 days;
    uint32 private constant SECONDS_MAX = 90 days;

    IStake private immutable STAKE;
    IVaults private immutable VAULTS;
    address private immutable RECEIPTS;
    address private immutable TOKEN;
    IJudge private immutable JUDGE_0;
    IJudge private immutable JUDGE_1;
    IJudge private immutable JUDGE_2;
    IJudge private immutable JUDGE_3;
    IJudge private immutable JUDGE_4;
    uint32 private immutable CLOCK;
    uint32 private immutable WINDOW;
    uint32 private immutable RELEASE_DELAY;
    uint256 private immutable BOND;

    // STORAGE

    mapping(bytes32 jobId => mapping(address challenger => bytes32)) public disputes;
    mapping(bytes32 jobId => bytes32) public verdicts;
    mapping(bytes32 commitment => uint64) public commitments;
    mapping(address provider => Remainder) public remainders;

    // INVARIANT: wei held = Σ bonds of stored disputes.
    // INVARIANT: token held >= Σ taken of unpaid verdicts + Σ remainders.

    constructor(Parts memory parts_, Terms memory terms_) {
        if (parts_.stake == address(0) || parts_.vaults == address(0)) revert ZeroAddress();
        if (parts_.receipts == address(0)) revert ZeroAddress();
        bool local = LocalChain.isLocal();
        uint32 least = local ? 1 : CLOCK_MIN;
        if (terms_.clock < least || terms_.clock > SECONDS_MAX) revert TermsOutOfRange();
        least = local ? 1 : WINDOW_MIN;
        if (terms_.window < least || terms_.window > SECONDS_MAX) revert TermsOutOfRange();
        least = local ? 0 : DELAY_MIN;
        if (terms_.releaseDelay < least || terms_.releaseDelay > SECONDS_MAX) {
            revert TermsOutOfRange();
        }
        STAKE = IStake(parts_.stake);
        VAULTS = IVaults(parts_.vaults);
        RECEIPTS = parts_.receipts;
        TOKEN = STAKE.TOKEN();
        JUDGE_0 = IJudge(parts_.judges[0]);
        JUDGE_1 = IJudge(parts_.judges[1]);
        JUDGE_2 = IJudge(parts_.judges[2]);
        JUDGE_3 = IJudge(parts_.judges[3]);
        JUDGE_4 = IJudge(parts_.judges[4]);
        (CLOCK, WINDOW, RELEASE_DELAY, BOND) =
        (terms_.clock, terms_.window, terms_.releaseDelay, terms_.bond);
    }

    // DISPUTES

    /// @inheritdoc ICourt
    function open(Claim calldata claim) external payable {
        if (msg.value != BOND) revert BondWrong(msg.value, BOND);
        (bytes32 jobId, bytes32 receiptHash) = _signedClaim(claim);
        uint64 closedAt = claim.job.expiresAt + WINDOW;
        if (block.timestamp > closedAt) revert WindowClosed(closedAt);
        // A job that is convicted already is not looked up: whoever opens it takes the bond back by {returnBond}.
        if (disputes[jobId][msg.sender] != 0) revert DisputeOpen(jobId, msg.sender);
        Dispute memory dispute;
        dispute.jobId = jobId;
        dispute.challenger = msg.sender;
        dispute.provider = claim.job.provider;
        dispute.phase = Phase.Answering;
        dispute.walks = WALKS - 1;
        dispute.positions = _positionsOf(claim);
        (dispute.challengerTime, dispute.providerTime) = (CLOCK, CLOCK);
        dispute.movedAt = uint64(block.timestamp);
        dispute.receiptHash = receiptHash;
        dispute.bond = msg.value;
        _store(dispute);
        emit Opened(jobId, msg.sender, dispute.provider, receiptHash, dispute.positions);
    }

    /// @inheritdoc ICourt
    function answer(Dispute calldata dispute, bytes32 root, Descent.Reveal calldata shown)
        external
    {
        Dispute memory next = _move(dispute, Phase.Answering);
        next.traceRoot = root;
        next.place = Descent.begin(root);
        _show(next, shown);
        emit Answered(next.jobId, next.challenger, next, shown.children);
    }

    /// @inheritdoc ICourt
    function reveal(Dispute calldata dispute, Descent.Reveal calldata shown) external {
        Dispute memory next = _move(dispute, Phase.Revealing);
        _show(next, shown);
        emit Revealed(next.jobId, next.challenger, next, shown.salt, shown.children);
    }

    /// @inheritdoc ICourt
    function choose(Dispute calldata dispute, bytes32[] calldata children, uint256 child) external {
        Dispute memory next = _move(dispute, Phase.Choosing);
        if (keccak256(abi.encodePacked(children)) != next.children) revert ChildrenUnknown();
        bool isLeaf = Descent.choose(next.place, children, child);
        next.children = 0;
        next.phase = isLeaf ? Phase.Showing : Phase.Revealing;
        _store(next);
        emit Chosen(next.jobId, next.challenger, next);
    }

    /// @inheritdoc ICourt
    function show(Dispute calldata dispute, bytes calldata data) external {
        Dispute memory next = _move(dispute, Phase.Showing);
        bytes32 leaf = Descent.leafHash(data);
        if (leaf != next.place.node) revert Descent.RevealUnequal(next.place.node, leaf);
        next.phase = Phase.Proving;
        _store(next);
        emit Shown(next.jobId, next.challenger, next, data);
    }

    /// @inheritdoc ICourt
    function again(Dispute calldata dispute) external {
        Dispute memory next = _move(dispute, Phase.Proving);
        if (next.walks == 0) revert WalksUsedUp();
        next.walks -= 1;
        next.place = Descent.begin(next.traceRoot);
        next.phase = Phase.Revealing;
        _store(next);
        emit AskedAgain(next.jobId, next.challenger, next);
    }

    /// @inheritdoc ICourt
    function timeOut(Dispute calldata dispute, Claim calldata claim) external {
        _requireStored(dispute);
        uint64 upAt = _upAt(dispute);
        if (block.timestamp <= upAt) revert TimeNotUp(upAt);
        if (_isProviders(dispute.phase)) {
            _requireDisputed(dispute, claim);
            _close(dispute, dispute.challenger);
            _condemn(claim, dispute.jobId, KIND_SILENCE, Claimant(dispute.challenger, 0, 0));
        } else {
            emit Dismissed(dispute.jobId, dispute.challenger, dispute.provider);
            _close(dispute, dispute.provider);
        }
    }

    // CONVICTIONS

    /// @inheritdoc ICourt
    function commit(bytes32 commitment) external {
        if (commitments[commitment] == 0) {
            commitments[commitment] = uint64(block.number);
            emit Committed(commitment, uint64(block.number));
        }
    }

    /// @inheritdoc ICourt
    function convict(
        Claim calldata claim,
        Trace calldata trace,
        IModelRegistry.Model calldata model,
        Proof calldata proof,
        bytes32 salt
    ) external {
        (bytes32 jobId,) = _signedClaim(claim);
        if (trace.root != 0) _requireTrace(claim.job.provider, jobId, trace);
        _requireGuilty(claim, trace.root, model, proof);
        bytes32 proofHash = keccak256(proof.data);
        _condemn(claim, jobId, proof.kind, Claimant(msg.sender, proofHash, salt));
    }

    /// @inheritdoc ICourt
    function convictOpened(
        Dispute calldata dispute,
        Claim calldata claim,
        IModelRegistry.Model calldata model,
        Proof calldata proof
    ) external {
        _requireStored(dispute);
        _requireDisputed(dispute, claim);
        if (dispute.traceRoot == 0) revert PhaseWrong(dispute.phase);
        _requireGuilty(claim, dispute.traceRoot, model, proof);
        _close(dispute, dispute.challenger);
        // The challenger forced the trace out and paid for it: the bounty is his, whoever sends the proof.
        _condemn(claim, dispute.jobId, proof.kind, Claimant(dispute.challenger, 0, 0));
    }

    /// @inheritdoc ICourt
    function convictOfTwoReceipts(
        Claim calldata claim,
        IReceipts.Receipt calldata second,
        bytes calldata secondSignature,
        bytes32 salt
    ) external {
        (bytes32 jobId, bytes32 receiptHash) = _signedClaim(claim);
        if (second.jobId != jobId) revert ReceiptOfAnotherJob(jobId, second.jobId);
        bytes32 secondHash = Messages.hashReceipt(Messages.separator(RECEIPTS), second);
        if (secondHash == receiptHash) revert NotEquivocal();
        _requireSigned(claim.job.provider, secondHash, secondSignature);
        _condemn(claim, jobId, KIND_EQUIVOCATION, Claimant(msg.sender, secondHash, salt));
    }

    /// @inheritdoc ICourt
    function convictOfTwoTraces(
        Claim calldata claim,
        Trace calldata first,
        Trace calldata second,
        bytes32 salt
    ) external {
        (bytes32 jobId,) = _signedClaim(claim);
        if (first.root == second.root) revert NotEquivocal();
        _requireTrace(claim.job.provider, jobId, first);
        _requireTrace(claim.job.provider, jobId, second);
        _condemn(claim, jobId, KIND_EQUIVOCATION, Claimant(msg.sender, second.root, salt));
    }

    // AFTERWARDS

    /// @inheritdoc ICourt
    function claimBounty(Verdict calldata verdict, bytes32 salt) external {
        _requireVerdict(verdict);
        uint64 committedAt =
            _committedAt(verdict.jobId, Claimant(msg.sender, verdict.proofHash, salt));
        if (committedAt >= verdict.committedAt || verdict.proofHash == 0) {
            revert CommitmentLater(committedAt, verdict.committedAt);
        }
        Verdict memory next = verdict;
        (next.claimant, next.committedAt) = (msg.sender, committedAt);
        verdicts[verdict.jobId] = keccak256(abi.encode(next));
        emit BountyClaimed(verdict.jobId, msg.sender, next);
    }

    /// @inheritdoc ICourt
    function release(Verdict calldata verdict) external {
        _requireVerdict(verdict);
        if (block.timestamp < verdict.releaseAt) revert ReleaseNotReady(verdict.releaseAt);
        verdicts[verdict.jobId] = PAID;
        Remainder memory kept = remainders[verdict.provider];
        // A later conviction finds no stake left; its requester is refunded from what the first one left.
        uint128 available = verdict.taken + kept.amount;
        uint128 refund = verdict.price < available ? verdict.price : available;
        uint128 bounty = uint128(verdict.taken / BOUNTY_DIVISOR);
        if (bounty > available - refund) bounty = available - refund;
        uint128 rest = available - refund - bounty;
        remainders[verdict.provider] = Remainder(rest, uint64(block.timestamp) + RELEASE_DELAY);
        emit Released(verdict.jobId, verdict.provider, refund, bounty, rest);
        if (refund != 0) TOKEN.push(verdict.requester, refund);
        if (bounty != 0) TOKEN.push(verdict.claimant, bounty);
    }

    /// @inheritdoc ICourt
    function burn(address provider) external {
        Remainder memory kept = remainders[provider];
        if (kept.amount == 0) revert NothingToBurn(provider);
        if (block.timestamp < kept.burnAt) revert BurnNotReady(kept.burnAt);
        delete remainders[provider];
        emit Burned(provider, kept.amount);
        TOKEN.push(BURNED, kept.amount);
    }

    /// @inheritdoc ICourt
    function returnBond(Dispute calldata dispute) external {
        _requireStored(dispute);
        if (verdicts[dispute.jobId] == 0) revert NotConvicted(dispute.jobId);
        _close(dispute, dispute.challenger);
    }

    // VIEWS

    /// @inheritdoc ICourt
    function parts() external view returns (Parts memory) {
        address[5] memory judges = [
            address(JUDGE_0), address(JUDGE_1), address(JUDGE_2), address(JUDGE_3), address(JUDGE_4)
        ];
        return Parts(address(STAKE), address(VAULTS), RECEIPTS, judges);
    }

    /// @inheritdoc ICourt
    function terms() external view returns (Terms memory) {
        return Terms(CLOCK, WINDOW, RELEASE_DELAY, BOND);
    }

    // MOVES

    /// @dev Checks that it is the caller's move in that phase and in time, and stops its clock.
    function _move(Dispute calldata dispute, Phase phase)
        private
        view
        returns (Dispute memory next)
    {
        _requireStored(dispute);
        if (dispute.phase != phase) revert PhaseWrong(dispute.phase);
        if (verdicts[dispute.jobId] != 0) revert AlreadyConvicted(dispute.jobId);
        bool providers = _isProviders(phase);
        address mover = providers ? dispute.provider : dispute.challenger;
        if (msg.sender != mover) revert CallerNotMover(msg.sender, mover);
        uint64 upAt = _upAt(dispute);
        if (block.timestamp > upAt) revert TimeUp(upAt);
        next = dispute;
        // SAFETY: not after upAt, so what was used is at most what was left.
        uint32 used = uint32(block.timestamp - dispute.movedAt);
        if (providers) next.providerTime -= used;
        else next.challengerTime -= used;
        next.movedAt = uint64(block.timestamp);
    }

    /// @dev Every token is an input but the last one of the answer.
    function _positionsOf(Claim calldata claim) private pure returns (uint32) {
        uint256 positions = uint256(claim.job.inputCount) + claim.receipt.outputCount;
        if (claim.receipt.outputCount == 0 || positions > POSITIONS_MAX) {
            revert TraceImpossible(positions);
        }
        return uint32(positions - 1);
    }

    /// @dev Takes what the provider shows and gives the move to the challenger.
    function _show(Dispute memory next, Descent.Reveal calldata shown) private {
        Descent.open(next.place, shown);
        if (next.place.tree == 0 && next.place.count != next.positions) {
            revert PositionsMiscounted(next.place.count, next.positions);
        }
        next.children = keccak256(abi.encodePacked(shown.children));
        next.phase = Phase.Choosing;
        _store(next);
    }

    function _store(Dispute memory dispute) private {
        disputes[dispute.jobId][dispute.challenger] = keccak256(abi.encode(dispute));
    }

    /// @dev Forgets a dispute and pays its bond.
    function _close(Dispute calldata dispute, address recipient) private {
        delete disputes[dispute.jobId][dispute.challenger];
        if (recipient == dispute.challenger) {
            emit BondReturned(dispute.jobId, recipient, dispute.bond);
        }
        // SAFETY: the dispute is gone before the money, so entering again finds nothing. A recipient that refuses its
        // bond loses it; nobody else may be stuck for it.
        (bool sent,) = recipient.call{value: dispute.bond, gas: BOND_GAS}("");
        if (!sent) (sent,) = BURNED.call{value: dispute.bond}("");
        if (!sent) revert PaymentFailed(recipient);
    }

    function _isProviders(Phase phase) private pure returns (bool) {
        return phase == Phase.Answering || phase == Phase.Revealing || phase == Phase.Showing;
    }

    /// @dev Last second in which the side to move may move.
    function _upAt(Dispute calldata dispute) private pure returns (uint64) {
        uint32 left = _isProviders(dispute.phase) ? dispute.providerTime : dispute.challengerTime;
        return dispute.movedAt + left;
    }

    // CHECKS

    /// @dev The ids of a claim that its provider signed.
    function _signedClaim(Claim calldata claim)
        private
        view
        returns (bytes32 jobId, bytes32 receiptHash)
    {
        (jobId, receiptHash) = _hashClaim(claim);
        _requireSigned(claim.job.provider, receiptHash, claim.signature);
    }

    function _hashClaim(Claim calldata claim)
        private
        view
        returns (bytes32 jobId, bytes32 receiptHash)
    {
        bytes32 domain = Messages.separator(RECEIPTS);
        jobId = Messages.hashJob(domain, claim.job);
        if (claim.receipt.jobId != jobId) revert ReceiptOfAnotherJob(jobId, claim.receipt.jobId);
        receiptHash = Messages.hashReceipt(domain, claim.receipt);
    }

    function _requireSigned(address signer, bytes32 digest, bytes calldata signature) private view {
        if (!Signatures.isFrom(signer, digest, signature)) revert SignatureInvalid(signer, digest);
    }

    function _requireTrace(address provider, bytes32 jobId, Trace calldata trace) private view {
        bytes32 digest = Messages.hashTrace(Messages.separator(RECEIPTS), jobId, trace.root);
        _requireSigned(provider, digest, trace.signature);
    }

    function _requireStored(Dispute calldata dispute) private view {
        bytes32 stored = disputes[dispute.jobId][dispute.challenger];
        if (stored == 0 || stored != keccak256(abi.encode(dispute))) {
            revert DisputeUnknown(dispute.jobId, dispute.challenger);
        }
    }

    /// @dev The claim is the one that the dispute is about; its signature was checked when the dispute was opened.
    function _requireDisputed(Dispute calldata dispute, Claim calldata claim) private view {
        (bytes32 jobId, bytes32 receiptHash) = _hashClaim(claim);
        if (jobId != dispute.jobId || receiptHash != dispute.receiptHash) {
            revert ReceiptOfAnotherJob(dispute.jobId, jobId);
        }
    }

    function _requireVerdict(Verdict calldata verdict) private view {
        if (verdicts[verdict.jobId] != keccak256(abi.encode(verdict))) {
            revert NotConvicted(verdict.jobId);
        }
    }

    /// @dev Asks the judge of the kind.
    function _requireGuilty(
        Claim calldata claim,
        bytes32 traceRoot,
        IModelRegistry.Model calldata model,
        Proof calldata proof
    ) private view {
        bytes32 modelId = keccak256(abi.encode(MODEL_TYPEHASH, model));
        if (traceRoot != 0 && modelId != claim.job.modelId) {
            revert ModelOfAnotherJob(modelId, claim.job.modelId);
        }
        IJudge.Case memory facts;
        facts.traceRoot = traceRoot;
        facts.traceKeyHash = claim.job.traceKeyHash;
        facts.inputRoot = claim.job.inputRoot;
        facts.outputRoot = claim.receipt.outputRoot;
        facts.inputCount = claim.job.inputCount;
        facts.outputCount = claim.receipt.outputCount;
        facts.outputCountMax = claim.job.outputCountMax;
        facts.finish = claim.receipt.finish;
        facts.price = claim.receipt.price;
        facts.inputPrice = claim.job.inputPrice;
        facts.outputPrice = claim.job.outputPrice;
        facts.sampler = claim.job.sampler;
        if (traceRoot != 0) {
            facts.weightsRoot = model.weightsRoot;
            facts.graphRoot = model.graphRoot;
            facts.tablesRoot = model.tablesRoot;
        }
        if (!_judge(proof.kind).isGuilty(facts, proof.kind, proof.data)) {
            revert ClaimRight(proof.kind);
        }
    }

    function _judge(uint8 kind) private view returns (IJudge) {
        uint8 family = kind >> 4;
        if (family == 0) return JUDGE_0;
        if (family == 1) return JUDGE_1;
        if (family == 2) return JUDGE_2;
        if (family == 3) return JUDGE_3;
        if (family == 4) return JUDGE_4;
        revert IJudge.KindUnknown(kind);
    }

    /// @dev Block since which somebody is known to hold a proof: that of his commitment, else this one.
    function _committedAt(bytes32 jobId, Claimant memory claimant)
        private
        view
        returns (uint64 committedAt)
    {
        committedAt = commitments[
            keccak256(abi.encode(jobId, claimant.proofHash, claimant.account, claimant.salt))
        ];
        if (committedAt == 0) committedAt = uint64(block.number);
    }

    /// @dev Takes the provider's stake and unpaid earnings, and writes the verdict down.
    function _condemn(Claim calldata claim, bytes32 jobId, uint8 kind, Claimant memory claimant)
        private
    {
        if (verdicts[jobId] != 0) revert AlreadyConvicted(jobId);
        address provider = claim.job.provider;
        // SAFETY: marked before money moves; stake, vaults and token are fixed contracts that do not call back.
        verdicts[jobId] = PAID;
        uint256 taken = STAKE.slash(provider, type(uint96).max, address(this));
        if (VAULTS.vaultOf(provider).code.length != 0) taken += VAULTS.confiscate(provider);
        Verdict memory verdict = Verdict({
            jobId: jobId,
            provider: provider,
            requester: claim.job.requester,
            claimant: claimant.account,
            committedAt: _committedAt(jobId, claimant),
            proofHash: claimant.proofHash,
            releaseAt: uint64(block.timestamp) + RELEASE_DELAY,
            price: claim.receipt.price,
            // SAFETY: a token has less than 2^128 units.
            taken: uint128(taken)
        });
        verdicts[jobId] = keccak256(abi.encode(verdict));
        emit Convicted(jobId, provider, claimant.account, kind, verdict);
    }
}
