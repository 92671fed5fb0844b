// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @title Where the earnings of providers wait
/// @notice A provider whose results may be disputed does not receive the money of its channels itself: its vault does.
/// What the vault gets is paid out in batches, each after a window in which the results behind it can be disputed, and
/// no batch is larger than the stake that stands behind it. So whoever cheats on many jobs and leaves, leaves with no
/// more than he had at risk (the exposure cap).
///
///     channel ──settle──► vault ──batch, at most the stake──► wait for WINDOW ──► provider
///                           └──conviction──► court
interface IVaults {
    event VaultCreated(address indexed provider, address vault);

    error ZeroAddress();
    error WindowOutOfRange(uint64 window);
    error CallerNotCourt(address caller);

    /// @notice Creates the vault of a provider, or returns the one that is there. Anyone may call.
    function create(address provider) external returns (address vault);

    /// @notice Address of a provider's vault, whether it exists or not: money may be sent to it before.
    function vaultOf(address provider) external view returns (address vault);

    /// @notice The court takes everything that a provider has not yet been paid. Creates the vault if there is none
    /// and money waits at its address.
    /// @return amount in atomic units, sent to the court
    function confiscate(address provider) external returns (uint256 amount);

    function TOKEN() external view returns (address);
    function CHANNELS() external view returns (address);
    function STAKE() external view returns (address);
    function COURT() external view returns (address);
    /// @notice Seconds that a batch waits.
    function WINDOW() external view returns (uint64);
}

/// @title The vault of one provider
interface IVault {
    /// @param amount paid to the provider
    event Paid(address indexed provider, uint256 amount);
    /// @param amount of the batch that waits from now on
    /// @param readyAt Unix seconds from which it is paid
    event BatchStarted(address indexed provider, uint256 amount, uint64 readyAt);
    event Confiscated(address indexed provider, uint256 amount);

    error CallerNotVaults(address caller);

    /// @notice Pays the batch that has waited long enough, if there is one; then fetches what channels owe, and starts
    /// the next batch. Anyone may call; money goes to the provider only.
    /// @return paid in atomic units
    function collect() external returns (uint256 paid);

    function confiscate(address recipient) external returns (uint256 amount);

    /// @notice The batch that waits; zeros if there is none.
    function batch() external view returns (uint128 amount, uint64 readyAt);

    function PROVIDER() external view returns (address);
}
