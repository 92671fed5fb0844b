// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ITestDollar} from "../settlement/ITestDollar.sol";
import {ChannelsTest} from "./base/ChannelsTest.sol";

contract TestDollarAuthorizationTest is ChannelsTest {
    bytes32 private constant TRANSFER_TYPEHASH = keccak256(
        "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    bytes32 private constant CANCEL_TYPEHASH =
        keccak256("CancelAuthorization(address authorizer,bytes32 nonce)");

    function testFuzz_transferWithAuthorization_byAnyone(uint256 value, bytes32 nonce) public {
        value = bound(value, 0, 1000e6);
        (uint8 v, bytes32 r, bytes32 s) = signTransfer(value, nonce);
        vm.expectEmit(address(dollar));
        emit ITestDollar.AuthorizationUsed(payer, nonce);
        vm.prank(stranger);
        dollar.transferWithAuthorization(
            payer, receiver, value, START - 1, START + 1, nonce, v, r, s
        );
        assertEq(dollar.balanceOf(receiver), value);
        assertTrue(dollar.authorizationState(payer, nonce), "nonce is used");
    }

    function test_transferWithAuthorization_twice_reverts() public {
        (uint8 v, bytes32 r, bytes32 s) = signTransfer(1, 0);
        dollar.transferWithAuthorization(payer, receiver, 1, START - 1, START + 1, 0, v, r, s);
        vm.expectRevert(
            abi.encodeWithSelector(ITestDollar.AuthorizationSpent.selector, payer, bytes32(0))
        );
        dollar.transferWithAuthorization(payer, receiver, 1, START - 1, START + 1, 0, v, r, s);
    }

    function test_transferWithAuthorization_outsideItsTime_reverts() public {
        (uint8 v, bytes32 r, bytes32 s) = signTransfer(1, 0);
        vm.warp(START - 1);
        vm.expectRevert(
            abi.encodeWithSelector(ITestDollar.AuthorizationTooEarly.selector, START - 1)
        );
        dollar.transferWithAuthorization(payer, receiver, 1, START - 1, START + 1, 0, v, r, s);
        vm.warp(START + 1);
        vm.expectRevert(
            abi.encodeWithSelector(ITestDollar.AuthorizationExpired.selector, START + 1)
        );
        dollar.transferWithAuthorization(payer, receiver, 1, START - 1, START + 1, 0, v, r, s);
    }

    function test_transferWithAuthorization_otherPayee_reverts() public {
        (uint8 v, bytes32 r, bytes32 s) = signTransfer(1, 0);
        vm.expectRevert(abi.encodeWithSelector(ITestDollar.SignatureInvalid.selector, payer));
        dollar.transferWithAuthorization(payer, stranger, 1, START - 1, START + 1, 0, v, r, s);
    }

    function test_receiveWithAuthorization_byPayeeOnly() public {
        (uint8 v, bytes32 r, bytes32 s) = signReceive(PAYER_KEY, receiver, 5, 0, START + 1, 0);
        vm.expectRevert(
            abi.encodeWithSelector(ITestDollar.CallerNotPayee.selector, stranger, receiver)
        );
        vm.prank(stranger);
        dollar.receiveWithAuthorization(payer, receiver, 5, 0, START + 1, 0, v, r, s);
        vm.prank(receiver);
        dollar.receiveWithAuthorization(payer, receiver, 5, 0, START + 1, 0, v, r, s);
        assertEq(dollar.balanceOf(receiver), 5);
    }

    /// @dev The two kinds of authorization are not interchangeable.
    function test_receiveWithAuthorization_ofTransfer_reverts() public {
        (uint8 v, bytes32 r, bytes32 s) = signTransfer(1, 0);
        vm.expectRevert(abi.encodeWithSelector(ITestDollar.SignatureInvalid.selector, payer));
        vm.prank(receiver);
        dollar.receiveWithAuthorization(payer, receiver, 1, START - 1, START + 1, 0, v, r, s);
    }

    function test_cancelAuthorization() public {
        (uint8 v, bytes32 r, bytes32 s) =
            sign(keccak256(abi.encode(CANCEL_TYPEHASH, payer, bytes32(0))));
        vm.expectEmit(address(dollar));
        emit ITestDollar.AuthorizationCanceled(payer, 0);
        dollar.cancelAuthorization(payer, 0, v, r, s);
        (v, r, s) = signTransfer(1, 0);
        vm.expectRevert(
            abi.encodeWithSelector(ITestDollar.AuthorizationSpent.selector, payer, bytes32(0))
        );
        dollar.transferWithAuthorization(payer, receiver, 1, START - 1, START + 1, 0, v, r, s);
    }

    function test_cancelAuthorization_byOther_reverts() public {
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(AUTHORIZER_KEY, keccak256(abi.encode(CANCEL_TYPEHASH, payer, bytes32(0))));
        vm.expectRevert(abi.encodeWithSelector(ITestDollar.SignatureInvalid.selector, payer));
        dollar.cancelAuthorization(payer, 0, v, r, s);
    }

    function signTransfer(uint256 value, bytes32 nonce)
        private
        view
        returns (uint8 v, bytes32 r, bytes32 s)
    {
        return sign(
            keccak256(
                abi.encode(TRANSFER_TYPEHASH, payer, receiver, value, START - 1, START + 1, nonce)
            )
        );
    }

    function sign(bytes32 structHash) private view returns (uint8 v, bytes32 r, bytes32 s) {
        return vm.sign(
            PAYER_KEY, keccak256(abi.encodePacked(hex"1901", dollar.DOMAIN_SEPARATOR(), structHash))
        );
    }
}
