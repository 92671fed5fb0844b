import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { drawFrom } from './testing/draw.js';
import { createKernelBench } from './testing/kernel-bench.js';
import { KERNEL_CASES, type KernelCaseName, matmulCase } from './testing/kernel-cases.js';

/** Short lane, of one to twenty rows each; the long one is kernels.fuzz.ts. */
const CALLS_PER_OP = 150;

/**
 * Seeds that once found something: a failure of `npm run fuzz` is added here. These caught mistakes that were put into
 * the kernels on purpose: limits of the vector paths moved by one, tails read past their end, ties rounded up, rows
 * mistaken for their neighbours.
 */
const KEPT_SEEDS: readonly (readonly [KernelCaseName, number])[] = [
  ['attention', 1],
  ['attention', 2],
  ['attention', 8],
  ['attention', 21],
  ['attention', 224],
  ['headNorm', 1],
  ['headNorm', 24],
  ['logits', 14],
  ['logits', 125],
  ['matmul', 26],
  ['residualAdd', 4],
  ['residualAdd', 63],
  ['rmsNorm', 2],
  ['rmsNorm', 4],
  ['rmsNorm', 98],
  ['rope', 1],
  ['rope', 15],
  ['splitHeads', 1],
  ['swiGlu', 3],
  ['swiGlu', 12],
  ['swiGlu', 48],
];

const bench = createKernelBench();
const names = Object.keys(KERNEL_CASES) as KernelCaseName[];

describe.each(names)('kernel %s', (name) => {
  it('gives the bits of the reference', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (seed) => {
        bench.reset();
        expect(KERNEL_CASES[name](bench, seed).difference).toBeUndefined();
      }),
      { numRuns: CALLS_PER_OP, seed: 20261123 },
    );
  });
});

describe.each(KEPT_SEEDS)('kernel %s with the kept seed %i', (name, seed) => {
  it('gives the bits of the reference', () => {
    bench.reset();
    expect(KERNEL_CASES[name](bench, seed).difference).toBeUndefined();
  });
});

describe('kernel matmul at its bounds', () => {
  const extreme = (width: number, weight: number) => ({
    rows: 4,
    cols: width,
    data: new Int8Array(4 * width).fill(weight),
    scales: new Uint16Array((4 * width) / 32).fill(65_535),
    rowShifts: Uint8Array.of(7, 7, 0, 7),
    exponent: 0,
  });

  it.each([
    [65_536, -128, 32_767],
    [65_536, -128, -32_767],
    [65_536, 127, 32_767],
    [32, -128, 32_767],
  ])('K=%i of %i times %i', (width, weight, value) => {
    bench.reset();
    const input = new Int16Array(width).fill(value);
    const matrix = extreme(width, weight);
    const options = { draw: drawFrom(1), rows: 3, matrix, input };
    expect(matmulCase(bench, options).difference).toBeUndefined();
  });
});
