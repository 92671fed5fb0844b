// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @notice The numbers that tools/src/generate-court-vectors.ts drew: words of 32 bits from
/// keccak256(keccak256(name ‖ u32 row) ‖ u32 block), spread as the row says.
library Draw {
    /// @param spread row mod 4: uniform, edges, largest, small
    struct Stream {
        bytes32 key;
        bytes32 held;
        uint256 drawn;
        uint256 spread;
        uint256 row;
    }

    function start(string memory name, uint256 row) internal pure returns (Stream memory stream) {
        stream.key = keccak256(abi.encodePacked(name, uint32(row)));
        stream.spread = row % 4;
        stream.row = row;
    }

    function word(Stream memory stream) internal pure returns (uint256 value) {
        uint256 drawn = stream.drawn++;
        if (drawn % 8 == 0) {
            bytes32 key = stream.key;
            bytes32 held;
            assembly ("memory-safe") {
                mstore(0, key)
                mstore(32, shl(224, shr(3, drawn)))
                held := keccak256(0, 36)
            }
            stream.held = held;
        }
        return (uint256(stream.held) >> (224 - 32 * (drawn % 8))) & 0xffffffff;
    }

    function between(Stream memory stream, int256 low, int256 high) internal pure returns (int256) {
        return low + int256(word(stream) % uint256(high - low + 1));
    }

    /// @notice From -limit to limit.
    function signed(Stream memory stream, uint256 limit) internal pure returns (int256) {
        uint256 v = word(stream);
        int256 uniform = int256(v % (2 * limit + 1)) - int256(limit);
        if (stream.spread == 0) return uniform;
        if (stream.spread == 3) return uniform >> (v % 31);
        int256 magnitude = int256(stream.spread == 2 ? limit : edge(v, limit));
        return v >> 31 == 1 ? -magnitude : magnitude;
    }

    function edge(uint256 v, uint256 limit) private pure returns (uint256) {
        uint256 choice = v % 8;
        if (choice == 0) return 0;
        if (choice == 1) return limit;
        if (choice == 2) return limit - 1;
        if (choice == 3) return limit / 2 + 1;
        uint256 power = (1 << ((v / 8) % 32)) - (choice % 2);
        return power < limit ? power : limit;
    }
}

/// @notice Reads packed big-endian numbers one after the other.
library Read {
    struct Bytes {
        bytes data;
        uint256 offset;
    }

    function start(bytes memory data) internal pure returns (Bytes memory) {
        return Bytes(data, 0);
    }

    function signed(Bytes memory reader, uint256 size) internal pure returns (int256 value) {
        bytes memory data = reader.data;
        uint256 offset = reader.offset;
        require(offset + size <= data.length, "read past the end");
        uint256 bits = 256 - 8 * size;
        assembly ("memory-safe") {
            value := sar(bits, mload(add(add(data, 32), offset)))
        }
        reader.offset += size;
    }

    function unsigned(Bytes memory reader, uint256 size) internal pure returns (uint256) {
        return uint256(signed(reader, size)) & ((1 << (8 * size)) - 1);
    }
}
