// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LocalChain} from "../protocol/LocalChain.sol";
import {IPaymentToken} from "../protocol/Payments.sol";
import {IChannels} from "../settlement/IChannels.sol";
import {IVault, IVaults} from "./IVaults.sol";
import {Vault} from "./Vault.sol";

/// @title Where the earnings of providers wait
/// @notice What it does and refuses is told in {IVaults}.
contract Vaults is IVaults {
    /// @dev Long enough for an audit and a whole forced dispute; a local chain may go faster.
    uint64 private constant WINDOW_MIN = 1 days;
    uint64 private constant WINDOW_MIN_LOCAL = 1 seconds;
    uint64 private constant WINDOW_MAX = 30 days;

    address public immutable TOKEN;
    address public immutable CHANNELS;
    address public immutable STAKE;
    address public immutable COURT;
    uint64 public immutable WINDOW;

    constructor(address token, address channels, address stake, address court, uint64 window) {
        if (token == address(0) || channels == address(0) || stake == address(0)) {
            revert ZeroAddress();
        }
        uint64 windowMin = LocalChain.isLocal() ? WINDOW_MIN_LOCAL : WINDOW_MIN;
        if (window < windowMin || window > WINDOW_MAX) revert WindowOutOfRange(window);
        (TOKEN, CHANNELS, STAKE, COURT, WINDOW) = (token, channels, stake, court, window);
    }

    /// @inheritdoc IVaults
    function create(address provider) external returns (address vault) {
        if (provider == address(0)) revert ZeroAddress();
        vault = vaultOf(provider);
        if (vault.code.length == 0) _create(provider, vault);
    }

    /// @inheritdoc IVaults
    function confiscate(address provider) external returns (uint256 amount) {
        if (msg.sender != COURT) revert CallerNotCourt(msg.sender);
        address vault = vaultOf(provider);
        if (vault.code.length == 0) {
            // Money goes to the address whether there is a vault or not, and must not wait there for its owner.
            if (!_hasMoney(vault)) return 0;
            _create(provider, vault);
        }
        return IVault(vault).confiscate(msg.sender);
    }

    function _create(address provider, address vault) private {
        new Vault{salt: bytes32(0)}(provider);
        emit VaultCreated(provider, vault);
    }

    /// @dev Money held at the address of a vault, or promised to it by channels.
    function _hasMoney(address vault) private view returns (bool) {
        if (IPaymentToken(TOKEN).balanceOf(vault) != 0) return true;
        (uint128 claimed, uint128 settled) = IChannels(CHANNELS).receivers(vault, TOKEN);
        return claimed != settled;
    }

    /// @inheritdoc IVaults
    function vaultOf(address provider) public view returns (address vault) {
        // CREATE2 (EIP-1014): the provider is part of the code, so one salt is enough.
        bytes32 codeHash =
            keccak256(abi.encodePacked(type(Vault).creationCode, abi.encode(provider)));
        return address(
            uint160(
                uint256(
                    keccak256(abi.encodePacked(bytes1(0xff), address(this), bytes32(0), codeHash))
                )
            )
        );
    }
}
