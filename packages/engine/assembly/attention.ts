// scores, softmax and mix for one position and one head, over the session's pages; and joinHeads.
// Two passes, no rescaling: order of positions cannot matter. Source: specification, operators
// "scores", "softmax", "mix", "joinHeads". Splits that keep int16 products inside i32 lanes:
//   query = 256 * high + low: 256 products of 2^7 * 2^15 stay below 2^31;
//   weight = 2^20 * a + 2^10 * b + c, each below 2^10: 64 positions of 2^25 stay below 2^31.
import { bitLength, clamp, exp2n, round, roundRight } from './arithmetic';
import { keptExponents, keptRows, PAGE_POSITIONS, pageOf } from './heads';
import { sumLanes } from './matmul';
import { quantise } from './rows';

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
function splitQuery(query: usize, padded: usize, out: usize): void {
  for (const end = query + (padded << 1); query < end; query += 16, out += 16) {
    const x = v128.load(query);
    const low = i16x8.shr_s(i16x8.shl(x, 8), 8);
    v128.store(out, low);
    // floor(x / 256), plus one where the low byte counts as negative.
    v128.store(out + (padded << 1), i16x8.sub(i16x8.shr_s(x, 8), i16x8.shr_s(low, 15)));
  }
}

/** Exact dots of four neighbouring keys with the split query, as i64 [4]. */
// @ts-ignore: decorator
@inline
function fourDots(keys: usize, padded: usize, query: usize, out: usize): void {
  const bytes = padded << 1;
  let l0 = i32x4.splat(0);
  let l1 = l0;
  let l2 = l0;
  let l3 = l0;
  let h0 = l0;
  let h1 = l0;
  let h2 = l0;
  let h3 = l0;
  for (const end = query + bytes; query < end; query += 16, keys += 16) {
    const low = v128.load(query);
    const high = v128.load(query + bytes);
    let k = v128.load(keys);
    l0 = i32x4.add(l0, i32x4.dot_i16x8_s(low, k));
    h0 = i32x4.add(h0, i32x4.dot_i16x8_s(high, k));
    k = v128.load(keys + bytes);
    l1 = i32x4.add(l1, i32x4.dot_i16x8_s(low, k));
    h1 = i32x4.add(h1, i32x4.dot_i16x8_s(high, k));
    k = v128.load(keys + (bytes << 1));
    l2 = i32x4.add(l2, i32x4.dot_i16x8_s(low, k));
    h2 = i32x4.add(h2, i32x4.dot_i16x8_s(high, k));
    k = v128.load(keys + bytes * 3);
    l3 = i32x4.add(l3, i32x4.dot_i16x8_s(low, k));
    h3 = i32x4.add(h3, i32x4.dot_i16x8_s(high, k));
  }
  const low = sumLanes(l0, l1, l2, l3);
  const high = sumLanes(h0, h1, h2, h3);
  v128.store(out, i64x2.add(i64x2.shl(i64x2.extend_low_i32x4_s(high), 8), i64x2.extend_low_i32x4_s(low)));
  v128.store(out, i64x2.add(i64x2.shl(i64x2.extend_high_i32x4_s(high), 8), i64x2.extend_high_i32x4_s(low)), 16);
}

/** Scores of positions [0, count) to i32; returns the largest. */
function scores(
  shape: AttentionShape, scratch: AttentionScratch, pages: usize, count: usize,
  kvHead: usize, queryExponent: i64,
): i64 {
  let largest: i64 = i64.MIN_VALUE;
  const dots = scratch.sums;
  for (let start: usize = 0; start < count; start += PAGE_POSITIONS) {
    const keys = pageOf(pages, start) + shape.keys;
    const rows = keptRows(keys, kvHead, shape.padded);
    const exponents = keptExponents(keys, shape.kvHeads, kvHead, shape.padded);
    const used = min(count - start, PAGE_POSITIONS);
    for (let t: usize = 0; t < used; t += 4) {
      fourDots(rows + t * (shape.padded << 1), shape.padded, scratch.query, dots);
      const end = min<usize>(t + 4, used);
      for (let i = t; i < end; i++) {
        const shift = 8 - queryExponent - <i64>load<i32>(exponents + (i << 2));
        const s = clamp(round(load<i64>(dots + ((i - t) << 3)) * shape.scaleQ24, shift), 31);
        store<i32>(scratch.scores + ((start + i) << 2), <i32>s);
        largest = s > largest ? s : largest;
      }
    }
  }
  return largest;
}

/** Largest value exponent of positions [0, count). */
function valueExponentMax(shape: AttentionShape, pages: usize, count: usize, kvHead: usize): i32 {
  let largest = i32.MIN_VALUE;
  for (let start: usize = 0; start < count; start += PAGE_POSITIONS) {
    const values = pageOf(pages, start) + shape.values;
    const exponents = keptExponents(values, shape.kvHeads, kvHead, shape.padded);
    const used = min(count - start, PAGE_POSITIONS);
    for (let t: usize = 0; t < used; t++) {
      largest = max(largest, load<i32>(exponents + (t << 2)));
    }
  }
  return largest;
}

/** Weights with the value exponents folded in, i64 [count]; returns their mask, adds up `result.sum`. */
function softmax(
  shape: AttentionShape, scratch: AttentionScratch, pages: usize, count: usize, kvHead: usize,
  tables: usize, largestScore: i64, largestExponent: i32, result: HeadResult,
): i64 {
  let sum: i64 = 0;
  let mask: i64 = 0;
  for (let start: usize = 0; start < count; start += PAGE_POSITIONS) {
    const values = pageOf(pages, start) + shape.values;
    const exponents = keptExponents(values, shape.kvHeads, kvHead, shape.padded);
    const used = min(count - start, PAGE_POSITIONS);
    for (let t: usize = 0; t < used; t++) {
      const at = start + t;
      const e = exp2n(tables, largestScore - <i64>load<i32>(scratch.scores + (at << 2)));
      sum += e;
      const p = round(e << 16, <i64>(largestExponent - load<i32>(exponents + (t << 2))));
      store<i64>(scratch.weights + (at << 3), p);
      mask |= p;
    }
  }
  result.sum = sum;
  return mask;
}

/** Cuts C(R(p, sigma), 30) into three planes of ten bits; pads to an even count with zero. */
function splitWeights(scratch: AttentionScratch, count: usize, sigma: i64): void {
  const planes = scratch.planes;
  const bytes = scratch.planeBytes;
  for (let t: usize = 0; t < count; t++) {
    const p = load<i64>(scratch.weights + (t << 3));
    const weight = <i32>clamp(sigma > 0 ? roundRight(p, sigma) : p, 30);
    const at = planes + (t << 1);
    store<i16>(at, <i16>(weight >> 20));
    store<i16>(at + bytes, <i16>((weight >> 10) & 1023));
    store<i16>(at + 2 * bytes, <i16>(weight & 1023));
  }
  if (count & 1) {
    const at = planes + (count << 1);
    store<i16>(at, 0);
    store<i16>(at + bytes, 0);
    store<i16>(at + 2 * bytes, 0);
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
function mixPage(rows: usize, padded: usize, planes: usize, bytes: usize, pairs: usize, out: usize): void {
  const stride = padded << 2;
  for (let d: usize = 0; d < padded; d += 8) {
    let a0 = i32x4.splat(0);
    let b0 = a0;
    let c0 = a0;
    let a1 = a0;
    let b1 = a0;
    let c1 = a0;
    let v = rows + (d << 2);
    let p = planes;
    for (const end = planes + (pairs << 2); p < end; p += 4, v += stride) {
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
  let mask: i64 = 0;
  for (let d: usize = 0; d < padded; d++) {
    const x = load<i64>(sums + (d << 3));
    mask |= x < 0 ? -x : x;
  }
  const shift = max<i64>(0, bitLength(mask) - 30);
  for (let d: usize = 0; d < padded; d++) {
    store<i32>(out + (d << 2), <i32>round(load<i64>(sums + (d << 3)), shift));
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
  splitWeights(scratch, count, sigma);
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
