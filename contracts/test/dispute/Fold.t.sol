// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Fold} from "../../dispute/Fold.sol";
import {CourtTest} from "./CourtTest.sol";

/// @dev The library reads paths from calldata.
contract FoldCaller {
    function one(
        bool isKeccak,
        bytes32 node,
        uint256 index,
        uint256 width,
        bytes32[] calldata path,
        uint256 used
    ) external view returns (bytes32, uint256) {
        return Fold.one(isKeccak, node, index, width, path, used);
    }
}

/// @notice Folding against trees that are built level by level, and paths that end too early.
contract FoldTest is CourtTest {
    FoldCaller private immutable fold = new FoldCaller();

    function testFuzz_one(bool isKeccak, uint8 width, uint8 place, uint8 before) public view {
        uint256 leaves = uint256(width) % 130 + 1;
        uint256 index = uint256(place) % leaves;
        uint256 skipped = before % 4;
        (bytes32 top, bytes32[] memory path) = climb(isKeccak, leaves, index, skipped);
        (bytes32 found, uint256 used) =
            fold.one(isKeccak, leafAt(index), index, leaves, path, skipped);
        assertTrue(found == top && used == path.length, "top and length of the path");
    }

    function testFuzz_one_refusesAPathThatEndsTooEarly(bool isKeccak, uint8 width, uint8 place)
        public
        view
    {
        uint256 leaves = uint256(width) % 129 + 2;
        uint256 index = uint256(place) % leaves;
        (, bytes32[] memory path) = climb(isKeccak, leaves, index, 0);
        if (path.length == 0) return;
        assertTrue(refuses(isKeccak, index, leaves, shorter(path)), "one item is missing");
    }

    function testFuzz_one_refusesAPlaceBeyondTheTree(bool isKeccak, uint8 width, uint8 beyond)
        public
        view
    {
        bytes32[] memory path = new bytes32[](64);
        assertTrue(refuses(isKeccak, uint256(width) + beyond, width, path), "beyond the tree");
    }

    function refuses(bool isKeccak, uint256 index, uint256 width, bytes32[] memory path)
        private
        view
        returns (bool)
    {
        try fold.one(isKeccak, leafAt(index), index, width, path, 0) {
            return false;
        } catch (bytes memory reason) {
            return bytes4(reason) == Fold.PathWrong.selector;
        }
    }

    function shorter(bytes32[] memory path) private pure returns (bytes32[] memory cut) {
        cut = new bytes32[](path.length - 1);
        for (uint256 i = 0; i < cut.length; ++i) {
            cut[i] = path[i];
        }
    }

    function leafAt(uint256 index) private pure returns (bytes32) {
        return keccak256(abi.encode(index));
    }

    /// @dev The top of a tree of `leaves`, and the path of one leaf behind `skipped` items of something else.
    function climb(bool isKeccak, uint256 leaves, uint256 index, uint256 skipped)
        private
        pure
        returns (bytes32 top, bytes32[] memory path)
    {
        bytes32[] memory level = new bytes32[](leaves);
        for (uint256 i = 0; i < leaves; ++i) {
            level[i] = leafAt(i);
        }
        bytes32[] memory items = new bytes32[](skipped + 64);
        uint256 length = skipped;
        for (; level.length > 1; index /= 2) {
            if (index ^ 1 < level.length) items[length++] = level[index ^ 1];
            bytes32[] memory parents = new bytes32[]((level.length + 1) / 2);
            for (uint256 i = 0; i < parents.length; ++i) {
                parents[i] = 2 * i + 1 == level.length
                    ? level[2 * i]
                    : hashPair(isKeccak, level[2 * i], level[2 * i + 1]);
            }
            level = parents;
        }
        path = new bytes32[](length);
        for (uint256 i = 0; i < length; ++i) {
            path[i] = items[i];
        }
        return (level[0], path);
    }

    function hashPair(bool isKeccak, bytes32 left, bytes32 right) private pure returns (bytes32) {
        bytes memory data = abi.encodePacked(uint8(1), left, right);
        return isKeccak ? keccak256(data) : sha256(data);
    }
}
