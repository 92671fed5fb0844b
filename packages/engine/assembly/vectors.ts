// Four or two lanes at a time: what several ops need beyond single instructions. Rounding of pairs of i64 by one shift is
// in rows.ts. Knows no rows and no op.
import { roundPair } from './rows';

/** Shifts for which roundPair is R for every |x| <= 2^62; others are left to scalar code. */
// @ts-ignore: decorator
@inline
export function isPairShift(shift: i64): bool {
  return shift >= 0 && shift <= 62;
}

/** The low halves of two pairs of i64, as one i32x4. */
// @ts-ignore: decorator
@inline
export function lowHalves(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(a, b, 0, 2, 4, 6);
}

/** True if every element of two pairs of i64 is within +-(2^31 - 1), so that C(x, 31) changes nothing. */
// @ts-ignore: decorator
@inline
export function fitWords(a: v128, b: v128): bool {
  const seen = v128.or(i64x2.abs(a), i64x2.abs(b));
  return !v128.any_true(v128.and(seen, i64x2.splat(~0x7fff_ffff)));
}

/** R(R(x, first), second) of two i64 at `at`, for shifts that isPairShift allows. */
// @ts-ignore: decorator
@inline
export function roundTwice(at: usize, first: i32, second: i32): v128 {
  return roundPair(roundPair(v128.load(at), first), second);
}

/** OR of both elements of a pair of non-negative i64. */
// @ts-ignore: decorator
@inline
export function joinPair(seen: v128): i64 {
  return i64x2.extract_lane(seen, 0) | i64x2.extract_lane(seen, 1);
}
