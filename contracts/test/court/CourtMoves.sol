// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Descent} from "../../dispute/Descent.sol";
import {ICourt} from "../../dispute/ICourt.sol";
import {TraceTrees} from "./TraceTrees.sol";

/// @notice The right move of each phase, and what it does to the state of a dispute by the words of {ICourt}.
contract CourtMoves {
    /// @notice Where a walk is to go. `leaf` picks among what is shown of the last tree.
    struct Goal {
        uint256 position;
        uint256 row;
        uint256 leaf;
    }

    TraceTrees private immutable TREES;

    constructor(TraceTrees trees) {
        TREES = trees;
    }

    function moveOf(ICourt.Dispute memory dispute, Goal memory goal)
        external
        view
        returns (bytes memory)
    {
        ICourt.Phase phase = dispute.phase;
        if (phase == ICourt.Phase.Answering) {
            bytes32 root = TREES.root(goal.position, goal.row);
            return
                abi.encodeCall(ICourt.answer, (dispute, root, shownAt(Descent.begin(root), goal)));
        }
        if (phase == ICourt.Phase.Revealing) {
            return abi.encodeCall(ICourt.reveal, (dispute, shownAt(dispute.place, goal)));
        }
        if (phase == ICourt.Phase.Choosing) {
            bytes32[] memory children = shownAt(dispute.place, goal).children;
            uint256 child = childOf(dispute.place, goal, children.length);
            return abi.encodeCall(ICourt.choose, (dispute, children, child));
        }
        if (phase == ICourt.Phase.Showing) {
            bytes memory data = TREES.leafData(goal.position, goal.row, dispute.place.index);
            return abi.encodeCall(ICourt.show, (dispute, data));
        }
        return abi.encodeCall(ICourt.again, (dispute));
    }

    function next(ICourt.Dispute memory dispute, Goal memory goal)
        external
        view
        returns (ICourt.Dispute memory)
    {
        ICourt.Phase phase = dispute.phase;
        useTime(dispute);
        if (phase == ICourt.Phase.Answering) {
            dispute.traceRoot = TREES.root(goal.position, goal.row);
            dispute.place = Descent.begin(dispute.traceRoot);
        }
        if (phase == ICourt.Phase.Answering || phase == ICourt.Phase.Revealing) {
            showed(dispute, goal);
        } else if (phase == ICourt.Phase.Choosing) {
            chose(dispute, goal);
        } else if (phase == ICourt.Phase.Showing) {
            dispute.phase = ICourt.Phase.Proving;
        } else {
            dispute.walks -= 1;
            dispute.place = Descent.begin(dispute.traceRoot);
            dispute.phase = ICourt.Phase.Revealing;
        }
        return dispute;
    }

    function useTime(ICourt.Dispute memory dispute) private view {
        uint32 used = uint32(block.timestamp - dispute.movedAt);
        bool challengers =
            dispute.phase == ICourt.Phase.Choosing || dispute.phase == ICourt.Phase.Proving;
        if (challengers) dispute.challengerTime -= used;
        else dispute.providerTime -= used;
        dispute.movedAt = uint64(block.timestamp);
    }

    function showed(ICourt.Dispute memory dispute, Goal memory goal) private view {
        Descent.Reveal memory shown = shownAt(dispute.place, goal);
        dispute.place = TREES.openedPlace(dispute.place, shown);
        dispute.children = keccak256(abi.encodePacked(shown.children));
        dispute.phase = ICourt.Phase.Choosing;
    }

    function chose(ICourt.Dispute memory dispute, Goal memory goal) private view {
        bytes32[] memory children = shownAt(dispute.place, goal).children;
        uint256 child = childOf(dispute.place, goal, children.length);
        bool isLeaf;
        (dispute.place, isLeaf) = TREES.chosenPlace(dispute.place, children, child);
        dispute.children = 0;
        dispute.phase = isLeaf ? ICourt.Phase.Showing : ICourt.Phase.Revealing;
    }

    function shownAt(Descent.Place memory place, Goal memory goal)
        private
        view
        returns (Descent.Reveal memory)
    {
        return TREES.reveal(place, goal.position, goal.row);
    }

    function childOf(Descent.Place memory place, Goal memory goal, uint256 count)
        private
        view
        returns (uint256)
    {
        if (place.tree == 2) return goal.leaf % count;
        return TREES.childTowards(place, place.tree == 0 ? goal.position : goal.row);
    }
}
