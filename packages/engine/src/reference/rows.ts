/** Rows as the reference kernels pass them: integers and one exponent; the value of an element is `m * 2^exponent`. */
import { bitLengthMax, clampBits, roundShift } from '../integer.js';

/** A16: |m| <= 32767. */
export type Row16 = { readonly values: Int16Array; readonly exponent: number };

/** I30: |m| <= 2^30. */
export type Row30 = { readonly values: Int32Array; readonly exponent: number };

/**
 * P30: softmax weights of one head, 0 <= P < 2^30 times 2^exponent, and the plain sum S of 2^(score - largest), Q30.
 */
export type WeightRow = {
  readonly values: Int32Array;
  readonly exponent: number;
  readonly sum: bigint;
};

/** H: residual stream in Q(hg), and how many of its elements had to be clamped. */
export type ResidualRow = { readonly values: Int32Array; readonly clampedCount: number };

/** Any row between 64-bit arithmetic and storage: |x| < 2^63. */
export type WideRow = { readonly values: readonly bigint[]; readonly exponent: number };

/** Quantise: shift right so that the largest element has 15 bits; small rows stay as they are. */
export function quantise({ values, exponent }: WideRow): Row16 {
  const shift = Math.max(0, bitLengthMax(values) - 15);
  return {
    values: new Int16Array(values.map((x) => Number(clampBits(roundShift(x, shift), 15)))),
    exponent: exponent + shift,
  };
}

/** I30: shift right so that the largest element has 30 bits; rounding may reach 2^30 itself. */
export function quantise30({ values, exponent }: WideRow): Row30 {
  const shift = Math.max(0, bitLengthMax(values) - 30);
  return {
    values: new Int32Array(values.map((x) => Number(roundShift(x, shift)))),
    exponent: exponent + shift,
  };
}

/** Residual elements, saturating one by one. */
export function saturate(values: readonly bigint[]): ResidualRow {
  let clampedCount = 0;
  const clamped = Int32Array.from(values, (x) => {
    const y = clampBits(x, 31);
    if (y !== x) clampedCount++;
    return Number(y);
  });
  return { values: clamped, clampedCount };
}

/** The integers of a typed row, ready for wide arithmetic. */
export const widen = (row: { readonly values: ArrayLike<number> }): bigint[] =>
  Array.from(row.values, BigInt);
