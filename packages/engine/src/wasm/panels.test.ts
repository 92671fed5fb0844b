/**
 * Panels of the matmul kernel: whole and half ones, and rows that go by fours with wide weights or
 * without, by twos and alone.
 */
import { describe, expect, it } from 'vitest';
import type { W8Matrix } from '../weights.js';
import { drawFrom, drawMatrix } from './testing/draw.js';
import { createKernelBench } from './testing/kernel-bench.js';
import { matmulCase } from './testing/kernel-cases.js';

const bench = createKernelBench();

const constantMatrix = (rows: number, cols: number, weight: number): W8Matrix => ({
  rows,
  cols,
  data: new Int8Array(rows * cols).fill(weight),
  scales: new Uint16Array((rows * cols) / 32).fill(65_535),
  rowShifts: new Uint8Array(rows).fill(7),
  exponent: 0,
});

describe.each([4, 8, 12, 16, 20])('matmul with %i outputs', (outputs) => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8, 13, 16, 19, 64])(
    'and %i rows gives the bits of the reference',
    (rows) => {
      for (const width of [32, 96, 576]) {
        bench.reset();
        const seed = 1000 * outputs + 10 * rows + width;
        const draw = drawFrom(seed);
        const matrix = drawMatrix(draw, outputs, width);
        expect(matmulCase(bench, { draw, rows, matrix }).difference).toBeUndefined();
      }
    },
  );
});

describe('a whole panel at its bounds', () => {
  it.each([1, 2, 4, 16])('is exact in %i rows of 65,536 columns', (rows) => {
    bench.reset();
    const [outputs, width] = [8, 65_536];
    const matrix = constantMatrix(outputs, width, -128);
    const input = new Int16Array(width).fill(-32_767);
    const options = { draw: drawFrom(rows), rows, matrix, input };
    expect(matmulCase(bench, options).difference).toBeUndefined();
  });
});
