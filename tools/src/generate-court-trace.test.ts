import { readFileSync } from 'node:fs';
import { TRACE_KINDS, type TraceKind } from '@assay/compute';
import { describe, expect, it } from 'vitest';
import { generateTraceVectors } from './generate-court-trace.js';

const SIZE_MAX = 700_000;

describe('generateTraceVectors', async () => {
  const files = await generateTraceVectors();
  const { groups } = JSON.parse(files.find(({ name }) => name === 'trace.json')!.text);

  it('gives the committed files, which the judges are held against', () => {
    for (const { name, text } of files) {
      const committed = new URL(`../../vectors/court/${name}`, import.meta.url);
      expect(readFileSync(committed, 'utf8')).toBe(text);
      expect(text.length).toBeLessThan(SIZE_MAX);
    }
  });

  it('has a proof that convicts and one that does not of every kind about traces', () => {
    const proofs = groups.flatMap(({ proofs }: { proofs: { kind: TraceKind }[] }) => proofs);
    for (const guilty of [true, false]) {
      const kinds = proofs
        .filter((proof: { guilty: boolean }) => proof.guilty === guilty)
        .map(({ kind }: { kind: TraceKind }) => kind);
      // The leaf of an answer that is malformed is judged by contracts/test; its root cannot be made by commitTokens.
      const expected = Object.keys(TRACE_KINDS).filter((kind) => kind !== 'tokenForm');
      expect([...new Set(kinds)].sort()).toEqual(expected.sort());
    }
  });
});
