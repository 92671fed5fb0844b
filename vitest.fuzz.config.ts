import { defineConfig } from 'vitest/config';

/** Random cases without end in sight: `npm run fuzz` sets a million per op, ASSAY_FUZZ_CASES another number. */
const HOUR_MS = 3_600_000;

export default defineConfig({
  test: {
    include: ['packages/*/src/**/*.fuzz.ts'],
    testTimeout: 12 * HOUR_MS,
    hookTimeout: HOUR_MS,
    maxWorkers: 2,
    pool: 'forks',
  },
});
