import { defineConfig } from 'vitest/config';

// Workspaces resolve to their build (`dist`), as users get them; `npm test` builds first.
export default defineConfig({
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'simulation/src/**/*.test.ts',
      'tools/src/**/*.test.ts',
    ],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Two cores: more workers only make the real chains and servers of the tests wait for each other.
    maxWorkers: 2,
    pool: 'forks',
  },
});
