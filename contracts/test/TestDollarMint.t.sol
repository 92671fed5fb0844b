// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ITestDollar} from "../settlement/ITestDollar.sol";
import {ChannelsTest} from "./base/ChannelsTest.sol";

contract TestDollarMintTest is ChannelsTest {
    function testFuzz_mint_byAnyone(address caller, uint256 amount) public {
        amount = bound(amount, 0, dollar.MINT_MAX());
        uint256 supply = dollar.totalSupply();
        vm.expectEmit(address(dollar));
        emit ITestDollar.Transfer(address(0), stranger, amount);
        vm.prank(caller);
        dollar.mint(stranger, amount);
        assertEq(dollar.balanceOf(stranger), amount);
        assertEq(dollar.totalSupply(), supply + amount);
    }

    function test_mint_refuses() public {
        uint256 most = dollar.MINT_MAX();
        vm.expectRevert(abi.encodeWithSelector(ITestDollar.MintTooLarge.selector, most + 1, most));
        dollar.mint(stranger, most + 1);
        vm.expectRevert(ITestDollar.ZeroAddress.selector);
        dollar.mint(address(0), 1);
    }

    function test_metadata() public view {
        assertEq(dollar.decimals(), 6);
        assertEq(keccak256(bytes(dollar.name())), keccak256("Test Dollar"));
        assertEq(keccak256(bytes(dollar.symbol())), keccak256("TUSD"));
    }

    /// @dev Money from a faucet exists on local chains only.
    function testFuzz_constructor_publicChain_reverts(uint64 chainId) public {
        vm.assume(chainId != 31_337 && chainId != 1337);
        vm.chainId(chainId);
        vm.expectRevert(abi.encodeWithSelector(ITestDollar.PublicChain.selector, chainId));
        vm.deployCode("TestDollar.sol:TestDollar");
    }
}
