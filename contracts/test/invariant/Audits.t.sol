// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Test} from "../base/Test.sol";
import {AuditActor} from "./AuditActor.sol";

contract AuditsInvariantTest is Test {
    AuditActor private actor;
    bytes4[] private _selectors;

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function setUp() public {
        actor = new AuditActor();
        actor.begin();
        targetContract(address(actor));
        _selectors.push(AuditActor.audit.selector);
        _selectors.push(AuditActor.settleOne.selector);
        _selectors.push(AuditActor.comeAndGo.selector);
        _selectors.push(AuditActor.withdrawOne.selector);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(actor), _selectors);
    }

    /// @dev Bonds in = held + returned + forfeited; what is held is the sum of what seats have.
    function invariant_bonds() public view {
        assertEq(actor.held(), actor.sumOfBonds());
        uint256 forfeited = actor.burned() - actor.feesBurned();
        assertEq(actor.bondsIn(), actor.held() + actor.returned() + forfeited);
    }

    /// @dev Every fee comes from the audited provider's stake, and all that leaves it is fees or slashed.
    function invariant_fees() public view {
        assertEq(
            actor.stakeIn(),
            actor.stakeNow() + actor.feesPaid() + actor.feesBurned() + actor.slashed()
        );
    }

    /// @dev A verifier that is on time and honest never loses a bond.
    function invariant_honestVerifier() public view {
        assertEq(actor.bondsOfAlice(), actor.bondOfAll());
    }

    function invariant_settledOnce() public view {
        assertEq(actor.settledTwice(), 0);
    }

    /// @dev Nobody's money is stuck: every seat can be left, and its bond taken in the end.
    function afterInvariant() public {
        actor.empty();
        assertEq(actor.held(), 0);
    }
}
