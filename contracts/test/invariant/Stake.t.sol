// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IStake} from "../../settlement/IStake.sol";
import {ITestDollar} from "../../settlement/ITestDollar.sol";
import {Test} from "../base/Test.sol";

/// @notice Everything that three providers and the court can do to a stake contract.
contract StakeActor is Test {
    uint256 public constant PROVIDER_COUNT = 3;

    IStake private immutable STAKE;
    ITestDollar private immutable DOLLAR;
    address private immutable TEST = msg.sender;

    uint256 public moneyIn;
    uint256 public moneyOut;
    address[PROVIDER_COUNT] private _providers;

    constructor(IStake stake, ITestDollar dollar) {
        STAKE = stake;
        DOLLAR = dollar;
        for (uint256 i = 0; i < PROVIDER_COUNT; ++i) {
            _providers[i] = vm.addr(0x9201 + i);
            dollar.mint(_providers[i], 1_000_000e6);
            vm.prank(_providers[i]);
            dollar.approve(address(stake), type(uint256).max);
        }
    }

    function deposit(uint256 provider, uint96 amount) external {
        amount = uint96(bound(amount, 1, 100e6));
        vm.prank(providerOf(provider));
        STAKE.deposit(providerOf(provider), amount);
        moneyIn += amount;
    }

    function request(uint256 provider, uint96 amount) public {
        (uint96 staked,,) = STAKE.stakes(providerOf(provider));
        vm.prank(providerOf(provider));
        STAKE.requestWithdrawal(uint96(bound(amount, 0, staked)));
    }

    function withdraw(uint256 provider) public {
        (, uint96 requested, uint64 readyAt) = STAKE.stakes(providerOf(provider));
        bool ready = requested != 0 && block.timestamp >= readyAt;
        vm.prank(providerOf(provider));
        try STAKE.withdraw() {
            assertTrue(ready, "withdrawn in time");
            moneyOut += requested;
        } catch {
            assertTrue(!ready, "a ready withdrawal works");
        }
    }

    function slash(uint256 provider, uint96 amount) external {
        vm.prank(STAKE.COURT());
        moneyOut += STAKE.slash(providerOf(provider), uint96(bound(amount, 0, 50e6)), address(1));
    }

    function wait(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1, 2 days));
    }

    /// @notice Everybody takes out what is left. Only the test ends the game.
    function leave() external {
        if (msg.sender != TEST) return;
        for (uint256 i = 0; i < PROVIDER_COUNT; ++i) {
            (uint96 staked,,) = STAKE.stakes(providerOf(i));
            vm.prank(providerOf(i));
            STAKE.requestWithdrawal(staked);
        }
        vm.warp(block.timestamp + STAKE.WITHDRAW_DELAY());
        for (uint256 i = 0; i < PROVIDER_COUNT; ++i) {
            withdraw(i);
        }
    }

    function providerOf(uint256 provider) public view returns (address) {
        return _providers[provider % PROVIDER_COUNT];
    }
}

contract StakeInvariantTest is Test {
    IStake private stake;
    ITestDollar private dollar;
    StakeActor private actor;

    function setUp() public {
        vm.warp(1_800_000_000);
        dollar = ITestDollar(vm.deployCode("TestDollar.sol:TestDollar"));
        bytes memory arguments =
            abi.encode(address(dollar), address(0xC0047), address(0), uint64(1 days));
        stake = IStake(vm.deployCode("Stake.sol:Stake", arguments));
        actor = new StakeActor(stake, dollar);
        targetContract(address(actor));
    }

    /// @dev Money in = money out + money held = what is staked, to the unit.
    function invariant_stake() public view {
        assertEq(dollar.balanceOf(address(stake)), actor.moneyIn() - actor.moneyOut());
        uint256 staked = 0;
        for (uint256 i = 0; i < actor.PROVIDER_COUNT(); ++i) {
            (uint96 amount, uint96 requested,) = stake.stakes(actor.providerOf(i));
            assertTrue(requested <= amount, "requested within staked");
            staked += amount;
        }
        assertEq(dollar.balanceOf(address(stake)), staked);
    }

    /// @dev From any state every provider gets out, and nothing stays behind.
    function afterInvariant() public {
        actor.leave();
        assertEq(dollar.balanceOf(address(stake)), 0);
    }
}
