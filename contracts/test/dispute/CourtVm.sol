// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @notice Cheat codes that only these tests use, beside those of ../base/Vm.sol.
interface CourtVm {
    struct Gas {
        uint64 gasLimit;
        uint64 gasTotalUsed;
        uint64 gasMemoryUsed;
        int64 gasRefunded;
        uint64 gasRemaining;
    }

    function lastCallGas() external view returns (Gas memory gas);
    function parseJsonInt(string calldata json, string calldata key) external pure returns (int256);
    function parseJsonIntArray(string calldata json, string calldata key)
        external
        pure
        returns (int256[] memory);
    function parseBytes32(string calldata text) external pure returns (bytes32);
    function snapshotValue(string calldata group, string calldata name, uint256 value) external;
    function envOr(string calldata name, string calldata standard)
        external
        view
        returns (string memory);
    function getNonce(address account) external view returns (uint64);
    function computeCreateAddress(address deployer, uint256 nonce) external pure returns (address);
    function deal(address account, uint256 balance) external;
    function roll(uint256 blockNumber) external;
    function cool(address account) external;
    function parseJsonKeys(string calldata json, string calldata key)
        external
        pure
        returns (string[] memory);
}
