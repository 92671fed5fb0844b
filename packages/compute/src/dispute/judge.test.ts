/** What the judge in TypeScript makes of paths that end before the position. */
import { createHash } from 'node:crypto';
import { fromHex, toHex } from '@assay/protocol';
import { describe, expect, it } from 'vitest';
import { judgeProof } from './judge.js';
import { examineCharge } from './prover.js';
import { sourceOf } from './source.js';
import { honestCase } from './testing/honest-case.js';
import type { Opening, TraceProof } from './trace-proof.js';

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

const honest = honestCase({ seed: 3, inputCount: 3, outputCount: 2, hash: sha256 });
const { graph } = honest.model;
const kind = 'residualElement';
const node = graph.nodes.findIndex(({ op }) => op === 'residualAdd');

const options = { ...honest, source: sourceOf(honest.trace), hash: sha256 };
const { open } = await examineCharge(options, { kind, t: 1, node, head: 0, index: 0, part: 0 });
const proof = await open();

const judge = (changed: TraceProof): boolean =>
  judgeProof({ signed: honest.signed, graph, kind, proof: changed, hash: sha256 });

/** The proof with another opening of a row. */
const withRow = (number: number, change: Partial<Opening>): TraceProof => ({
  ...proof,
  rows: proof.rows.map((row, i) => (i === number ? { ...row, ...change } : row)),
});

const flipped = (hex: Opening['data']) => toHex(fromHex(hex).map((byte, i) => byte ^ +(i === 0)));

describe('judgeProof', () => {
  // Rows: e(in0), e(in1), f(in1), e(out); the second and the fourth end beside the first.
  const malformed = expect.objectContaining({ code: 'proof_malformed' });

  it('opens rows whose paths end beside the first row of their position', () => {
    expect(judge(proof)).toBe(false);
    const [first, , , fourth] = proof.rows;
    expect(fourth!.path.length).toBeLessThan(first!.path.length);
  });

  it('refuses such a row with one other byte', () => {
    for (const number of [1, 3]) {
      const data = flipped(proof.rows[number]!.data);
      expect(() => judge(withRow(number, { data }))).toThrow(malformed);
    }
  });

  it('refuses a path that is longer or shorter', () => {
    for (const number of [1, 3]) {
      const { path } = proof.rows[number]!;
      const longer = [...path, toHex(new Uint8Array(32))];
      expect(() => judge(withRow(number, { path: longer }))).toThrow(malformed);
      expect(() => judge(withRow(number, { path: path.slice(0, -1) }))).toThrow(malformed);
    }
  });

  it('refuses a first row that does not lead up to its position', () => {
    const path = proof.rows[0]!.path.slice(0, -1);
    expect(() => judge(withRow(0, { path }))).toThrow(malformed);
  });
});
