// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Descent} from "../../dispute/Descent.sol";

/// @notice A trace of small made-up trees, and what an honest provider shows of it at any place.
contract TraceTrees {
    uint64 public immutable POSITIONS;
    uint64 public immutable ROWS;
    uint64 public immutable LEAVES;

    constructor(uint64 positions, uint64 rows, uint64 leaves) {
        (POSITIONS, ROWS, LEAVES) = (positions, rows, leaves);
    }

    function leafData(uint256 position, uint256 row, uint256 leaf)
        public
        pure
        returns (bytes memory)
    {
        return abi.encode("leaf", position, row, leaf);
    }

    function salt(uint256 position) public pure returns (bytes32) {
        return keccak256(abi.encode("salt", position));
    }

    function rowLeaves(uint256 position, uint256 row)
        public
        view
        returns (bytes32[] memory hashes)
    {
        hashes = new bytes32[](LEAVES);
        for (uint256 i = 0; i < LEAVES; ++i) {
            hashes[i] = sha256(abi.encodePacked(uint8(0), leafData(position, row, i)));
        }
    }

    /// @dev Rows but the asked one have made-up roots: nobody walks into them.
    function rowRoots(uint256 position, uint256 row) public view returns (bytes32[] memory roots) {
        roots = new bytes32[](ROWS);
        for (uint256 i = 0; i < ROWS; ++i) {
            roots[i] = keccak256(abi.encode("row", position, i));
        }
        roots[row] = seal(rowLeaves(position, row));
    }

    function positionLeaves(uint256 position, uint256 row)
        public
        view
        returns (bytes32[] memory leaves)
    {
        leaves = new bytes32[](POSITIONS);
        for (uint256 i = 0; i < POSITIONS; ++i) {
            leaves[i] = keccak256(abi.encode("position", i));
        }
        bytes32 inner = seal(rowRoots(position, row));
        leaves[position] = sha256(abi.encodePacked(uint8(3), salt(position), inner));
    }

    function root(uint256 position, uint256 row) external view returns (bytes32) {
        return seal(positionLeaves(position, row));
    }

    /// @notice What the provider shows at `place`, where the walk is to end at (position, row).
    function reveal(Descent.Place memory place, uint256 position, uint256 row)
        external
        view
        returns (Descent.Reveal memory shown)
    {
        bytes32[] memory leaves = place.tree == 0
            ? positionLeaves(position, row)
            : place.tree == 1 ? rowRoots(position, row) : rowLeaves(position, row);
        uint256 height = place.level;
        if (place.level == Descent.SEALED) {
            shown.count = uint64(leaves.length);
            height = heightOf(leaves.length);
            if (place.tree == 1) {
                shown.salt = salt(position);
                shown.inner = seal(leaves);
            }
        }
        uint256 steps = height < 4 ? height : 4;
        bytes32[] memory level = levelOf(leaves, height - steps);
        uint256 first = uint256(place.index) << steps;
        uint256 size = level.length - first < 1 << steps ? level.length - first : 1 << steps;
        shown.children = new bytes32[](size);
        for (uint256 i = 0; i < size; ++i) {
            shown.children[i] = level[first + i];
        }
    }

    function seal(bytes32[] memory leaves) public pure returns (bytes32) {
        bytes32 top = levelOf(leaves, heightOf(leaves.length))[0];
        return sha256(abi.encodePacked(uint8(2), uint64(leaves.length), top));
    }

    function heightOf(uint256 count) public pure returns (uint256 height) {
        for (; count > 1; count = (count + 1) / 2) {
            ++height;
        }
    }

    function levelOf(bytes32[] memory nodes, uint256 height)
        private
        pure
        returns (bytes32[] memory)
    {
        for (uint256 h = 0; h < height; ++h) {
            bytes32[] memory next = new bytes32[]((nodes.length + 1) / 2);
            for (uint256 i = 0; i < nodes.length; i += 2) {
                next[i / 2] = i + 1 == nodes.length
                    ? nodes[i]
                    : sha256(abi.encodePacked(uint8(1), nodes[i], nodes[i + 1]));
            }
            nodes = next;
        }
        return nodes;
    }

    /// @notice Where a walk stands after the provider showed, by the library that the court uses.
    function openedPlace(Descent.Place memory place, Descent.Reveal calldata shown)
        external
        view
        returns (Descent.Place memory)
    {
        Descent.open(place, shown);
        return place;
    }

    /// @notice Where a walk stands after the challenger chose, and whether it is a leaf.
    function chosenPlace(Descent.Place memory place, bytes32[] calldata children, uint256 child)
        external
        pure
        returns (Descent.Place memory, bool)
    {
        bool isLeaf = Descent.choose(place, children, child);
        return (place, isLeaf);
    }

    /// @notice Child on the way to leaf number `goal` of the present tree.
    function childTowards(Descent.Place memory place, uint256 goal)
        external
        pure
        returns (uint256)
    {
        uint256 steps = place.level < 4 ? place.level : 4;
        return (goal >> (place.level - steps)) - (uint256(place.index) << steps);
    }
}
