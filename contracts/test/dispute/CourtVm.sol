// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @notice Cheat codes that only these tests use, beside those of ../base/Vm.sol.
interface CourtVm {
    function parseJsonInt(string calldata json, string calldata key) external pure returns (int256);
    function parseJsonIntArray(string calldata json, string calldata key)
        external
        pure
        returns (int256[] memory);
    function parseBytes32(string calldata text) external pure returns (bytes32);
    function snapshotValue(string calldata group, string calldata name, uint256 value) external;
}
