// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPaymentToken, Payments} from "../protocol/Payments.sol";
import {IChannels} from "../settlement/IChannels.sol";
import {IStake} from "../settlement/IStake.sol";
import {IVault, IVaults} from "./IVaults.sol";

/// @title The vault of one provider
/// @notice What it does and refuses is told in {IVault}.
contract Vault is IVault {
    using Payments for address;

    /// @dev | 0..128 amount | 128..192 readyAt |
    struct Batch {
        uint128 amount;
        uint64 readyAt;
    }

    address public immutable PROVIDER;
    IVaults private immutable VAULTS;
    IStake private immutable STAKE;
    IChannels private immutable CHANNELS;
    address private immutable TOKEN;
    uint64 private immutable WINDOW;

    Batch public batch;

    // INVARIANT: batch.amount <= money held.
    // INVARIANT: within any WINDOW the provider gets at most the stake that was free when the batch began.

    constructor(address provider) {
        PROVIDER = provider;
        IVaults vaults = IVaults(msg.sender);
        VAULTS = vaults;
        STAKE = IStake(vaults.STAKE());
        CHANNELS = IChannels(vaults.CHANNELS());
        TOKEN = vaults.TOKEN();
        WINDOW = vaults.WINDOW();
    }

    /// @inheritdoc IVault
    function collect() external returns (uint256 paid) {
        _settle();
        Batch memory waiting = batch;
        if (waiting.amount != 0) {
            if (block.timestamp < waiting.readyAt) return 0;
            paid = waiting.amount;
        }
        uint256 rest = _held() - paid;
        uint256 stake = _freeStake();
        uint128 next = uint128(rest < stake ? rest : stake);
        if (paid == 0 && next == 0) return 0;
        uint64 readyAt = uint64(block.timestamp) + WINDOW;
        batch = Batch(next, next == 0 ? 0 : readyAt);
        if (next != 0) emit BatchStarted(PROVIDER, next, readyAt);
        if (paid != 0) {
            emit Paid(PROVIDER, paid);
            TOKEN.push(PROVIDER, paid);
        }
    }

    /// @inheritdoc IVault
    function confiscate(address recipient) external returns (uint256 amount) {
        if (msg.sender != address(VAULTS)) revert CallerNotVaults(msg.sender);
        _settle();
        amount = _held();
        delete batch;
        if (amount == 0) return 0;
        emit Confiscated(PROVIDER, amount);
        TOKEN.push(recipient, amount);
    }

    /// @dev Fetches what channels have promised to this vault. Nothing to fetch is not an error.
    function _settle() private {
        (uint128 claimed, uint128 settled) = CHANNELS.receivers(address(this), TOKEN);
        if (claimed != settled) CHANNELS.settle(address(this), TOKEN);
    }

    /// @dev Stake on its way out answers for nothing new.
    function _freeStake() private view returns (uint256) {
        (uint96 staked, uint96 requested,) = STAKE.stakes(PROVIDER);
        return staked - requested;
    }

    function _held() private view returns (uint256) {
        return IPaymentToken(TOKEN).balanceOf(address(this));
    }
}
