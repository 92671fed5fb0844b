// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IJudge} from "../../dispute/IJudge.sol";
import {TraceWorld} from "./TraceWorld.sol";

/// @notice The cases and proofs of vectors/court/trace.json.
abstract contract TraceCases is TraceWorld {
    /// @dev Fields in the order of the alphabet, as forge decodes objects.
    struct Vector {
        bool guilty;
        string kind;
        uint256 number;
        string op;
        bytes32 outputRoot;
        bytes proof;
        bytes32 traceRoot;
    }

    /// @dev The long lane (tools/src/run-challenges.ts) puts its own cases into a file of the same shape.
    function fileText() private view returns (string memory) {
        string memory standard = "../vectors/court/trace.json";
        return vm.readFile(courtVm.envOr("ASSAY_CHALLENGES_FILE", standard));
    }

    function groupCount() internal view returns (uint256 count) {
        string memory json = fileText();
        while (vm.keyExistsJson(json, groupAt(count))) ++count;
    }

    function groupAt(uint256 group) private pure returns (string memory) {
        return string.concat(".groups[", vm.toString(group), "]");
    }

    function vectorsOf(uint256 group) internal view returns (Vector[] memory) {
        string memory json = fileText();
        bytes memory decoded = vm.parseJson(json, string.concat(groupAt(group), ".proofs"));
        return abi.decode(decoded, (Vector[]));
    }

    function caseOf(uint256 group) internal view returns (IJudge.Case memory facts) {
        string memory json = fileText();
        string memory key = string.concat(groupAt(group), ".case.");
        facts.traceRoot = word(json, key, "traceRoot");
        facts.traceKeyHash = word(json, key, "traceKeyHash");
        facts.inputRoot = word(json, key, "inputRoot");
        facts.outputRoot = word(json, key, "outputRoot");
        facts.weightsRoot = word(json, key, "weightsRoot");
        facts.graphRoot = word(json, key, "graphRoot");
        facts.tablesRoot = word(json, key, "tablesRoot");
        facts.inputCount = uint32(number(json, key, "inputCount"));
        facts.outputCount = uint32(number(json, key, "outputCount"));
        facts.outputCountMax = uint32(number(json, key, "outputCountMax"));
        facts.finish = uint8(number(json, key, "finish"));
        facts.price = uint128(number(json, key, "price"));
        facts.inputPrice = uint128(number(json, key, "inputPrice"));
        facts.outputPrice = uint128(number(json, key, "outputPrice"));
        readSampler(json, facts, string.concat(key, "sampler."));
    }

    function readSampler(string memory json, IJudge.Case memory facts, string memory key)
        private
        pure
    {
        facts.sampler.tau = uint32(number(json, key, "tau"));
        facts.sampler.topK = uint32(number(json, key, "topK"));
        facts.sampler.topP = uint32(number(json, key, "topP"));
        facts.sampler.minP = uint32(number(json, key, "minP"));
        facts.sampler.seed = word(json, key, "seed");
        facts.sampler.controls = word(json, key, "controls");
        uint256[] memory ids = vm.parseJsonUintArray(json, string.concat(key, "stopIds"));
        facts.sampler.stopIds = new uint32[](ids.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            facts.sampler.stopIds[i] = uint32(ids[i]);
        }
    }

    function word(string memory json, string memory key, string memory name)
        private
        pure
        returns (bytes32)
    {
        return vm.parseJsonBytes32(json, string.concat(key, name));
    }

    function number(string memory json, string memory key, string memory name)
        private
        pure
        returns (uint256)
    {
        return vm.parseJsonUint(json, string.concat(key, name));
    }
}
