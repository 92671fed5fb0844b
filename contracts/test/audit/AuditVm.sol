// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @notice Cheat codes that only these tests use, beside those of ../base/Vm.sol and ../dispute/CourtVm.sol.
interface AuditVm {
    function setBlockhash(uint256 blockNumber, bytes32 blockHash) external;
    function getBlockNumber() external view returns (uint256);
    function getBlockTimestamp() external view returns (uint256);
}
