// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Arithmetic} from "../../dispute/Arithmetic.sol";
import {HeadNorm} from "../../dispute/HeadNorm.sol";
import {IChecker} from "../../dispute/IChecker.sol";
import {Norm} from "../../dispute/Norm.sol";
import {Sampler} from "../../dispute/Sampler.sol";
import {CourtTest} from "./CourtTest.sol";

/// @notice What each checker costs, committed in snapshots/court-gas.json: execution of the call, its calldata bytes,
/// and the transaction that they would make at 16 gas per byte and under the floor of EIP-7623. Openings of leaves,
/// measured below by hash, and the court's own storage come on top (docs/reference/court.md adds them up).
/// @dev Inputs are random bytes, so nearly all of them are dear ones.
contract CourtGasTest is CourtTest {
    string private constant GROUP = "court-gas";
    uint256 private constant TRANSACTION = 21_000;

    /// @dev Ceilings of execution: the promise of docs/reference/court.md.
    uint256 private constant ELEMENT_MAX = 10_000;
    uint256 private constant SAMPLE_MAX = 35_000;
    uint256 private constant PARTIAL_MAX = 16_000;
    uint256 private constant ROW_4096_MAX = 60_000;
    uint256 private constant ROW_14336_MAX = 210_000;
    uint256 private constant HEAD_NORM_MAX = 60_000;
    uint256 private constant REDUCTION_MAX = 600_000;

    Norm.Row private norm = Norm.Row(123_456_789_012_345, 10_995_116, 4096, 3, 16);

    function measure(string memory name, bytes memory call, uint256 executionMax) private {
        (bool success, bytes memory answer) = address(checker).call(call);
        uint256 execution = vm.snapshotGasLastCall(GROUP, string.concat(name, ": execution"));
        assertTrue(success && answer.length == 32, name);
        assertTrue(execution <= executionMax, string.concat(name, ": ", vm.toString(execution)));
        (uint256 plain, uint256 tokens) = calldataGas(call);
        uint256 transaction = TRANSACTION + plain + execution;
        uint256 floor = TRANSACTION + 10 * tokens;
        courtVm.snapshotValue(GROUP, string.concat(name, ": calldata bytes"), call.length);
        courtVm.snapshotValue(GROUP, string.concat(name, ": transaction"), transaction);
        courtVm.snapshotValue(
            GROUP,
            string.concat(name, ": transaction, EIP-7623"),
            transaction > floor ? transaction : floor
        );
    }

    function calldataGas(bytes memory call) private pure returns (uint256 gas_, uint256 tokens) {
        for (uint256 i = 0; i < call.length; ++i) {
            tokens += call[i] == 0 ? 1 : 4;
        }
        gas_ = 4 * tokens;
    }

    function random(string memory name, uint256 size) private pure returns (bytes memory out) {
        out = new bytes(size);
        bytes32 word = keccak256(bytes(name));
        for (uint256 i = 0; i < size; ++i) {
            if (i % 32 == 0) word = keccak256(abi.encode(word));
            out[i] = word[i % 32];
        }
    }

    function leaf(string memory name) private pure returns (bytes memory out) {
        out = random(name, 1089);
        out[0] = 0x03;
    }

    function leaves(uint256 count) private pure returns (bytes[] memory x, bytes[] memory w) {
        x = new bytes[](count);
        w = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) {
            x[i] = random(string.concat("x", vm.toString(i)), 2048);
            w[i] = leaf(string.concat("w", vm.toString(i)));
        }
    }

    function claim() private pure returns (Arithmetic.Claim memory) {
        return claimOf(-123_456_789, -12, true);
    }

    function row(uint256 count) private pure returns (bytes memory) {
        (bytes[] memory x, bytes[] memory w) = leaves(count);
        return abi.encodeCall(IChecker.matmulRow, (x, w, -31, claim()));
    }

    function test_gas_matmul() public {
        bytes memory x = random("x", 2048);
        measure(
            "matmulPartial, 1,024 columns",
            abi.encodeCall(IChecker.matmulPartial, (x, leaf("w"), 1234)),
            PARTIAL_MAX
        );
        measure("matmulRow, K = 1,024", row(1), PARTIAL_MAX + 3000);
        measure("matmulRow, K = 4,096", row(4), ROW_4096_MAX);
        measure("matmulRow, K = 14,336", row(14), ROW_14336_MAX);
        bytes memory partials = random("partials", 32);
        measure(
            "sumElement, 4 partial sums",
            abi.encodeCall(IChecker.sumElement, (partials, -31, claim())),
            ELEMENT_MAX
        );
        partials = random("partials", 512);
        measure(
            "sumElement, 64 partial sums",
            abi.encodeCall(IChecker.sumElement, (partials, -31, claim())),
            ELEMENT_MAX
        );
    }

    function test_gas_maps() public {
        measure(
            "embedElement",
            abi.encodeCall(IChecker.embedElement, (leaf("w"), 777, -20, 1234)),
            ELEMENT_MAX
        );
        measure(
            "splitElement",
            abi.encodeCall(IChecker.splitElement, (987_654_321, -20, claim())),
            ELEMENT_MAX
        );
        measure(
            "residualElement",
            abi.encodeCall(IChecker.residualElement, (987_654_321, -123_456_789, 5, 1234)),
            ELEMENT_MAX
        );
        measure(
            "logitElement",
            abi.encodeCall(IChecker.logitElement, (987_654_321, -20, 1234)),
            ELEMENT_MAX
        );
    }

    function test_gas_projections() public {
        measure(
            "biasElement",
            abi.encodeCall(IChecker.biasElement, (987_654_321, -20, 12_345_678, -22, claim())),
            ELEMENT_MAX
        );
        HeadNorm.Grid memory grid = HeadNorm.Grid({exponent: -28, epsilonQ40: 1_099_512});
        bytes memory head = random("head", 4 * 256);
        measure(
            "headNormElement, D = 256",
            abi.encodeCall(IChecker.headNormElement, (head, 7, grid, 8_388_608, -23, claim())),
            HEAD_NORM_MAX
        );
    }

    function test_gas_rope() public {
        bytes memory call = abi.encodeCall(
            IChecker.ropeElement,
            (987_654_321, -123_456_789, -20, 0x123456789abcdef0, true, claim())
        );
        measure("ropeElement", call, ELEMENT_MAX);
    }

    function test_gas_swiGlu() public {
        bytes memory call =
            abi.encodeCall(IChecker.swiGluElement, (987_654_321, -26, -123_456_789, -20, claim()));
        measure("swiGluElement", call, ELEMENT_MAX);
    }

    function test_gas_norm() public {
        measure(
            "normElement",
            abi.encodeCall(IChecker.normElement, (987_654_321, 12_345_678, -23, norm, claim())),
            ELEMENT_MAX
        );
        measure(
            "normShift", abi.encodeCall(IChecker.normShift, (987_654_321, 6, true)), ELEMENT_MAX
        );
        measure(
            "normPartial, 1,024 elements",
            abi.encodeCall(IChecker.normPartial, (random("h", 4096), 3, 1234)),
            REDUCTION_MAX
        );
    }

    function test_gas_scores() public {
        uint256[3] memory sizes = [uint256(64), 128, 256];
        for (uint256 i = 0; i < 3; ++i) {
            bytes memory query = random("q", 2 * sizes[i]);
            bytes memory key = random("k", 2 * sizes[i]);
            measure(
                string.concat("scoreElement, head size ", vm.toString(sizes[i])),
                abi.encodeCall(IChecker.scoreElement, (query, key, -20, 3_025_551, 1234)),
                ELEMENT_MAX
            );
        }
        measure("maximum", abi.encodeCall(IChecker.maximum, (5, 6, false)), ELEMENT_MAX);
    }

    function test_gas_softmaxElement() public {
        bytes memory call =
            abi.encodeCall(IChecker.softmaxElement, (-123_456, 100_000, -15, -12, claim()));
        measure("softmaxElement", call, ELEMENT_MAX);
    }

    function test_gas_softmaxPartial() public {
        int256[] memory scores = new int256[](1024);
        for (uint256 i = 0; i < 1024; ++i) {
            scores[i] = -int256(uint256(keccak256(abi.encode(i))) % 1_000_000);
        }
        bytes memory call = abi.encodeCall(IChecker.softmaxPartial, (packWords(scores), 0, 1234));
        measure("softmaxPartial, 1,024 scores", call, REDUCTION_MAX);
    }

    function test_gas_mix() public {
        bytes memory weights = random("p", 256);
        measure(
            "mixPartial, 64 positions of 8 columns",
            abi.encodeCall(IChecker.mixPartial, (weights, random("v", 1024), 7, 1234)),
            ELEMENT_MAX
        );
        measure(
            "mixPartial, 64 positions of 32 columns",
            abi.encodeCall(IChecker.mixPartial, (weights, random("v", 4096), 31, 1234)),
            ELEMENT_MAX
        );
        measure(
            "joinElement",
            abi.encodeCall(IChecker.joinElement, (987_654_321, -20, 5_000_000_000, -40, claim())),
            ELEMENT_MAX
        );
        measure(
            "joinTop",
            abi.encodeCall(IChecker.joinTop, (-20, 5_000_000_000, -40, false)),
            ELEMENT_MAX
        );
    }

    function sampling()
        private
        pure
        returns (Sampler.Settings memory settings, Sampler.Row memory sampled)
    {
        settings = Sampler.Settings(94_548, 40, 966_367_642, 53_687_091);
        sampled.vocabularySize = 151_936;
        sampled.top = Sampler.Token(77, 900_000);
        sampled.rankCut = Sampler.Token(78, 300_000);
        sampled.shareCut = Sampler.Token(79, 400_000);
    }

    function test_gas_sampleToken() public {
        (Sampler.Settings memory settings, Sampler.Row memory sampled) = sampling();
        Sampler.Token memory chosen = Sampler.Token(12_345, 800_000);
        Sampler.Token memory rival = Sampler.Token(54_321, 850_000);
        bytes memory call = abi.encodeCall(
            IChecker.sampleToken, (settings, sampled, keccak256("seed"), 777, chosen, rival)
        );
        measure("sampleToken", call, SAMPLE_MAX);
    }

    function test_gas_samplePartial() public {
        (Sampler.Settings memory settings, Sampler.Row memory sampled) = sampling();
        Sampler.Sums memory sums;
        bytes memory logits = random("logits", 4096);
        bytes memory call =
            abi.encodeCall(IChecker.samplePartial, (logits, 1024, settings, sampled, sums));
        measure("samplePartial, 1,024 logits", call, 2 * REDUCTION_MAX);
    }

    function test_gas_sampleRow() public {
        (Sampler.Settings memory settings, Sampler.Row memory sampled) = sampling();
        Sampler.Sums memory sums = Sampler.Sums(40, 2 ** 33, 2 ** 32);
        bytes memory call = abi.encodeCall(IChecker.sampleRow, (settings, sampled, sums));
        measure("sampleRow", call, ELEMENT_MAX);
    }

    /// @notice One leaf (a zero byte, then data) hashed from memory, by both candidates for the trace.
    function test_gas_hashes() public {
        uint256[7] memory sizes = [uint256(64), 128, 256, 1024, 1089, 2048, 4096];
        for (uint256 i = 0; i < 7; ++i) {
            uint256 size = sizes[i] + 1;
            hashBoth(size);
            (uint256 keccakGas, uint256 shaGas) = hashBoth(size);
            string memory name = string.concat(vm.toString(sizes[i]), " bytes and a prefix");
            courtVm.snapshotValue(GROUP, string.concat("keccak256 of ", name), keccakGas);
            courtVm.snapshotValue(GROUP, string.concat("sha256 of ", name), shaGas);
        }
    }

    function hashBoth(uint256 size) private view returns (uint256 keccakGas, uint256 shaGas) {
        assembly ("memory-safe") {
            let place := mload(0x40)
            mstore(add(place, 4128), 0)
            let before := gas()
            mstore(0, keccak256(place, size))
            keccakGas := sub(before, gas())
            before := gas()
            pop(staticcall(gas(), 2, place, size, 0, 32))
            shaGas := sub(before, gas())
        }
    }
}
