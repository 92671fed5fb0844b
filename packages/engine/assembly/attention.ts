// scores, softmax and mix for one position and one head, over the session's pages; and joinHeads.
// Two passes, no rescaling: order of positions cannot matter. Source: specification, operators
// "scores", "softmax", "mix", "joinHeads". Splits that keep int16 products inside i32 lanes:
//   query = 256 * high + low: 256 products of 2^7 * 2^15 stay below 2^31;
//   weight = 2^20 * a + 2^10 * b + c, each below 2^10: 64 positions of 2^25 stay below 2^31.
import { bitLength, clamp, round } from './arithmetic';
import {
  keptExponents, keptRows, KEY_POSITIONS, PAGE_POSITIONS, pageOf, VALUE_BLOCK_BYTES, VALUE_PAIR_BYTES,
} from './heads';
import { quantise, roundPair } from './rows';
import { joinPair, lowHalves } from './vectors';

/** What attention of one head needs besides its row: filled once per node by the caller. */
@unmanaged
export class AttentionShape {
  /** Offset of the keys and of the values in a page. */
  keys: usize;
  values: usize;
  kvHeads: usize;
  padded: usize;
  scaleQ24: i64;
}

/** Working memory of one thread: see `attentionScratch` for the sizes. */
@unmanaged
export class AttentionScratch {
  query: usize;
  scores: usize;
  weights: usize;
  planes: usize;
  planeBytes: usize;
  sums: usize;
}

/** The result of one head besides its values. */
@unmanaged
export class HeadResult {
  exponent: i32;
  unused: i32;
  sum: i64;
}

/** query int16 to low bytes (signed) and the rest, each [padded] int16. */
export function splitQuery(query: usize, padded: usize, out: usize): void {
  for (const end = query + (padded << 1); query < end; query += 16, out += 16) {
    const x = v128.load(query);
    const low = i16x8.shr_s(i16x8.shl(x, 8), 8);
    v128.store(out, low);
    // floor(x / 256), plus one where the low byte counts as negative.
    v128.store(out + (padded << 1), i16x8.sub(i16x8.shr_s(x, 8), i16x8.shr_s(low, 15)));
  }
}

/** Exponents of four keys that differ by at most this are brought to one by their factors: 2^58.6 * 2^3 < 2^62. */
const SPREAD_MAX = 3;

/** From here on a product below 2^61.6 comes below 2^31, so that nothing is to be clamped. */
const SHIFT_UNCLAMPED = 31;

/** Scores of positions [from, to) of a page, one by one, from their exact dots; returns the largest. */
function scoreSlowly(
  dots: usize, exponents: usize, from: usize, to: usize, scaleQ24: i64, queryExponent: i64, out: usize,
): i32 {
  let largest = i32.MIN_VALUE;
  for (let i = from; i < to; i++) {
    const shift = 8 - queryExponent - <i64>load<i32>(exponents + (i << 2));
    const s = <i32>clamp(round(load<i64>(dots + ((i - from) << 3)) * scaleQ24, shift), 31);
    store<i32>(out + (i << 2), s);
    largest = max(largest, s);
  }
  return largest;
}

/** The smallest lane in every lane. */
// @ts-ignore: decorator
@inline
function leastLane(x: v128): v128 {
  const halves = i32x4.min_s(x, v128.shuffle<i32>(x, x, 2, 3, 0, 1));
  return i32x4.min_s(halves, v128.shuffle<i32>(halves, halves, 1, 0, 3, 2));
}

/**
 * Dots of sixteen keys, side by side, with both parts of the query: i32 [16] of the low ones, then of the high ones.
 * One splat of a pair of the query's elements serves four vectors, each with that pair of four keys.
 */
function dotSixteen(keys: usize, query: usize, bytes: usize, out: usize): void {
  let l0 = i32x4.splat(0);
  let l1 = l0;
  let l2 = l0;
  let l3 = l0;
  let h0 = l0;
  let h1 = l0;
  let h2 = l0;
  let h3 = l0;
  for (const end = query + bytes; query < end; query += 4, keys += 64) {
    const low = v128.load32_splat(query);
    const high = v128.load32_splat(query + bytes);
    let k = v128.load(keys);
    l0 = i32x4.add(l0, i32x4.dot_i16x8_s(low, k));
    h0 = i32x4.add(h0, i32x4.dot_i16x8_s(high, k));
    k = v128.load(keys, 16);
    l1 = i32x4.add(l1, i32x4.dot_i16x8_s(low, k));
    h1 = i32x4.add(h1, i32x4.dot_i16x8_s(high, k));
    k = v128.load(keys, 32);
    l2 = i32x4.add(l2, i32x4.dot_i16x8_s(low, k));
    h2 = i32x4.add(h2, i32x4.dot_i16x8_s(high, k));
    k = v128.load(keys, 48);
    l3 = i32x4.add(l3, i32x4.dot_i16x8_s(low, k));
    h3 = i32x4.add(h3, i32x4.dot_i16x8_s(high, k));
  }
  v128.store(out, l0);
  v128.store(out, l1, 16);
  v128.store(out, l2, 32);
  v128.store(out, l3, 48);
  v128.store(out, h0, 64);
  v128.store(out, h1, 80);
  v128.store(out, h2, 96);
  v128.store(out, h3, 112);
}

/**
 * Scores of one page's first `used` positions to i32; returns the largest. Four keys at a time: the dots of the query's
 * high and low parts, times scale * 2^(exponent above the least of the four), so that one shift rounds all.
 */
function scorePage(
  rows: usize, exponents: usize, used: usize, padded: usize, query: usize, queryExponent: i64,
  scaleQ24: i64, dots: usize, out: usize,
): i32 {
  const scale = <i32>scaleQ24;
  let factors = i32x4.splat(scale);
  factors = i32x4.replace_lane(factors, 1, scale << 1);
  factors = i32x4.replace_lane(factors, 2, scale << 2);
  factors = i32x4.replace_lane(factors, 3, scale << 3);
  let largest = i32x4.splat(i32.MIN_VALUE);
  let largestSlow = i32.MIN_VALUE;
  for (let t: usize = 0; t < used; t += 4) {
    const place = dots + (t % KEY_POSITIONS << 2);
    if (place == dots) dotSixteen(rows + t * (padded << 1), query, padded << 1, dots);
    const low = v128.load(place);
    const high = v128.load(place, 64);
    const exponent = v128.load(exponents + (t << 2));
    const least = leastLane(exponent);
    const above = i32x4.sub(exponent, least);
    const shift = 8 - queryExponent - <i64>i32x4.extract_lane(least, 0);
    const fast = shift >= SHIFT_UNCLAMPED && shift <= 62 && t + 4 <= used &&
      !v128.any_true(i32x4.gt_u(above, i32x4.splat(SPREAD_MAX)));
    if (fast) {
      const lanes = i32x4.add(i32x4.mul(above, i32x4.splat(0x04040404)), i32x4.splat(0x03020100));
      const factor = v128.swizzle(factors, lanes);
      const s = lowHalves(
        roundPair(i64x2.add(i64x2.shl(i64x2.extmul_low_i32x4_s(high, factor), 8),
          i64x2.extmul_low_i32x4_s(low, factor)), <i32>shift),
        roundPair(i64x2.add(i64x2.shl(i64x2.extmul_high_i32x4_s(high, factor), 8),
          i64x2.extmul_high_i32x4_s(low, factor)), <i32>shift),
      );
      v128.store(out + (t << 2), s);
      largest = i32x4.max_s(largest, s);
    } else {
      const exact = dots + 128;
      v128.store(exact, i64x2.add(i64x2.shl(i64x2.extend_low_i32x4_s(high), 8), i64x2.extend_low_i32x4_s(low)));
      v128.store(
        exact, i64x2.add(i64x2.shl(i64x2.extend_high_i32x4_s(high), 8), i64x2.extend_high_i32x4_s(low)), 16,
      );
      const end = min<usize>(t + 4, used);
      largestSlow = max(largestSlow, scoreSlowly(exact, exponents, t, end, scaleQ24, queryExponent, out));
    }
  }
  return max(largestSlow, largestLane(largest));
}

/** The largest of four i32. */
// @ts-ignore: decorator
@inline
function largestLane(x: v128): i32 {
  const halves = i32x4.max_s(x, v128.shuffle<i32>(x, x, 2, 3, 0, 1));
  return max(i32x4.extract_lane(halves, 0), i32x4.extract_lane(halves, 1));
}

/** Scores of positions [0, count) to i32; returns the largest. */
export function scores(
  shape: AttentionShape, scratch: AttentionScratch, pages: usize, count: usize,
  kvHead: usize, queryExponent: i64,
): i64 {
  let largest = i32.MIN_VALUE;
  for (let start: usize = 0; start < count; start += PAGE_POSITIONS) {
    const keys = pageOf(pages, start) + shape.keys;
    const found = scorePage(
      keptRows(keys, kvHead, shape.padded), keptExponents(keys, shape.kvHeads, kvHead, shape.padded),
      min(count - start, PAGE_POSITIONS), shape.padded, scratch.query, queryExponent, shape.scaleQ24,
      scratch.sums, scratch.scores + (start << 2),
    );
    largest = max(largest, found);
  }
  return <i64>largest;
}

/** Largest value exponent of positions [0, count). */
export function valueExponentMax(shape: AttentionShape, pages: usize, count: usize, kvHead: usize): i32 {
  let seen = i32x4.splat(i32.MIN_VALUE);
  for (let start: usize = 0; start < count; start += PAGE_POSITIONS) {
    const values = pageOf(pages, start) + shape.values;
    const exponents = keptExponents(values, shape.kvHeads, kvHead, shape.padded);
    const used = min(count - start, PAGE_POSITIONS);
    const whole = used & ~3;
    let t: usize = 0;
    for (; t < whole; t += 4) seen = i32x4.max_s(seen, v128.load(exponents + (t << 2)));
    for (; t < used; t++) seen = i32x4.max_s(seen, i32x4.splat(load<i32>(exponents + (t << 2))));
  }
  return largestLane(seen);
}

/** Entries of a table of u32 that the bytes at `at`, `at` + 4, + 8 and + 12 choose. */
// @ts-ignore: decorator
@inline
function lookUp(table: usize, at: usize): v128 {
  let found = v128.load32_zero(table + (<usize>load<u8>(at) << 2));
  found = v128.load32_lane(table + (<usize>load<u8>(at, 4) << 2), found, 1);
  found = v128.load32_lane(table + (<usize>load<u8>(at, 8) << 2), found, 2);
  return v128.load32_lane(table + (<usize>load<u8>(at, 12) << 2), found, 3);
}

/** A pair of products of two Q30 numbers as Q30, in doubles; below 2^52 the bits of an integer are those of 2^52 + x. */
// @ts-ignore: decorator
@inline
function fractions(products: v128): v128 {
  const rounded = i64x2.shr_u(i64x2.add(products, i64x2.splat(1 << 29)), 30);
  return f64x2.sub(v128.or(rounded, f64x2.splat(4503599627370496.0)), f64x2.splat(4503599627370496.0));
}

/** 2^-n of fractions, n below 1023, rounded by R. */
// @ts-ignore: decorator
@inline
function halved(fraction: v128, n: v128): v128 {
  return f64x2.nearest(f64x2.mul(fraction, inversePowers(n)));
}

/** e * 2^(16 - n) rounded by R, as i64: adding 1.5 * 2^52 leaves an integer below 2^51 in the low bits of a double. */
// @ts-ignore: decorator
@inline
function weighed(e: v128, n: v128): v128 {
  const magic = f64x2.splat(6755399441055744.0);
  return i64x2.sub(f64x2.add(halved(f64x2.mul(e, f64x2.splat(65536)), n), magic), magic);
}

/** A score so far below the largest has the power zero: 2^-33 rounds to it in Q30. */
const FAR_BELOW: u32 = 33 << 16;

/** A value exponent so far below the largest leaves nothing of a weight of 2^46; doubles go to 2^-1022. */
const BELOW_MAX = 80;

/** 2^-n as doubles, for a pair of i64 0 <= n < 1023. */
// @ts-ignore: decorator
@inline
function inversePowers(n: v128): v128 {
  return i64x2.shl(i64x2.sub(i64x2.splat(1023), n), 52);
}

/**
 * Weights with the value exponents folded in, i64 [count]; returns their mask, adds up `result.sum`. Four at a
 * time: below 2^53 a product with a power of two, rounded to nearest with ties to even, is R, and each lane has a shift of
 * its own. Up to three weights behind the last are written as well.
 */
export function softmax(
  shape: AttentionShape, scratch: AttentionScratch, pages: usize, count: usize, kvHead: usize,
  tables: usize, largestScore: i64, largestExponent: i32, result: HeadResult,
): i64 {
  let sum = f64x2.splat(0);
  let seen = i64x2.splat(0);
  const largest = i32x4.splat(<i32>largestScore);
  const far = i32x4.splat(FAR_BELOW);
  const lanes = i32x4(0, 1, 2, 3);
  for (let start: usize = 0; start < count; start += PAGE_POSITIONS) {
    const values = pageOf(pages, start) + shape.values;
    const exponents = keptExponents(values, shape.kvHeads, kvHead, shape.padded);
    const used = min(count - start, PAGE_POSITIONS);
    for (let t: usize = 0; t < used; t += 4) {
      const at = start + t;
      const room = scratch.weights + (at << 3);
      const below = i32x4.min_u(i32x4.sub(largest, v128.load(scratch.scores + (at << 2))), far);
      const q = v128.bitselect(below, far, i32x4.lt_s(lanes, i32x4.splat(<i32>(used - t))));
      // The bytes of q are wanted one by one, and its weights have not been written yet.
      v128.store(room, q);
      const coarse = lookUp(tables, room + 1);
      const fine = lookUp(tables + 1024, room);
      const n = i32x4.shr_u(q, 16);
      const e0 = halved(fractions(i64x2.extmul_low_i32x4_u(coarse, fine)), i64x2.extend_low_i32x4_u(n));
      const e1 = halved(fractions(i64x2.extmul_high_i32x4_u(coarse, fine)), i64x2.extend_high_i32x4_u(n));
      sum = f64x2.add(sum, f64x2.add(e0, e1));
      const gap = i32x4.sub(i32x4.splat(largestExponent), v128.load(exponents + (t << 2)));
      const m = i32x4.min_u(gap, i32x4.splat(BELOW_MAX));
      const p0 = weighed(e0, i64x2.extend_low_i32x4_u(m));
      const p1 = weighed(e1, i64x2.extend_high_i32x4_u(m));
      v128.store(room, p0);
      v128.store(room, p1, 16);
      seen = v128.or(seen, v128.or(p0, p1));
    }
  }
  result.sum = <i64>(f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1));
  return joinPair(seen);
}

/** C(R(p, sigma), 30) of four weights. */
// @ts-ignore: decorator
@inline
export function fourWeights(at: usize, sigma: i32): v128 {
  const rounded = lowHalves(roundPair(v128.load(at), sigma), roundPair(v128.load(at, 16), sigma));
  return i32x4.min_s(rounded, i32x4.splat((1 << 30) - 1));
}

/** Cuts the weights into three planes of ten bits, eight at a time; those beyond `count` are zero. */
export function splitWeights(scratch: AttentionScratch, count: usize, sigma: i32): void {
  const bytes = scratch.planeBytes;
  const ten = i32x4.splat(1023);
  const end = scratch.weights + (((count + 7) & ~7) << 3);
  for (let at = scratch.weights + (count << 3); at < end; at += 8) store<i64>(at, 0);
  let plane = scratch.planes;
  for (let at = scratch.weights; at < end; at += 64, plane += 16) {
    const a = fourWeights(at, sigma);
    const b = fourWeights(at + 32, sigma);
    v128.store(plane, i16x8.narrow_i32x4_s(i32x4.shr_u(a, 20), i32x4.shr_u(b, 20)));
    v128.store(plane + bytes, i16x8.narrow_i32x4_s(
      v128.and(i32x4.shr_u(a, 10), ten), v128.and(i32x4.shr_u(b, 10), ten),
    ));
    v128.store(plane + 2 * bytes, i16x8.narrow_i32x4_s(v128.and(a, ten), v128.and(b, ten)));
  }
}

/** 2^20 a + 2^10 b + c added to four i64 sums. */
// @ts-ignore: decorator
@inline
function addPlanes(a: v128, b: v128, c: v128, out: usize): void {
  const low = i64x2.add(
    i64x2.add(i64x2.shl(i64x2.extend_low_i32x4_s(a), 20), i64x2.shl(i64x2.extend_low_i32x4_s(b), 10)),
    i64x2.extend_low_i32x4_s(c),
  );
  const high = i64x2.add(
    i64x2.add(i64x2.shl(i64x2.extend_high_i32x4_s(a), 20), i64x2.shl(i64x2.extend_high_i32x4_s(b), 10)),
    i64x2.extend_high_i32x4_s(c),
  );
  v128.store(out, i64x2.add(v128.load(out), low));
  v128.store(out, i64x2.add(v128.load(out, 16), high), 16);
}

/** Adds one page's weighted values to the i64 sums; eight elements of the head at a time. */
export function mixPage(rows: usize, padded: usize, planes: usize, bytes: usize, pairs: usize, out: usize): void {
  for (let d: usize = 0; d < padded; d += 8, rows += VALUE_BLOCK_BYTES) {
    let a0 = i32x4.splat(0);
    let b0 = a0;
    let c0 = a0;
    let a1 = a0;
    let b1 = a0;
    let c1 = a0;
    let v = rows;
    let p = planes;
    for (const end = planes + (pairs << 2); p < end; p += 4, v += VALUE_PAIR_BYTES) {
      const v0 = v128.load(v);
      const v1 = v128.load(v, 16);
      let w = v128.load32_splat(p);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(v0, w));
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(v1, w));
      w = v128.load32_splat(p + bytes);
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(v0, w));
      b1 = i32x4.add(b1, i32x4.dot_i16x8_s(v1, w));
      w = v128.load32_splat(p + 2 * bytes);
      c0 = i32x4.add(c0, i32x4.dot_i16x8_s(v0, w));
      c1 = i32x4.add(c1, i32x4.dot_i16x8_s(v1, w));
    }
    addPlanes(a0, b0, c0, out + (d << 3));
    addPlanes(a1, b1, c1, out + (d << 3) + 32);
  }
}

/** I30 of the sums to i32 [padded]; returns the shift. */
function finishHead(sums: usize, padded: usize, out: usize): i64 {
  let seen = i64x2.splat(0);
  for (let at = sums, end = sums + (padded << 3); at < end; at += 16) {
    seen = v128.or(seen, i64x2.abs(v128.load(at)));
  }
  const shift = max<i64>(0, bitLength(joinPair(seen)) - 30);
  for (let d: usize = 0; d < padded; d += 4) {
    const at = sums + (d << 3);
    const rounded = lowHalves(
      roundPair(v128.load(at), <i32>shift), roundPair(v128.load(at, 16), <i32>shift),
    );
    v128.store(out + (d << 2), rounded);
  }
  return shift;
}

/** Attention of one head at one position that sees `count` positions; out i32 [padded], I30. */
export function attendHead(
  shape: AttentionShape, scratch: AttentionScratch, pages: usize, tables: usize,
  count: usize, kvHead: usize, query: usize, queryExponent: i32, out: usize, result: HeadResult,
): void {
  const padded = shape.padded;
  splitQuery(query, padded, scratch.query);
  const largestScore = scores(shape, scratch, pages, count, kvHead, <i64>queryExponent);
  const largestExponent = valueExponentMax(shape, pages, count, kvHead);
  const mask = softmax(
    shape, scratch, pages, count, kvHead, tables, largestScore, largestExponent, result,
  );
  const sigma = max<i64>(0, bitLength(mask) - 30);
  splitWeights(scratch, count, <i32>sigma);
  memory.fill(scratch.sums, 0, padded << 3);
  for (let start: usize = 0; start < count; start += PAGE_POSITIONS) {
    const rows = keptRows(pageOf(pages, start) + shape.values, kvHead, padded);
    const pairs = (min(count - start, PAGE_POSITIONS) + 1) >> 1;
    mixPage(rows, padded, scratch.planes + (start << 1), scratch.planeBytes, pairs, scratch.sums);
  }
  const shift = finishHead(scratch.sums, padded, out);
  result.exponent = largestExponent + <i32>sigma - 16 + <i32>shift;
}

/** iv >> zi of the specification, and the exponent that goes with it in the upper word. */
// @ts-ignore: decorator
@inline
function inverseShift(inverse: i64): i64 {
  return max<i64>(0, bitLength(inverse) - 31);
}

/** joinHeads for one row: mixed i32 [heads][padded], results [heads]; returns the row's exponent. */
export function joinHeads(
  mixed: usize, results: usize, heads: usize, headSize: usize, padded: usize,
  out: usize, scratch: usize,
): i32 {
  let largest: i64 = i64.MIN_VALUE;
  for (let head: usize = 0; head < heads; head++) {
    const result = changetype<HeadResult>(results + (head << 4));
    const inverse = ((1 as i64) << 62) / result.sum;
    largest = max<i64>(largest, <i64>result.exponent - 62 + inverseShift(inverse));
  }
  let mask: i64 = 0;
  let at = scratch;
  for (let head: usize = 0; head < heads; head++) {
    const result = changetype<HeadResult>(results + (head << 4));
    const inverse = ((1 as i64) << 62) / result.sum;
    const shift = inverseShift(inverse);
    const align = largest - (<i64>result.exponent - 62 + shift);
    const values = mixed + head * (padded << 2);
    for (let d: usize = 0; d < headSize; d++, at += 8) {
      const x = round(<i64>load<i32>(values + (d << 2)) * (inverse >> shift), align);
      store<i64>(at, x);
      mask |= x < 0 ? -x : x;
    }
  }
  return <i32>largest + quantise(scratch, heads * headSize, mask, out);
}
