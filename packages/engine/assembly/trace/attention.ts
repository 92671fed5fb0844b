// Attention of one head at one position as a trace shows it: scores, weights, sums per page, and what claims about them
// name, by the kernels' own functions.
import { bitLength } from '../arithmetic';
import {
  AttentionScratch, AttentionShape, fourWeights, HeadResult, mixPage, scores, softmax, splitQuery, splitWeights,
  valueExponentMax,
} from '../attention';
import { keptExponents, keptRows, PAGE_POSITIONS, pageOf } from '../heads';
import { i30Shift } from '../rows';

/** No witness is known without computing an element anew. */
export const DOUBT: i32 = -1;

/** What heads share: AttentionShape, and the rows of the pass. */
@unmanaged
export class AttentionRecord extends AttentionShape {
  /** Queries [row][head][padded] i16 and their exponents [row][head]. */
  query: usize;
  queryExponents: usize;
  headSize: usize;
  unused: u32;
}

/** What one head gives: of its weights the exponent, the witness and the sum before rounding; tops; the mix's witness. */
@unmanaged
export class HeadTrace {
  exponent: i32;
  witness: i32;
  sum: i64;
  largest: i32;
  top: i32;
  topPosition: i32;
  mixWitness: i32;
}

/** The lowest of `count` i64 with all of 30 + `shift` bits; 0 if there is no shift. */
export function longWitness(longs: usize, count: usize, shift: i64): i32 {
  if (shift == 0) return 0;
  const below = i64x2.splat(((1 as i64) << (29 + shift)) - 1);
  for (let i: usize = 0; i < count; i += 2) {
    const found = i64x2.bitmask(i64x2.gt_s(i64x2.abs(v128.load(longs + (i << 3))), below));
    if (found == 0) continue;
    const at = i + <usize>ctz<i32>(found);
    return at < count ? <i32>at : DOUBT;
  }
  return DOUBT;
}


/**
 * Attention of one head at a position that sees `count`. Scores stay in the scratch; `weights` takes i32, as many as
 * eights cover `count`; `partials` takes `size` times one big-endian i64 per page; `totals` is room for the sums.
 */
export function traceHead(
  shape: AttentionShape, scratch: AttentionScratch, pages: usize, tables: usize, count: usize, kvHead: usize,
  query: usize, queryExponent: i32, size: usize, weights: usize, partials: usize, totals: usize,
  result: HeadTrace,
): void {
  const padded = shape.padded;
  splitQuery(query, padded, scratch.query);
  const largest = scores(shape, scratch, pages, count, kvHead, <i64>queryExponent);
  const top = valueExponentMax(shape, pages, count, kvHead);
  // Both classes have the sum at 8; softmax writes nothing else.
  const mask = softmax(
    shape, scratch, pages, count, kvHead, tables, largest, top, changetype<HeadResult>(changetype<usize>(result)),
  );
  const sigma = <i32>max<i64>(0, bitLength(mask) - 30);
  result.exponent = top - 16 + sigma;
  result.witness = longWitness(scratch.weights, count, sigma);
  result.largest = <i32>largest;
  result.top = top;
  result.topPosition = topPosition(shape, pages, count, kvHead, top);
  splitWeights(scratch, count, sigma);
  for (let i: usize = 0; i < count; i += 4) {
    v128.store(weights + (i << 2), fourWeights(scratch.weights + (i << 3), sigma));
  }
  memory.fill(totals, 0, padded << 3);
  const stride = ((count + PAGE_POSITIONS - 1) / PAGE_POSITIONS) << 3;
  for (let start: usize = 0; start < count; start += PAGE_POSITIONS, partials += 8) {
    memory.fill(scratch.sums, 0, padded << 3);
    const rows = keptRows(pageOf(pages, start) + shape.values, kvHead, padded);
    const pairs = (min(count - start, PAGE_POSITIONS) + 1) >> 1;
    mixPage(rows, padded, scratch.planes + (start << 1), scratch.planeBytes, pairs, scratch.sums);
    let out = partials;
    for (let d: usize = 0; d < size; d++, out += stride) {
      const sum = load<i64>(scratch.sums + (d << 3));
      store<i64>(totals + (d << 3), load<i64>(totals + (d << 3)) + sum);
      store<u64>(out, bswap<u64>(<u64>sum));
    }
  }
  result.mixWitness = longWitness(totals, size, i30Shift(maskOf(totals, size)));
}

/** OR of the magnitudes of i64. */
function maskOf(longs: usize, count: usize): i64 {
  let mask: i64 = 0;
  for (let i: usize = 0; i < count; i++) {
    const x = load<i64>(longs + (i << 3));
    mask |= x < 0 ? -x : x;
  }
  return mask;
}

/** The lowest position of [0, count) whose value exponent is `top`. */
function topPosition(shape: AttentionShape, pages: usize, count: usize, kvHead: usize, top: i32): i32 {
  let t: usize = 0;
  while (t < count) {
    const values = pageOf(pages, t) + shape.values;
    const exponents = keptExponents(values, shape.kvHeads, kvHead, shape.padded);
    if (load<i32>(exponents + ((t & (PAGE_POSITIONS - 1)) << 2)) == top) break;
    t++;
  }
  return <i32>t;
}
