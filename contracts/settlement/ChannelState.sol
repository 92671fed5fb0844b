// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @notice Money of one channel in one word, so that a claim on lane 0 reads and writes storage once.
///
///     | 0..80 balance | 80..160 totalClaimed | 160..240 claimed on lane 0 | 240..256 zero |
///
/// INVARIANT: lane 0 <= totalClaimed <= balance < 2^80.
type ChannelState is uint256;

using {balance, totalClaimed, available, firstLane, add, remove, claimed} for ChannelState global;

uint256 constant AMOUNT_BITS = 80;
uint256 constant AMOUNT_MAX = (1 << AMOUNT_BITS) - 1;

/// @dev Everything deposited and not given back.
function balance(ChannelState state) pure returns (uint256) {
    return ChannelState.unwrap(state) & AMOUNT_MAX;
}

/// @dev Sum of all lanes.
function totalClaimed(ChannelState state) pure returns (uint256) {
    return (ChannelState.unwrap(state) >> AMOUNT_BITS) & AMOUNT_MAX;
}

function available(ChannelState state) pure returns (uint256) {
    unchecked {
        // SAFETY: totalClaimed <= balance.
        return balance(state) - totalClaimed(state);
    }
}

function firstLane(ChannelState state) pure returns (uint256) {
    return ChannelState.unwrap(state) >> (2 * AMOUNT_BITS);
}

/// @dev The caller has checked that balance + amount <= AMOUNT_MAX.
function add(ChannelState state, uint256 amount) pure returns (ChannelState) {
    unchecked {
        return ChannelState.wrap(ChannelState.unwrap(state) + amount);
    }
}

/// @dev The caller has checked that amount <= available.
function remove(ChannelState state, uint256 amount) pure returns (ChannelState) {
    unchecked {
        return ChannelState.wrap(ChannelState.unwrap(state) - amount);
    }
}

/// @dev The caller has checked that amount <= available. `onFirstLane` counts it on lane 0 too.
function claimed(ChannelState state, uint256 amount, bool onFirstLane) pure returns (ChannelState) {
    unchecked {
        uint256 word = ChannelState.unwrap(state) + (amount << AMOUNT_BITS);
        if (onFirstLane) word += amount << (2 * AMOUNT_BITS);
        return ChannelState.wrap(word);
    }
}
