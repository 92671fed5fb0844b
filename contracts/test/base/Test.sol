// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Vm} from "./Vm.sol";

/// @notice All of a test base that our tests need: the cheat codes and equality that says what differs.
abstract contract Test {
    /// @dev forge answers at the last 20 bytes of keccak256("hevm cheat code").
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    error NotEqual(uint256 actual, uint256 expected);
    error NotEqualBytes32(bytes32 actual, bytes32 expected);
    error NotEqualAddress(address actual, address expected);
    error NotTrue(string what);

    /// @dev forge calls this to learn which functions its invariant runs may call.
    address[] private _targets;

    function targetContracts() external view returns (address[] memory) {
        return _targets;
    }

    function targetContract(address target) internal {
        _targets.push(target);
    }

    function assertEq(uint256 actual, uint256 expected) internal pure {
        if (actual != expected) revert NotEqual(actual, expected);
    }

    function assertEq(bytes32 actual, bytes32 expected) internal pure {
        if (actual != expected) revert NotEqualBytes32(actual, expected);
    }

    function assertEq(address actual, address expected) internal pure {
        if (actual != expected) revert NotEqualAddress(actual, expected);
    }

    function assertTrue(bool condition, string memory what) internal pure {
        if (!condition) revert NotTrue(what);
    }

    /// @notice Maps any `value` into [low, high].
    function bound(uint256 value, uint256 low, uint256 high) internal pure returns (uint256) {
        if (value >= low && value <= high) return value;
        uint256 size = high - low;
        return size == type(uint256).max ? value : low + value % (size + 1);
    }
}
