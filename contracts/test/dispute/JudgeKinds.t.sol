// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Kinds} from "../../dispute/Kinds.sol";
import {Test} from "../base/Test.sol";
import {CourtVm} from "./CourtVm.sol";

/// @notice The numbers of {Kinds} are those that TypeScript reads from vectors/court/kinds.json.
contract JudgeKindsTest is Test {
    string private json;
    uint256 private compared;

    function same(string memory name, uint8 kind) private {
        assertEq(vm.parseJsonUint(json, string.concat(".", name)), kind);
        ++compared;
    }

    function test_kinds() public {
        json = vm.readFile("../vectors/court/kinds.json");
        same("leafForm", Kinds.LEAF_FORM);
        same("rowCount", Kinds.ROW_COUNT);
        same("positionCount", Kinds.POSITION_COUNT);
        same("traceCount", Kinds.TRACE_COUNT);
        same("salt", Kinds.SALT);
        same("outputCount", Kinds.OUTPUT_COUNT);
        same("price", Kinds.PRICE);
        same("finish", Kinds.FINISH);
        same("stopMissing", Kinds.STOP_MISSING);
        same("stopPassed", Kinds.STOP_PASSED);
        same("outputLeaves", Kinds.OUTPUT_LEAVES);
        same("tokenForm", Kinds.TOKEN_FORM);
        same("embedElement", Kinds.EMBED_ELEMENT);
        same("matmulElement", Kinds.MATMUL_ELEMENT);
        same("matmulSum", Kinds.MATMUL_SUM);
        same("matmulPartial", Kinds.MATMUL_PARTIAL);
        same("scoreElement", Kinds.SCORE_ELEMENT);
        same("mixElement", Kinds.MIX_ELEMENT);
        same("mixPartial", Kinds.MIX_PARTIAL);
        same("tile", Kinds.TILE);
        same("biasElement", Kinds.BIAS_ELEMENT);
        same("ropeElement", Kinds.ROPE_ELEMENT);
        same("splitElement", Kinds.SPLIT_ELEMENT);
        same("swiGluElement", Kinds.SWI_GLU_ELEMENT);
        same("residualElement", Kinds.RESIDUAL_ELEMENT);
        same("logitElement", Kinds.LOGIT_ELEMENT);
        same("joinElement", Kinds.JOIN_ELEMENT);
        same("joinTop", Kinds.JOIN_TOP);
        same("normElement", Kinds.NORM_ELEMENT);
        same("normShift", Kinds.NORM_SHIFT);
        same("normPartial", Kinds.NORM_PARTIAL);
        same("softmaxElement", Kinds.SOFTMAX_ELEMENT);
        same("softmaxLargest", Kinds.SOFTMAX_LARGEST);
        same("softmaxTop", Kinds.SOFTMAX_TOP);
        same("softmaxPartial", Kinds.SOFTMAX_PARTIAL);
        same("headNormElement", Kinds.HEAD_NORM_ELEMENT);
        same("logitsTop", Kinds.LOGITS_TOP);
        same("samplePartial", Kinds.SAMPLE_PARTIAL);
        same("sampleTotal", Kinds.SAMPLE_TOTAL);
        same("sampleCuts", Kinds.SAMPLE_CUTS);
        same("cutValue", Kinds.CUT_VALUE);
        same("token", Kinds.TOKEN);
        // Besides the kinds: spec and source.
        assertEq(CourtVm(address(vm)).parseJsonKeys(json, "$").length, compared + 2);
    }
}
