// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IJudge} from "../../dispute/IJudge.sol";
import {TraceCases} from "./TraceCases.sol";

/// @notice Every kind of fraud about whole traces of small models of three families, which TypeScript computed, cut up
/// and proved: honest proofs acquit, proofs of one changed leaf convict.
contract JudgeVectorsTest is TraceCases {
    /// @dev Runtime code that chains accept (EIP-170).
    uint256 private constant CODE_MAX = 24_576;

    function judge(uint256 group, uint256 proofsMin) private view {
        IJudge.Case memory facts = caseOf(group);
        Vector[] memory all = vectorsOf(group);
        assertTrue(all.length >= proofsMin, "proofs");
        for (uint256 i = 0; i < all.length; ++i) {
            Vector memory vector = all[i];
            (facts.traceRoot, facts.outputRoot) = (vector.traceRoot, vector.outputRoot);
            uint8 kind = uint8(vector.number);
            bool guilty = judgeOf(kind).isGuilty(facts, kind, vector.proof);
            assertTrue(guilty == vector.guilty, string.concat(vector.kind, " of ", vector.op));
        }
    }

    function test_llama() public view {
        judge(0, 80);
    }

    function test_qwen2() public view {
        judge(1, 4);
    }

    function test_qwen3() public view {
        judge(2, 4);
    }

    function test_codeSize() public view {
        assertTrue(address(formJudge).code.length <= CODE_MAX, "FormJudge");
        assertTrue(address(linearJudge).code.length <= CODE_MAX, "LinearJudge");
        assertTrue(address(mapJudge).code.length <= CODE_MAX, "MapJudge");
        assertTrue(address(rowJudge).code.length <= CODE_MAX, "RowJudge");
        assertTrue(address(samplingJudge).code.length <= CODE_MAX, "SamplingJudge");
    }
}
