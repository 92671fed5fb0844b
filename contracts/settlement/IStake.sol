// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @title Provider stake
/// @notice Money that a provider puts at risk so that its receipts are worth something. It leaves in two steps with a
/// delay between them, and stays at risk until it has left, so that nobody can cheat and run.
///
/// Only the court can slash, and the court is a contract fixed at deployment; without one (zero) nobody can. Audits,
/// fixed likewise, charge their fees here: at most a sixteenth of the stake in a period as long as the delay, so that
/// no provider carries its stake out as fees of its own verifiers.
interface IStake {
    event StakeDeposited(
        address indexed provider, address indexed sender, uint96 amount, uint96 staked
    );
    /// @param amount Zero means that the request was taken back.
    /// @param readyAt Unix seconds from which {withdraw} works.
    event StakeWithdrawalRequested(address indexed provider, uint96 amount, uint64 readyAt);
    event StakeWithdrawn(address indexed provider, uint96 amount, uint96 staked);
    event StakeSlashed(
        address indexed provider, address indexed recipient, uint96 amount, uint96 staked
    );

    event StakeCharged(
        address indexed provider, address indexed recipient, uint96 amount, uint96 staked
    );

    error ZeroAddress();
    error ZeroAmount();
    /// @notice Stakes are below 2^96 atomic units.
    error AmountTooLarge(uint256 amount);
    error WithdrawDelayOutOfRange(uint64 withdrawDelay, uint64 delayMin, uint64 delayMax);
    error TransferIncomplete(address token, uint256 received, uint256 amount);
    error StakeTooLow(address provider, uint96 staked, uint96 amount);
    error WithdrawNotReady(address provider, uint64 readyAt);
    error NothingToWithdraw(address provider);
    error CallerNotCourt(address caller);
    error CallerNotAudits(address caller);

    /// @notice Adds `amount` to the stake of `provider` from the caller's allowance.
    function deposit(address provider, uint96 amount) external;

    /// @notice The same by the caller's ERC-2612 permit for exactly `amount`, in one transaction.
    function depositWithPermit(
        address provider,
        uint96 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    /// @notice Asks for `amount` of the caller's stake. A new request replaces the old one and starts the clock anew;
    /// zero takes the request back.
    function requestWithdrawal(uint96 amount) external;

    /// @notice Pays the caller what it asked for and was not slashed meanwhile, once the delay is over.
    function withdraw() external;

    /// @notice Sends up to `amount` of a provider's stake to `recipient`. Court only.
    /// @return slashed What there was to take.
    function slash(address provider, uint96 amount, address recipient)
        external
        returns (uint96 slashed);

    /// @notice Sends up to `amount` of a provider's stake to `recipient`, a fee of an audit. Audits only.
    /// @return charged What there was to take within the period.
    function charge(address provider, uint96 amount, address recipient)
        external
        returns (uint96 charged);

    /// @notice What audits took of a stake in the period that ends at `endsAt` (Unix seconds), and at most take.
    function periods(address provider)
        external
        view
        returns (uint96 charged, uint96 chargedMax, uint64 endsAt);

    /// @notice `staked` is all that can be slashed, `requested` the part of it that is on its way out.
    function stakes(address provider)
        external
        view
        returns (uint96 staked, uint96 requested, uint64 readyAt);

    function TOKEN() external view returns (address);
    function COURT() external view returns (address);
    function AUDITS() external view returns (address);
    /// @notice Seconds between request and withdrawal.
    function WITHDRAW_DELAY() external view returns (uint64);
}
