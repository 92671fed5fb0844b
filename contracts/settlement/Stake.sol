// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LocalChain} from "../protocol/LocalChain.sol";
import {IPaymentToken, Payments} from "../protocol/Payments.sol";
import {IStake} from "./IStake.sol";

/// @title Provider stake
/// @notice What it does and refuses is told in {IStake}.
contract Stake is IStake {
    using Payments for address;

    /// @dev | 0..96 staked | 96..192 requested | 192..256 readyAt |
    struct Position {
        uint96 staked;
        uint96 requested;
        uint64 readyAt;
    }

    /// @dev What audits took of a stake in the current period. | 0..96 charged | 96..192 chargedMax | 192..256 endsAt |
    struct Period {
        uint96 charged;
        uint96 chargedMax;
        uint64 endsAt;
    }

    /// @dev A day covers the longest dispute; a local chain may go faster.
    uint64 private constant WITHDRAW_DELAY_MIN = 1 days;
    uint64 private constant WITHDRAW_DELAY_MIN_LOCAL = 1 seconds;
    uint64 private constant WITHDRAW_DELAY_MAX = 90 days;
    /// @dev Part of a stake that audits may take in one period: more than fees of a provider that earns what its stake
    /// covers, and too little to carry a stake out to one's own verifiers before a conviction.
    uint96 private constant CHARGE_DIVISOR = 16;

    address public immutable TOKEN;
    address public immutable COURT;
    address public immutable AUDITS;
    uint64 public immutable WITHDRAW_DELAY;

    // STORAGE

    mapping(address provider => Position) public stakes;
    mapping(address provider => Period) public periods;

    // INVARIANT: money held >= Σ staked.
    // INVARIANT: requested <= staked for every provider.
    // INVARIANT: charged <= chargedMax for every provider.

    constructor(address token, address court, address audits, uint64 withdrawDelay) {
        if (token == address(0)) revert ZeroAddress();
        uint64 delayMin = LocalChain.isLocal() ? WITHDRAW_DELAY_MIN_LOCAL : WITHDRAW_DELAY_MIN;
        if (withdrawDelay < delayMin || withdrawDelay > WITHDRAW_DELAY_MAX) {
            revert WithdrawDelayOutOfRange(withdrawDelay, delayMin, WITHDRAW_DELAY_MAX);
        }
        TOKEN = token;
        COURT = court;
        AUDITS = audits;
        WITHDRAW_DELAY = withdrawDelay;
    }

    /// @inheritdoc IStake
    function deposit(address provider, uint96 amount) public {
        if (provider == address(0)) revert ZeroAddress();
        if (amount == 0) revert ZeroAmount();
        Position storage position = stakes[provider];
        uint256 staked = uint256(position.staked) + amount;
        if (staked > type(uint96).max) revert AmountTooLarge(staked);
        position.staked = uint96(staked);
        emit StakeDeposited(provider, msg.sender, amount, uint96(staked));
        uint256 heldBefore = _held();
        TOKEN.pull(msg.sender, amount);
        uint256 heldAfter = _held();
        if (heldAfter < heldBefore + amount) {
            revert TransferIncomplete(TOKEN, heldAfter - heldBefore, amount);
        }
    }

    /// @inheritdoc IStake
    function depositWithPermit(
        address provider,
        uint96 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        // SAFETY: a failure is ignored, because anyone may have submitted the same permit before us; without an
        // allowance the deposit fails.
        try IPaymentToken(TOKEN).permit(msg.sender, address(this), amount, deadline, v, r, s) {}
            catch {}
        deposit(provider, amount);
    }

    /// @inheritdoc IStake
    function requestWithdrawal(uint96 amount) external {
        Position storage position = stakes[msg.sender];
        if (amount > position.staked) revert StakeTooLow(msg.sender, position.staked, amount);
        uint64 readyAt = amount == 0 ? 0 : uint64(block.timestamp) + WITHDRAW_DELAY;
        position.requested = amount;
        position.readyAt = readyAt;
        emit StakeWithdrawalRequested(msg.sender, amount, readyAt);
    }

    /// @inheritdoc IStake
    function withdraw() external {
        Position memory position = stakes[msg.sender];
        uint96 amount = position.requested;
        if (amount == 0) revert NothingToWithdraw(msg.sender);
        if (block.timestamp < position.readyAt) {
            revert WithdrawNotReady(msg.sender, position.readyAt);
        }
        uint96 staked = position.staked - amount;
        stakes[msg.sender] = Position(staked, 0, 0);
        emit StakeWithdrawn(msg.sender, amount, staked);
        TOKEN.push(msg.sender, amount);
    }

    /// @inheritdoc IStake
    function slash(address provider, uint96 amount, address recipient)
        external
        returns (uint96 slashed)
    {
        // SAFETY: a court of zero admits nobody, since no transaction comes from the zero address.
        if (msg.sender != COURT) revert CallerNotCourt(msg.sender);
        if (recipient == address(0)) revert ZeroAddress();
        uint96 staked;
        (slashed, staked) = _take(provider, amount);
        emit StakeSlashed(provider, recipient, slashed, staked);
        if (slashed != 0) TOKEN.push(recipient, slashed);
    }

    /// @inheritdoc IStake
    function charge(address provider, uint96 amount, address recipient)
        external
        returns (uint96 charged)
    {
        // SAFETY: audits of zero admit nobody, since no transaction comes from the zero address.
        if (msg.sender != AUDITS) revert CallerNotAudits(msg.sender);
        if (recipient == address(0)) revert ZeroAddress();
        Period memory period = periods[provider];
        if (block.timestamp >= period.endsAt) {
            uint96 chargedMax = stakes[provider].staked / CHARGE_DIVISOR;
            period = Period(0, chargedMax, uint64(block.timestamp) + WITHDRAW_DELAY);
        }
        uint96 left = period.chargedMax - period.charged;
        uint96 staked;
        (charged, staked) = _take(provider, amount < left ? amount : left);
        // A period starts with the first charge, so a provider without stake does not start one.
        if (charged == 0) return 0;
        period.charged += charged;
        periods[provider] = period;
        emit StakeCharged(provider, recipient, charged, staked);
        TOKEN.push(recipient, charged);
    }

    /// @dev Takes what there is, up to `amount`, out of a stake, first out of what is not on its way out.
    function _take(address provider, uint96 amount) private returns (uint96 taken, uint96 staked) {
        Position storage position = stakes[provider];
        taken = amount < position.staked ? amount : position.staked;
        staked = position.staked - taken;
        position.staked = staked;
        if (position.requested > staked) position.requested = staked;
    }

    function _held() private view returns (uint256) {
        return IPaymentToken(TOKEN).balanceOf(address(this));
    }
}
