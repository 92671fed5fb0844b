// Rows of numbers sharing one exponent: how a matmul's exact sums become I30 values when they are
// read, and how a row of i64 becomes A16. It knows no op. Source: specification, formats A16, I30.
import { bitLength, clamp, round } from './arithmetic';

/** Fraction kept by I30: |value| <= 2^30. */
const I30_BITS: i64 = 30;
/** Mantissa bits of A16. */
const A16_BITS: i64 = 15;

/** OR of the magnitudes that every thread saw in `row`; its bit length is that of the largest. */
export function joinMasks(masks: usize, row: usize, stride: usize, threads: usize): i64 {
  let seen = i64x2.splat(0);
  for (let at = masks + (row << 4), end = at + stride * threads; at < end; at += stride) {
    seen = v128.or(seen, v128.load(at));
  }
  return i64x2.extract_lane(seen, 0) | i64x2.extract_lane(seen, 1);
}

/** The shift that brings a row of sums with this mask to I30. */
// @ts-ignore: decorator
@inline
export function i30Shift(mask: i64): i64 {
  const shift = bitLength(mask) - I30_BITS;
  return shift > 0 ? shift : 0;
}

/** Two elements R(x, shift) for 0 <= shift <= 62 and |x| <= 2^62, by an unsigned shift of x + 2^62 < 2^64. */
// @ts-ignore: decorator
@inline
export function roundPair(x: v128, shift: i32): v128 {
  if (shift == 0) return x;
  const biased = i64x2.add(x, i64x2.splat(1 << 62));
  const odd = v128.and(i64x2.shr_u(biased, shift), i64x2.splat(1));
  const half = i64x2.splat(((1 as i64) << (shift - 1)) - 1);
  const moved = i64x2.shr_u(i64x2.add(i64x2.add(biased, half), odd), shift);
  return i64x2.sub(moved, i64x2.splat((1 as i64) << (62 - shift)));
}

/** The low halves of two pairs of i64, as one i32x4. */
// @ts-ignore: decorator
@inline
function lowHalves(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(a, b, 0, 2, 4, 6);
}

/**
 * Quantise: i64 [count] with magnitudes joined in `mask` to int16 [count]; returns the shift, to be
 * added to the exponent. `count` is a multiple of 8 (rows are padded with zeros).
 */
export function quantise(values: usize, count: usize, mask: i64, out: usize): i32 {
  const excess = bitLength(mask) - A16_BITS;
  const shift = excess > 0 ? <i32>excess : 0;
  // SAFETY: after R every element is within +-2^15, so the saturating narrow is C but for -2^15.
  const floor = i16x8.splat(-32767);
  for (const end = values + (count << 3); values < end; values += 64, out += 16) {
    const low = lowHalves(
      roundPair(v128.load(values), shift),
      roundPair(v128.load(values, 16), shift),
    );
    const high = lowHalves(
      roundPair(v128.load(values, 32), shift),
      roundPair(v128.load(values, 48), shift),
    );
    v128.store(out, i16x8.max_s(i16x8.narrow_i32x4_s(low, high), floor));
  }
  return shift;
}

/** C(R(x, shift), 31), the form in which fixed-point values leave a row. */
// @ts-ignore: decorator
@inline
export function toFixed(x: i64, shift: i64): i64 {
  return clamp(round(x, shift), 31);
}
