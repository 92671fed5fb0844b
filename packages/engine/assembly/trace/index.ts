// What a trace shows of a pass: the leaves of every row, hashed to roots, from where the pass left its tensors; and for
// whoever is asked for leaves, what the kernels fuse away or keep as sums: scores, weights, sums per page, parts of long
// rows, I30. It works in the memory of a machine whose pass is over. Nothing here is in the module that serves tokens.
import { bitLength, round } from '../arithmetic';

export { traceHead } from './attention';
export { describe } from './describe';
export { endLeaves, foldTrees, hasherSize, startHasher } from './leaves';
export { addBytes, addElements, endRow } from './scribe';

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
