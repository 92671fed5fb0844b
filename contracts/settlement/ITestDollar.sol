// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @title Test dollar
/// @notice Payment token of a local network: 6 decimals like USDC, ERC-20 with ERC-2612 (`permit`) and EIP-3009
/// (`…WithAuthorization`), and a faucet open to everybody. It is worth nothing, so it refuses to exist on a public
/// chain.
interface ITestDollar {
    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);
    /// @notice EIP-3009: the authorization moved money and can never be used again.
    event AuthorizationUsed(address indexed authorizer, bytes32 indexed nonce);
    /// @notice EIP-3009: the authorization was withdrawn by who signed it.
    event AuthorizationCanceled(address indexed authorizer, bytes32 indexed nonce);

    /// @notice Money from a faucet must not be taken for money: only chains 31337 and 1337 are local.
    error PublicChain(uint256 chainId);
    error MintTooLarge(uint256 amount, uint256 amountMax);
    /// @notice The zero address is where lost money goes.
    error ZeroAddress();
    error BalanceTooLow(address account, uint256 balance, uint256 needed);
    error AllowanceTooLow(address spender, uint256 allowance, uint256 needed);
    error PermitExpired(uint256 deadline);
    error AuthorizationTooEarly(uint256 validAfter);
    error AuthorizationExpired(uint256 validBefore);
    error AuthorizationSpent(address authorizer, bytes32 nonce);
    /// @notice `receiveWithAuthorization` may only be called by who is paid, so that nobody can run ahead of it.
    error CallerNotPayee(address caller, address payee);
    /// @notice The signature is malformed or of another key.
    error SignatureInvalid(address signer);

    /// @notice Creates `amount` for `to`, at most {MINT_MAX} per call. Anyone may call.
    function mint(address to, uint256 amount) external;

    function transfer(address to, uint256 amount) external returns (bool);

    /// @notice An allowance of type(uint256).max is never used up.
    function transferFrom(address from, address to, uint256 amount) external returns (bool);

    function approve(address spender, uint256 amount) external returns (bool);

    /// @notice ERC-2612: sets an allowance by the owner's signature.
    function permit(
        address owner,
        address spender,
        uint256 value,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    /// @notice EIP-3009: moves money by the signature of `from`; anyone may submit it.
    /// @param validAfter Unix seconds; valid strictly after.
    /// @param validBefore Unix seconds; valid strictly before.
    /// @param nonce Any 32 bytes that `from` has not used.
    function transferWithAuthorization(
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

    /// @notice EIP-3009: the same, submitted by `to` itself.
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

    /// @notice EIP-3009: makes an unused nonce unusable.
    function cancelAuthorization(address authorizer, bytes32 nonce, uint8 v, bytes32 r, bytes32 s)
        external;

    function name() external view returns (string memory);
    function symbol() external view returns (string memory);
    function decimals() external view returns (uint8);
    /// @notice Version in the EIP-712 domain.
    function version() external view returns (string memory);
    function totalSupply() external view returns (uint256);
    function balanceOf(address account) external view returns (uint256);
    function allowance(address owner, address spender) external view returns (uint256);
    /// @notice Next ERC-2612 nonce.
    function nonces(address owner) external view returns (uint256);
    /// @notice EIP-3009: true once used or cancelled.
    function authorizationState(address authorizer, bytes32 nonce) external view returns (bool);
    function DOMAIN_SEPARATOR() external view returns (bytes32);
    /// @notice Most that one call of {mint} creates, in atomic units.
    function MINT_MAX() external view returns (uint256);
}
