/**
 * Weights in the order in which the matmul kernel streams them: groups of four output rows, within a group block after
 * block, within a block the 32 weights of each of the four rows. Rows are filled up with zeros to a multiple of four.
 */
import { BLOCK_SIZE } from '../model-config.js';
import type { W8Matrix } from '../weights.js';
import type { Arena } from './memory.js';

/** Output rows that one pass of the kernel computes together. */
export const GROUP_ROWS = 4;

/** Outputs of a matrix as the kernel counts them. */
export const paddedRows = (rows: number): number => Math.ceil(rows / GROUP_ROWS) * GROUP_ROWS;

/** Where a packed matrix lies. */
export type PackedMatrix = {
  readonly weights: number;
  readonly scales: number;
  readonly shifts: number;
  readonly exponent: number;
};

export function packMatrix(arena: Arena, matrix: W8Matrix): PackedMatrix {
  const rows = paddedRows(matrix.rows);
  const blocks = matrix.cols / BLOCK_SIZE;
  const weights = arena.reserve(rows * matrix.cols);
  const scales = arena.reserve(2 * rows * blocks);
  const shifts = arena.reserve(rows);
  const { buffer } = arena.memory;
  packQuads(quadsOf(matrix.data), new Int32Array(buffer, weights), matrix.rows, blocks);
  packScales(matrix.scales, new Uint16Array(buffer, scales), matrix.rows, blocks);
  new Uint8Array(buffer, shifts).set(matrix.rowShifts);
  return { weights, scales, shifts, exponent: matrix.exponent };
}

/** Four weights move together as one 32-bit word. */
const QUADS_PER_BLOCK = BLOCK_SIZE / 4;

function packQuads(source: Int32Array, target: Int32Array, rows: number, blocks: number): void {
  let from = 0;
  for (let row = 0; row < rows; row++) {
    let to = blockIndex(row, blocks) * QUADS_PER_BLOCK;
    for (let block = 0; block < blocks; block++, to += GROUP_ROWS * QUADS_PER_BLOCK) {
      for (let quad = 0; quad < QUADS_PER_BLOCK; quad++) target[to + quad] = source[from++]!;
    }
  }
}

function packScales(source: Uint16Array, target: Uint16Array, rows: number, blocks: number): void {
  let from = 0;
  for (let row = 0; row < rows; row++) {
    let to = blockIndex(row, blocks);
    for (let block = 0; block < blocks; block++, to += GROUP_ROWS) target[to] = source[from++]!;
  }
}

/** Place of a row's first block among the blocks of all rows. */
const blockIndex = (row: number, blocks: number): number =>
  Math.floor(row / GROUP_ROWS) * GROUP_ROWS * blocks + (row % GROUP_ROWS);

function quadsOf(data: Int8Array): Int32Array {
  const aligned = data.byteOffset % 4 === 0 ? data : data.slice();
  return new Int32Array(aligned.buffer, aligned.byteOffset, aligned.length / 4);
}
