// What a trace shows of tensors that the kernels fuse or keep as sums: attention of one head with its scores, weights
// and sums per page written out, by the kernels' own functions; the parts of long matrix rows; rows of sums as I30.
// It works in the memory of a machine whose pass is over. Nothing here is in the module that serves tokens.
import { bitLength, round } from '../arithmetic';
import {
  AttentionScratch, AttentionShape, fourWeights, HeadResult, mixPage, scores, softmax, splitQuery, splitWeights,
  valueExponentMax,
} from '../attention';
import { keptRows, PAGE_POSITIONS, pageOf } from '../heads';

/** What one head gives: exponent of its weights, their sum before rounding (at 8). */
@unmanaged
class HeadTrace {
  exponent: i32;
  unused: i32;
  sum: i64;
}

/**
 * Attention of one head at a position that sees `count`. Scores stay in the scratch; `weights` takes i32, as many as
 * eights cover `count`; `partials` takes `size` times one big-endian i64 per page.
 */
export function traceHead(
  shape: AttentionShape, scratch: AttentionScratch, pages: usize, tables: usize, count: usize, kvHead: usize,
  query: usize, queryExponent: i32, size: usize, weights: usize, partials: usize, result: HeadTrace,
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
  splitWeights(scratch, count, sigma);
  for (let i: usize = 0; i < count; i += 4) {
    v128.store(weights + (i << 2), fourWeights(scratch.weights + (i << 3), sigma));
  }
  const stride = ((count + PAGE_POSITIONS - 1) / PAGE_POSITIONS) << 3;
  for (let start: usize = 0; start < count; start += PAGE_POSITIONS, partials += 8) {
    memory.fill(scratch.sums, 0, padded << 3);
    const rows = keptRows(pageOf(pages, start) + shape.values, kvHead, padded);
    const pairs = (min(count - start, PAGE_POSITIONS) + 1) >> 1;
    mixPage(rows, padded, scratch.planes + (start << 1), scratch.planeBytes, pairs, scratch.sums);
    let out = partials;
    for (let d: usize = 0; d < size; d++, out += stride) {
      store<u64>(out, bswap<u64>(load<u64>(scratch.sums + (d << 3))));
    }
  }
}

/** Sums [rows] of one part of every row, big-endian, to part `part` of `parts`; takes them off `rest`. */
export function splitPart(sums: usize, rest: usize, rows: usize, part: usize, parts: usize, out: usize): void {
  out += part << 3;
  for (let o: usize = 0; o < rows; o++, out += parts << 3) {
    const sum = load<i64>(sums + (o << 3));
    store<u64>(out, bswap<u64>(<u64>sum));
    store<i64>(rest + (o << 3), load<i64>(rest + (o << 3)) - sum);
  }
}

/** I30 of a row of sums; returns the shift. */
export function quantiseSums(sums: usize, width: usize, out: usize): i32 {
  let mask: i64 = 0;
  for (let i: usize = 0; i < width; i++) {
    const x = load<i64>(sums + (i << 3));
    mask |= x < 0 ? -x : x;
  }
  const shift = max<i64>(0, bitLength(mask) - 30);
  for (let i: usize = 0; i < width; i++) {
    store<i32>(out + (i << 2), <i32>round(load<i64>(sums + (i << 3)), shift));
  }
  return <i32>shift;
}
