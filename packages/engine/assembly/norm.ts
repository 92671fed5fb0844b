// rmsNorm: residual row to normalised, gained and quantised A16 row. Source: specification, operator
// "rmsNorm"; the letters A, t, b, z and q are those of its text.
import { bitLength, clamp, isqrt, round } from './arithmetic';
import { quantise, roundPair } from './rows';
import { isPairShift, joinPair, lowHalves } from './vectors';

/** Rows up to here cannot reach the clamp: |n| <= sqrt(width) * 2^24, with room for rounding. */
const WIDTH_UNCLAMPED: usize = 8192;

/** OR of |h| over an int32 row whose length is a multiple of 4. */
export function magnitude(h: usize, width: usize): i64 {
  let seen = i32x4.splat(0);
  for (const end = h + (width << 2); h < end; h += 16) seen = v128.or(seen, i32x4.abs(v128.load(h)));
  seen = v128.or(seen, v128.shuffle<i32>(seen, seen, 2, 3, 0, 1));
  return <i64>(i32x4.extract_lane(seen, 0) | i32x4.extract_lane(seen, 1));
}

/** Sum of R(h, sh)^2, below 2^62 for width <= 2^14. `sh` is at most 7, for h has 31 bits. */
export function squares(h: usize, width: usize, sh: i64): i64 {
  let sum = i64x2.splat(0);
  for (const end = h + (width << 2); h < end; h += 16) {
    const x = v128.load(h);
    const rounded = lowHalves(
      roundPair(i64x2.extend_low_i32x4_s(x), <i32>sh),
      roundPair(i64x2.extend_high_i32x4_s(x), <i32>sh),
    );
    sum = i64x2.add(sum, i64x2.extmul_low_i32x4_s(rounded, rounded));
    sum = i64x2.add(sum, i64x2.extmul_high_i32x4_s(rounded, rounded));
  }
  return i64x2.extract_lane(sum, 0) + i64x2.extract_lane(sum, 1);
}

/** C(R(h * inverse, shift), 31) * gain, i64 [width]; returns the mask. */
function normalise(h: usize, width: usize, inverse: i64, shift: i64, gains: usize, out: usize): i64 {
  let mask: i64 = 0;
  for (let i: usize = 0; i < width; i++) {
    const n = clamp(round(<i64>load<i32>(h + (i << 2)) * inverse, shift), 31);
    const y = n * <i64>load<i32>(gains + (i << 2));
    store<i64>(out + (i << 3), y);
    mask |= y < 0 ? -y : y;
  }
  return mask;
}

/** The same for rows that cannot reach the clamp and an inverse below 2^31. */
function normaliseFast(h: usize, width: usize, inverse: i32, shift: i32, gains: usize, out: usize): i64 {
  const factor = i32x4.splat(inverse);
  let seen = i64x2.splat(0);
  for (const end = h + (width << 2); h < end; h += 16, gains += 16, out += 32) {
    const x = v128.load(h);
    const n = lowHalves(
      roundPair(i64x2.extmul_low_i32x4_s(x, factor), shift),
      roundPair(i64x2.extmul_high_i32x4_s(x, factor), shift),
    );
    const gain = v128.load(gains);
    const low = i64x2.extmul_low_i32x4_s(n, gain);
    const high = i64x2.extmul_high_i32x4_s(n, gain);
    v128.store(out, low);
    v128.store(out, high, 16);
    seen = v128.or(seen, v128.or(i64x2.abs(low), i64x2.abs(high)));
  }
  return joinPair(seen);
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
  const mask = width <= WIDTH_UNCLAMPED && inverse <= i32.MAX_VALUE && isPairShift(shift)
    ? normaliseFast(h, width, <i32>inverse, <i32>shift, gains, scratch)
    : normalise(h, width, inverse, shift, gains, scratch);
  return gainExponent - 24 + quantise(scratch, width, mask, out);
}
