// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Lanes} from "../../dispute/Lanes.sol";
import {Maps} from "../../dispute/Maps.sol";
import {CourtTest} from "./CourtTest.sol";

/// @notice The packed dot products against plain loops, at the ends of every range and beyond every bound.
contract LanesTest is CourtTest {
    int256 private constant X_MAX = 32_767;

    function dot(bytes calldata x, bytes calldata w) external pure returns (int256) {
        return Lanes.dot(x, w);
    }

    function dotHeads(bytes calldata a, bytes calldata b) external pure returns (int256) {
        return Lanes.dotHeads(a, b);
    }

    function dotColumn(bytes calldata p, bytes calldata v, uint256 column)
        external
        pure
        returns (int256)
    {
        return Lanes.dotColumn(p, v, column);
    }

    function sumPartials(bytes calldata partials) external pure returns (int256) {
        return Maps.sumPartials(partials);
    }

    /// @dev Any bytes of the right length are a leaf, so fuzzed bytes reach every lane pattern.
    function testFuzz_dot_isThePlainSum(bytes32 seed, uint256 blocks, bool mixed) public view {
        blocks = bound(blocks, 1, 4);
        bytes memory x = stretch(seed, 64 * blocks);
        bytes memory w = stretch(~seed, 1 + 34 * blocks);
        w[0] = bytes1(uint8(uint256(seed) % 8));
        if (mixed) {
            for (uint256 i = 0; i < x.length; i += 2) {
                x[i] = uint8(x[i]) < 128 ? bytes1(0xff) : bytes1(0x00);
                x[i + 1] = uint8(x[i]) == 255 ? bytes1(0xff) : bytes1(0x01);
            }
        }
        int256 sum = 0;
        for (uint256 block_ = 0; block_ < blocks; ++block_) {
            int256 blockSum = 0;
            for (uint256 k = 0; k < 32; ++k) {
                blockSum += mantissaAt(x, 2 * (32 * block_ + k)) * weightAt(w, blocks, block_, k);
            }
            uint256 at_ = 1 + 2 * block_;
            sum += blockSum * int256(uint256(uint8(w[at_])) * 256 + uint8(w[at_ + 1]));
        }
        assertTrue(this.dot(x, w) == sum * int256(2 ** uint256(uint8(w[0]))), "plain sum");
    }

    function testFuzz_dotHeads_isThePlainSum(bytes32 seed, uint256 size) public view {
        size = bound(size, 1, 256);
        bytes memory a = stretch(seed, 2 * size);
        bytes memory b = stretch(~seed, 2 * size);
        int256 sum = 0;
        for (uint256 i = 0; i < 2 * size; i += 2) {
            sum += mantissaAt(a, i) * mantissaAt(b, i);
        }
        assertTrue(this.dotHeads(a, b) == sum, "plain sum");
    }

    /// @notice 1,024 columns with every factor at its end, in all four combinations of signs and alternating.
    function test_dot_extremes() public view {
        int256[2] memory ends = [-X_MAX, X_MAX];
        int256[2] memory weights = [int256(-128), int256(127)];
        for (uint256 i = 0; i < 8; ++i) {
            int256[] memory x = new int256[](1024);
            int256[] memory w = new int256[](1024);
            for (uint256 k = 0; k < 1024; ++k) {
                x[k] = ends[(i + (i >= 4 ? k : 0)) % 2];
                w[k] = weights[(i / 2 + (i >= 6 ? k / 2 : 0)) % 2];
            }
            assertDot(x, w, 65_535, 7);
            assertDot(x, w, 0, 7);
            assertDot(x, w, 1, 0);
        }
    }

    function assertDot(int256[] memory x, int256[] memory w, uint256 scale, uint256 shift)
        private
        view
    {
        uint256[] memory scales = new uint256[](32);
        int256 sum = 0;
        for (uint256 i = 0; i < 32; ++i) {
            scales[i] = scale;
        }
        for (uint256 k = 0; k < 1024; ++k) {
            sum += x[k] * w[k] * int256(scale);
        }
        sum *= int256(1 << shift);
        bytes memory leaf = packWeights(shift, scales, w);
        assertTrue(this.dot(packActivations(x, 0, 1024), leaf) == sum, "extremes");
        assertTrue(sum < 2 ** 55 && sum > -(2 ** 55), "bound of a partial sum");
    }

    function test_dotHeads_extremes() public view {
        for (uint256 size = 1; size <= 256; size += 15) {
            bytes memory low = filled(2 * size, 0x0001);
            bytes memory high = filled(2 * size, 0xffff);
            int256 square = int256(size) * X_MAX * X_MAX;
            assertTrue(this.dotHeads(low, low) == square, "lowest squared");
            assertTrue(this.dotHeads(high, high) == square, "highest squared");
            assertTrue(this.dotHeads(low, high) == -square, "opposite");
        }
    }

    function test_dotColumn_extremes() public view {
        for (uint256 width = 1; width <= 32; ++width) {
            int256[] memory p = new int256[](64);
            for (uint256 i = 0; i < 64; ++i) {
                p[i] = 2 ** 30 - 1;
            }
            bytes memory tile = filled(128 * width, 0x0001);
            assertTrue(
                this.dotColumn(packWords(p), tile, width - 1) == -64 * (2 ** 30 - 1) * X_MAX,
                "64 positions of the largest weight"
            );
        }
    }

    function test_dot_refuses() public {
        bytes memory w = new bytes(1 + 34 * 32);
        bytes memory x = new bytes(64 * 32);
        this.dot(x, w);
        vm.expectPartialRevert(Lanes.LeafMalformed.selector);
        this.dot(new bytes(0), new bytes(1));
        vm.expectPartialRevert(Lanes.LeafMalformed.selector);
        this.dot(new bytes(64 * 33), new bytes(1 + 34 * 33));
        vm.expectPartialRevert(Lanes.LeafMalformed.selector);
        this.dot(new bytes(64 * 32 - 2), w);
        vm.expectPartialRevert(Lanes.LeafMalformed.selector);
        this.dot(x, new bytes(34 * 32));
        vm.expectPartialRevert(Lanes.LeafMalformed.selector);
        this.dot(x, new bytes(2 + 34 * 32));
        w[0] = 0x08;
        vm.expectPartialRevert(Lanes.LeafMalformed.selector);
        this.dot(x, w);
    }

    function test_dotHeads_refuses() public {
        uint256[4] memory sizes = [uint256(0), 1, 33, 514];
        for (uint256 i = 0; i < 4; ++i) {
            vm.expectPartialRevert(Lanes.LeafMalformed.selector);
            this.dotHeads(new bytes(sizes[i]), new bytes(sizes[i]));
        }
        vm.expectPartialRevert(Lanes.LeafMalformed.selector);
        this.dotHeads(new bytes(64), new bytes(62));
    }

    function test_dotColumn_refuses() public {
        this.dotColumn(new bytes(256), new bytes(4096), 31);
        vm.expectPartialRevert(Lanes.LeafMalformed.selector);
        this.dotColumn(new bytes(256), new bytes(4096), 32);
        vm.expectPartialRevert(Lanes.LeafMalformed.selector);
        this.dotColumn(new bytes(260), new bytes(4160), 0);
        vm.expectPartialRevert(Lanes.LeafMalformed.selector);
        this.dotColumn(new bytes(255), new bytes(4096), 0);
        vm.expectPartialRevert(Lanes.LeafMalformed.selector);
        this.dotColumn(new bytes(256), new bytes(4224), 0);
        vm.expectPartialRevert(Lanes.LeafMalformed.selector);
        this.dotColumn(new bytes(256), new bytes(4095), 0);
        vm.expectPartialRevert(Lanes.LeafMalformed.selector);
        this.dotColumn(new bytes(0), new bytes(0), 0);
    }

    function testFuzz_sumPartials(int64[] memory values) public {
        bytes memory packed;
        int256 sum = 0;
        for (uint256 i = 0; i < values.length; ++i) {
            packed = bytes.concat(packed, bytes8(uint64(values[i])));
            sum += values[i];
        }
        if (values.length == 0 || values.length > 64) {
            vm.expectPartialRevert(Lanes.LeafMalformed.selector);
            this.sumPartials(packed);
        } else {
            assertTrue(this.sumPartials(packed) == sum, "sum");
            vm.expectPartialRevert(Lanes.LeafMalformed.selector);
            this.sumPartials(bytes.concat(packed, hex"00"));
        }
    }

    function stretch(bytes32 seed, uint256 size) private pure returns (bytes memory out) {
        out = new bytes(size);
        for (uint256 i = 0; i < size; ++i) {
            if (i % 32 == 0) seed = keccak256(abi.encode(seed));
            out[i] = seed[i % 32];
        }
    }

    function filled(uint256 size, uint16 value) private pure returns (bytes memory out) {
        out = new bytes(size);
        for (uint256 i = 0; i < size; i += 2) {
            out[i] = bytes1(uint8(value >> 8));
            out[i + 1] = bytes1(uint8(value));
        }
    }

    function mantissaAt(bytes memory data, uint256 offset) private pure returns (int256) {
        return int256(uint256(uint8(data[offset])) * 256 + uint8(data[offset + 1])) - 32_768;
    }

    function weightAt(bytes memory leaf, uint256 blocks, uint256 block_, uint256 k)
        private
        pure
        returns (int256)
    {
        uint256 place = 4 * (7 - (k % 16) / 2) + (k < 16 ? 2 : 0) + k % 2;
        return int256(uint256(uint8(leaf[1 + 2 * blocks + 32 * block_ + place]))) - 128;
    }
}
