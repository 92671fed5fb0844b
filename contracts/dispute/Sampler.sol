// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Arithmetic} from "./Arithmetic.sol";
import {Lanes} from "./Lanes.sol";

/// @title The sampler, docs/reference/arithmetic.md 7
/// @notice A choice among a whole vocabulary, judged by two tokens: the row claims its largest logit and the last token
/// that top-k and top-p keep, sums over parts of the row prove these cuts, and then one better token convicts.
///
/// The order of 7.3 is: larger logit first, lower id first on ties. A cut is the last token kept, in that order.
library Sampler {
    /// @notice As in the job; each 32 bits, Q as in section 7.
    struct Settings {
        uint32 tau;
        uint32 topK;
        uint32 topP;
        uint32 minP;
    }

    struct Token {
        uint32 id;
        int32 logit;
    }

    /// @notice What is claimed of a row of logits. A cut that the settings switch off is not read.
    struct Row {
        uint32 vocabularySize;
        Token top;
        Token rankCut;
        Token shareCut;
    }

    /// @param rankCount tokens up to the rank cut
    /// @param rankSum S: weights up to the rank cut, of all tokens if there is none
    /// @param shareSum C: weights up to the share cut
    struct Sums {
        uint64 rankCount;
        uint64 rankSum;
        uint64 shareSum;
    }

    uint256 private constant LANES =
        0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff;
    /// @dev "expand 32-byte k" in little-endian words, the first in the lowest lane.
    uint256 private constant CONSTANTS =
        0x000000006b2065740000000079622d32000000003320646e0000000061707865;
    /// @dev 8 rounds.
    uint256 private constant DOUBLE_ROUNDS = 4;

    /// @notice True if top-k leaves something out.
    function cutsRank(Settings calldata settings, Row calldata row) internal pure returns (bool) {
        return settings.tau != 0 && settings.topK != 0 && settings.topK < row.vocabularySize;
    }

    /// @notice True if top-p is on.
    function cutsShare(Settings calldata settings) internal pure returns (bool) {
        return settings.tau != 0 && settings.topP != 0 && settings.topP < Arithmetic.ONE_Q30;
    }

    /// @notice 7.2 z = R(logit * tau, 16), below 2^48.
    function scaled(int256 logit, uint256 tau) internal pure returns (int256) {
        return Arithmetic.roundShift(logit * int256(tau), 16);
    }

    /// @notice 7.2 w = exp2n(largest z - z).
    function weight(uint256 powers, int256 topLogit, int256 logit, uint256 tau)
        internal
        pure
        returns (uint256)
    {
        // SAFETY: below 2^49; a logit above the largest makes q huge, its weight is 0.
        unchecked {
            return Arithmetic.exp2n(powers, uint256(scaled(topLogit, tau) - scaled(logit, tau)));
        }
    }

    /// @notice True if (logit, id) comes before `cut` or is it.
    function isUpTo(int256 logit, uint256 id, Token calldata cut) internal pure returns (bool) {
        return logit > cut.logit || (logit == cut.logit && id <= cut.id);
    }

    /// @notice Counts and weighs up to 1,024 logits from id `first`.
    function partialSums(
        uint256 powers,
        bytes calldata logits,
        uint256 first,
        Settings calldata settings,
        Row calldata row
    ) internal pure returns (Sums memory sums) {
        uint256 size = logits.length;
        if (size == 0 || size > 4 * Lanes.LEAF_COLUMNS || size % 4 != 0) {
            revert Lanes.LeafMalformed(size);
        }
        bool rank = cutsRank(settings, row);
        bool share = cutsShare(settings);
        // SAFETY: 1,024 counts and weights of at most 2^30.
        unchecked {
            for (uint256 offset = 0; offset < size; offset += 4) {
                int256 logit;
                assembly ("memory-safe") {
                    logit := sar(224, calldataload(add(logits.offset, offset)))
                }
                uint256 id = first + offset / 4;
                if (rank) {
                    if (!isUpTo(logit, id, row.rankCut)) continue;
                    ++sums.rankCount;
                }
                if (!share) continue;
                uint64 power = uint64(weight(powers, row.top.logit, logit, settings.tau));
                sums.rankSum += power;
                if (isUpTo(logit, id, row.shareCut)) sums.shareSum += power;
            }
        }
    }

    /// @notice True if the sums make the cuts of the row the right ones.
    function cutsAreRight(
        uint256 powers,
        Settings calldata settings,
        Row calldata row,
        Sums calldata total
    ) internal pure returns (bool) {
        bool rank = cutsRank(settings, row);
        if (rank && total.rankCount != settings.topK) return false;
        if (!cutsShare(settings)) return true;
        // The share cut lies within the rank cut, its sum is the first to reach the share.
        if (rank && !isUpTo(row.shareCut.logit, row.shareCut.id, row.rankCut)) return false;
        uint256 last = weight(powers, row.top.logit, row.shareCut.logit, settings.tau);
        uint256 share = uint256(settings.topP) * total.rankSum;
        uint256 sum = total.shareSum;
        return last <= sum && sum << 30 >= share && (sum - last) << 30 < share;
    }

    /// @notice 7.3 to 7.5 True if the token may be chosen.
    function isKept(
        uint256 powers,
        Settings calldata settings,
        Row calldata row,
        Token calldata token
    ) internal pure returns (bool) {
        if (settings.tau == 0) return true;
        if (cutsRank(settings, row) && !isUpTo(token.logit, token.id, row.rankCut)) return false;
        if (cutsShare(settings) && !isUpTo(token.logit, token.id, row.shareCut)) return false;
        uint256 least = settings.minP;
        if (least > Arithmetic.ONE_Q30) least = Arithmetic.ONE_Q30;
        return weight(powers, row.top.logit, token.logit, settings.tau) >= least;
    }

    /// @notice 7.1, 7.7 True if `a` is chosen rather than `b`, both being kept.
    function isBetter(
        uint256 tau,
        bytes32 seed,
        uint256 position,
        Token calldata a,
        Token calldata b
    ) internal pure returns (bool) {
        int256 first = a.logit;
        int256 second = b.logit;
        if (tau != 0) {
            first = scaled(first, tau) - int256(noise(seed, position, a.id));
            second = scaled(second, tau) - int256(noise(seed, position, b.id));
        }
        return first > second || (first == second && a.id < b.id);
    }

    /// @notice 7.6 The noise of a token, Q16.
    function noise(bytes32 seed, uint256 position, uint256 id) internal pure returns (uint256) {
        uint256 u = wordOf(seed, position, id) | 1;
        uint256 depth = (1 << 29) - Arithmetic.log2b(u);
        return Arithmetic.log2b(depth == 0 ? 1 : depth) >> 8;
    }

    /// @notice Word id mod 16 of ChaCha8 block (key `seed`, counter id / 16, nonce `position`, 0, 0), RFC 8439 layout.
    /// @dev A row of the state is one word of four 64-bit lanes, so that a round is four columns at once, and turning
    /// the rows by lanes makes its columns the diagonals.
    function wordOf(bytes32 seed, uint256 position, uint256 id) internal pure returns (uint256) {
        uint256[4] memory state;
        state[0] = CONSTANTS;
        state[1] = keyRow(uint256(seed) >> 128);
        state[2] = keyRow(uint256(seed) & type(uint128).max);
        state[3] = (id >> 4) | (position << 64);
        uint256 row = (id & 15) >> 2;
        uint256 before = state[row];
        for (uint256 i = 0; i < DOUBLE_ROUNDS; ++i) {
            quarterRounds(state);
            turnRows(state, 64);
            quarterRounds(state);
            turnRows(state, 192);
        }
        uint256 lane = 64 * (id & 3);
        return ((state[row] >> lane) + (before >> lane)) & 0xffffffff;
    }

    /// @dev 16 bytes as four little-endian words, the first in the lowest lane.
    function keyRow(uint256 key) private pure returns (uint256 row) {
        // SAFETY: shifts of constants and of i < 4.
        unchecked {
            for (uint256 i = 0; i < 4; ++i) {
                uint256 word = (key >> (96 - 32 * i)) & 0xffffffff;
                word = ((word & 0xff00ff) << 8) | ((word >> 8) & 0xff00ff);
                word = ((word & 0xffff) << 16) | (word >> 16);
                row |= word << (64 * i);
            }
        }
    }

    /// @dev Rows 1, 2 and 3 turned by one, two and three times `bits` towards the lowest lane.
    function turnRows(uint256[4] memory state, uint256 bits) private pure {
        assembly ("memory-safe") {
            let b := mload(add(state, 32))
            mstore(add(state, 32), or(shr(bits, b), shl(sub(256, bits), b)))
            let c := mload(add(state, 64))
            mstore(add(state, 64), or(shr(128, c), shl(128, c)))
            let d := mload(add(state, 96))
            mstore(add(state, 96), or(shr(sub(256, bits), d), shl(bits, d)))
        }
    }

    /// @dev Four quarter rounds side by side; each lane holds 32 bits, its upper half takes carries and shifts.
    function quarterRounds(uint256[4] memory state) private pure {
        assembly ("memory-safe") {
            let a := mload(state)
            let b := mload(add(state, 32))
            let c := mload(add(state, 64))
            let d := mload(add(state, 96))
            a := and(add(a, b), LANES)
            d := xor(d, a)
            d := and(or(shl(16, d), shr(16, d)), LANES)
            c := and(add(c, d), LANES)
            b := xor(b, c)
            b := and(or(shl(12, b), shr(20, b)), LANES)
            a := and(add(a, b), LANES)
            d := xor(d, a)
            d := and(or(shl(8, d), shr(24, d)), LANES)
            c := and(add(c, d), LANES)
            b := xor(b, c)
            b := and(or(shl(7, b), shr(25, b)), LANES)
            mstore(state, a)
            mstore(add(state, 32), b)
            mstore(add(state, 64), c)
            mstore(add(state, 96), d)
        }
    }
}
