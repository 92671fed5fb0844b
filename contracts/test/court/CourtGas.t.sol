// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Descent} from "../../dispute/Descent.sol";
import {ICourt} from "../../dispute/ICourt.sol";
import {CourtBase} from "./CourtBase.sol";

/// @notice What the moves of a dispute cost, committed in snapshots/dispute-gas.json: whole transactions, that is
/// 21,000, the calldata at 16 gas per byte that is not zero (and under the floor of EIP-7623), and the execution.
contract CourtMovesGasTest is CourtBase {
    string private constant GROUP = "dispute-gas";
    uint256 private constant TRANSACTION = 21_000;

    uint256 private total;

    /// @dev Takes the gas of the last call and adds what its calldata costs.
    function measure(string memory name, bytes memory call) private returns (uint256 transaction) {
        courtVm.snapshotValue(GROUP, string.concat(name, ": execution"), executionOfMove);
        uint256 tokens;
        for (uint256 i = 0; i < call.length; ++i) {
            tokens += call[i] == 0 ? 1 : 4;
        }
        transaction = TRANSACTION + 4 * tokens + executionOfMove;
        uint256 floor = TRANSACTION + 10 * tokens;
        courtVm.snapshotValue(GROUP, string.concat(name, ": transaction"), transaction);
        courtVm.snapshotValue(
            GROUP,
            string.concat(name, ": transaction, EIP-7623"),
            transaction > floor ? transaction : floor
        );
        total += transaction;
    }

    function testMoves() external {
        ICourt.Claim memory claim = claimOf(job(1));
        ICourt.Dispute memory dispute = opened(claim);
        uint256 cost = measure("open", abi.encode(claim));
        assertTrue(cost <= 70_000, "opening a challenge");
        Descent.Reveal memory shown = measureAnswer(dispute);
        for (uint256 round = 1; dispute.phase != ICourt.Phase.Showing; ++round) {
            measureChoice(dispute, shown, vm.toString(round));
            if (dispute.phase == ICourt.Phase.Revealing) {
                shown = measureReveal(dispute, vm.toString(round));
            }
        }
        courtVm.snapshotValue(GROUP, "forced dispute up to the leaf", total);
    }

    function measureAnswer(ICourt.Dispute memory dispute)
        private
        returns (Descent.Reveal memory shown)
    {
        bytes memory before = abi.encode(dispute);
        shown = shows(dispute, 5, 3);
        bytes memory call = bytes.concat(before, abi.encode(dispute.traceRoot, shown));
        measure("answer", call);
    }

    function measureReveal(ICourt.Dispute memory dispute, string memory round)
        private
        returns (Descent.Reveal memory shown)
    {
        bytes memory before = abi.encode(dispute);
        shown = shows(dispute, 5, 3);
        measure(string.concat("reveal ", round), bytes.concat(before, abi.encode(shown)));
    }

    function measureChoice(
        ICourt.Dispute memory dispute,
        Descent.Reveal memory shown,
        string memory round
    ) private {
        bytes memory before = abi.encode(dispute);
        uint256 goal = dispute.place.tree == 0 ? 5 : dispute.place.tree == 1 ? 3 : 8;
        chooses(dispute, shown.children, trees.childTowards(dispute.place, goal));
        measure(string.concat("choose ", round), bytes.concat(before, abi.encode(shown.children)));
    }

    function testConviction() external {
        ICourt.Claim memory claim = claimOf(job(1));
        ICourt.Trace memory trace = traceOf(claim, keccak256("root"));
        // A court that has convicted before holds some token already; its first one pays 17,100 more.
        dollar.mint(address(court), 1);
        vm.prank(challenger);
        court.convict(claim, trace, model, guilty(), 0);
        noteExecution();
        bytes memory call = bytes.concat(abi.encode(claim), abi.encode(trace), abi.encode(model));
        measure(
            "conviction without the judge", bytes.concat(call, abi.encode(guilty(), uint256(0)))
        );
    }
}
