// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Arithmetic} from "../../dispute/Arithmetic.sol";
import {TableData} from "../../dispute/TableData.sol";
import {CourtTest} from "./CourtTest.sol";

/// @notice The primitives against the golden vectors, which a Python program of its own computed, and against their
/// slow definitions.
contract ArithmeticTest is CourtTest {
    using Arithmetic for int256;

    function test_vectors() public view {
        string memory json = vm.readFile("../vectors/arithmetic/primitives.json");
        uint256 table = TableData.loadPowers(tableData);
        uint256 count = 0;
        for (string memory where = caseAt(0); vm.keyExistsJson(json, where); where = caseAt(count)) {
            string memory name = vm.parseJsonString(json, string.concat(where, ".function"));
            int256[] memory x = readInts(json, string.concat(where, ".arguments"));
            string memory key = string.concat(where, ".result");
            if (isName(name, "cosSin")) {
                int256[] memory pair = readInts(json, key);
                (int256 cos, int256 sin) = TableData.cosSin(tableData, uint256(x[0]));
                assertTrue(cos == pair[0] && sin == pair[1], where);
            } else if (!isName(name, "scoreScaleQ24")) {
                assertTrue(primitive(table, name, x) == courtVm.parseJsonInt(json, key), where);
            }
            ++count;
        }
        assertTrue(count > 300, "all cases");
    }

    function caseAt(uint256 index) private pure returns (string memory) {
        return string.concat(".cases[", vm.toString(index), "]");
    }

    function isName(string memory a, string memory b) private pure returns (bool) {
        return keccak256(bytes(a)) == keccak256(bytes(b));
    }

    function primitive(uint256 table, string memory name, int256[] memory x)
        private
        pure
        returns (int256)
    {
        if (isName(name, "R")) return x[0].roundShift(x[1]);
        if (isName(name, "C")) return x[0].clamp(uint256(x[1]));
        if (isName(name, "L")) return int256(x[0].bitLength());
        if (isName(name, "isqrt")) return int256(Arithmetic.isqrt(uint256(x[0])));
        if (isName(name, "exp2n")) return int256(Arithmetic.exp2n(table, uint256(x[0])));
        if (isName(name, "log2b")) return int256(Arithmetic.log2b(uint256(x[0])));
        revert NotTrue(name);
    }

    /// @notice R by its words: the nearest integer to x / 2^s, and of two equally near ones the even one.
    function testFuzz_roundShift_isNearestTiesToEven(int64 x, uint256 s) public pure {
        s = bound(s, 1, 62);
        int256 result = int256(x).roundShift(int256(s));
        int256 gap = 2 * (result * int256(1 << s) - x);
        assertTrue(gap <= int256(1 << s) && gap >= -int256(1 << s), "nearest");
        if (gap == int256(1 << s) || gap == -int256(1 << s)) {
            assertTrue(result % 2 == 0, "ties to even");
        }
    }

    function testFuzz_roundShift_ties(int32 odd, uint256 s) public pure {
        s = bound(s, 1, 30);
        int256 half = int256(1 << (s - 1));
        int256 result = (int256(odd) * 2 * half + half).roundShift(int256(s));
        assertTrue(result % 2 == 0, "even");
        assertTrue(result == odd || result == int256(odd) + 1, "next to the tie");
    }

    function testFuzz_roundShift_isOdd(int64 x, int16 s) public pure {
        vm.assume(x != type(int64).min);
        assertTrue(int256(-x).roundShift(s) == -int256(x).roundShift(s), "R(-x) = -R(x)");
    }

    function testFuzz_roundShift_left(int64 x, uint256 s) public pure {
        s = bound(s, 0, 300);
        int256 result = int256(x).roundShift(-int256(s));
        bool fits = x == 0 || int256(x).bitLength() + s <= 62;
        if (fits) assertTrue(result == int256(x) * int256(1 << (x == 0 ? 0 : s)), "exact");
        else assertTrue(result == (x > 0 ? int256(2 ** 62) : -int256(2 ** 62)), "saturated");
    }

    function testFuzz_roundShift_farRight(int64 x, uint16 s) public pure {
        assertTrue(int256(x).roundShift(63 + int256(uint256(s))) == 0, "nothing is left");
    }

    function testFuzz_clamp(int64 x, uint256 bits) public pure {
        bits = bound(bits, 1, 62);
        int256 limit = int256(1 << bits) - 1;
        int256 result = int256(x).clamp(bits);
        assertTrue(result <= limit && result >= -limit, "within");
        assertTrue(result == x || (x > 0 ? result == limit : result == -limit), "or the limit");
    }

    function testFuzz_bitLength(int256 x) public pure {
        uint256 magnitude = x == type(int256).min ? 1 << 255 : uint256(x < 0 ? -x : x);
        uint256 count = 0;
        for (; magnitude > 0; magnitude >>= 1) {
            ++count;
        }
        assertEq(x.bitLength(), count);
    }

    function testFuzz_bitLength_short(int256 x, uint8 shift) public pure {
        testFuzz_bitLength(x >> shift);
    }

    function testFuzz_isqrt(uint256 x, uint8 shift) public pure {
        x = (x >> 2) >> shift;
        uint256 root = Arithmetic.isqrt(x);
        assertTrue(root * root <= x && (root + 1) * (root + 1) > x, "largest square below");
    }

    function testFuzz_exp2n_falls(uint32 q, uint8 step) public view {
        uint256 table = TableData.loadPowers(tableData);
        uint256 high = Arithmetic.exp2n(table, q);
        assertTrue(high <= 2 ** 30, "at most one");
        assertTrue(Arithmetic.exp2n(table, uint256(q) + step) <= high, "never grows");
        // Halving: one more in the whole part is one shift more of the same product, rounded once.
        uint256 next = Arithmetic.exp2n(table, uint256(q) + 65_536);
        uint256 difference = 2 * next > high ? 2 * next - high : high - 2 * next;
        assertTrue(difference <= 2, "halves");
    }

    /// @dev log2(x) in Q24 by whole powers: 2^(k - 1) has exactly (k - 1) * 2^24, and the digits never fall.
    function testFuzz_log2b(uint32 x, uint32 y) public pure {
        vm.assume(x > 0 && y > 0);
        if (x > y) (x, y) = (y, x);
        uint256 low = Arithmetic.log2b(x);
        assertTrue(low <= Arithmetic.log2b(y), "never falls");
        uint256 whole = Arithmetic.bitLengthOf(x) - 1;
        assertEq(low >> 24, whole);
        assertEq(Arithmetic.log2b(1 << whole), whole << 24);
    }

    function testFuzz_cosSin_liesOnTheCircle(uint64 phase) public view {
        (int256 cos, int256 sin) = TableData.cosSin(tableData, phase);
        int256 gap = cos * cos + sin * sin - 2 ** 60;
        assertTrue(gap < 2 ** 33 && gap > -(2 ** 33), "on the circle");
        (int256 oppositeCos, int256 oppositeSin) =
            TableData.cosSin(tableData, uint64(uint256(phase) + (1 << 63)));
        gap = cos + oppositeCos;
        assertTrue(gap <= 4 && gap >= -4, "half a turn on");
        gap = sin + oppositeSin;
        assertTrue(gap <= 4 && gap >= -4, "half a turn on");
    }

    /// @notice Of all claims of a row's exponent, exactly one holds for a witness, with exactly one mantissa.
    function testFuzz_isQuantised_onlyOneClaim(int64 value, int16 base, int8 offset) public pure {
        int256 x = value / 2;
        uint256 need = x.bitLength() > 15 ? x.bitLength() - 15 : 0;
        int256 shift = int256(need) + offset;
        Arithmetic.Claim memory claim =
            claimOf(x.roundShift(shift).clamp(15), int256(base) + shift, true);
        if (shift > 0 && need == 0) claim.witness = false;
        bool right = Arithmetic.isQuantised(x, base, 15, claim);
        if (offset < 0) assertTrue(!right, "too small an exponent");
        if (offset == 0) assertTrue(right, "the right one");
        if (offset > 0) {
            if (claim.witness) assertTrue(!right, "too large an exponent for a witness");
            else assertTrue(right, "a larger element may have forced it");
            claim.witness = true;
            assertTrue(!Arithmetic.isQuantised(x, base, 15, claim), "not by a small witness");
        }
        claim.mantissa ^= 1;
        assertTrue(!Arithmetic.isQuantised(x, base, 15, claim), "other mantissa");
    }

    function test_tables_areThoseOfTheEngine() public {
        string memory json = vm.readFile("../vectors/court/tables.json");
        bytes32 root = vm.parseJsonBytes32(json, ".root");
        bytes memory code = tableData.code;
        assertEq(keccak256(code), keccak256(bytes.concat(hex"00", tableBytes)));
        assertEq(code.length, 18_433);
        bytes memory changed = tableBytes;
        changed[18_431] ^= 0x01;
        vm.expectRevert();
        vm.deployCode("Tables.sol:Tables", abi.encode(changed, root));
        vm.expectRevert();
        vm.deployCode("Tables.sol:Tables", abi.encode(bytes.concat(tableBytes, hex"00"), root));
        vm.expectRevert();
        vm.deployCode("Tables.sol:Tables", abi.encode(tableBytes, ~root));
        vm.expectRevert();
        vm.deployCode("Tables.sol:Tables", abi.encode(hex"", bytes32(0)));
    }

    /// @notice Nobody can run the data: a call stops at once and gives nothing.
    function test_tables_stop() public {
        (bool success, bytes memory answer) = tableData.call(hex"12345678");
        assertTrue(success && answer.length == 0, "stops");
    }
}
