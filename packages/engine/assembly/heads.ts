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
 * Layout of a kept tensor: [head][64 * padded] int16, then [head][64] i32 exponents. What attention reads of a head is
 * one stream of whole vectors, in which no lanes are ever summed: of keys [position / 16][padded / 2][16][2], of values
 * [padded / 8][position / 2][8][2].
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

/** Positions whose keys lie side by side. */
export const KEY_POSITIONS: usize = 16;

/** Bytes of a pair of elements of sixteen keys. */
const KEY_PAIR_BYTES: usize = 64;

/** Bytes of eight elements of the values of a page. */
export const VALUE_BLOCK_BYTES: usize = PAGE_POSITIONS << 4;

/** Bytes of eight elements of two positions. */
export const VALUE_PAIR_BYTES: usize = 32;

/** Where the first two elements of the key at `slot` lie; the next two are KEY_PAIR_BYTES further. */
// @ts-ignore: decorator
@inline
function keyAt(rows: usize, padded: usize, slot: usize): usize {
  return rows + slot / KEY_POSITIONS * (padded << 5) + (slot % KEY_POSITIONS << 2);
}

/** Writes the key of position `slot` of a page. */
export function storeKey(row: usize, padded: usize, slot: usize, rows: usize): void {
  let out = keyAt(rows, padded, slot);
  for (const end = row + (padded << 1); row < end; row += 4, out += KEY_PAIR_BYTES) {
    store<u32>(out, load<u32>(row));
  }
}

/** Reads what storeKey wrote. */
export function loadKey(rows: usize, padded: usize, slot: usize, row: usize): void {
  let from = keyAt(rows, padded, slot);
  for (const end = row + (padded << 1); row < end; row += 4, from += KEY_PAIR_BYTES) {
    store<u32>(row, load<u32>(from));
  }
}

/** Writes the value of position `slot` of a page. */
export function storeValue(row: usize, padded: usize, slot: usize, rows: usize): void {
  let block = rows + (slot >> 1) * VALUE_PAIR_BYTES + ((slot & 1) << 1);
  for (const end = row + (padded << 1); row < end; block += VALUE_BLOCK_BYTES) {
    for (let out = block, stop = block + VALUE_PAIR_BYTES; out < stop; out += 4, row += 2) {
      store<i16>(out, load<i16>(row));
    }
  }
}

/** Reads the first `count` elements, a multiple of eight, of what storeValue wrote. */
export function loadValue(rows: usize, count: usize, slot: usize, row: usize): void {
  const odd = (slot & 1) == 1;
  let from = rows + (slot >> 1) * VALUE_PAIR_BYTES;
  for (const end = row + (count << 1); row < end; row += 16, from += VALUE_BLOCK_BYTES) {
    const a = v128.load(from);
    const b = v128.load(from, 16);
    v128.store(row, odd
      ? v128.shuffle<i16>(a, b, 1, 3, 5, 7, 9, 11, 13, 15)
      : v128.shuffle<i16>(a, b, 0, 2, 4, 6, 8, 10, 12, 14));
  }
}
