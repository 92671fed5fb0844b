// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Arithmetic} from "../../dispute/Arithmetic.sol";
import {Sampler} from "../../dispute/Sampler.sol";
import {TableData} from "../../dispute/TableData.sol";
import {CourtTest} from "./CourtTest.sol";

/// @notice The sampler's checkers against vectors/arithmetic/sampler.json: the noise word by word, and every drawn
/// token against its rivals, with the cuts of top-k and top-p made here by sorting.
contract VectorsSamplerTest is CourtTest {
    /// @dev Rivals of a drawn token, from the largest logit down: 6 draws of 119 cases fit a test's gas.
    uint256 private constant RIVALS = 12;

    string private json;

    function setUp() public override {
        super.setUp();
        json = vm.readFile("../vectors/arithmetic/sampler.json");
    }

    function test_noise() public view {
        uint256 count = 0;
        for (; vm.keyExistsJson(json, path("noise", count, "")); ++count) {
            uint256 id = vm.parseJsonUint(json, path("noise", count, ".token"));
            uint256 position = vm.parseJsonUint(json, path("noise", count, ".position"));
            string memory seed = vm.parseJsonString(json, path("noise", count, ".seed"));
            uint256 noise = Sampler.noise(hexWord(seed), position, id);
            assertEq(noise, vm.parseJsonUint(json, path("noise", count, ".gumbel")));
        }
        assertEq(count, 36);
    }

    function test_tokens() public view {
        uint256 count = 0;
        for (; vm.keyExistsJson(json, path("cases", count, "")); ++count) {
            uint256 free;
            assembly {
                free := mload(0x40)
            }
            assertCase(count);
            assembly {
                mstore(0x40, free)
            }
        }
        assertEq(count, 119);
    }

    function assertCase(uint256 index) private view {
        Sampler.Settings memory settings = Sampler.Settings(
            uint32(vm.parseJsonUint(json, path("cases", index, ".sampler.tau"))),
            uint32(vm.parseJsonUint(json, path("cases", index, ".sampler.topK"))),
            uint32(vm.parseJsonUint(json, path("cases", index, ".sampler.topP"))),
            uint32(vm.parseJsonUint(json, path("cases", index, ".sampler.minP")))
        );
        string memory name = vm.parseJsonString(json, path("cases", index, ".row"));
        int256[] memory logits = readInts(json, string.concat(".rows['", name, "']"));
        uint256[] memory order = sorted(logits);
        Sampler.Row memory row = rowOf(settings, logits, order);
        uint256[] memory tokens = vm.parseJsonUintArray(json, path("cases", index, ".tokens"));
        for (uint256 draw = 0; draw < tokens.length; ++draw) {
            assertToken(settings, row, draw, logits, order, tokens[draw]);
        }
    }

    function assertToken(
        Sampler.Settings memory settings,
        Sampler.Row memory row,
        uint256 draw,
        int256[] memory logits,
        uint256[] memory order,
        uint256 token
    ) private view {
        bytes32 seed = draw < 3
            ? bytes32(0x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f)
            : bytes32(type(uint256).max);
        uint32 position = [uint32(0), 1, 131_071][draw % 3];
        Sampler.Token memory chosen = tokenOf(logits, token);
        for (uint256 i = 0; i < order.length && i < RIVALS; ++i) {
            if (order[i] == token) continue;
            Sampler.Token memory rival = tokenOf(logits, order[i]);
            assertTrue(checker.sampleToken(settings, row, seed, position, chosen, rival), "chosen");
            assertTrue(
                !checker.sampleToken(settings, row, seed, position, rival, chosen), "another"
            );
        }
    }

    function rowOf(Sampler.Settings memory settings, int256[] memory logits, uint256[] memory order)
        private
        view
        returns (Sampler.Row memory row)
    {
        row.vocabularySize = uint32(logits.length);
        row.top = tokenOf(logits, order[0]);
        uint256 count = order.length;
        Sampler.Sums memory sums;
        if (settings.tau != 0 && settings.topK != 0 && settings.topK < count) {
            count = settings.topK;
            sums.rankCount = uint64(count);
        }
        row.rankCut = tokenOf(logits, order[count - 1]);
        if (settings.tau != 0 && settings.topP != 0 && settings.topP < 2 ** 30) {
            uint256[] memory weights = weightsOf(settings.tau, logits, order, count);
            sums.rankSum = uint64(sumOf(weights, count));
            uint256 kept = 0;
            while (sumOf(weights, kept) << 30 < uint256(settings.topP) * sums.rankSum) ++kept;
            sums.shareSum = uint64(sumOf(weights, kept));
            row.shareCut = tokenOf(logits, order[kept - 1]);
        }
        assertTrue(checker.samplePartial(packWords(logits), 0, settings, row, sums), "sums");
        assertTrue(checker.sampleRow(settings, row, sums), "cuts");
        assertParts(settings, row, logits, order, sums);
    }

    /// @dev The same sums from two parts, of which the second begins at another id than 0.
    function assertParts(
        Sampler.Settings memory settings,
        Sampler.Row memory row,
        int256[] memory logits,
        uint256[] memory order,
        Sampler.Sums memory total
    ) private view {
        uint256 half = logits.length / 2;
        if (half == 0) return;
        Sampler.Sums memory part = firstPart(settings.tau, logits, order, total);
        bytes memory packed = packWords(slice(logits, 0, half));
        assertTrue(checker.samplePartial(packed, 0, settings, row, part), "first part");
        packed = packWords(slice(logits, half, logits.length - half));
        part.rankCount = total.rankCount - part.rankCount;
        part.rankSum = total.rankSum - part.rankSum;
        part.shareSum = total.shareSum - part.shareSum;
        uint32 first = uint32(half);
        assertTrue(checker.samplePartial(packed, first, settings, row, part), "second part");
    }

    /// @dev What the lower half of the ids adds to the totals.
    function firstPart(
        uint256 tau,
        int256[] memory logits,
        uint256[] memory order,
        Sampler.Sums memory total
    ) private view returns (Sampler.Sums memory part) {
        uint256 count = total.rankCount == 0 ? order.length : total.rankCount;
        uint256[] memory weights = weightsOf(tau, logits, order, count);
        uint256 passed = 0;
        for (uint256 i = 0; i < count; ++i) {
            uint64 inShare = passed < total.shareSum ? uint64(weights[i]) : 0;
            passed += weights[i];
            if (order[i] >= logits.length / 2) continue;
            if (total.rankCount != 0) ++part.rankCount;
            if (total.rankSum != 0) part.rankSum += uint64(weights[i]);
            part.shareSum += inShare;
        }
    }

    function slice(int256[] memory values, uint256 from, uint256 size)
        private
        pure
        returns (int256[] memory part)
    {
        part = new int256[](size);
        for (uint256 i = 0; i < size; ++i) {
            part[i] = values[from + i];
        }
    }

    function weightsOf(uint256 tau, int256[] memory logits, uint256[] memory order, uint256 count)
        private
        view
        returns (uint256[] memory weights)
    {
        uint256 powers = TableData.loadPowers(tableData);
        weights = new uint256[](count);
        int256 top = Arithmetic.roundShift(logits[order[0]] * int256(tau), 16);
        for (uint256 i = 0; i < count; ++i) {
            int256 z = Arithmetic.roundShift(logits[order[i]] * int256(tau), 16);
            weights[i] = Arithmetic.exp2n(powers, uint256(top - z));
        }
    }

    function sumOf(uint256[] memory weights, uint256 count) private pure returns (uint256 sum) {
        for (uint256 i = 0; i < count; ++i) {
            sum += weights[i];
        }
    }

    /// @dev Ids by falling logit, lower ids first: insertion, since rows have at most 200 logits.
    function sorted(int256[] memory logits) private pure returns (uint256[] memory order) {
        order = new uint256[](logits.length);
        for (uint256 id = 0; id < logits.length; ++id) {
            uint256 place = id;
            for (; place > 0 && logits[order[place - 1]] < logits[id]; --place) {
                order[place] = order[place - 1];
            }
            order[place] = id;
        }
    }

    function tokenOf(int256[] memory logits, uint256 id)
        private
        pure
        returns (Sampler.Token memory)
    {
        return Sampler.Token(uint32(id), int32(logits[id]));
    }

    function hexWord(string memory text) private pure returns (bytes32) {
        return courtVm.parseBytes32(string.concat("0x", text));
    }

    function path(string memory list, uint256 index, string memory key)
        private
        pure
        returns (string memory)
    {
        return string.concat(".", list, "[", vm.toString(index), "]", key);
    }
}
