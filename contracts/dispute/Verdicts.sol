// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {LocalChain} from "../protocol/LocalChain.sol";
import {Payments} from "../protocol/Payments.sol";
import {IStake} from "../settlement/IStake.sol";
import {IAudits} from "./IAudits.sol";
import {ICourt} from "./ICourt.sol";
import {IVaults} from "./IVaults.sol";

/// @title What follows a conviction
/// @notice The half of the court that handles money: it takes everything that a provider has at risk, keeps it for a
/// delay, and pays refund and bounty; the rest is burned. It does not know why somebody is guilty, nor anything about
/// disputes and their bonds: {Court} does. What is promised about both halves is told in {ICourt}.
abstract contract Verdicts is ICourt {
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

    /// @dev Where burned money goes: nobody has the key of this address.
    address internal constant BURNED = 0x000000000000000000000000000000000000dEaD;
    /// @dev No term of a court is longer.
    uint32 internal constant SECONDS_MAX = 90 days;
    /// @dev Half of the stake to whoever convicts, so that convicting oneself through another account loses the rest.
    /// Nothing of the unpaid earnings: a provider with a full vault could take half of them out like that.
    uint256 private constant BOUNTY_DIVISOR = 2;
    /// @dev Stands for a verdict that is paid.
    bytes32 private constant PAID = bytes32(uint256(1));
    /// @dev A public chain must leave time for a day of censorship (verification.md H19); a local one may go faster.
    uint32 private constant DELAY_MIN = 1 days;

    IStake internal immutable STAKE;
    IVaults internal immutable VAULTS;
    address internal immutable AUDITS;
    address internal immutable TOKEN;
    uint32 internal immutable RELEASE_DELAY;

    // STORAGE

    mapping(bytes32 jobId => bytes32) public verdicts;
    mapping(bytes32 commitment => uint64) public commitments;
    mapping(address provider => Remainder) public remainders;

    // INVARIANT: token held >= Σ taken of unpaid verdicts + Σ remainders.

    constructor(IStake stake, IVaults vaults, address audits, uint32 releaseDelay) {
        if (address(stake) == address(0) || address(vaults) == address(0)) revert ZeroAddress();
        uint32 least = LocalChain.isLocal() ? 0 : DELAY_MIN;
        if (releaseDelay < least || releaseDelay > SECONDS_MAX) revert TermsOutOfRange();
        (STAKE, VAULTS, RELEASE_DELAY) = (stake, vaults, releaseDelay);
        (TOKEN, AUDITS) = (stake.TOKEN(), audits);
    }

    /// @inheritdoc ICourt
    function commit(bytes32 commitment) external {
        if (commitments[commitment] == 0) {
            commitments[commitment] = uint64(block.number);
            emit Committed(commitment, uint64(block.number));
        }
    }

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
        uint128 bounty = uint128(verdict.slashed / BOUNTY_DIVISOR);
        if (bounty > available - refund) bounty = available - refund;
        uint128 rest = available - refund - bounty;
        remainders[verdict.provider] = Remainder(rest, uint64(block.timestamp) + RELEASE_DELAY);
        emit Released(verdict.jobId, verdict.provider, refund, bounty, rest);
        if (refund != 0) TOKEN.push(verdict.requester, refund);
        if (bounty != 0) TOKEN.push(verdict.claimant, bounty);
    }

    /// @inheritdoc ICourt
    function sweep(Verdict calldata verdict) external {
        address provider = verdict.provider;
        uint64 until = remainders[provider].burnAt;
        if (_isUnpaid(verdict)) {
            // What is swept before the payments must be there when they are due, and for those after them.
            uint64 due = verdict.releaseAt + RELEASE_DELAY;
            if (due > until) until = due;
        }
        // SAFETY: of a provider that was never convicted nothing is kept, so its time is over.
        if (block.timestamp >= until) revert SweepOver(until);
        uint128 amount = uint128(VAULTS.confiscate(provider));
        if (amount == 0) revert NothingToSweep();
        // SAFETY: read after the money has come; vaults and token are fixed contracts that do not call back.
        uint128 kept = remainders[provider].amount + amount;
        remainders[provider] = Remainder(kept, until);
        emit Swept(provider, amount, kept);
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

    // INSIDE

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
        internal
    {
        if (verdicts[jobId] != 0) revert AlreadyConvicted(jobId);
        _requireUnplanted(jobId);
        address provider = claim.job.provider;
        // SAFETY: marked before money moves; stake, vaults and token are fixed contracts that do not call back.
        verdicts[jobId] = PAID;
        uint96 slashed = STAKE.slash(provider, type(uint96).max, address(this));
        uint256 taken = slashed + VAULTS.confiscate(provider);
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
            taken: uint128(taken),
            slashed: slashed
        });
        verdicts[jobId] = keccak256(abi.encode(verdict));
        emit Convicted(jobId, provider, claimant.account, kind, verdict);
    }

    /// @dev True if somebody has shown that the fault of this job was planted.
    function _isPlanted(bytes32 jobId) internal view returns (bool) {
        return AUDITS != address(0) && IAudits(AUDITS).isPlanted(jobId);
    }

    function _requireUnplanted(bytes32 jobId) internal view {
        if (_isPlanted(jobId)) revert JobPlanted(jobId);
    }

    function _requireVerdict(Verdict calldata verdict) private view {
        if (!_isUnpaid(verdict)) revert NotConvicted(verdict.jobId);
    }

    function _isUnpaid(Verdict calldata verdict) private view returns (bool) {
        return verdicts[verdict.jobId] == keccak256(abi.encode(verdict));
    }
}
