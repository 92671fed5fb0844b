// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @notice The parts of ERC-20, ERC-2612 and EIP-3009 that money comes in and goes out by.
interface IPaymentToken {
    function balanceOf(address account) external view returns (uint256);

    function transfer(address to, uint256 amount) external returns (bool);

    function transferFrom(address from, address to, uint256 amount) external returns (bool);

    function permit(
        address owner,
        address spender,
        uint256 value,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;
}

/// @title Moving payment tokens
/// @notice Accepts tokens that return nothing; refuses addresses without code, where a bare call would succeed.
library Payments {
    /// @notice The token refused to move money, or is no token.
    error TransferFailed(address token);

    function push(address token, address to, uint256 amount) internal {
        _call(token, abi.encodeCall(IPaymentToken.transfer, (to, amount)));
    }

    function pull(address token, address from, uint256 amount) internal {
        _call(token, abi.encodeCall(IPaymentToken.transferFrom, (from, address(this), amount)));
    }

    function _call(address token, bytes memory data) private {
        (bool success, bytes memory answer) = token.call(data);
        bool accepted = answer.length == 0 ? token.code.length != 0 : uint256(bytes32(answer)) == 1;
        if (!success || !accepted) revert TransferFailed(token);
    }
}
