// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @title Digests of EIP-712 typed data
/// @notice The separator is computed at every use instead of being stored: it costs about 150 gas, it is right after a
/// chain fork, and it leaves contracts without constructor or immutables, so that their code is the same everywhere.
library Eip712 {
    bytes32 internal constant DOMAIN_TYPEHASH = keccak256(
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    );

    /// @notice Separator of this contract on this chain, from the hashes of name and version.
    function separator(bytes32 nameHash, bytes32 versionHash) internal view returns (bytes32) {
        return separatorOf(nameHash, versionHash, address(this));
    }

    /// @notice Separator of another contract on this chain.
    function separatorOf(bytes32 nameHash, bytes32 versionHash, address verifyingContract)
        internal
        view
        returns (bytes32)
    {
        return keccak256(
            abi.encode(DOMAIN_TYPEHASH, nameHash, versionHash, block.chainid, verifyingContract)
        );
    }

    /// @notice keccak256(0x1901 ‖ domainSeparator ‖ structHash), in scratch memory.
    function digest(bytes32 domainSeparator, bytes32 structHash)
        internal
        pure
        returns (bytes32 result)
    {
        assembly ("memory-safe") {
            // | 0x00..0x02 "\x19\x01" | 0x02..0x22 separator | 0x22..0x42 struct hash |
            let pointer := mload(0x40)
            mstore(pointer, hex"1901")
            mstore(add(pointer, 0x02), domainSeparator)
            mstore(add(pointer, 0x22), structHash)
            result := keccak256(pointer, 0x42)
        }
    }
}
