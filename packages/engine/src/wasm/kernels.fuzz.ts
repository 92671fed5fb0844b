import { describe, expect, it } from 'vitest';
import { createKernelBench } from './testing/kernel-bench.js';
import { KERNEL_CASES, type KernelCaseName } from './testing/kernel-cases.js';
import { countCases } from './testing/kernel-fuzz.js';

/** Cases per op; a million for a release. */
const CASES = Number(process.env.ASSAY_FUZZ_CASES ?? 500);

/** First seed; another one looks elsewhere. A failing one is printed and belongs into KEPT_SEEDS of kernels.test.ts. */
const SEED = Number(process.env.ASSAY_FUZZ_SEED ?? 1);

const bench = createKernelBench();

describe.each(Object.keys(KERNEL_CASES) as KernelCaseName[])('kernel %s', (name) => {
  it(`equals the reference in ${CASES} cases from seed ${SEED}`, { timeout: 0 }, () => {
    const { calls, cases, difference } = countCases(bench, { name, cases: CASES, seed: SEED });
    if (difference !== undefined) expect.fail(difference);
    expect(cases).toBeGreaterThanOrEqual(CASES);
    console.log(`${name}: ${cases} cases in ${calls} calls, seeds ${SEED} to ${SEED + calls - 1}`);
  });
});
