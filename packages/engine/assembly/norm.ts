// rmsNorm: residual row to normalised, gained and quantised A16 row. Source: specification, operator
// "rmsNorm"; the letters A, t, b, z and q are those of its text.
import { bitLength, clamp, isqrt, round } from './arithmetic';
import { quantise } from './rows';

/** OR of |h| over an int32 row whose length is a multiple of 4. */
function magnitude(h: usize, width: usize): i64 {
  let seen = i32x4.splat(0);
  for (const end = h + (width << 2); h < end; h += 16) seen = v128.or(seen, i32x4.abs(v128.load(h)));
  seen = v128.or(seen, v128.shuffle<i32>(seen, seen, 2, 3, 0, 1));
  return <i64>(i32x4.extract_lane(seen, 0) | i32x4.extract_lane(seen, 1));
}

/** Sum of R(h, sh)^2, below 2^62 for width <= 2^14. */
function squares(h: usize, width: usize, sh: i64): i64 {
  let sum: i64 = 0;
  for (const end = h + (width << 2); h < end; h += 4) {
    const x = round(<i64>load<i32>(h), sh);
    sum += x * x;
  }
  return sum;
}

/** One row: h int32 [width], gains int32 [width], out int16 [width]; returns the exponent. */
export function rmsNorm(
  h: usize, width: usize, gains: usize, gainExponent: i32, epsilonQ40: i64, residualBits: i64,
  out: usize, scratch: usize,
): i32 {
  const excess = bitLength(magnitude(h, width)) - 24;
  const sh: i64 = excess > 0 ? excess : 0;
  const grid = 2 * residualBits - 2 * sh - 40;
  const epsilon = grid >= 0 ? epsilonQ40 << grid : epsilonQ40 >> -grid;
  const a = squares(h, width, sh) + <i64>width * epsilon;
  const z1: i64 = bitLength(a) < 61 ? 61 - bitLength(a) : 0;
  const t = <i64>(<u64>(a << z1) / <u64>width);
  let b = 62 - bitLength(t);
  let z = z1 + b;
  if (z & 1) {
    b -= 1;
    z -= 1;
  }
  const q = isqrt(t << b);
  const inverse = ((1 as i64) << 61) / q;
  const shift = 37 - z / 2 + sh;
  let mask: i64 = 0;
  for (let i: usize = 0; i < width; i++) {
    const n = clamp(round(<i64>load<i32>(h + (i << 2)) * inverse, shift), 31);
    const y = n * <i64>load<i32>(gains + (i << 2));
    store<i64>(scratch + (i << 3), y);
    mask |= y < 0 ? -y : y;
  }
  return gainExponent - 24 + quantise(scratch, width, mask, out);
}
