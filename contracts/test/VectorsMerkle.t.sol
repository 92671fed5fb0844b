// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IReceipts} from "../compute/IReceipts.sol";
import {Merkle} from "../protocol/Merkle.sol";
import {Test} from "./base/Test.sol";

/// @notice The Merkle trees of TypeScript (vectors/merkle.json) and of the contracts are the same trees.
contract VectorsMerkleTest is Test {
    string private json;
    IReceipts private receipts;

    function setUp() public {
        json = vm.readFile("../vectors/merkle.json");
        receipts = IReceipts(vm.deployCode("Receipts.sol:Receipts"));
    }

    function test_proofs_acceptedAsTheyAre() public view {
        uint256 proofs = 0;
        for (uint256 tree = 0; vm.keyExistsJson(json, path(tree, "")); ++tree) {
            uint64 count = uint64(vm.parseJsonUint(json, path(tree, ".count")));
            bytes32 root = vm.parseJsonBytes32(json, path(tree, ".root"));
            if (count == 0) {
                assertEq(root, Merkle.sealRoot(0, 0));
                continue;
            }
            bytes[] memory leaves = vm.parseJsonBytesArray(json, path(tree, ".leaves"));
            for (uint64 index = 0; index < count; ++index) {
                assertProof(root, leaves[index], index, count, readProof(tree, index));
                ++proofs;
            }
        }
        assertEq(proofs, 126);
    }

    function assertProof(
        bytes32 root,
        bytes memory leaf,
        uint64 index,
        uint64 count,
        bytes32[] memory proof
    ) private view {
        assertTrue(receipts.verifyProof(root, leaf, index, count, proof), "proof of the leaf");
        assertTrue(!receipts.verifyProof(root, leaf, index, count + 1, proof), "other count");
        assertTrue(!receipts.verifyProof(root, leaf, count, count, proof), "index out of range");
        assertTrue(!receipts.verifyProof(~root, leaf, index, count, proof), "other root");
        bytes memory longer = bytes.concat(leaf, hex"00");
        assertTrue(!receipts.verifyProof(root, longer, index, count, proof), "other leaf");
        for (uint64 other = 0; other < count; ++other) {
            bool accepted = receipts.verifyProof(root, leaf, other, count, proof);
            assertTrue(accepted == (other == index), "only its own index");
        }
        assertTrue(
            !receipts.verifyProof(root, leaf, index, count, resized(proof, proof.length + 1)),
            "a sibling too many"
        );
        if (proof.length == 0) return;
        assertTrue(
            !receipts.verifyProof(root, leaf, index, count, resized(proof, proof.length - 1)),
            "a sibling too few"
        );
        proof[0] = ~proof[0];
        assertTrue(!receipts.verifyProof(root, leaf, index, count, proof), "other sibling");
    }

    /// @dev A node cannot be passed off as a leaf, nor a leaf as a node.
    function testFuzz_prefixes(bytes32 left, bytes32 right) public pure {
        bytes memory both = bytes.concat(left, right);
        assertTrue(Merkle.hashLeaf(both) != Merkle.hashNode(left, right), "leaf is no node");
        assertTrue(Merkle.hashLeaf(both) != keccak256(both), "leaf is prefixed");
    }

    function resized(bytes32[] memory proof, uint256 length)
        private
        pure
        returns (bytes32[] memory result)
    {
        result = new bytes32[](length);
        for (uint256 i = 0; i < length && i < proof.length; ++i) {
            result[i] = proof[i];
        }
    }

    function readProof(uint256 tree, uint256 index) private view returns (bytes32[] memory) {
        string memory key = string.concat(".proofs[", vm.toString(index), "]");
        return vm.parseJsonBytes32Array(json, path(tree, key));
    }

    function path(uint256 tree, string memory key) private pure returns (string memory) {
        return string.concat(".trees[", vm.toString(tree), "]", key);
    }
}
