// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @notice What a contract wallet implements to sign (ERC-1271).
interface IContractSigner {
    function isValidSignature(bytes32 digest, bytes calldata signature)
        external
        view
        returns (bytes4);
}

/// @title Who signed a digest
/// @notice Signatures with `s` in the upper half of the curve order are refused, so that each has one form.
library Signatures {
    /// @notice Largest `s` that is accepted: half the order of secp256k1 (EIP-2).
    uint256 internal constant S_MAX =
        0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    /// @notice Signer, or zero for a malformed signature. Callers must refuse zero.
    function recover(bytes32 digest, uint8 v, bytes32 r, bytes32 s)
        internal
        pure
        returns (address)
    {
        return uint256(s) > S_MAX ? address(0) : ecrecover(digest, v, r, s);
    }

    /// @notice Same for the two words of ERC-2098: `vs` is `s` with the parity in its highest bit. In Yul, because it
    /// runs once for every claim of a batch and the compiler's way costs 100 gas more.
    function recover(bytes32 digest, bytes32 r, bytes32 vs) internal view returns (address signer) {
        uint256 s = uint256(vs) & (type(uint256).max >> 1);
        if (s > S_MAX) return address(0);
        assembly ("memory-safe") {
            let input := mload(0x40)
            mstore(input, digest)
            mstore(add(input, 0x20), add(27, shr(255, vs)))
            mstore(add(input, 0x40), r)
            mstore(add(input, 0x60), s)
            // The precompile answers nothing to a malformed signature; then the zero stays.
            mstore(0x00, 0)
            pop(staticcall(gas(), 0x01, input, 0x80, 0x00, 0x20))
            signer := mload(0x00)
        }
    }

    /// @notice True if `signer` signed `digest` with its key (65 bytes r ‖ s ‖ v) or, being a contract, says so.
    /// @dev The key is tried first: an account with delegated code (EIP-7702) still has one.
    function isFrom(address signer, bytes32 digest, bytes calldata signature)
        internal
        view
        returns (bool)
    {
        if (signature.length == 65) {
            address recovered = recover(
                digest, uint8(signature[64]), bytes32(signature[:32]), bytes32(signature[32:64])
            );
            if (recovered == signer && signer != address(0)) return true;
        }
        if (signer.code.length == 0) return false;
        (bool success, bytes memory answer) =
            signer.staticcall(abi.encodeCall(IContractSigner.isValidSignature, (digest, signature)));
        return success && answer.length == 32
            && bytes32(answer) == bytes32(IContractSigner.isValidSignature.selector);
    }
}
