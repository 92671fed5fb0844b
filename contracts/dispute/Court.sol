// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IReceipts} from "../compute/IReceipts.sol";
import {Messages} from "../protocol/Messages.sol";
import {IModelRegistry} from "../model/IModelRegistry.sol";
import {LocalChain} from "../protocol/LocalChain.sol";
import {Signatures} from "../protocol/Signatures.sol";
import {IStake} from "../settlement/IStake.sol";
import {Descent} from "./Descent.sol";
import {ICourt} from "./ICourt.sol";
import {IJudge} from "./IJudge.sol";
import {IVaults} from "./IVaults.sol";
import {Verdicts} from "./Verdicts.sol";

/// @title The court
/// @notice What it does and refuses is told in {ICourt}. Here are the moves of disputes and what convicts; what a
/// conviction takes and pays is in {Verdicts}.
contract Court is Verdicts {
    /// @dev No proof reads more than three leaves that only the provider knows.
    uint8 public constant WALKS = 4;

    /// @dev Longer jobs have no trace (judges refuse them too).
    uint256 private constant POSITIONS_MAX = 4097;
    /// @dev Enough for a wallet that is a contract to log what it gets.
    uint256 private constant BOND_GAS = 30_000;
    bytes32 private constant MODEL_TYPEHASH = keccak256(
        "Model(bytes32 weightsRoot,bytes32 graphRoot,bytes32 tablesRoot,bytes32 tokenizerHash,bytes32 templateHash,bytes32 boundsHash,bytes32 specId)"
    );
    /// @dev A public chain must leave time for a day of censorship (verification.md H19); a local one may go faster.
    uint32 private constant CLOCK_MIN = 25 hours;
    uint32 private constant WINDOW_MIN = 1 days;

    address private immutable RECEIPTS;
    bytes32 private immutable SPEC_ID;
    IJudge private immutable JUDGE_0;
    IJudge private immutable JUDGE_1;
    IJudge private immutable JUDGE_2;
    IJudge private immutable JUDGE_3;
    IJudge private immutable JUDGE_4;
    uint32 private immutable CLOCK;
    uint32 private immutable WINDOW;
    uint256 private immutable BOND;

    // STORAGE

    mapping(bytes32 jobId => mapping(address challenger => bytes32)) public disputes;

    // INVARIANT: wei held = Σ bonds of stored disputes.

    constructor(Parts memory parts_, Terms memory terms_)
        Verdicts(IStake(parts_.stake), IVaults(parts_.vaults), parts_.audits, terms_.releaseDelay)
    {
        if (parts_.receipts == address(0)) revert ZeroAddress();
        bool local = LocalChain.isLocal();
        uint32 least = local ? 1 : CLOCK_MIN;
        if (terms_.clock < least || terms_.clock > SECONDS_MAX) revert TermsOutOfRange();
        least = local ? 1 : WINDOW_MIN;
        if (terms_.window < least || terms_.window > SECONDS_MAX) revert TermsOutOfRange();
        (RECEIPTS, SPEC_ID) = (parts_.receipts, parts_.specId);
        JUDGE_0 = IJudge(parts_.judges[0]);
        JUDGE_1 = IJudge(parts_.judges[1]);
        JUDGE_2 = IJudge(parts_.judges[2]);
        JUDGE_3 = IJudge(parts_.judges[3]);
        JUDGE_4 = IJudge(parts_.judges[4]);
        (CLOCK, WINDOW, BOND) = (terms_.clock, terms_.window, terms_.bond);
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
        // The bond waits for {returnBond}: a convicted provider must not win it, because nobody can move any more.
        if (verdicts[dispute.jobId] != 0) revert AlreadyConvicted(dispute.jobId);
        // Nor must whoever planted the fault.
        _requireUnplanted(dispute.jobId);
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
    function convict(
        Claim calldata claim,
        Trace calldata trace,
        IModelRegistry.Model calldata model,
        Proof calldata proof,
        bytes32 salt
    ) external {
        bytes32 jobId = _signedCase(claim, trace);
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
        bytes32 secondHash = Messages.hashReceipt(_domain(), second);
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
    function returnBond(Dispute calldata dispute) external {
        _requireStored(dispute);
        if (verdicts[dispute.jobId] == 0 && !_isPlanted(dispute.jobId)) {
            revert NotConvicted(dispute.jobId);
        }
        _close(dispute, dispute.challenger);
    }

    // VIEWS

    /// @inheritdoc ICourt
    function isGuilty(
        Claim calldata claim,
        Trace calldata trace,
        IModelRegistry.Model calldata model,
        Proof calldata proof
    ) external view returns (bool) {
        _signedCase(claim, trace);
        return _isGuilty(claim, trace.root, model, proof);
    }

    /// @inheritdoc ICourt
    function parts() external view returns (Parts memory) {
        address[5] memory judges;
        for (uint8 family; family < 5; family++) {
            judges[family] = address(_judge(family << 4));
        }
        return Parts(address(STAKE), address(VAULTS), RECEIPTS, SPEC_ID, judges, AUDITS);
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

    /// @dev A claim and, unless it is empty, a trace, both signed.
    function _signedCase(Claim calldata claim, Trace calldata trace)
        private
        view
        returns (bytes32 jobId)
    {
        (jobId,) = _signedClaim(claim);
        if (trace.root != 0) _requireTrace(claim.job.provider, jobId, trace);
    }

    function _hashClaim(Claim calldata claim)
        private
        view
        returns (bytes32 jobId, bytes32 receiptHash)
    {
        bytes32 domain = _domain();
        jobId = Messages.hashJob(domain, claim.job);
        if (claim.receipt.jobId != jobId) revert ReceiptOfAnotherJob(jobId, claim.receipt.jobId);
        receiptHash = Messages.hashReceipt(domain, claim.receipt);
    }

    /// @dev In which jobs, receipts and traces are signed.
    function _domain() private view returns (bytes32) {
        return Messages.separator(RECEIPTS);
    }

    function _requireSigned(address signer, bytes32 digest, bytes calldata signature) private view {
        if (!Signatures.isFrom(signer, digest, signature)) revert SignatureInvalid(signer, digest);
    }

    function _requireTrace(address provider, bytes32 jobId, Trace calldata trace) private view {
        bytes32 digest = Messages.hashTrace(_domain(), jobId, trace.root);
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

    function _requireGuilty(
        Claim calldata claim,
        bytes32 traceRoot,
        IModelRegistry.Model calldata model,
        Proof calldata proof
    ) private view {
        if (!_isGuilty(claim, traceRoot, model, proof)) {
            revert ClaimRight(proof.kind);
        }
    }

    /// @dev Asks the judge of the kind.
    function _isGuilty(
        Claim calldata claim,
        bytes32 traceRoot,
        IModelRegistry.Model calldata model,
        Proof calldata proof
    ) private view returns (bool) {
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
            bytes32 modelId = keccak256(abi.encode(MODEL_TYPEHASH, model));
            if (modelId != claim.job.modelId) {
                revert ModelOfAnotherJob(modelId, claim.job.modelId);
            }
            if (model.specId != SPEC_ID) revert SpecUnknown(model.specId);
            facts.weightsRoot = model.weightsRoot;
            facts.graphRoot = model.graphRoot;
            facts.tablesRoot = model.tablesRoot;
        }
        return _judge(proof.kind).isGuilty(facts, proof.kind, proof.data);
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
}
