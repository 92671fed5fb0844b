// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Arithmetic} from "../../dispute/Arithmetic.sol";
import {Lanes} from "../../dispute/Lanes.sol";
import {Maps} from "../../dispute/Maps.sol";
import {Norm} from "../../dispute/Norm.sol";
import {Sampler} from "../../dispute/Sampler.sol";
import {CourtTest} from "./CourtTest.sol";

/// @notice Leaves and rows beyond the bounds of the specification are refused, at the bound they are not.
contract RefusalsTest is CourtTest {
    Arithmetic.Claim private claim = Arithmetic.Claim(1, 1, false);
    Norm.Row private row = Norm.Row(1 << 62, 1 << 34, 16_384, 7, 20);

    function refused() private {
        vm.expectPartialRevert(Lanes.LeafMalformed.selector);
    }

    function test_matmulRow() public {
        bytes[] memory x = new bytes[](64);
        bytes[] memory w = new bytes[](64);
        for (uint256 i = 0; i < 64; ++i) {
            x[i] = new bytes(64);
            w[i] = new bytes(35);
        }
        checker.matmulRow(x, w, 0, claim);
        refused();
        checker.matmulRow(x, new bytes[](63), 0, claim);
        refused();
        checker.matmulRow(new bytes[](0), new bytes[](0), 0, claim);
        refused();
        checker.matmulRow(new bytes[](65), new bytes[](65), 0, claim);
    }

    function test_embedElement() public {
        bytes memory leaf = new bytes(1089);
        leaf[0] = 0x07;
        checker.embedElement(leaf, 1023, 0, 0);
        refused();
        checker.embedElement(leaf, 1024, 0, 0);
        leaf[0] = 0x08;
        refused();
        checker.embedElement(leaf, 0, 0, 0);
        refused();
        checker.embedElement(new bytes(1088), 0, 0, 0);
        refused();
        checker.embedElement(new bytes(1123), 0, 0, 0);
        refused();
        checker.embedElement(new bytes(0), 0, 0, 0);
    }

    function test_reductions() public {
        Sampler.Settings memory settings;
        Sampler.Row memory logits;
        Sampler.Sums memory sums;
        checker.normPartial(new bytes(4096), 7, 0);
        checker.softmaxPartial(new bytes(4096), 0, 0);
        checker.samplePartial(new bytes(4096), 0, settings, logits, sums);
        uint256[3] memory sizes = [uint256(0), 4095, 4100];
        for (uint256 i = 0; i < 3; ++i) {
            refused();
            checker.normPartial(new bytes(sizes[i]), 7, 0);
            refused();
            checker.softmaxPartial(new bytes(sizes[i]), 0, 0);
            refused();
            checker.samplePartial(new bytes(sizes[i]), 0, settings, logits, sums);
        }
        vm.expectPartialRevert(Norm.RowOutOfBounds.selector);
        checker.normPartial(new bytes(4096), 8, 0);
    }

    function test_normElement() public {
        checker.normElement(1, 1, 0, row, claim);
        row.squares = (1 << 62) + 1;
        refusedRow();
        row.squares = 0;
        row.epsilonQ40 = 0;
        refusedRow();
        row.squares = 1 << 62;
        row.epsilonQ40 = (1 << 34) + 1;
        refusedRow();
        row.epsilonQ40 = 1 << 34;
        row.width = 0;
        refusedRow();
        row.width = 16_385;
        refusedRow();
        row.width = 16_384;
        row.shift = 8;
        refusedRow();
        row.shift = 7;
        row.residualBits = 21;
        refusedRow();
    }

    function refusedRow() private {
        vm.expectPartialRevert(Norm.RowOutOfBounds.selector);
        checker.normElement(1, 1, 0, row, claim);
    }

    function test_joinHeads() public {
        checker.joinElement(1, 0, 1 << 30, 0, claim);
        checker.joinTop(0, type(uint64).max, 0, false);
        vm.expectPartialRevert(Maps.SumOutOfBounds.selector);
        checker.joinElement(1, 0, (1 << 30) - 1, 0, claim);
        vm.expectPartialRevert(Maps.SumOutOfBounds.selector);
        checker.joinTop(0, 0, 0, false);
    }

    /// @notice Claims far out of range are wrong, not errors: a court can convict them.
    function testFuzz_wildClaims(int32 mantissa, int32 exponent, int32 base) public view {
        Arithmetic.Claim memory wild = Arithmetic.Claim(mantissa, exponent, true);
        int32 x = 1_000_000_007;
        bool right = checker.splitElement(x, base, wild);
        int256 shift = int256(exponent) - base;
        assertTrue(right == (shift == 15 && mantissa == 30_518), "only the right claim");
        assertTrue(!checker.residualElement(type(int32).min, x, base, type(int32).min), "H");
        assertTrue(!checker.logitElement(x, base, type(int32).min), "Q16");
        checker.swiGluElement(mantissa, exponent, x, base, wild);
        checker.ropeElement(mantissa, x, exponent, uint64(uint32(base)), true, wild);
        checker.softmaxElement(mantissa, x, exponent, base, wild);
        checker.joinElement(mantissa, exponent, 1 << 40, base, wild);
        checker.normElement(mantissa, x, exponent, row, wild);
        checker.embedElement(new bytes(35), 31, base, mantissa);
    }
}
