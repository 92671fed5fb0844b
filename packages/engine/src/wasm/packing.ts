/**
 * Weights in the order in which the matmul kernel streams them: panels of eight output rows, within a panel two
 * columns at a time for each of the eight rows. Rows are filled up with zeros to a multiple of eight.
 */
import { BLOCK_SIZE } from '../model-config.js';
import type { W8Matrix } from '../weights.js';
import type { Arena } from './memory.js';

/** Output rows that one pass of the kernel computes together. */
const PANEL_ROWS = 8;

/** Outputs of a matrix as the kernel counts them: it leaves out half a panel, but nothing smaller. */
export const paddedRows = (rows: number): number => Math.ceil(rows / 4) * 4;

/** Where a packed matrix lies. */
export type PackedMatrix = {
  readonly weights: number;
  readonly scales: number;
  readonly shifts: number;
  readonly exponent: number;
};

export function packMatrix(arena: Arena, matrix: W8Matrix): PackedMatrix {
  const rows = Math.ceil(matrix.rows / PANEL_ROWS) * PANEL_ROWS;
  const blocks = matrix.cols / BLOCK_SIZE;
  const weights = arena.reserve(rows * matrix.cols);
  const scales = arena.reserve(2 * rows * blocks);
  const shifts = arena.reserve(rows);
  const { buffer } = arena.memory;
  packPairs(pairsOf(matrix.data), new Int16Array(buffer, weights), {
    rows: matrix.rows,
    pairs: matrix.cols / 2,
  });
  packScales(matrix.scales, new Uint16Array(buffer, scales), { rows: matrix.rows, blocks });
  new Uint8Array(buffer, shifts).set(matrix.rowShifts);
  return { weights, scales, shifts, exponent: matrix.exponent };
}

/** Pairs of weights, [rows][k / 2], to [panel][k / 2][row of the panel]; a pair moves as one 16-bit word. */
function packPairs(
  source: Int16Array,
  target: Int16Array,
  { rows, pairs }: { readonly rows: number; readonly pairs: number },
): void {
  let from = 0;
  for (let row = 0; row < rows; row++) {
    let to = placeOf(row, pairs);
    for (let pair = 0; pair < pairs; pair++, to += PANEL_ROWS) target[to] = source[from++]!;
  }
}

function packScales(
  source: Uint16Array,
  target: Uint16Array,
  { rows, blocks }: { readonly rows: number; readonly blocks: number },
): void {
  let from = 0;
  for (let row = 0; row < rows; row++) {
    let to = placeOf(row, blocks);
    for (let block = 0; block < blocks; block++, to += PANEL_ROWS) target[to] = source[from++]!;
  }
}

/** Index of a row's first item among those of all rows, of which each has so many. */
const placeOf = (row: number, count: number): number =>
  Math.floor(row / PANEL_ROWS) * PANEL_ROWS * count + (row % PANEL_ROWS);

function pairsOf(data: Int8Array): Int16Array {
  const aligned = data.byteOffset % 2 === 0 ? data : data.slice();
  return new Int16Array(aligned.buffer, aligned.byteOffset, aligned.length / 2);
}
