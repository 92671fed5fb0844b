// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Eip712} from "../protocol/Eip712.sol";
import {LocalChain} from "../protocol/LocalChain.sol";
import {Signatures} from "../protocol/Signatures.sol";
import {ITestDollar} from "./ITestDollar.sol";

/// @title Test dollar
/// @notice What it does and refuses is told in {ITestDollar}.
contract TestDollar is ITestDollar {
    /// @dev Balance and nonce share a word, so a permit costs no second one.
    struct Account {
        uint192 balance;
        uint64 permitNonce;
    }

    string public constant name = "Test Dollar";
    string public constant symbol = "TUSD";
    string public constant version = "1";
    uint8 public constant decimals = 6;
    /// @dev One million dollars: enough for any test, and 2^192 is out of reach of repeated calls.
    uint256 public constant MINT_MAX = 1_000_000e6;

    bytes32 private constant PERMIT_TYPEHASH = keccak256(
        "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
    );
    bytes32 private constant TRANSFER_TYPEHASH = keccak256(
        "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    bytes32 private constant RECEIVE_TYPEHASH = keccak256(
        "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    bytes32 private constant CANCEL_TYPEHASH =
        keccak256("CancelAuthorization(address authorizer,bytes32 nonce)");

    // STORAGE

    uint256 public totalSupply;
    mapping(address account => Account) private _accounts;
    mapping(address owner => mapping(address spender => uint256)) public allowance;
    mapping(address authorizer => mapping(bytes32 nonce => bool)) public authorizationState;

    constructor() {
        if (!LocalChain.isLocal()) revert PublicChain(block.chainid);
    }

    // FAUCET

    function mint(address to, uint256 amount) external {
        if (to == address(0)) revert ZeroAddress();
        if (amount > MINT_MAX) revert MintTooLarge(amount, MINT_MAX);
        // INVARIANT: the sum of all balances is totalSupply.
        totalSupply += amount;
        _accounts[to].balance += uint192(amount);
        emit Transfer(address(0), to, amount);
    }

    // ERC-20

    function transfer(address to, uint256 amount) external returns (bool) {
        _transfer(msg.sender, to, amount);
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        uint256 allowed = allowance[from][msg.sender];
        if (allowed != type(uint256).max) {
            if (allowed < amount) revert AllowanceTooLow(msg.sender, allowed, amount);
            allowance[from][msg.sender] = allowed - amount;
        }
        _transfer(from, to, amount);
        return true;
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        _approve(msg.sender, spender, amount);
        return true;
    }

    // ERC-2612

    function permit(
        address owner,
        address spender,
        uint256 value,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        if (block.timestamp > deadline) revert PermitExpired(deadline);
        // SAFETY: the nonce rises even if the signature is wrong, because then everything reverts.
        uint256 nonce = _accounts[owner].permitNonce++;
        _requireSigner(
            owner,
            keccak256(abi.encode(PERMIT_TYPEHASH, owner, spender, value, nonce, deadline)),
            v,
            r,
            s
        );
        _approve(owner, spender, value);
    }

    function nonces(address owner) external view returns (uint256) {
        return _accounts[owner].permitNonce;
    }

    // EIP-3009

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
    ) external {
        _requireValidNow(validAfter, validBefore);
        bytes32 structHash = keccak256(
            abi.encode(TRANSFER_TYPEHASH, from, to, value, validAfter, validBefore, nonce)
        );
        _requireSigner(from, structHash, v, r, s);
        _spendAuthorization(from, nonce);
        emit AuthorizationUsed(from, nonce);
        _transfer(from, to, value);
    }

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
    ) external {
        if (msg.sender != to) revert CallerNotPayee(msg.sender, to);
        _requireValidNow(validAfter, validBefore);
        bytes32 structHash = keccak256(
            abi.encode(RECEIVE_TYPEHASH, from, to, value, validAfter, validBefore, nonce)
        );
        _requireSigner(from, structHash, v, r, s);
        _spendAuthorization(from, nonce);
        emit AuthorizationUsed(from, nonce);
        _transfer(from, to, value);
    }

    function cancelAuthorization(address authorizer, bytes32 nonce, uint8 v, bytes32 r, bytes32 s)
        external
    {
        _requireSigner(
            authorizer, keccak256(abi.encode(CANCEL_TYPEHASH, authorizer, nonce)), v, r, s
        );
        _spendAuthorization(authorizer, nonce);
        emit AuthorizationCanceled(authorizer, nonce);
    }

    // VIEWS

    function balanceOf(address account) external view returns (uint256) {
        return _accounts[account].balance;
    }

    function DOMAIN_SEPARATOR() public view returns (bytes32) {
        return Eip712.separator(keccak256(bytes(name)), keccak256(bytes(version)));
    }

    // INTERNAL

    function _transfer(address from, address to, uint256 amount) private {
        if (to == address(0)) revert ZeroAddress();
        uint256 balance = _accounts[from].balance;
        if (balance < amount) revert BalanceTooLow(from, balance, amount);
        unchecked {
            // SAFETY: amount <= balance, and all balances together are at most totalSupply.
            _accounts[from].balance = uint192(balance - amount);
            _accounts[to].balance += uint192(amount);
        }
        emit Transfer(from, to, amount);
    }

    function _approve(address owner, address spender, uint256 amount) private {
        allowance[owner][spender] = amount;
        emit Approval(owner, spender, amount);
    }

    function _spendAuthorization(address authorizer, bytes32 nonce) private {
        if (authorizationState[authorizer][nonce]) revert AuthorizationSpent(authorizer, nonce);
        authorizationState[authorizer][nonce] = true;
    }

    function _requireValidNow(uint256 validAfter, uint256 validBefore) private view {
        if (block.timestamp <= validAfter) revert AuthorizationTooEarly(validAfter);
        if (block.timestamp >= validBefore) revert AuthorizationExpired(validBefore);
    }

    function _requireSigner(address signer, bytes32 structHash, uint8 v, bytes32 r, bytes32 s)
        private
        view
    {
        address recovered =
            Signatures.recover(Eip712.digest(DOMAIN_SEPARATOR(), structHash), v, r, s);
        if (recovered != signer || recovered == address(0)) revert SignatureInvalid(signer);
    }
}
