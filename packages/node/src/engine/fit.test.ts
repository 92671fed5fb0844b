/** Whatever computes committed steps compares its machine with known answers first. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const FOLDERS = ['../../../node/src/', '../../../console/src/'].map(
  (path) => new URL(path, import.meta.url),
);

/** Measures a model, commits to nothing; and tells a story whose ending the court decides. */
const FREE = ['cli/model.ts', 'demo/dispute.ts'];

const sources = FOLDERS.flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => /\.tsx?$/.test(path) && !/\.test\.tsx?$/.test(path))
    .map((path) => ({ path, code: readFileSync(new URL(path, folder), 'utf8') })),
);

describe('files that make a backend or a pass', () => {
  const makers = sources.filter(({ code }) => /\b(createWasmBackend|wasmPass)\(/.test(code));

  it('are those of roles, checks and the page', () => {
    expect(makers.map(({ path }) => path).sort()).toEqual([
      'check/backend.ts',
      ...['cli/doctor.ts', 'cli/model.ts', 'cli/receipt.ts'],
      ...['court/trace-worker.ts', 'demo/dispute.ts', 'engine/engine-worker.ts'],
    ]);
  });

  it('test the machine with it before they use it', () => {
    const careless = makers.filter(({ code }) => !/^\s*(if \(!isFit\) )?assertFit\(/m.test(code));
    expect(careless.map(({ path }) => path).sort()).toEqual(FREE);
  });
});
