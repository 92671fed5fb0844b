import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { drawFrom } from './testing/draw.js';
import { createKernelBench } from './testing/kernel-bench.js';
import { KERNEL_CASES, type KernelCaseName, matmulCase } from './testing/kernel-cases.js';

/** Short lane; the long one is kernels.fuzz.ts. */
const CASES_PER_OP = 150;

/**
 * Seeds that once found something: a failure of `npm run fuzz` is added here. The first ones caught mistakes that were
 * put into the kernels on purpose (a limit of the vector path moved, a tail read past its end).
 */
const KEPT_SEEDS: readonly (readonly [KernelCaseName, number])[] = [
  ['attention', 12],
  ['attention', 22],
  ['attention', 160],
  ['attention', 369],
  ['attention', 512],
  ['residualAdd', 120],
  ['residualAdd', 305],
  ['rmsNorm', 8],
  ['rmsNorm', 41],
  ['swiGlu', 22],
  ['swiGlu', 41],
];

const bench = createKernelBench();
const names = Object.keys(KERNEL_CASES) as KernelCaseName[];

describe.each(names)('kernel %s', (name) => {
  it('gives the bits of the reference', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (seed) => {
        bench.reset();
        expect(KERNEL_CASES[name](bench, seed)).toBeUndefined();
      }),
      { numRuns: CASES_PER_OP, seed: 20261123 },
    );
  });
});

describe.each(KEPT_SEEDS)('kernel %s with the kept seed %i', (name, seed) => {
  it('gives the bits of the reference', () => {
    bench.reset();
    expect(KERNEL_CASES[name](bench, seed)).toBeUndefined();
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
    const options = { draw: drawFrom(1), rows: 3, width, outputs: 4, matrix, input };
    expect(matmulCase(bench, 1, options)).toBeUndefined();
  });
});
