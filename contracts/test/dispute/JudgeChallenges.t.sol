// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IJudge} from "../../dispute/IJudge.sol";
import {TraceCases} from "./TraceCases.sol";

/// @notice Whatever is sent to the judges about an honest trace convicts nobody, and every proved lie convicts. The
/// short lane sends the proofs of the vectors, each also as one of every other kind; the long lane
/// (tools/src/run-challenges.ts) sends 10,000 random challenges.
contract JudgeChallengesTest is TraceCases {
    uint256 private constant KINDS = 0x50;

    function convicts(IJudge.Case memory facts, uint256 kind, bytes memory proof)
        private
        view
        returns (bool)
    {
        bytes memory call = abi.encodeCall(IJudge.isGuilty, (facts, uint8(kind), proof));
        (bool success, bytes memory answer) = address(judgeOf(uint8(kind))).staticcall(call);
        return success && abi.decode(answer, (bool));
    }

    function test_challenges() public view {
        uint256 groups = groupCount();
        uint256 challenges = 0;
        for (uint256 group = 0; group < groups; ++group) {
            IJudge.Case memory facts = caseOf(group);
            Vector[] memory all = vectorsOf(group);
            challenges += all.length;
            for (uint256 i = 0; i < all.length; ++i) {
                Vector memory vector = all[i];
                (facts.traceRoot, facts.outputRoot) = (vector.traceRoot, vector.outputRoot);
                bool convicted = convicts(facts, vector.number, vector.proof);
                assertTrue(convicted == vector.guilty, string.concat(vector.kind, vector.op));
            }
        }
        assertTrue(challenges >= 80, "challenges");
    }

    /// @notice True openings of an honest trace, sent as a proof of any other kind.
    function test_otherKinds() public view {
        for (uint256 group = 0; group < 3; ++group) {
            IJudge.Case memory facts = caseOf(group);
            bytes32 honest = facts.traceRoot;
            Vector[] memory all = vectorsOf(group);
            for (uint256 i = 0; i < all.length; ++i) {
                if (all[i].guilty || all[i].traceRoot != honest) continue;
                facts.outputRoot = all[i].outputRoot;
                for (uint256 kind = 0; kind < KINDS; ++kind) {
                    assertTrue(!convicts(facts, kind, all[i].proof), vm.toString(kind));
                }
            }
        }
    }
}
