// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @title Writes and reads the data contract of {Tables}
/// @notice T1, T2, A and B after one zero byte; docs/reference/arithmetic.md, sections 2 and 4.
library TableData {
    /// @dev Bytes before the first table: STOP.
    uint256 private constant PREFIX = 1;
    uint256 private constant POWERS_SIZE = 2048;
    uint256 private constant TURNS_FROM = PREFIX + POWERS_SIZE;
    uint256 private constant TURNS_SIZE = 8192;

    error TablesNotDeployed();

    function deploy(bytes memory tables) internal returns (address data) {
        // PUSH2 size, DUP1, PUSH1 10, RETURNDATASIZE, CODECOPY, RETURNDATASIZE, RETURN: returns all that follows.
        bytes memory code = abi.encodePacked(
            hex"61", uint16(tables.length + PREFIX), hex"80600a3d393df3", hex"00", tables
        );
        assembly ("memory-safe") {
            data := create(0, add(code, 32), mload(code))
        }
        if (data == address(0)) revert TablesNotDeployed();
    }

    /// @notice Copies T1 and T2 to memory for {Arithmetic.exp2n}: 2 KiB for about 450 gas once the address is warm.
    function loadPowers(address data) internal view returns (uint256 powers) {
        assembly ("memory-safe") {
            powers := mload(0x40)
            mstore(0x40, add(powers, POWERS_SIZE))
            extcodecopy(data, powers, PREFIX, POWERS_SIZE)
        }
    }

    /// @notice turn: cosine and sine of `phase` / 2^64 turns in Q30.
    /// @param phase < 2^64
    function cosSin(address data, uint256 phase) internal view returns (int256 cos, int256 sin) {
        // SAFETY: phase + 2^43 < 2^65, indices stay below 1,024, products of Q30 entries below 2^61.
        unchecked {
            uint256 angle = ((phase + (1 << 43)) >> 44) & 0xfffff;
            (int256 c1, int256 s1) = entry(data, TURNS_FROM + 8 * (angle >> 10));
            (int256 c2, int256 s2) = entry(data, TURNS_FROM + TURNS_SIZE + 8 * (angle & 1023));
            cos = roundQ30(c1 * c2 - s1 * s2);
            sin = roundQ30(s1 * c2 + c1 * s2);
        }
    }

    /// @dev R(x, 30).
    function roundQ30(int256 x) private pure returns (int256) {
        // SAFETY: |x| < 2^62.
        unchecked {
            return (x + (1 << 29) - 1 + ((x >> 30) & 1)) >> 30;
        }
    }

    /// @dev Two signed 32-bit numbers at `from`, through the scratch word.
    function entry(address data, uint256 from) private view returns (int256 first, int256 second) {
        assembly ("memory-safe") {
            extcodecopy(data, 0, from, 8)
            let word := mload(0)
            first := sar(224, word)
            second := sar(224, shl(32, word))
        }
    }
}
