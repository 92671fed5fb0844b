// embed, swiGlu, residualAdd and logits: ops whose elements are independent but for the exponent of
// their row. Sums come as exact i64 with the shift that makes them I30. Source: specification,
// operators of the same names.
import { clamp, exp2n, round } from './arithmetic';
import { quantise, roundPair } from './rows';
import { fitWords, isPairShift, joinPair, lowHalves, roundTwice } from './vectors';

/** log2(e) in Q30. */
const LOG2E_Q30: i64 = 1549082005;

/** Magnitudes of a gate beyond this have the power zero as this has: 2^23 * log2(e) is above 2^22. */
const MAGNITUDE_MAX = 1 << 23;

/** Row `token` of a packed matrix (see matmul.ts) on the residual grid, int32 [width]; returns the clamped count. */
export function embedRow(
  token: usize, width: usize, weights: usize, scales: usize, shifts: usize,
  exponent: i64, residualBits: i64, out: usize,
): i64 {
  let saturated: i64 = 0;
  const lane = (token & 7) << 1;
  let w = weights + (token >> 3) * (width << 3) + lane;
  let s = scales + (token >> 3) * (width >> 1) + lane;
  const rowShift = <i64>load<u8>(shifts + token);
  for (let block: usize = 0; block < width; block += 32, w += 256, s += 16) {
    const scale = <i64>load<u16>(s) << rowShift;
    for (let k: usize = 0; k < 32; k++, out += 4) {
      // A pair of a row's weights lies every sixteen bytes.
      const weight = <i64>load<i8>(w + ((k >> 1) << 4) + (k & 1));
      const wanted = round(weight * scale, -residualBits - exponent);
      const kept = clamp(wanted, 31);
      saturated += <i64>(kept != wanted);
      store<i32>(out, <i32>kept);
    }
  }
  return saturated;
}

/** Elements [from, to) of residualAddRow, one by one; returns the number of elements that were clamped. */
function addSlowly(h: usize, sums: usize, from: usize, to: usize, i30Shift: i64, grid: i64, out: usize): i64 {
  let saturated: i64 = 0;
  for (let i = from; i < to; i++) {
    const y = round(load<i64>(sums + (i << 3)), i30Shift);
    const wanted = <i64>load<i32>(h + (i << 2)) + round(y, grid);
    const kept = clamp(wanted, 31);
    saturated += <i64>(kept != wanted);
    store<i32>(out + (i << 2), <i32>kept);
  }
  return saturated;
}

/** h = C(h + R(y, -hg - e), 31) for one row; returns the number of elements that were clamped. */
export function residualAddRow(
  h: usize, sums: usize, width: usize, i30Shift: i64, exponent: i64, residualBits: i64, out: usize,
): i64 {
  const grid = -residualBits - exponent;
  if (!isPairShift(grid)) return addSlowly(h, sums, 0, width, i30Shift, grid, out);
  let saturated: i64 = 0;
  for (let i: usize = 0; i < width; i += 4) {
    const at = sums + (i << 3);
    const old = v128.load(h + (i << 2));
    const low = i64x2.add(roundTwice(at, <i32>i30Shift, <i32>grid), i64x2.extend_low_i32x4_s(old));
    const high = i64x2.add(roundTwice(at + 16, <i32>i30Shift, <i32>grid), i64x2.extend_high_i32x4_s(old));
    if (fitWords(low, high)) v128.store(out + (i << 2), lowHalves(low, high));
    else saturated += addSlowly(h, sums, i, i + 4, i30Shift, grid, out);
  }
  return saturated;
}

/**
 * floor(2^60 / d) of four u32 with 2^30 <= d <= 2^31. The float quotient is correctly rounded and its floor is
 * representable, so it is never too small and at most one too large: then the product tells.
 */
// @ts-ignore: decorator
@inline
function inversesQ60(d: v128): v128 {
  const one = f64x2.splat(1152921504606846976.0);
  const limit = i64x2.splat(1 << 60);
  const lowQuotients = f64x2.div(one, f64x2.convert_low_i32x4_u(d));
  const highQuotients = f64x2.div(one, f64x2.convert_low_i32x4_u(v128.shuffle<i32>(d, d, 2, 3, 0, 1)));
  const quotients = v128.shuffle<i32>(
    i32x4.trunc_sat_f64x2_u_zero(lowQuotients), i32x4.trunc_sat_f64x2_u_zero(highQuotients), 0, 1, 4, 5,
  );
  const tooLarge = lowHalves(
    i64x2.gt_s(i64x2.extmul_low_i32x4_u(quotients, d), limit),
    i64x2.gt_s(i64x2.extmul_high_i32x4_u(quotients, d), limit),
  );
  return i32x4.add(quotients, tooLarge);
}

/**
 * C(R(gate, grid), 31) and |g| * log2(e) in Q16, four by four: [g 0..3][power 0..3], 32 bytes each, which is where the
 * four products go afterwards.
 */
function gatePowers(gate: usize, shift: i64, grid: i64, width: usize, out: usize): void {
  const log2e = i32x4.splat(<i32>LOG2E_Q30);
  const vectors = isPairShift(grid);
  for (let i: usize = 0; i < width; i += 4, gate += 32, out += 32) {
    if (vectors) {
      // SAFETY: an I30 value shifted right stays below 2^31, so C changes nothing.
      const low = roundTwice(gate, <i32>shift, <i32>grid);
      const high = roundTwice(gate + 16, <i32>shift, <i32>grid);
      v128.store(out, lowHalves(low, high));
    } else {
      for (let lane: usize = 0; lane < 4; lane++) {
        const g = clamp(round(round(load<i64>(gate + (lane << 3)), shift), grid), 31);
        store<i32>(out + (lane << 2), <i32>g);
      }
    }
    const magnitude = i32x4.min_u(i32x4.abs(v128.load(out)), i32x4.splat(MAGNITUDE_MAX));
    const powers = lowHalves(
      roundPair(i64x2.extmul_low_i32x4_u(magnitude, log2e), 30),
      roundPair(i64x2.extmul_high_i32x4_u(magnitude, log2e), 30),
    );
    v128.store(out, powers, 16);
  }
}

/** The power of every argument that gatePowers left, in its place. */
function takePowers(values: usize, width: usize, tables: usize): void {
  for (const end = values + (width << 3); values < end; values += 32) {
    for (let lane: usize = 16; lane < 32; lane += 4) {
      store<u32>(values + lane, <u32>exp2n(tables, <i64>load<u32>(values + lane)));
    }
  }
}

/** One row of gate * sigmoid(gate) * up to A16; returns the exponent. */
export function swiGluRow(
  gate: usize, gateShift: i64, gateExponent: i64, up: usize, upShift: i64, upExponent: i32,
  width: usize, tables: usize, out: usize, scratch: usize,
): i32 {
  gatePowers(gate, gateShift, -16 - gateExponent, width, scratch);
  takePowers(scratch, width, tables);
  const one = i32x4.splat(1 << 30);
  let seen = i64x2.splat(0);
  for (let i: usize = 0; i < width; i += 4) {
    const at = scratch + (i << 3);
    const g = v128.load(at);
    const s = inversesQ60(i32x4.add(one, v128.load(at, 16)));
    const sigmoid = v128.bitselect(i32x4.sub(one, s), s, i32x4.shr_s(g, 31));
    const gated = lowHalves(
      roundPair(i64x2.extmul_low_i32x4_s(g, sigmoid), 30),
      roundPair(i64x2.extmul_high_i32x4_s(g, sigmoid), 30),
    );
    const from = up + (i << 3);
    const factor = lowHalves(
      roundPair(v128.load(from), <i32>upShift),
      roundPair(v128.load(from, 16), <i32>upShift),
    );
    const low = i64x2.extmul_low_i32x4_s(gated, factor);
    const high = i64x2.extmul_high_i32x4_s(gated, factor);
    v128.store(at, low);
    v128.store(at, high, 16);
    seen = v128.or(seen, v128.or(i64x2.abs(low), i64x2.abs(high)));
  }
  return upExponent - 16 + quantise(scratch, width, joinPair(seen), out);
}

/** One row of logits in Q16, int32 [count]. */
export function logitsRow(sums: usize, count: usize, i30Shift: i64, exponent: i64, out: usize): void {
  const grid = -16 - exponent;
  const whole = isPairShift(grid) ? count & ~3 : 0;
  for (let i: usize = 0; i < whole; i += 4) {
    // SAFETY: an I30 value shifted right stays below 2^31, so C changes nothing.
    const low = roundTwice(sums + (i << 3), <i32>i30Shift, <i32>grid);
    const high = roundTwice(sums + (i << 3) + 16, <i32>i30Shift, <i32>grid);
    v128.store(out + (i << 2), lowHalves(low, high));
  }
  logitsSlowly(sums, whole, count, i30Shift, grid, out);
}

/** Elements [from, to) of logitsRow, one by one. */
function logitsSlowly(sums: usize, from: usize, to: usize, i30Shift: i64, grid: i64, out: usize): void {
  for (let i = from; i < to; i++) {
    const y = round(load<i64>(sums + (i << 3)), i30Shift);
    store<i32>(out + (i << 2), <i32>clamp(round(y, grid), 31));
  }
}
