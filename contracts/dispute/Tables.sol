// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Merkle} from "../protocol/Merkle.sol";
import {TableData} from "./TableData.sol";

/// @title The committed tables as the code of one contract
/// @notice 18,432 bytes after a zero byte that stops any call: T1 and T2 (256 entries of 4 bytes each), A and B (1,024
/// entries of cosine and sine, 4 bytes each), as in docs/reference/arithmetic.md, sections 4 and 8. The code can never
/// change, and {root} is the `tablesRoot` that every model of this arithmetic names.
contract Tables {
    /// @notice Holds the data as code.
    address public immutable data;
    /// @notice Merkle root over the four tables.
    bytes32 public immutable root;

    uint256 private constant POWERS_SIZE = 1024;
    uint256 private constant TURNS_SIZE = 8192;
    uint256 private constant SIZE = 2 * POWERS_SIZE + 2 * TURNS_SIZE;

    error TablesUnexpected(bytes32 root);

    /// @param expected The root that `tables` must have; whoever deploys says what he means to deploy.
    constructor(bytes memory tables, bytes32 expected) {
        bytes32 actual = tables.length == SIZE ? rootOf(tables) : bytes32(0);
        if (actual != expected || expected == 0) revert TablesUnexpected(actual);
        root = actual;
        data = TableData.deploy(tables);
    }

    function rootOf(bytes memory tables) private pure returns (bytes32) {
        bytes32 powers = Merkle.hashNode(
            hashLeaf(tables, 0, POWERS_SIZE), hashLeaf(tables, POWERS_SIZE, POWERS_SIZE)
        );
        uint256 from = 2 * POWERS_SIZE;
        bytes32 turns = Merkle.hashNode(
            hashLeaf(tables, from, TURNS_SIZE), hashLeaf(tables, from + TURNS_SIZE, TURNS_SIZE)
        );
        return Merkle.sealRoot(4, Merkle.hashNode(powers, turns));
    }

    function hashLeaf(bytes memory tables, uint256 from, uint256 size)
        private
        pure
        returns (bytes32)
    {
        bytes memory leaf = new bytes(size);
        assembly ("memory-safe") {
            mcopy(add(leaf, 32), add(add(tables, 32), from), size)
        }
        return Merkle.hashLeaf(leaf);
    }
}
