// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {LocalChain} from "../protocol/LocalChain.sol";
import {Payments} from "../protocol/Payments.sol";
import {IStake} from "../settlement/IStake.sol";
import {IAudits} from "./IAudits.sol";

/// @title Seats of verifiers
/// @notice The half of {IAudits} that holds bonds: who is in which seat, who was in it at some block, and what a seat
/// loses. It does not know what seats are drawn for.
///
/// Seats that can be drawn stand in slots 0, 1, .. without a gap, and every slot remembers which seat it held since
/// which block. A seat that is given up is replaced by the last one, so nobody can thin the draw with empty seats; and
/// a draw asks for the block of its epoch, so nothing that happens later shifts it.
abstract contract Seats is IAudits {
    using Payments for address;

    /// @dev | 0..48 fromBlock | 48..80 value |
    struct Checkpoint {
        uint48 fromBlock;
        uint32 value;
    }

    /// @dev Far more than verifiers of a network; a slot is an index below it.
    uint32 private constant SEATS_MAX = 1 << 20;
    /// @dev Silences without a report between them after which a seat is given up for its holder. Enough that nobody is
    /// thrown out for a night offline, few enough that dead seats are not drawn for long.
    uint8 private constant ABSENCES_MAX = 8;
    /// @dev Where burned money goes: nobody has the key of this address.
    address internal constant BURNED = 0x000000000000000000000000000000000000dEaD;
    /// @dev No term is longer.
    uint32 private constant SECONDS_MAX = 90 days;
    /// @dev A public chain must leave time for a machine to be restarted; a local one may go faster.
    uint32 private constant PHASE_MIN = 1 hours;
    /// @dev Two clocks of 25 hours, the least that a court has there, and most of a day for the first move.
    uint32 private constant DISPUTE_MIN = 3 days;
    uint8 private constant PLACES_MAX = 16;
    uint16 private constant SHARE_ONE = 10_000;

    IStake internal immutable STAKE;
    address internal immutable TOKEN;
    uint96 internal immutable BOND;
    uint96 internal immutable ABSENCE_PENALTY;
    uint32 internal immutable RATE;
    uint8 internal immutable PLACES;
    uint16 internal immutable FEE_SHARE;
    uint96 internal immutable FEE_MIN;
    uint32 internal immutable DRAW_TIME;
    uint32 internal immutable COMMIT_TIME;
    uint32 internal immutable REVEAL_TIME;
    uint32 internal immutable DISPUTE_TIME;

    // STORAGE

    mapping(uint32 seat => Seat) public seats;
    /// @inheritdoc IAudits
    uint32 public seatCount;
    uint32 private _seatLast;
    Checkpoint[] private _counts;
    mapping(uint32 slot => Checkpoint[]) private _slots;

    // INVARIANT: token held = Σ bonds of seats.
    // INVARIANT: slots 0 .. seatCount - 1 hold exactly the seats that nobody has left, each once.

    constructor(IStake stake, Terms memory terms_) {
        if (address(stake) == address(0)) revert ZeroAddress();
        bool local = LocalChain.isLocal();
        _requireTimes(terms_, local ? 1 : PHASE_MIN, local ? 1 : DISPUTE_MIN);
        if (terms_.rate == 0 || terms_.places == 0 || terms_.places > PLACES_MAX) {
            revert TermsOutOfRange();
        }
        if (terms_.bond == 0 || terms_.absencePenalty > terms_.bond) revert TermsOutOfRange();
        if (terms_.feeShare > SHARE_ONE) revert TermsOutOfRange();
        (STAKE, TOKEN) = (stake, stake.TOKEN());
        (BOND, ABSENCE_PENALTY) = (terms_.bond, terms_.absencePenalty);
        (RATE, PLACES) = (terms_.rate, terms_.places);
        (FEE_SHARE, FEE_MIN) = (terms_.feeShare, terms_.feeMin);
        (DRAW_TIME, COMMIT_TIME) = (terms_.drawTime, terms_.commitTime);
        (REVEAL_TIME, DISPUTE_TIME) = (terms_.revealTime, terms_.disputeTime);
    }

    /// @inheritdoc IAudits
    function take(uint32 count) external returns (uint32[] memory taken) {
        uint32 slot = seatCount;
        if (count > SEATS_MAX - slot) revert SeatsFull(SEATS_MAX);
        taken = new uint32[](count);
        uint32 seat = _seatLast;
        for (uint256 i = 0; i < count; ++i) {
            seats[++seat] = Seat(msg.sender, uint48(block.number), 0, BOND, 0, slot, 0);
            _write(_slots[slot++], seat);
            taken[i] = seat;
            emit SeatTaken(seat, msg.sender);
        }
        (_seatLast, seatCount) = (seat, slot);
        _write(_counts, slot);
        TOKEN.pull(msg.sender, uint256(BOND) * count);
    }

    /// @inheritdoc IAudits
    function giveUp(uint32 seat) external {
        _requireHolder(seat);
        if (seats[seat].leftBlock != 0) revert SeatLeavingAlready(seat);
        _vacate(seat);
    }

    /// @inheritdoc IAudits
    function withdraw(uint32 seat) external {
        _requireHolder(seat);
        Seat memory left = seats[seat];
        if (left.leftBlock == 0) revert SeatNotLeaving(seat);
        if (block.timestamp < left.readyAt) revert SeatNotReady(seat, left.readyAt);
        delete seats[seat];
        emit SeatLeft(seat, msg.sender, left.bond);
        if (left.bond != 0) TOKEN.push(msg.sender, left.bond);
    }

    /// @inheritdoc IAudits
    function terms() external view returns (Terms memory) {
        return Terms({
            rate: RATE,
            places: PLACES,
            feeShare: FEE_SHARE,
            feeMin: FEE_MIN,
            bond: BOND,
            absencePenalty: ABSENCE_PENALTY,
            drawTime: DRAW_TIME,
            commitTime: COMMIT_TIME,
            revealTime: REVEAL_TIME,
            disputeTime: DISPUTE_TIME
        });
    }

    /// @inheritdoc IAudits
    function seatAt(uint32 slot, uint64 blockNumber) public view returns (uint32 seat) {
        return _before(_slots[slot], blockNumber);
    }

    // INSIDE

    /// @dev Slots that there were before a block.
    function _countAt(uint64 blockNumber) internal view returns (uint32) {
        return _before(_counts, blockNumber);
    }

    /// @dev The whole bond of a seat is lost. Nothing happens to a seat whose bond is back or lost already.
    function _forfeit(uint32 seat) internal returns (uint96 lost) {
        Seat memory held = seats[seat];
        if (held.holder == address(0)) return 0;
        if (held.leftBlock == 0) _clear(held.slot);
        delete seats[seat];
        emit SeatLeft(seat, held.holder, 0);
        return held.bond;
    }

    /// @dev A seat kept silent where the provider was charged `charged`: it loses as much, so that harming a seat costs
    /// a provider what it costs the seat.
    function _miss(uint32 seat, uint96 charged) internal returns (uint96 lost) {
        Seat storage held = seats[seat];
        if (held.holder == address(0) || charged == 0) return 0;
        lost = charged < ABSENCE_PENALTY ? charged : ABSENCE_PENALTY;
        uint96 bond = held.bond;
        if (lost > bond) lost = bond;
        held.bond = bond - lost;
        if (held.absences < ABSENCES_MAX) held.absences += 1;
        bool spent = bond - lost < BOND / 2;
        if ((held.absences == ABSENCES_MAX || spent) && held.leftBlock == 0) _vacate(seat);
    }

    /// @dev A seat has reported.
    function _attend(uint32 seat) internal {
        if (seats[seat].absences != 0) seats[seat].absences = 0;
    }

    function _requireHolder(uint32 seat) private view {
        if (seats[seat].holder != msg.sender) revert CallerNotHolder(msg.sender, seat);
    }

    /// @dev What was posted before now can be drawn, reported, shown and disputed until then; one commitTime more is
    /// for whoever settles.
    function _vacate(uint32 seat) private {
        Seat storage held = seats[seat];
        uint64 readyAt = uint64(block.timestamp) + DRAW_TIME + 2 * uint64(COMMIT_TIME) + REVEAL_TIME
            + DISPUTE_TIME;
        (held.leftBlock, held.readyAt) = (uint48(block.number), readyAt);
        _clear(held.slot);
        emit SeatLeaving(seat, held.holder, readyAt);
    }

    /// @dev The last seat moves into a slot that became empty.
    function _clear(uint32 slot) private {
        uint32 last = --seatCount;
        if (slot != last) {
            Checkpoint[] storage history = _slots[last];
            uint32 moved = history[history.length - 1].value;
            seats[moved].slot = slot;
            _write(_slots[slot], moved);
        }
        _write(_counts, last);
    }

    function _write(Checkpoint[] storage history, uint32 value) private {
        uint256 length = history.length;
        if (length != 0 && history[length - 1].fromBlock == block.number) {
            history[length - 1].value = value;
        } else {
            history.push(Checkpoint(uint48(block.number), value));
        }
    }

    /// @dev What was written last in a block before this one; zero if nothing was.
    function _before(Checkpoint[] storage history, uint64 blockNumber)
        private
        view
        returns (uint32)
    {
        uint256 low = 0;
        uint256 high = history.length;
        while (low < high) {
            uint256 middle = (low + high) / 2;
            if (history[middle].fromBlock < blockNumber) low = middle + 1;
            else high = middle;
        }
        return low == 0 ? 0 : history[low - 1].value;
    }

    function _requireTimes(Terms memory terms_, uint32 phaseMin, uint32 disputeMin) private pure {
        _requireTime(terms_.drawTime, phaseMin);
        _requireTime(terms_.commitTime, phaseMin);
        _requireTime(terms_.revealTime, phaseMin);
        _requireTime(terms_.disputeTime, disputeMin);
    }

    function _requireTime(uint32 time, uint32 least) private pure {
        if (time < least || time > SECONDS_MAX) revert TermsOutOfRange();
    }
}
