// embed, swiGlu, residualAdd and logits: ops whose elements are independent but for the exponent of
// their row. Sums come as exact i64 with the shift that makes them I30. Source: specification,
// operators of the same names.
import { clamp, exp2n, round, roundRight } from './arithmetic';
import { quantise } from './rows';

/** log2(e) in Q30. */
const LOG2E_Q30: i64 = 1549082005;

/** Row `token` of a packed matrix (see matmul.ts) on the residual grid, int32 [width]; returns the clamped count. */
export function embedRow(
  token: usize, width: usize, weights: usize, scales: usize, shifts: usize,
  exponent: i64, residualBits: i64, out: usize,
): i64 {
  let saturated: i64 = 0;
  const lane = token & 3;
  let w = weights + (token >> 2) * (width << 2) + (lane << 5);
  let s = scales + (token >> 2) * (width >> 2) + (lane << 1);
  const rowShift = <i64>load<u8>(shifts + token);
  for (let block: usize = 0; block < width; block += 32, w += 128, s += 8) {
    const scale = <i64>load<u16>(s) << rowShift;
    for (let k: usize = 0; k < 32; k++, out += 4) {
      const wanted = round(<i64>load<i8>(w + k) * scale, -residualBits - exponent);
      const kept = clamp(wanted, 31);
      saturated += <i64>(kept != wanted);
      store<i32>(out, <i32>kept);
    }
  }
  return saturated;
}

/** h = C(h + R(y, -hg - e), 31) for one row; returns the number of elements that were clamped. */
export function residualAddRow(
  h: usize, sums: usize, width: usize, i30Shift: i64, exponent: i64, residualBits: i64, out: usize,
): i64 {
  const grid = -residualBits - exponent;
  let saturated: i64 = 0;
  for (let i: usize = 0; i < width; i++) {
    const y = round(load<i64>(sums + (i << 3)), i30Shift);
    const wanted = <i64>load<i32>(h + (i << 2)) + round(y, grid);
    const kept = clamp(wanted, 31);
    saturated += <i64>(kept != wanted);
    store<i32>(out + (i << 2), <i32>kept);
  }
  return saturated;
}

/**
 * floor(2^60 / d) for 2^30 <= d <= 2^31. The float quotient is correctly rounded and its floor is representable, so
 * it is never too small and at most one too large: then the product tells.
 */
// @ts-ignore: decorator
@inline
function inverseQ60(d: i64): i64 {
  const quotient = <i64>(<f64>((1 as i64) << 60) / <f64>d);
  return quotient - <i64>(quotient * d > (1 as i64) << 60);
}

/** Logistic function of g in Q16, as Q30. */
// @ts-ignore: decorator
@inline
function sigmoid(g: i64, tables: usize): i64 {
  const magnitude = g < 0 ? -g : g;
  const e = exp2n(tables, roundRight(magnitude * LOG2E_Q30, 30));
  const s = inverseQ60(((1 as i64) << 30) + e);
  return g < 0 ? ((1 as i64) << 30) - s : s;
}

/** One row of gate * sigmoid(gate) * up to A16; returns the exponent. */
export function swiGluRow(
  gate: usize, gateShift: i64, gateExponent: i64, up: usize, upShift: i64, upExponent: i32,
  width: usize, tables: usize, out: usize, scratch: usize,
): i32 {
  const grid = -16 - gateExponent;
  let mask: i64 = 0;
  for (let i: usize = 0; i < width; i++) {
    const g = clamp(round(round(load<i64>(gate + (i << 3)), gateShift), grid), 31);
    const si = roundRight(g * sigmoid(g, tables), 30);
    const y = si * round(load<i64>(up + (i << 3)), upShift);
    store<i64>(scratch + (i << 3), y);
    mask |= y < 0 ? -y : y;
  }
  return upExponent - 16 + quantise(scratch, width, mask, out);
}

/** One row of logits in Q16, int32 [count]. */
export function logitsRow(sums: usize, count: usize, i30Shift: i64, exponent: i64, out: usize): void {
  const grid = -16 - exponent;
  for (let i: usize = 0; i < count; i++) {
    const y = round(load<i64>(sums + (i << 3)), i30Shift);
    store<i32>(out + (i << 2), <i32>clamp(round(y, grid), 31));
  }
}
