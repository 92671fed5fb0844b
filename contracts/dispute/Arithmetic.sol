// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @title The integer primitives of `flex16-w8a16-v0`
/// @notice docs/reference/arithmetic.md, section 2, letter by letter. All numbers of the specification fit 64 bits, so
/// nothing here can leave 256; callers hold the bounds that the specification proves.
/// @dev `powers` is the place in memory of T1 and T2, as `Tables.loadPowers` puts them there.
library Arithmetic {
    /// @notice What a row with one exponent claims of one element.
    /// @param witness True if the row names this element as the one that forces its exponent.
    struct Claim {
        int32 mantissa;
        int32 exponent;
        bool witness;
    }

    uint256 internal constant ONE_Q30 = 1 << 30;
    /// @dev Where left shifts of R saturate.
    int256 private constant SHIFT_LIMIT = 1 << 62;
    uint256 private constant MASK_32 = 0xffffffff;

    /// @notice R: x / 2^s to the nearest integer, ties to the even one; s <= 0 shifts left and saturates at +-2^62.
    /// @param x |x| < 2^63
    function roundShift(int256 x, int256 s) internal pure returns (int256) {
        if (s >= 63) return 0;
        if (s <= 0) return shiftLeft(x, s);
        // SAFETY: |x| < 2^63 and s <= 62, so the sum stays far inside 256 bits; `>>` of an int256 is floor.
        unchecked {
            uint256 n = uint256(s);
            return (x + int256((uint256(1) << (n - 1)) - 1) + ((x >> n) & 1)) >> n;
        }
    }

    /// @dev s <= 0.
    function shiftLeft(int256 x, int256 s) private pure returns (int256) {
        if (x == 0) return 0;
        // SAFETY: L(x) <= 256; a very negative s only makes the difference larger, and exponents are 32-bit integers.
        unchecked {
            if (int256(bitLength(x)) - s <= 62) return x << uint256(-s);
        }
        return x > 0 ? SHIFT_LIMIT : -SHIFT_LIMIT;
    }

    /// @notice C: x limited to [-(2^bits - 1), 2^bits - 1].
    function clamp(int256 x, uint256 bits) internal pure returns (int256) {
        int256 limit = int256((uint256(1) << bits) - 1);
        if (x > limit) return limit;
        return x < -limit ? -limit : x;
    }

    /// @notice L: number of bits of |x|; L(0) = 0.
    function bitLength(int256 x) internal pure returns (uint256) {
        // SAFETY: the smallest int256 negates to itself, and as unsigned it is its own magnitude.
        unchecked {
            return bitLengthOf(x < 0 ? uint256(-x) : uint256(x));
        }
    }

    /// @notice L of an unsigned number.
    function bitLengthOf(uint256 x) internal pure returns (uint256 bits) {
        assembly ("memory-safe") {
            bits := shl(7, lt(0xffffffffffffffffffffffffffffffff, x))
            bits := or(bits, shl(6, lt(0xffffffffffffffff, shr(bits, x))))
            bits := or(bits, shl(5, lt(0xffffffff, shr(bits, x))))
            bits := or(bits, shl(4, lt(0xffff, shr(bits, x))))
            bits := or(bits, shl(3, lt(0xff, shr(bits, x))))
            bits := or(bits, shl(2, lt(0xf, shr(bits, x))))
            bits := or(bits, shl(1, lt(0x3, shr(bits, x))))
            // What is left is 0 to 3, whose lengths are 0, 1, 2, 2.
            let rest := shr(bits, x)
            bits := add(bits, add(gt(rest, 0), gt(rest, 1)))
        }
    }

    /// @notice isqrt: the largest r with r * r <= x, by Newton's steps from above.
    /// @param x < 2^254
    function isqrt(uint256 x) internal pure returns (uint256 root) {
        if (x < 2) return x;
        // SAFETY: root starts at no more than 2^127 and only falls; it never reaches 0 for x >= 2.
        unchecked {
            root = uint256(1) << ((bitLengthOf(x) + 1) >> 1);
            for (;;) {
                uint256 next = (root + x / root) >> 1;
                if (next >= root) return root;
                root = next;
            }
        }
    }

    /// @notice exp2n: 2^(-q / 65536) in Q30, for q in Q16; 0 from q = 32 * 65536 on.
    function exp2n(uint256 powers, uint256 q) internal pure returns (uint256 result) {
        assembly ("memory-safe") {
            let n := shr(16, q)
            if lt(n, 32) {
                // T1 at `powers`, T2 1,024 bytes on; entries of 4 bytes.
                let high := shr(224, mload(add(powers, shl(2, and(shr(8, q), 255)))))
                let low := shr(224, mload(add(add(powers, 1024), shl(2, and(q, 255)))))
                result := shr(30, add(mul(high, low), 0x20000000))
                if n {
                    // R(result, n) of a positive number.
                    result := shr(
                        n,
                        add(add(result, sub(shl(sub(n, 1), 1), 1)), and(shr(n, result), 1))
                    )
                }
            }
        }
    }

    /// @notice log2b: log2(x) in Q24, rounded down digit by digit.
    /// @param x from 1 to 2^32 - 1
    function log2b(uint256 x) internal pure returns (uint256 result) {
        // SAFETY: the mantissa stays below 2^33 and its square below 2^66.
        unchecked {
            result = bitLengthOf(x) - 1;
            uint256 mantissa = x << (31 - result);
            for (uint256 digit = 0; digit < 24; ++digit) {
                mantissa = (mantissa * mantissa) >> 31;
                uint256 carry = mantissa >> 32;
                result = 2 * result + carry;
                mantissa >>= carry;
            }
        }
    }

    /// @notice quantise: `mantissa` with `exponent` is what a row stores for `value` * 2^`base` in `bits` bits.
    /// @dev One element cannot show the exponent of its row, but it can break it: no element may need more bits than
    /// the row's shift leaves, and the element that the row names as its witness must need them all.
    /// @param bits 15 for A16, 30 for I30
    function isQuantised(int256 value, int256 base, uint256 bits, Claim memory claim)
        internal
        pure
        returns (bool)
    {
        int256 shift = int256(claim.exponent) - base;
        if (!isShift(value, shift, bits, claim.witness)) return false;
        int256 mantissa = roundShift(value, shift);
        // I30 is not limited: rounding may reach 2^30 itself.
        return claim.mantissa == (bits == 30 ? mantissa : clamp(mantissa, bits));
    }

    /// @notice `shift` = max(0, L(largest of the row) - bits) as far as one element can tell.
    function isShift(int256 value, int256 shift, uint256 bits, bool witness)
        internal
        pure
        returns (bool)
    {
        if (shift < 0) return false;
        int256 need = int256(bitLength(value)) - int256(bits);
        return need <= shift && (!witness || shift == 0 || need == shift);
    }
}
