// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @title Big-endian numbers inside bytes
library Fields {
    /// @dev The number would reach beyond the bytes.
    error FieldBeyondEnd(uint256 offset, uint256 length);

    /// @notice The unsigned number in the `size` bytes at `offset`.
    /// @param size from 1 to 32
    function unsigned(bytes calldata data, uint256 offset, uint256 size)
        internal
        pure
        returns (uint256 value)
    {
        // SAFETY: offsets come from 32-bit numbers, so the sum stays far below 2^256.
        unchecked {
            if (offset + size > data.length) revert FieldBeyondEnd(offset, data.length);
        }
        assembly ("memory-safe") {
            value := shr(sub(256, shl(3, size)), calldataload(add(data.offset, offset)))
        }
    }

    /// @notice The number in two's complement in the `size` bytes at `offset`.
    /// @param size from 1 to 32
    function signed(bytes calldata data, uint256 offset, uint256 size)
        internal
        pure
        returns (int256 value)
    {
        // SAFETY: offsets come from 32-bit numbers, so the sum stays far below 2^256.
        unchecked {
            if (offset + size > data.length) revert FieldBeyondEnd(offset, data.length);
        }
        assembly ("memory-safe") {
            value := sar(sub(256, shl(3, size)), calldataload(add(data.offset, offset)))
        }
    }
}
