// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Fold} from "../../dispute/Fold.sol";
import {CourtTest} from "./CourtTest.sol";

/// @dev The library reads paths from calldata.
contract FoldCaller {
    struct Meeting {
        bool isEnd;
        bytes32 top;
        bytes32 sibling;
    }

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

    /// @param places of the node and of the other one, and among how many
    /// @param ways that of the node, then that of the other
    function meet(uint256[3] calldata places, bytes32[][2] calldata ways)
        external
        view
        returns (Meeting memory found)
    {
        (found.isEnd, found.top, found.sibling) = Fold.meet(
            leaf(places[0]), places[0], places[2], ways[0], 0, places[1], start(ways[1])
        );
    }

    function leaf(uint256 index) private pure returns (bytes32) {
        return keccak256(abi.encode(index));
    }

    function start(bytes32[] calldata way) private pure returns (uint256 offset) {
        assembly {
            offset := way.offset
        }
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

    function testFuzz_meet(uint8 width, uint8 place, uint8 other) public view {
        uint256 leaves = uint256(width) % 130 + 2;
        uint256[3] memory places = [place % leaves, other % leaves, leaves];
        if (places[0] == places[1]) return;
        bytes32[][2] memory ways = waysOf(places);
        uint256 ends = 0;
        for (;; ways[0] = shorter(ways[0])) {
            // Whatever the path goes on with, the ways meet in one place.
            FoldCaller.Meeting memory found = fold.meet(places, ways);
            if (found.isEnd) ++ends;
            assertTrue(!found.isEnd || found.top == found.sibling, "the other leads past it");
            if (ways[0].length == 0) break;
        }
        assertTrue(ends == 1, "one length of the path ends there");
    }

    function testFuzz_meet_tellsAnotherNode(uint8 width, uint8 place, uint8 other) public view {
        uint256 leaves = uint256(width) % 130 + 2;
        uint256[3] memory places = [place % leaves, other % leaves, leaves];
        if (places[0] == places[1]) return;
        bytes32[][2] memory ways = waysOf(places);
        for (uint256 i = 0; i < ways[1].length; ++i) {
            ways[1][i] ^= bytes32(uint256(1));
        }
        FoldCaller.Meeting memory found = fold.meet(places, ways);
        assertTrue(found.top != found.sibling, "another sibling");
    }

    function test_meet_refusesOnePlaceAndPlacesBeyondTheTree() public view {
        assertTrue(refusesToMeet([uint256(3), 3, 7]), "one place");
        assertTrue(refusesToMeet([uint256(7), 3, 7]), "beyond the tree");
        assertTrue(refusesToMeet([uint256(3), 7, 7]), "the other beyond the tree");
    }

    function refusesToMeet(uint256[3] memory places) private view returns (bool) {
        try fold.meet(places, [new bytes32[](8), new bytes32[](8)]) {
            return false;
        } catch (bytes memory reason) {
            return bytes4(reason) == Fold.PathWrong.selector;
        }
    }

    function waysOf(uint256[3] memory places) private pure returns (bytes32[][2] memory ways) {
        (, ways[0]) = climb(false, places[2], places[0], 0);
        (, ways[1]) = climb(false, places[2], places[1], 0);
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
