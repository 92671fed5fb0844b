// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @title Chains that live on one machine
/// @notice 31337 is the id of anvil and Hardhat, 1337 that of older tools. No public chain has either.
library LocalChain {
    function isLocal() internal view returns (bool) {
        return block.chainid == 31_337 || block.chainid == 1337;
    }
}
