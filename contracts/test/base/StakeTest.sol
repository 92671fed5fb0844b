// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IStake} from "../../settlement/IStake.sol";
import {ChannelsTest} from "./ChannelsTest.sol";

/// @notice A provider with money, a stake contract with a court.
abstract contract StakeTest is ChannelsTest {
    uint64 internal constant WAIT = 1 days;

    IStake internal stake;
    address internal court = vm.addr(0xC0047);
    address internal audits = vm.addr(0xA0D17);
    address internal provider = vm.addr(PAYER_KEY);

    function setUp() public virtual override {
        super.setUp();
        stake = deployStake(address(dollar), court, WAIT);
        vm.prank(provider);
        dollar.approve(address(stake), type(uint256).max);
    }

    function deployStake(address token, address court_, uint64 wait) internal returns (IStake) {
        return IStake(vm.deployCode("Stake.sol:Stake", abi.encode(token, court_, audits, wait)));
    }

    function depositStake(uint96 amount) internal {
        vm.prank(provider);
        stake.deposit(provider, amount);
    }

    function requestStake(uint96 amount) internal {
        vm.prank(provider);
        stake.requestWithdrawal(amount);
    }

    function assertStake(uint96 staked, uint96 requested, uint256 readyAt) internal view {
        (uint96 actualStaked, uint96 actualRequested, uint64 actualReadyAt) = stake.stakes(provider);
        assertEq(actualStaked, staked);
        assertEq(actualRequested, requested);
        assertEq(actualReadyAt, readyAt);
    }
}
