// The integer primitives of the specification: rounding shift R, clamp C, bit length L, integer
// square root, exp2n and log2b. It knows no rows, tensors or memory layout except the two 256-word
// tables of exp2n. Source: the specification's section on primitives; names follow it.

/** L(x): bit length of |x|; 0 for 0. */
// @ts-ignore: decorator
@inline
export function bitLength(x: i64): i64 {
  return 64 - clz<i64>(x < 0 ? -x : x);
}

/** R(x, s) for 1 <= s <= 62 and |x| <= 2^62: to nearest, ties to even. */
// @ts-ignore: decorator
@inline
export function roundRight(x: i64, s: i64): i64 {
  return (x + (((1 as i64) << (s - 1)) - 1) + ((x >> s) & 1)) >> s;
}

/** R(x, s) for any s: zero from 63 on, a left shift saturating at 2^62 for s <= 0. */
export function round(x: i64, s: i64): i64 {
  if (s >= 63) return 0;
  if (s >= 1) return roundRight(x, s);
  if (x == 0) return 0;
  if (bitLength(x) - s > 62) return x < 0 ? -((1 as i64) << 62) : (1 as i64) << 62;
  return x << -s;
}

/** C(x, bits): symmetric clamp, so that -2^bits never appears. */
// @ts-ignore: decorator
@inline
export function clamp(x: i64, bits: i64): i64 {
  const limit = ((1 as i64) << bits) - 1;
  return x > limit ? limit : x < -limit ? -limit : x;
}

/** Floor of the square root of x < 2^63. The float estimate is at most one off; integers decide. */
export function isqrt(x: i64): i64 {
  let root = <i64>Math.sqrt(<f64>x);
  while (root * root > x) root -= 1;
  while ((root + 1) * (root + 1) <= x) root += 1;
  return root;
}

/**
 * 2^(-q/65536) in Q30 for q >= 0 in Q16. Twice the value is shifted by one more, so that whole powers need no branch.
 * `tables`: T1 (256 u32, upper 8 fraction bits) followed by T2 (256 u32, lower 8).
 */
// @ts-ignore: decorator
@inline
export function exp2n(tables: usize, q: i64): i64 {
  const coarse = <i64>load<u32>(tables + ((<usize>q >> 8) & 255) * 4);
  const fine = <i64>load<u32>(tables + (<usize>q & 255) * 4, 1024);
  const e = (coarse * fine + (1 << 29)) >> 30;
  // From 2^-32 on every shift gives zero, as the specification wants from n = 32.
  return roundRight(e << 1, min<i64>((q >> 16) + 1, 62));
}

/** log2(x) in Q24 for 1 <= x < 2^32, by repeated squaring of the normalised mantissa. */
export function log2b(x: u64): i64 {
  const shift = clz<u64>(x) - 32;
  let mantissa = x << shift;
  let result: i64 = 31 - <i64>shift;
  for (let i = 0; i < 24; i++) {
    mantissa = (mantissa * mantissa) >> 31;
    const bit = mantissa >> 32;
    mantissa >>= bit;
    result = (result << 1) | <i64>bit;
  }
  return result;
}
