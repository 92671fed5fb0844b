// rope and splitHeads: a row of exact sums cut into heads, rotated (or not) and quantised head by
// head, either to a buffer of this pass or to the session's pages. It knows the page layout of keys
// and values and nothing of attention. Source: specification, operators "rope" and "splitHeads".
import { roundRight, round } from './arithmetic';
import { quantise } from './rows';

/** Positions in one page; 64 = the tile of the commitment, and 3 planes of 10 bits stay below 2^31. */
export const PAGE_POSITIONS: usize = 64;

/** Head sizes are padded with zeros to whole vectors of eight int16. */
// @ts-ignore: decorator
@inline
export function paddedHead(headSize: usize): usize {
  return (headSize + 7) & ~7;
}

/** Address of position `t` in the page table, and its place inside the page. */
// @ts-ignore: decorator
@inline
export function pageOf(pages: usize, t: usize): usize {
  return <usize>load<u32>(pages + (t / PAGE_POSITIONS) * 4);
}

/**
 * Cosine and sine (Q30, int32 pairs) of every pair of a head at one position.
 * `turns`: cos and sin of the high ten bits (1,024 i32 each), then of the low ten.
 */
export function turnsAt(position: u64, steps: usize, pairs: usize, turns: usize, out: usize): void {
  for (let i: usize = 0; i < pairs; i++) {
    const phase = position * load<u64>(steps + (i << 3)) + (1 << 43);
    const high = turns + <usize>(phase >> 54) * 4;
    const low = turns + <usize>((phase >> 44) & 1023) * 4;
    const ca = <i64>load<i32>(high);
    const sa = <i64>load<i32>(high, 4096);
    const cb = <i64>load<i32>(low, 8192);
    const sb = <i64>load<i32>(low, 12288);
    store<i32>(out + (i << 3), <i32>roundRight(ca * cb - sa * sb, 30));
    store<i32>(out + (i << 3), <i32>roundRight(ca * sb + sa * cb, 30), 4);
  }
}

/** One head: I30 values of `sums` under `shift`, rotated by `turns`, to i64; returns the mask. */
export function rotateHead(sums: usize, shift: i64, turns: usize, pairs: usize, out: usize): i64 {
  let mask: i64 = 0;
  for (let i: usize = 0; i < pairs; i++) {
    const a = round(load<i64>(sums + (i << 4)), shift);
    const b = round(load<i64>(sums + (i << 4), 8), shift);
    const c = <i64>load<i32>(turns + (i << 3));
    const s = <i64>load<i32>(turns + (i << 3), 4);
    const x = a * c - b * s;
    const y = a * s + b * c;
    store<i64>(out + (i << 4), x);
    store<i64>(out + (i << 4), y, 8);
    mask |= (x < 0 ? -x : x) | (y < 0 ? -y : y);
  }
  return mask;
}

/** One head: I30 values of `sums` under `shift`, to i64; returns the mask. */
export function copyHead(sums: usize, shift: i64, size: usize, out: usize): i64 {
  let mask: i64 = 0;
  for (let i: usize = 0; i < size; i++) {
    const x = round(load<i64>(sums + (i << 3)), shift);
    store<i64>(out + (i << 3), x);
    mask |= x < 0 ? -x : x;
  }
  return mask;
}

/** Quantises a head of i64 values (zero-padded here) to int16 [paddedHead]; returns the shift. */
export function quantiseHead(values: usize, size: usize, mask: i64, out: usize): i32 {
  const padded = paddedHead(size);
  for (let i = size; i < padded; i++) store<i64>(values + (i << 3), 0);
  return quantise(values, padded, mask, out);
}

/**
 * Where head `head` of a kept tensor starts in a page, and where its exponents start.
 * Layout of a kept tensor: [head][64 * padded] int16, then [head][64] i32 exponents.
 */
// @ts-ignore: decorator
@inline
export function keptRows(tensor: usize, head: usize, padded: usize): usize {
  return tensor + head * PAGE_POSITIONS * (padded << 1);
}
// @ts-ignore: decorator
@inline
export function keptExponents(tensor: usize, heads: usize, head: usize, padded: usize): usize {
  return tensor + heads * PAGE_POSITIONS * (padded << 1) + head * PAGE_POSITIONS * 4;
}

/** Writes a value row interleaved with its neighbour position: [position / 2][padded][2]. */
export function storeInterleaved(row: usize, padded: usize, slot: usize, rows: usize): void {
  const out = rows + (slot >> 1) * (padded << 2) + ((slot & 1) << 1);
  for (let i: usize = 0; i < padded; i++) store<i16>(out + (i << 2), load<i16>(row + (i << 1)));
}
