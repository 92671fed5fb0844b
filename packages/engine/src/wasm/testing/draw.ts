/** Numbers and rows of a test case from its seed, with a taste for extremes: the shapes that break kernels. */
import { mulberry32 } from '../../testing/random-model.js';
import type { W8Matrix } from '../../weights.js';

/** Numbers of one case, all from its seed. */
export type Draw = {
  /** 0 .. count - 1 */
  below(count: number): number;
  pick<T>(choices: readonly T[]): T;
  /** An integer of any size up to `bits` bits, either sign; small ones as likely as large ones. */
  wide(bits: number): bigint;
};

export function drawFrom(seed: number): Draw {
  const next = mulberry32(seed);
  const below = (count: number) => Math.floor((next() / 2 ** 32) * count);
  return {
    below,
    pick: (choices) => choices[below(choices.length)]!,
    wide(bits) {
      const size = BigInt(below(bits + 1));
      const random = (BigInt(next()) << 32n) | BigInt(next());
      const magnitude = random & ((1n << size) - 1n);
      return next() & 1 ? -magnitude : magnitude;
    },
  };
}

/** A row of int16 in one of the shapes that break kernels: random, extreme, sparse, constant, zero. */
export function drawA16(draw: Draw, count: number): Int16Array {
  const shape = draw.below(6);
  const limit = draw.pick([1, 127, 32_767]);
  const constant = draw.pick([32_767, -32_767, 1]);
  return Int16Array.from({ length: count }, () => {
    if (shape === 0) return 0;
    if (shape === 1) return constant;
    if (shape === 2) return draw.pick([32_767, -32_767]);
    if (shape === 3) return draw.below(count) === 0 ? 32_767 : draw.below(3) - 1;
    return draw.below(2 * limit + 1) - limit;
  });
}

export const drawExponent = (draw: Draw): number => draw.below(40) - 30;

export function drawMatrix(draw: Draw, rows: number, cols: number): W8Matrix {
  const shape = draw.below(5);
  const scale = draw.pick([65_535, 1, 32_768, 0]);
  const data = Int8Array.from({ length: rows * cols }, () => {
    if (shape === 0) return -128;
    if (shape === 1) return draw.pick([127, -128]);
    return draw.below(256) - 128;
  });
  const scales = Uint16Array.from({ length: (rows * cols) / 32 }, () =>
    shape < 2 ? scale : draw.below(65_536),
  );
  const shifted = draw.below(2);
  const rowShifts = Uint8Array.from({ length: rows }, () => shifted * draw.below(8));
  return { rows, cols, data, scales, rowShifts, exponent: draw.below(30) - 40 };
}

export const drawGains = (draw: Draw, count: number) => ({
  data: Int32Array.from({ length: count }, () => Number(draw.wide(24))),
  exponent: draw.below(60) - 45,
});

/** Mostly one block, so that a case is cheap and a million of them a matter of minutes; now and then up to eight. */
export const drawWidth = (draw: Draw): number => 32 * draw.pick([1, 1, 1, 1, 1, 1, 2, 3, 5, 8]);
