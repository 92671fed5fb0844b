// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IAudits} from "../../dispute/IAudits.sol";
import {AuditBase} from "./AuditBase.sol";

/// @notice Answers like the history contract of EIP-2935.
contract History {
    fallback() external {
        uint256 number = abi.decode(msg.data, (uint256));
        bytes32 hash = keccak256(abi.encode("history", number));
        assembly {
            mstore(0, hash)
            return(0, 32)
        }
    }
}

contract AuditDrawTest is AuditBase {
    address private constant HISTORY = 0x0000F90827F1C53a10cb7A02335B175320002935;
    bytes32 private constant HASH = keccak256("a block");

    function test_draw() external {
        seatAll();
        post();
        uint256 postedBlock = auditVm.getBlockNumber();
        courtVm.roll(postedBlock + 3);
        auditVm.setBlockhash(postedBlock + 2, HASH);
        vm.warp(START + 30);
        IAudits.Draw memory drawn = IAudits.Draw({
            beacon: keccak256(abi.encode(HASH, provider, epoch)),
            count: 2,
            postedBlock: uint64(postedBlock),
            drawnAt: uint64(START + 30),
            seatCount: 3
        });
        vm.expectEmit(address(registry));
        emit IAudits.EpochDrawn(provider, epoch, drawn);
        vm.prank(stranger);
        registry.draw(provider, epoch);
        assertEq(
            keccak256(abi.encode(registry.draws(provider, epoch))), keccak256(abi.encode(drawn))
        );
    }

    function test_draw_unknownEpoch_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(IAudits.EpochUnknown.selector, provider, 7));
        registry.draw(provider, 7);
    }

    /// @dev Nobody draws before the block that decides is sealed, so nobody can choose a better moment.
    function test_draw_beforeTheBeacon_reverts() external {
        seatAll();
        post();
        uint256 postedBlock = auditVm.getBlockNumber();
        for (uint256 blocks = 0; blocks <= 2; ++blocks) {
            courtVm.roll(postedBlock + blocks);
            vm.expectRevert(
                abi.encodeWithSelector(IAudits.BeaconNotReady.selector, postedBlock + 2)
            );
            registry.draw(provider, epoch);
        }
        courtVm.roll(postedBlock + 3);
        registry.draw(provider, epoch);
    }

    function test_draw_twice_reverts() external {
        seatAll();
        post();
        drawWith(HASH);
        nextBlock();
        vm.expectRevert(abi.encodeWithSelector(IAudits.AlreadyDrawn.selector, provider, epoch));
        registry.draw(provider, epoch);
    }

    function test_draw_afterDrawTime_reverts() external {
        seatAll();
        post();
        courtVm.roll(auditVm.getBlockNumber() + 3);
        vm.warp(START + DRAW_TIME + 1);
        vm.expectRevert(abi.encodeWithSelector(IAudits.DrawClosed.selector, provider, epoch));
        registry.draw(provider, epoch);
        vm.warp(START + DRAW_TIME);
        registry.draw(provider, epoch);
    }

    /// @dev The chain itself knows 256 blocks; its history contract knows more.
    function test_draw_whenTheBlockIsForgotten() external {
        seatAll();
        post();
        uint256 beaconBlock = auditVm.getBlockNumber() + 2;
        vm.etch(HISTORY, "");
        courtVm.roll(beaconBlock + 257);
        vm.expectRevert(abi.encodeWithSelector(IAudits.DrawClosed.selector, provider, epoch));
        registry.draw(provider, epoch);
        vm.etch(HISTORY, address(new History()).code);
        registry.draw(provider, epoch);
        bytes32 blockHash = keccak256(abi.encode("history", beaconBlock));
        assertEq(
            registry.draws(provider, epoch).beacon,
            keccak256(abi.encode(blockHash, provider, epoch))
        );
    }

    function test_draw_withoutSeats_auditsNothing() external {
        post();
        drawWith(HASH);
        assertTrue(!registry.isAudited(provider, epoch, 0), "nobody is there to audit");
        vm.expectRevert(
            abi.encodeWithSelector(IAudits.PlaceNotDrawn.selector, provider, epoch, 0, 0)
        );
        registry.holderOf(placeOf(0, 0));
    }

    function test_isAudited_notDrawn_reverts() external {
        seatAll();
        post();
        vm.expectRevert(abi.encodeWithSelector(IAudits.NotDrawn.selector, provider, epoch));
        registry.isAudited(provider, epoch, 0);
    }

    function test_isAudited_beyondTheEpoch() external {
        seatAll();
        post();
        drawWith(HASH);
        assertTrue(!registry.isAudited(provider, epoch, 2), "the epoch has two receipts");
    }

    /// @dev The rule as TypeScript has it.
    function testFuzz_isAudited(bytes32 blockHash, uint32 rate) external {
        // No block has hash zero.
        vm.assume(blockHash != 0);
        IAudits.Terms memory terms = terms_();
        terms.rate = uint32(bound(rate, 1, type(uint32).max));
        registry = deployAudits(terms);
        seatAll();
        post();
        drawWith(blockHash);
        bytes32 beacon = registry.draws(provider, epoch).beacon;
        for (uint64 index = 0; index < 2; ++index) {
            bool expected = uint256(keccak256(abi.encode(beacon, index))) % (1 << 32) < terms.rate;
            assertTrue(registry.isAudited(provider, epoch, index) == expected, "low 32 bits decide");
        }
    }

    /// @dev Who has more seats is drawn more often: two in three here, over 300 places.
    function test_draw_followsStake() external {
        take(alice, 2);
        take(bob, 1);
        nextBlock();
        uint256 drawnOfAlice;
        for (uint256 round = 0; round < 50; ++round) {
            post();
            drawWith(keccak256(abi.encode(round)));
            for (uint64 index = 0; index < 2; ++index) {
                for (uint8 place = 0; place < PLACES; ++place) {
                    if (holderOf(index, place) == alice) drawnOfAlice += 1;
                }
            }
        }
        assertTrue(drawnOfAlice > 170 && drawnOfAlice < 230, "about 200 of 300");
    }
}
