// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IChannels} from "../../settlement/IChannels.sol";
import {ITestDollar} from "../../settlement/ITestDollar.sol";
import {Test} from "../base/Test.sol";
import {ChannelsActor} from "./ChannelsActor.sol";

contract ChannelsInvariantTest is Test {
    IChannels private channels;
    ITestDollar private dollar;
    ChannelsActor private actor;

    function setUp() public {
        vm.warp(1_800_000_000);
        dollar = ITestDollar(vm.deployCode("TestDollar.sol:TestDollar"));
        channels = IChannels(vm.deployCode("Channels.sol:Channels"));
        actor = new ChannelsActor(channels, dollar);
        targetContract(address(actor));
    }

    /// @dev One function for all, because forge plays the whole game again for each.
    function invariant_channels() public view {
        assertMoneyIsKept();
        assertEveryUnitBelongsToSomebody();
        assertNoChannelIsOverclaimed();
    }

    /// @dev From any state everybody gets out, and nothing stays behind.
    function afterInvariant() public {
        actor.leave();
        assertEq(dollar.balanceOf(address(channels)), 0);
    }

    /// @dev Money in = money out + money held, to the unit.
    function assertMoneyIsKept() private view {
        assertEq(dollar.balanceOf(address(channels)), actor.moneyIn() - actor.moneyOut());
    }

    /// @dev Money held = what is unclaimed + what is claimed and not yet paid.
    function assertEveryUnitBelongsToSomebody() private view {
        uint256 owed = 0;
        for (uint256 i = 0; i < actor.CHANNEL_COUNT(); ++i) {
            (uint128 balance, uint128 claimed) = channels.channels(actor.idOf(i));
            owed += balance - claimed;
        }
        for (uint256 i = 0; i < 2; ++i) {
            (uint128 claimed, uint128 settled) =
                channels.receivers(actor.configOf(i).receiver, address(dollar));
            owed += claimed - settled;
        }
        assertEq(dollar.balanceOf(address(channels)), owed);
    }

    /// @dev Lanes sum up to the total, the total is within the balance, no lane is above what was signed.
    function assertNoChannelIsOverclaimed() private view {
        uint32[5] memory lanes = actor.lanes();
        for (uint256 i = 0; i < actor.CHANNEL_COUNT(); ++i) {
            (uint128 balance, uint128 claimed) = channels.channels(actor.idOf(i));
            uint256 sum = 0;
            for (uint256 j = 0; j < lanes.length; ++j) {
                uint128 lane = channels.laneClaimed(actor.idOf(i), lanes[j]);
                assertTrue(lane <= actor.signed(i, lanes[j]), "lane within voucher");
                sum += lane;
            }
            assertEq(sum, claimed);
            assertTrue(claimed <= balance, "claimed within balance");
        }
    }
}
