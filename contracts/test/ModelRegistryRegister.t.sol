// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IModelRegistry} from "../model/IModelRegistry.sol";
import {Test} from "./base/Test.sol";

contract ModelRegistryRegisterTest is Test {
    uint256 private constant START = 1_800_000_000;

    IModelRegistry private registry;

    function setUp() public {
        vm.warp(START);
        registry = IModelRegistry(vm.deployCode("ModelRegistry.sol:ModelRegistry"));
    }

    function testFuzz_register(address caller, IModelRegistry.Model memory model) public {
        vm.assume(caller != address(0));
        bytes32 modelId = registry.getModelId(model);
        vm.expectEmit(address(registry));
        emit IModelRegistry.ModelRegistered(modelId, caller, model, "ipfs://file");
        vm.prank(caller);
        assertEq(registry.register(model, "ipfs://file"), modelId);
        (address registrant, uint64 registeredAt) = registry.models(modelId);
        assertEq(registrant, caller);
        assertEq(registeredAt, START);
    }

    /// @dev Every field counts, and its place too.
    function testFuzz_getModelId_bindsEveryField(uint8 field, bytes32 value) public view {
        bytes32[7] memory words;
        uint256 i = field % 7;
        bytes32 first = registry.getModelId(modelOf(words));
        vm.assume(value != 0);
        words[i] = value;
        bytes32 second = registry.getModelId(modelOf(words));
        assertTrue(first != second, "field counts");
        words[i] = 0;
        words[(i + 1) % 7] = value;
        assertTrue(second != registry.getModelId(modelOf(words)), "place counts");
    }

    function test_register_twice_reverts() public {
        bytes32[7] memory words;
        bytes32 modelId = registry.register(modelOf(words), "");
        vm.expectRevert(
            abi.encodeWithSelector(IModelRegistry.ModelKnown.selector, modelId, address(this))
        );
        vm.prank(address(1));
        registry.register(modelOf(words), "elsewhere");
    }

    function test_register_uriTooLong_reverts() public {
        bytes32[7] memory words;
        uint256 most = registry.URI_LENGTH_MAX();
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UriTooLong.selector, most + 1, most));
        registry.register(modelOf(words), string(new bytes(most + 1)));
        registry.register(modelOf(words), string(new bytes(most)));
    }

    function modelOf(bytes32[7] memory words) private pure returns (IModelRegistry.Model memory) {
        return
            IModelRegistry.Model(
                words[0], words[1], words[2], words[3], words[4], words[5], words[6]
            );
    }
}
