// bias and headNorm: what some families do to projected rows before heads are cut. Rows come and go
// as sums: exact i64 with the mask of their magnitudes. Source: specification, operators of the same
// names; the letters A, t, b, z and q are those of rmsNorm.
import { bitLength, clamp, isqrt, round } from './arithmetic';

/** One row of i64 sums plus a vector of int32, to i64 in units of 2^(larger exponent - 30); returns the mask. */
export function biasRow(
  sums: usize, i30Shift: i64, width: usize, rowShift: i64, vector: usize, vectorShift: i64,
  out: usize,
): i64 {
  let mask: i64 = 0;
  for (let i: usize = 0; i < width; i++) {
    const y = round(round(load<i64>(sums + (i << 3)), i30Shift), rowShift);
    const x = y + round(<i64>load<i32>(vector + (i << 2)), vectorShift);
    store<i64>(out + (i << 3), x);
    mask |= x < 0 ? -x : x;
  }
  return mask;
}

/** Rounds one head to I30 in `out`; returns the mask. */
function loadHead(sums: usize, i30Shift: i64, size: usize, out: usize): i64 {
  let mask: i64 = 0;
  for (let i: usize = 0; i < size; i++) {
    const x = round(load<i64>(sums + (i << 3)), i30Shift);
    store<i64>(out + (i << 3), x);
    mask |= x < 0 ? -x : x;
  }
  return mask;
}

/** Sum of R(x, sh)^2, below 2^56 for size <= 256. */
function squares(x: usize, size: usize, sh: i64): i64 {
  let sum: i64 = 0;
  for (let i: usize = 0; i < size; i++) {
    const y = round(load<i64>(x + (i << 3)), sh);
    sum += y * y;
  }
  return sum;
}

/** One head of sums to n * g as i64; returns the mask. */
export function headNorm(
  sums: usize, i30Shift: i64, size: usize, exponent: i64, gains: usize, epsilonQ40: i64, out: usize,
): i64 {
  let sh = bitLength(loadHead(sums, i30Shift, size, out)) - 24;
  const forEpsilon = ((bitLength(epsilonQ40) - 87) >> 1) - exponent;
  if (sh < forEpsilon) sh = forEpsilon;
  if (sh < 0) sh = 0;
  const grid = -2 * exponent - 2 * sh - 40;
  // SAFETY: sh >= forEpsilon keeps epsilon below 2^48, so a left shift loses nothing.
  const epsilon = grid >= 0 ? epsilonQ40 << grid : grid > -64 ? epsilonQ40 >> -grid : 0;
  let a = squares(out, size, sh) + <i64>size * epsilon;
  if (a == 0) a = 1;
  const z1: i64 = bitLength(a) < 61 ? 61 - bitLength(a) : 0;
  const t = <i64>(<u64>(a << z1) / <u64>size);
  let b = 62 - bitLength(t);
  if ((z1 + b) & 1) b -= 1;
  const inverse = ((1 as i64) << 61) / isqrt(t << b);
  const shift = 37 - (z1 + b) / 2 + sh;
  let mask: i64 = 0;
  for (let i: usize = 0; i < size; i++) {
    const n = clamp(round(load<i64>(out + (i << 3)) * inverse, shift), 31);
    const y = n * <i64>load<i32>(gains + (i << 2));
    store<i64>(out + (i << 3), y);
    mask |= y < 0 ? -y : y;
  }
  return mask;
}
