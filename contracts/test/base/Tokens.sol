// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @notice Tokens that misbehave, each in one way.

/// @dev Moves money without moving any, unless it is told what to do in between.
abstract contract BareToken {
    mapping(address account => uint256) public balanceOf;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function _move(address from, address to, uint256 amount) internal {
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}

/// @notice Keeps 1% of every transfer.
contract FeeToken is BareToken {
    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        _move(from, address(this), amount / 100);
        _move(from, to, amount - amount / 100);
        return true;
    }
}

/// @notice Says false instead of failing.
contract FalseToken is BareToken {
    function transferFrom(address, address, uint256) external pure returns (bool) {
        return false;
    }
}

/// @notice Returns nothing, like several old tokens; otherwise honest.
contract SilentToken is BareToken {
    function transferFrom(address from, address to, uint256 amount) external {
        _move(from, to, amount);
    }

    function transfer(address to, uint256 amount) external {
        _move(msg.sender, to, amount);
    }
}

/// @notice Calls the sender of money before it moves any, as ERC-777 does.
contract HookToken is BareToken {
    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        if (from.code.length != 0) IHook(from).beforeTransfer();
        _move(from, to, amount);
        return true;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        _move(msg.sender, to, amount);
        return true;
    }
}

interface IHook {
    function beforeTransfer() external;
}
