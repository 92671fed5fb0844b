// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ITestDollar} from "../settlement/ITestDollar.sol";
import {ChannelsTest} from "./base/ChannelsTest.sol";

contract TestDollarPermitTest is ChannelsTest {
    function testFuzz_permit(uint256 value) public {
        (uint8 v, bytes32 r, bytes32 s) = signPermit(PAYER_KEY, stranger, value, START);
        vm.expectEmit(address(dollar));
        emit ITestDollar.Approval(payer, stranger, value);
        dollar.permit(payer, stranger, value, START, v, r, s);
        assertEq(dollar.allowance(payer, stranger), value);
        assertEq(dollar.nonces(payer), 1);
        assertEq(dollar.balanceOf(payer), 1000e6);
    }

    function test_permit_replay_reverts() public {
        (uint8 v, bytes32 r, bytes32 s) = signPermit(PAYER_KEY, stranger, 1, START);
        dollar.permit(payer, stranger, 1, START, v, r, s);
        vm.expectRevert(abi.encodeWithSelector(ITestDollar.SignatureInvalid.selector, payer));
        dollar.permit(payer, stranger, 1, START, v, r, s);
    }

    function test_permit_late_reverts() public {
        (uint8 v, bytes32 r, bytes32 s) = signPermit(PAYER_KEY, stranger, 1, START - 1);
        vm.expectRevert(abi.encodeWithSelector(ITestDollar.PermitExpired.selector, START - 1));
        dollar.permit(payer, stranger, 1, START - 1, v, r, s);
    }

    function test_permit_otherChain_reverts() public {
        (uint8 v, bytes32 r, bytes32 s) = signPermit(PAYER_KEY, stranger, 1, START);
        vm.chainId(1337);
        vm.expectRevert(abi.encodeWithSelector(ITestDollar.SignatureInvalid.selector, payer));
        dollar.permit(payer, stranger, 1, START, v, r, s);
    }

    /// @dev ecrecover answers zero to nonsense; zero must permit nothing.
    function testFuzz_permit_zeroOwner_reverts(uint8 v, bytes32 r, bytes32 s) public {
        vm.expectRevert(abi.encodeWithSelector(ITestDollar.SignatureInvalid.selector, address(0)));
        dollar.permit(address(0), stranger, 1, START, v, r, s);
    }
}
