// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {CourtBase} from "../court/CourtBase.sol";
import {CourtActor} from "./CourtActor.sol";
import {CourtLedger} from "./CourtLedger.sol";

contract CourtInvariantTest is CourtBase {
    CourtActor private actor;
    /// @dev Atomic units that all accounts have together.
    uint256 private total;

    function setUp() public override {
        super.setUp();
        CourtLedger.World memory world =
            CourtLedger.World(court, stake, vaults, receipts, channels, dollar);
        actor = new CourtActor(world, job(0), model);
        total = dollar.totalSupply() - dollar.balanceOf(provider);
        targetContract(address(actor));
    }

    /// forge-config: default.invariant.depth = 128
    /// @dev One function for all, because forge plays the whole game again for each.
    function invariant_court() public view {
        actor.assertMoney();
        actor.assertNothingLost(total);
        actor.assertStored();
        actor.assertHonestKeepsItsStake();
        assertEq(address(court).balance, actor.storedCount() * BOND);
        assertEq(dollar.balanceOf(address(court)), actor.owed());
    }

    /// @dev From any state every dispute ends, every verdict is paid, and nothing stays in the court.
    function afterInvariant() public {
        actor.finish();
        assertEq(actor.storedCount(), 0);
        assertEq(address(court).balance, 0);
        assertEq(dollar.balanceOf(address(court)), 0);
        actor.assertMoney();
        actor.assertNothingLost(total);
        actor.assertStored();
        actor.assertHonestKeepsItsStake();
    }

    /// @dev The same game with fixed dice: it must come to everything that can happen, or the invariant says little.
    function testGameReachesEverything() external {
        bountyMoves();
        for (uint256 i = 0; i < 1200; ++i) {
            step(uint256(keccak256(abi.encode("court of law", i))));
        }
        bytes32[16] memory all = [
            bytes32("open"),
            "answer",
            "reveal",
            "choose",
            "show",
            "again",
            "refused",
            "dismissed",
            "silent",
            "returned",
            "convicted",
            "bounty claimed",
            "released",
            "burned",
            "withdrawn",
            "collected"
        ];
        for (uint256 i = 0; i < all.length; ++i) {
            assertTrue(actor.seen(all[i]) != 0, string(abi.encodePacked(all[i])));
        }
        invariant_court();
        afterInvariant();
    }

    /// @dev Played by hand, because dice seldom come to it: one commits himself, another shows the same proof.
    function bountyMoves() private {
        actor.commit(1, 0);
        actor.wait(1, false);
        actor.convict(1, 1, false, false);
        actor.claimBounty(0, 0);
    }

    function step(uint256 dice) private {
        uint256 which = dice % 18;
        (uint256 a, uint256 b) = (dice >> 8, dice >> 72);
        // Some proofs and payments are rare, or there is nobody left to be silent, and no bounty left to claim.
        if (which == 8 && b % 8 != 0) which = b % 2 == 0 ? 3 : 5;
        if (which == 10 && b % 4 != 0) which = 9;
        bool yes = dice >> 255 != 0;
        if (which == 0) actor.open(a, b % 16 == 0);
        if (which == 1) actor.play(a, b, dice >> 136);
        if (which == 2) actor.moveWrong(a, b, dice >> 136);
        if (which == 3) actor.timeOut(a);
        if (which == 4) actor.returnBond(a);
        if (which == 5) actor.commit(a, b);
        if (which == 6) actor.convict(a, b, yes, (dice >> 200) % 2 == 0);
        if (which == 7) actor.convictOpened(a, b);
        if (which == 8) actor.equivocate(a, b, yes);
        if (which == 9) actor.claimBounty(a, b);
        if (which == 10) actor.release(a);
        if (which == 11) actor.burn(a);
        if (which == 12) actor.stakeMore(a, uint96(b));
        if (which == 13) actor.requestStake(a, uint96(b));
        if (which == 14) actor.withdrawStake(a);
        if (which == 15) actor.earn(a, uint128(b));
        if (which == 16) actor.collect(a);
        if (which == 17) actor.wait(b, yes);
    }
}
