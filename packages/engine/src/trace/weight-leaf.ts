/** Committed leaves of weights read back (`commitment.ts` writes them): what a judge does with an opened leaf. */
import type { W8Matrix } from '../weights.js';

/** First leaf of a weight: kind, rows, columns, exponent. */
export function decodeWeightHeader(leaf: Uint8Array): { readonly exponent: number } {
  return { exponent: Number(viewOf(leaf).getBigInt64(9)) };
}

/** A piece of a row of a matrix, as a matrix of one row. */
export function decodeMatrixLeaf(leaf: Uint8Array): W8Matrix {
  const blocks = (leaf.length - 1) / 34;
  const view = viewOf(leaf);
  const scales = Uint16Array.from({ length: blocks }, (_, i) => view.getUint16(1 + 2 * i));
  const from = 1 + 2 * blocks;
  const data = Int8Array.from({ length: 32 * blocks }, (_, i) => {
    const k = i % 32;
    const lane = 4 * (7 - ((k & 15) >> 1)) + (k < 16 ? 2 : 0) + (k & 1);
    return leaf[from + i - k + lane]! - 128;
  });
  const cols = 32 * blocks;
  return { rows: 1, cols, data, scales, rowShifts: leaf.slice(0, 1), exponent: 0 };
}

/** Gain `index` of a piece of gains. */
export const decodeGain = (leaf: Uint8Array, index: number): number =>
  viewOf(leaf).getInt32(4 * index);

/** Rotary step `index`. */
export const decodeStep = (leaf: Uint8Array, index: number): bigint =>
  viewOf(leaf).getBigUint64(8 * index);

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
