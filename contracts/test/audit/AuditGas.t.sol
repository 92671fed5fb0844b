// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IAudits} from "../../dispute/IAudits.sol";
import {AuditBase} from "./AuditBase.sol";

/// @notice What an audit costs, committed in snapshots/audit-gas.json: whole transactions, that is 21,000, the calldata
/// at 16 gas per byte that is not zero, and the execution with nothing warm.
contract AuditGasTest is AuditBase {
    string private constant GROUP = "audit-gas";
    IAudits.Finding private constant RIGHT = IAudits.Finding.Right;

    function setUp() public override {
        super.setUp();
        seatAll();
        // Everybody has been paid before, so no balance is new.
        dollar.mint(alice, 1);
        dollar.mint(bob, 1);
        dollar.mint(carol, 1);
    }

    function testGas() external {
        post();
        uint256 postedBlock = auditVm.getBlockNumber();
        bytes32 blockHash = hashFor([alice, bob, carol]);
        courtVm.roll(postedBlock + 3);
        auditVm.setBlockhash(postedBlock + 2, blockHash);
        play("draw", stranger, abi.encodeCall(registry.draw, (provider, epoch)));
        bytes32 commitment = commitmentOf(placeOf(0, 0), RIGHT, ROOT, alice);
        play("commit", alice, abi.encodeCall(registry.commit, (placeOf(0, 0), commitment)));
        commit(1, RIGHT, ROOT);
        commit(2, RIGHT, ROOT);
        toReveals();
        play("reveal", alice, abi.encodeCall(registry.reveal, (placeOf(0, 0), RIGHT, ROOT, SALT)));
        reveal(1, RIGHT, ROOT);
        reveal(2, RIGHT, ROOT);
        bytes memory signature = signed(receipts.hashTrace(jobIdAt(0), ROOT));
        play("answer", provider, abi.encodeCall(registry.answer, (postedAt(0), ROOT, signature)));
        toDisputes();
        play("settle, 3 places paid", stranger, abi.encodeCall(registry.settle, (postedAt(0))));
    }

    function testGas_seats() external {
        dollar.mint(alice, 2 * SEAT_BOND);
        play("take a seat", alice, abi.encodeCall(registry.take, (1)));
        nextBlock();
        play("give a seat up", alice, abi.encodeCall(registry.giveUp, (1)));
        vm.warp(START + 90 days);
        play("withdraw a seat", alice, abi.encodeCall(registry.withdraw, (1)));
    }

    function testGas_plant() external {
        address planter = vm.addr(0x91A47);
        play("plant", planter, abi.encodeCall(registry.plant, (ROOT)));
        drawPlanted(planter, LIE);
        toReveals();
        bytes memory data = abi.encodeCall(
            registry.openPlant,
            (
                postedAt(0),
                claimAt(0),
                traceOf(claimAt(0), LIE),
                SALT,
                consentTo(LIE),
                model,
                guilty()
            )
        );
        play("open a plant, without the judge", planter, data);
    }

    function play(string memory name, address sender, bytes memory data) private {
        coolAll();
        vm.prank(sender);
        (bool success,) = address(registry).call(data);
        uint256 execution = courtVm.lastCallGas().gasTotalUsed;
        assertTrue(success, name);
        uint256 tokens;
        for (uint256 i = 0; i < data.length; ++i) {
            tokens += data[i] == 0 ? 1 : 4;
        }
        courtVm.snapshotValue(GROUP, name, 21_000 + 4 * tokens + execution);
    }

    function coolAll() private {
        courtVm.cool(address(registry));
        courtVm.cool(address(receipts));
        courtVm.cool(address(stake));
        courtVm.cool(address(court));
        courtVm.cool(address(dollar));
    }
}
