// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Arithmetic} from "../../dispute/Arithmetic.sol";
import {IChecker} from "../../dispute/IChecker.sol";
import {Test} from "../base/Test.sol";
import {CourtVm} from "./CourtVm.sol";

interface ITables {
    function data() external view returns (address);
    function root() external view returns (bytes32);
}

/// @notice The tables and the checker as they are deployed, and the encodings of leaves.
abstract contract CourtTest is Test {
    CourtVm internal constant courtVm = CourtVm(address(vm));
    uint256 internal constant NO_WITNESS = 0xffff;

    IChecker internal checker;
    address internal tableData;
    /// @dev T1 and T2 as {Arithmetic.exp2n} wants them, for {loadPowers}.
    bytes internal tableBytes;

    function setUp() public virtual {
        string memory json = vm.readFile("../vectors/court/tables.json");
        tableBytes = vm.parseJsonBytes(json, ".bytes");
        bytes32 root = vm.parseJsonBytes32(json, ".root");
        ITables tables = ITables(vm.deployCode("Tables.sol:Tables", abi.encode(tableBytes, root)));
        tableData = tables.data();
        checker = IChecker(vm.deployCode("Checker.sol:Checker", abi.encode(tableData)));
    }

    function claimOf(int256 mantissa, int256 exponent, bool witness)
        internal
        pure
        returns (Arithmetic.Claim memory)
    {
        return Arithmetic.Claim(int32(mantissa), int32(exponent), witness);
    }

    /// @dev The claim beside the right one.
    function other(Arithmetic.Claim memory claim) internal pure returns (Arithmetic.Claim memory) {
        return Arithmetic.Claim(claim.mantissa ^ 1, claim.exponent, claim.witness);
    }

    /// @dev A16 mantissas + 32,768.
    function packActivations(int256[] memory x, uint256 from, uint256 size)
        internal
        pure
        returns (bytes memory packed)
    {
        packed = new bytes(2 * size);
        for (uint256 i = 0; i < size; ++i) {
            uint256 stored = uint256(x[from + i] + 32_768);
            packed[2 * i] = bytes1(uint8(stored >> 8));
            packed[2 * i + 1] = bytes1(uint8(stored));
        }
    }

    /// @dev The W8 leaf of docs/reference/arithmetic.md, section 8, from its sentence there.
    function packWeights(uint256 rowShift, uint256[] memory scales, int256[] memory weights)
        internal
        pure
        returns (bytes memory leaf)
    {
        uint256 size = weights.length;
        leaf = new bytes(1 + size / 16 + size);
        leaf[0] = bytes1(uint8(rowShift));
        for (uint256 i = 0; i < size / 32; ++i) {
            leaf[1 + 2 * i] = bytes1(uint8(scales[i] >> 8));
            leaf[2 + 2 * i] = bytes1(uint8(scales[i]));
        }
        for (uint256 i = 0; i < size; ++i) {
            uint256 k = i % 32;
            uint256 place = 4 * (7 - (k % 16) / 2) + (k < 16 ? 2 : 0) + k % 2;
            leaf[1 + size / 16 + i - k + place] = bytes1(uint8(uint256(weights[i] + 128)));
        }
    }

    function packWords(int256[] memory values) internal pure returns (bytes memory packed) {
        packed = new bytes(4 * values.length);
        for (uint256 i = 0; i < values.length; ++i) {
            uint256 word = uint256(values[i]) << 224;
            assembly ("memory-safe") {
                // Four bytes at a time; what lies behind them stays.
                let place := add(add(packed, 32), shl(2, i))
                mstore(place, or(word, and(mload(place), shr(32, not(0)))))
            }
        }
    }

    function total(int256[] memory values) internal pure returns (int256 sum) {
        for (uint256 i = 0; i < values.length; ++i) {
            sum += values[i];
        }
    }

    /// @dev A list of numbers, also as {"repeat": n, "count": m}.
    function readInts(string memory json, string memory key)
        internal
        view
        returns (int256[] memory values)
    {
        if (!vm.keyExistsJson(json, string.concat(key, ".repeat"))) {
            return courtVm.parseJsonIntArray(json, key);
        }
        int256 value = courtVm.parseJsonInt(json, string.concat(key, ".repeat"));
        values = new int256[](vm.parseJsonUint(json, string.concat(key, ".count")));
        for (uint256 i = 0; i < values.length; ++i) {
            values[i] = value;
        }
    }
}
