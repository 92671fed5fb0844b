// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @notice Descriptors of nodes as the engine commits to them (docs/reference/arithmetic.md, section 8).
library GraphBytes {
    uint32 internal constant T = type(uint32).max;

    function row(uint256 size) internal pure returns (bytes memory) {
        return abi.encodePacked(uint8(2), T, uint32(size));
    }

    function heads(uint256 count, uint256 size) internal pure returns (bytes memory) {
        return abi.encodePacked(uint8(3), T, uint32(count), uint32(size));
    }

    function input(uint256 tensor, bytes memory shape) internal pure returns (bytes memory) {
        return abi.encodePacked(uint32(tensor), shape);
    }

    function matrix(uint256 index, uint256 rows, uint256 cols)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(uint32(index), uint8(1), uint8(2), uint32(rows), uint32(cols));
    }

    function vector(uint256 index, uint8 kind, uint256 size) internal pure returns (bytes memory) {
        return abi.encodePacked(uint32(index), kind, uint8(1), uint32(size));
    }

    /// @param inputs already encoded, one or two of them
    /// @param weight one or empty
    /// @param parameters already encoded, 8 bytes each
    function node(
        uint8 op,
        uint256 logitsFrom,
        bytes[2] memory inputs,
        bytes memory weight,
        bytes memory parameters,
        bytes memory output
    ) internal pure returns (bytes memory) {
        bytes memory head = abi.encodePacked(
            op, uint32(logitsFrom), uint8(inputs[1].length == 0 ? 1 : 2), inputs[0], inputs[1]
        );
        return bytes.concat(
            head,
            abi.encodePacked(uint8(weight.length == 0 ? 0 : 1), weight),
            abi.encodePacked(uint8(parameters.length / 8), parameters),
            output
        );
    }
}
