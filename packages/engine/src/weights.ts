/** Weights in the layout that every kernel reads: 8-bit blocks with 16-bit scales, 24-bit gains. */

/**
 * A matrix of shape (rows, cols), row-major. Element (o, k) has the value
 * `data[o * cols + k] * scales[o * cols / 32 + floor(k / 32)] * 2^(rowShifts[o] + exponent)`.
 */
export type W8Matrix = {
  readonly rows: number;
  /** Length of a row, a multiple of 32. */
  readonly cols: number;
  /** -128..127 */
  readonly data: Int8Array;
  /** One per block of 32 along the row. */
  readonly scales: Uint16Array;
  /** 0..7, one per row. */
  readonly rowShifts: Uint8Array;
  readonly exponent: number;
};

/** Normalisation gains: element i has the value `data[i] * 2^exponent`, |data[i]| < 2^24. */
export type Gains = { readonly data: Int32Array; readonly exponent: number };

/** Largest row shift; with it the sum of a row of 65,536 products stays below 2^61. */
export const ROW_SHIFT_MAX = 7;
