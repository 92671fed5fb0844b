// Where a position is being written: cursors into the caller's memory, and the bytes of numbers, big-endian. The fields
// are those of src/trace/scribe.ts, in its order.
import { AttentionScratch } from '../attention';
import { HeadTrace } from './attention';
import { hashLeaves } from './leaves';
import { swapWords } from './sha256';

/** Bytes of a step. */
export const STEP_SIZE: usize = 64;
/** Bytes of a tree: where its nodes lie, how many. */
const TREE_SIZE: usize = 8;

/** How one row is described; which fields a kind reads is in describe.ts. */
@unmanaged
export class Step {
  kind: u32;
  block: usize;
  /** Elements of the row, or of a head. */
  width: u32;
  exponents: usize;
  heads: u32;
  padded: u32;
  stride: u32;
  masks: usize;
  /** Node whose row's exponent the element's grid starts from. */
  source: u32;
  grid: i32;
  parts: u32;
  input: usize;
  areValues: u32;
}

/** Working memory of attention, and what it leaves for the rows of scores, weights and mix. */
@unmanaged
export class AttentionAreas {
  scratch: AttentionScratch;
  tables: usize;
  scores: usize;
  weights: usize;
  partials: usize;
  totals: usize;
  results: usize;

  /** Kernels write whole vectors of eight. */
  scoresOf(h: usize, count: usize): usize {
    return this.scores + h * (((count + 7) & ~7) << 2);
  }
  weightsOf(h: usize, count: usize): usize {
    return this.weights + h * (((count + 7) & ~7) << 2);
  }
  partialsOf(h: usize, count: usize, size: usize): usize {
    return this.partials + h * size * (((count + 63) >> 6) << 3);
  }
  resultOf(h: usize): HeadTrace {
    return changetype<HeadTrace>(this.results + h * offsetof<HeadTrace>());
  }
}

@unmanaged
export class Scribe {
  hasher: usize;
  /** Where the next leaf is written, the next hash, the next tree. */
  out: usize;
  nodes: usize;
  trees: usize;
  t: u32;
  /** The position's number among the rows of the pass. */
  row: u32;
  /** Its number among the rows whose parts were computed apart. */
  partRow: u32;
  /** Positions of a tile at this one, 0 if there is none. */
  tilePositions: u32;
  pages: usize;
  /** Exponents of the rows of sums so far, by node. */
  exponents: usize;
  /** Room for the heads of one row. */
  rows: usize;
  attention: AttentionAreas;
  /** The attention whose results are in the areas. */
  attended: usize;

  exponentOf(node: u32): i32 {
    return load<i32>(this.exponents + (<usize>node << 2));
  }

  /** Makes a tree of the hashes since `nodes`. */
  endRow(nodes: usize): void {
    store<usize>(this.trees, nodes);
    store<usize>(this.trees, (this.nodes - nodes) >> 5, 4);
    this.trees += TREE_SIZE;
  }
}

/** The lower half of a number. */
// @ts-ignore: decorator
@inline
export function putHalf(scribe: Scribe, x: i32): void {
  store<u16>(scribe.out, bswap<u16>(<u16>x));
  scribe.out += 2;
}

// @ts-ignore: decorator
@inline
export function putWord(scribe: Scribe, x: i32): void {
  store<u32>(scribe.out, bswap<u32>(<u32>x));
  scribe.out += 4;
}

// @ts-ignore: decorator
@inline
export function putLong(scribe: Scribe, x: i64): void {
  store<u64>(scribe.out, bswap<u64>(<u64>x));
  scribe.out += 8;
}

/** i32 as they are; up to 15 bytes behind them are written as well. */
export function putWords(scribe: Scribe, words: usize, count: usize): void {
  let to = scribe.out;
  scribe.out = to + (count << 2);
  for (const end = scribe.out; to < end; to += 16, words += 16) v128.store(to, swapWords(v128.load(words)));
}

/** i16 without a sign; up to 15 bytes behind them are written as well. */
export function putHalves(scribe: Scribe, halves: usize, count: usize): void {
  const sign = i16x8.splat(-0x8000);
  let to = scribe.out;
  scribe.out = to + (count << 1);
  for (const end = scribe.out; to < end; to += 16, halves += 16) {
    const x = v128.xor(v128.load(halves), sign);
    v128.store(to, v128.shuffle<i8>(x, x, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14));
  }
}

/** `size` bytes that the caller wrote at the scribe's cursor, as leaves. */
export function addBytes(scribe: Scribe, size: usize, leafBytes: usize): void {
  const from = scribe.out;
  scribe.out = from + size;
  scribe.nodes = hashLeaves(scribe.hasher, from, size, leafBytes, scribe.nodes);
}

/** The same of elements of 2 or 4 bytes, little-endian there. */
export function addElements(scribe: Scribe, count: usize, isWords: bool, leafBytes: usize): void {
  const from = scribe.out;
  if (isWords) putWords(scribe, from, count);
  else putHalves(scribe, from, count);
  scribe.nodes = hashLeaves(scribe.hasher, from, scribe.out - from, leafBytes, scribe.nodes);
}

/** Ends a row that the caller wrote, whose hashes began at `nodes`. */
export function endRow(scribe: Scribe, nodes: usize): void {
  scribe.endRow(nodes);
}
