// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IAudits} from "../../dispute/IAudits.sol";
import {AuditBase} from "../audit/AuditBase.sol";

/// @notice Plays audits at random: alice is honest and on time; bob says anything, or nothing; carol comes and goes.
/// The provider is honest, silent, or lies and is sometimes convicted. Keeps the books that the invariants compare.
contract AuditActor is AuditBase {
    uint256 public bondsIn;
    uint256 public returned;
    uint256 public feesPaid;
    uint256 public feesBurned;
    uint256 public stakeIn;
    uint256 public slashed;

    /// @dev Audits that are not settled to the end.
    struct Pending {
        IAudits.Posted posted;
        uint256 drawnAt;
    }

    Pending[] private _pending;
    uint32[] public aliceSeats;
    uint32[] public allSeats;
    uint256 public settledTwice;

    function begin() external {
        setUp();
        stakeIn = STAKED;
        _take(alice);
        _take(bob);
        _take(carol);
        nextBlock();
    }

    function _take(address holder) private {
        uint32[] memory seats = take(holder, 1);
        bondsIn += SEAT_BOND;
        allSeats.push(seats[0]);
        if (holder == alice) aliceSeats.push(seats[0]);
    }

    // ACTIONS

    /// @dev One whole epoch up to the reveals; `choice` says what bob and the provider do.
    function audit(uint256 choice, bytes32 blockHash) external {
        uint96 staked = stakeOf();
        if (staked < 100e6) {
            dollar.mint(provider, STAKED);
            vm.prank(provider);
            stake.deposit(provider, STAKED);
            stakeIn += STAKED;
        }
        post();
        // No block has hash zero.
        drawWith(blockHash == 0 ? ROOT : blockHash);
        bool lies = choice % 4 == 3;
        bytes32 truth = ROOT;
        for (uint8 place = 0; place < PLACES; ++place) {
            address holder = holderOf(0, place);
            if (holder == address(0)) continue;
            if (holder == alice) {
                commit(place, lies ? IAudits.Finding.Wrong : IAudits.Finding.Right, truth);
            } else if (bobSays(choice, place) != IAudits.Finding.None) {
                commit(place, bobSays(choice, place), bobsRoot(choice));
            }
        }
        toReveals();
        for (uint8 place = 0; place < PLACES; ++place) {
            address holder = holderOf(0, place);
            if (holder == address(0)) continue;
            if (holder == alice) {
                reveal(place, lies ? IAudits.Finding.Wrong : IAudits.Finding.Right, truth);
            } else if (bobSays(choice, place) != IAudits.Finding.None) {
                reveal(place, bobSays(choice, place), bobsRoot(choice));
            }
        }
        if (lies) {
            answer(LIE);
            slashed += stakeOf();
            convictJob();
        } else if (choice % 3 != 0) {
            answer(truth);
        }
        _pending.push(Pending(postedAt(0), drawnAt()));
    }

    function settleOne(uint256 which, bool late) external {
        if (_pending.length == 0) return;
        Pending memory pending = _pending[which % _pending.length];
        uint256 time = pending.drawnAt + COMMIT_TIME + REVEAL_TIME + 1 + (late ? DISPUTE_TIME : 0);
        if (block.timestamp < time) vm.warp(time);
        settlePending(pending);
    }

    function settlePending(Pending memory pending) private {
        uint256 stakeBefore = stakeOf();
        uint256 paidBefore =
            dollar.balanceOf(alice) + dollar.balanceOf(bob) + dollar.balanceOf(carol);
        try registry.settle(pending.posted) {}
        catch (bytes memory reason) {
            assertEq(bytes32(reason), bytes32(IAudits.NothingToSettle.selector));
        }
        uint256 paid =
            dollar.balanceOf(alice) + dollar.balanceOf(bob) + dollar.balanceOf(carol) - paidBefore;
        feesPaid += paid;
        feesBurned += stakeBefore - stakeOf() - paid;
        // At once again: nothing is left that could be decided now.
        try registry.settle(pending.posted) {
            settledTwice += 1;
        } catch {}
    }

    function comeAndGo(uint256 choice) external {
        nextBlock();
        if (choice % 3 == 0) _take(choice % 2 == 0 ? carol : bob);
        else leaveAny(allSeats[choice % allSeats.length]);
        nextBlock();
    }

    function withdrawOne(uint256 choice) external {
        uint32 seat = allSeats[choice % allSeats.length];
        (address holder,, uint48 leftBlock, uint96 bond, uint64 readyAt,,) = registry.seats(seat);
        if (holder == address(0) || leftBlock == 0) return;
        if (block.timestamp < readyAt) vm.warp(readyAt);
        vm.prank(holder);
        registry.withdraw(seat);
        returned += bond;
    }

    function leaveAny(uint32 seat) private {
        (address holder,, uint48 leftBlock,,,,) = registry.seats(seat);
        if (holder == address(0) || holder == alice || leftBlock != 0) return;
        vm.prank(holder);
        registry.giveUp(seat);
    }

    function bobSays(uint256 choice, uint8 place) private pure returns (IAudits.Finding) {
        return IAudits.Finding((choice >> (8 + 2 * place)) % 4);
    }

    function bobsRoot(uint256 choice) private pure returns (bytes32) {
        return choice & 0x10000 == 0 ? ROOT : LIE;
    }

    // BOOKS

    function held() external view returns (uint256) {
        return dollar.balanceOf(address(registry));
    }

    function sumOfBonds() external view returns (uint256 sum) {
        for (uint256 i = 0; i < allSeats.length; ++i) {
            sum += bondOf(allSeats[i]);
        }
    }

    function burned() external view returns (uint256) {
        return dollar.balanceOf(BURNED);
    }

    function stakeNow() external view returns (uint256) {
        return stakeOf();
    }

    /// @dev Bonds of alice, who is honest and on time, and never leaves before the end.
    function bondsOfAlice() external view returns (uint256 sum) {
        for (uint256 i = 0; i < aliceSeats.length; ++i) {
            sum += bondOf(aliceSeats[i]);
        }
    }

    function bondOfAll() external view returns (uint256) {
        return SEAT_BOND * aliceSeats.length;
    }

    /// @dev In the end everybody leaves and takes what is left of its bond; nothing stays.
    function empty() external {
        for (uint256 i = 0; i < allSeats.length; ++i) {
            nextBlock();
            (address holder,, uint48 leftBlock,,,,) = registry.seats(allSeats[i]);
            if (holder == address(0) || leftBlock != 0) continue;
            vm.prank(holder);
            registry.giveUp(allSeats[i]);
        }
        vm.warp(auditVm.getBlockTimestamp() + 365 days);
        for (uint256 i = 0; i < allSeats.length; ++i) {
            (address holder,,,,,,) = registry.seats(allSeats[i]);
            if (holder == address(0)) continue;
            vm.prank(holder);
            registry.withdraw(allSeats[i]);
        }
    }
}
