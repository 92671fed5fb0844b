/**
 * Numbers and rows of a test case from its seed, with a taste for what breaks kernels: extremes, ties, zero rows,
 * powers of two and their neighbours. No BigInt: drawing must cost less than the reference that is drawn for.
 */
import { mulberry32 } from '../../testing/random-model.js';
import type { W8Matrix } from '../../weights.js';

/** Numbers of one case, all from its seed. */
export type Draw = {
  /** 0 .. count - 1 */
  below(count: number): number;
  pick<T>(choices: readonly T[]): T;
  /** True once in `count` draws. */
  rarely(count: number): boolean;
  /** 32 random bits, unsigned. */
  word(): number;
  /** An integer of any size up to `bits` <= 31 bits, either sign; small ones as likely as large ones. */
  small(bits: number): number;
};

export function drawFrom(seed: number): Draw {
  const word = mulberry32(seed);
  const below = (count: number) => Math.floor((word() / 2 ** 32) * count);
  return {
    below,
    word,
    pick: (choices) => choices[below(choices.length)]!,
    rarely: (count) => below(count) === 0,
    small(bits) {
      const size = below(bits + 1);
      const magnitude = size === 0 ? 0 : word() >>> (32 - size);
      return word() & 1 ? -magnitude : magnitude;
    },
  };
}

/** Rows of one call, each a case of its own: mostly a few, so that what they share is drawn anew often. */
export const drawRowCount = (draw: Draw): number => draw.pick([1, 2, 2, 3, 4, 4, 6, 8]);

/** Mostly one block, so that a million rows are a matter of minutes; now and then up to sixteen. */
export const drawWidth = (draw: Draw): number =>
  32 * (draw.rarely(32) ? draw.pick([2, 3, 5, 8, 16]) : 1);

/** Mostly up to two vectors and their remainders; now and then those of real models, or any up to 256. */
export function drawHeadSize(draw: Draw): number {
  if (!draw.rarely(20)) return 2 * (1 + draw.below(8));
  return draw.pick([32, 64, 128, 2 * (1 + draw.below(128))]);
}

/** A row of int16: random, extreme, sparse, constant, zero. */
export function drawA16(draw: Draw, count: number): Int16Array {
  const row = new Int16Array(count);
  const shape = draw.below(6);
  const limit = draw.pick([1, 127, 32_767]);
  if (shape === 0) return row;
  if (shape === 1) return row.fill(draw.pick([32_767, -32_767, 1]));
  for (let i = 0; i < count; i++) {
    if (shape === 2) row[i] = draw.word() & 1 ? 32_767 : -32_767;
    else if (shape === 3) row[i] = draw.rarely(count) ? 32_767 : draw.below(3) - 1;
    else row[i] = draw.below(2 * limit + 1) - limit;
  }
  return row;
}

/** A row of int32 up to `bits` <= 31 bits: random of all sizes, multiples of one power of two, constant, zero. */
export function drawWords(draw: Draw, count: number, bits: number): Int32Array {
  const row = new Int32Array(count);
  const shape = draw.below(8);
  if (shape === 0) return row.fill(draw.pick([2 ** bits - 1, 1 - 2 ** bits, 1, 0]));
  if (shape > 2) return row.map(() => draw.small(bits));
  // Multiples: what is cut off by a later shift is often exactly a half.
  const step = 2 ** draw.below(bits);
  const limit = Math.min(2 ** 16, 2 ** bits / step);
  return row.map(() => (draw.below(2 * limit - 1) - limit + 1) * step);
}

export const drawExponent = (draw: Draw): number => draw.below(40) - 30;

export function drawMatrix(draw: Draw, rows: number, cols: number): W8Matrix {
  const shape = draw.below(5);
  const scale = draw.pick([65_535, 1, 32_768, 0]);
  const data = new Int8Array(rows * cols);
  if (shape === 0) data.fill(-128);
  else if (shape === 1) data.set(data.map(() => (draw.word() & 1 ? 127 : -128)));
  else new Uint32Array(data.buffer).set(new Uint32Array(data.length / 4).map(draw.word));
  const scales = new Uint16Array((rows * cols) / 32).map(() =>
    shape < 2 ? scale : draw.below(65_536),
  );
  const shifted = draw.below(2);
  const rowShifts = new Uint8Array(rows).map(() => shifted * draw.below(8));
  return { rows, cols, data, scales, rowShifts, exponent: draw.below(30) - 40 };
}

export const drawGains = (draw: Draw, count: number) => ({
  data: drawWords(draw, count, 24),
  exponent: draw.below(60) - 45,
});

/** The largest magnitude of an exact sum, 2^61 (arithmetic.md, operator "matmul"), in bits below it. */
const SUM_BITS = 61;

/** The bits that are set in any magnitude of a row. */
export type Mask = { low: number; high: number };

/**
 * Fills a row of exact sums, |x| <= 2^61, given as pairs of words (low, high); returns the OR of the magnitudes, as a
 * matmul leaves it.
 */
export function drawSumRow(draw: Draw, words: Int32Array): Mask {
  const mask: Mask = { low: 0, high: 0 };
  const draws = [constantSums, tiedSums, sumsNearPower, wideSums, wideSums, wideSums, wideSums];
  const next = draw.pick(draws)(draw);
  for (let i = 0; i < words.length; i += 2) {
    const { low, high } = next();
    mask.low |= low;
    mask.high |= high;
    const negative = (draw.word() & 1) === 1;
    words[i] = negative ? -low : low;
    words[i + 1] = negative ? ~high + (low === 0 ? 1 : 0) : high;
  }
  return mask;
}

/** Draws the magnitudes of one row, one after the other. */
type Magnitudes = (draw: Draw) => () => Mask;

/** 2^61, the largest that stay as they are in I30, zero. */
const constantSums: Magnitudes = (draw) => {
  const magnitude = draw.pick([
    { low: 0, high: 2 ** (SUM_BITS - 32) },
    { low: 2 ** 30, high: 0 },
    { low: 2 ** 30 - 1, high: 0 },
    { low: 1, high: 0 },
    { low: 0, high: 0 },
  ]);
  return () => magnitude;
};

/** Small multiples of one power of two: what I30, A16 or a grid cuts off is often exactly a half. */
const tiedSums: Magnitudes = (draw) => {
  const bits = 1 + draw.below(17);
  const shift = draw.below(SUM_BITS + 1 - bits);
  return () => shiftWord(draw.word() >>> (32 - bits), shift);
};

/** A power of two, one less, one more: the lengths at which shifts change, and rounding that reaches the next power. */
const sumsNearPower: Magnitudes = (draw) => {
  const { low, high } = shiftWord(1, 1 + draw.below(SUM_BITS - 1));
  return () => {
    const kind = draw.below(4);
    if (kind === 0) return { low: low | 1, high };
    if (kind === 1) return { low: low - 1, high: low === 0 ? high - 1 : high };
    return kind === 2 ? { low, high } : { low: draw.below(3), high: 0 };
  };
};

/** Of all sizes up to a limit. */
const wideSums: Magnitudes = (draw) => {
  const bits = draw.pick([SUM_BITS, SUM_BITS, 35, 20, 0]);
  return () => {
    const size = draw.below(bits + 1);
    const low = size === 0 ? 0 : draw.word() >>> Math.max(0, 32 - size);
    return { low: low | 0, high: size > 32 ? draw.word() >>> (64 - size) : 0 };
  };
};

function shiftWord(word: number, shift: number): Mask {
  if (shift >= 32) return { low: 0, high: word << (shift - 32) };
  return { low: word << shift, high: shift === 0 ? 0 : word >>> (32 - shift) };
}
