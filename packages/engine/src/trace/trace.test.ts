/** Layout and leaves of honest traces, over models that use every kind of leaf. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { randomEngineModel } from '../testing/random-model.js';
import { leafBytes, rowCount, rowLayout, type TraceJob, tracePositions } from './layout.js';
import { referencePass } from './reference-pass.js';
import { leavesRoot, traceOf, traceRoot } from './trace.js';

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
const TRACE_KEY = new Uint8Array(32).fill(7);

const JOB: TraceJob = {
  inputCount: 60,
  outputCount: 11,
  sampler: { tau: 90_000, topK: 12, topP: 2 ** 29, minP: 0 },
  controlled: false,
};

/** Two heads of values, 5 blocks of columns in a head, K of 1,056 in the last matrix of a layer. */
function smallTrace(job: TraceJob = JOB) {
  const model = randomEngineModel({
    seed: 31,
    config: {
      layerCount: 1,
      width: 32,
      headSize: 40,
      feedForwardWidth: 1056,
      vocabularySize: 1100,
    },
  });
  const tokens = Array.from({ length: tracePositions(job) }, (_, i) => (i * 37 + 5) % 1100);
  const pass = referencePass(model, tokens);
  return { model, trace: traceOf({ model, job, pass, traceKey: TRACE_KEY, hash: sha256 }) };
}

describe('traceOf', () => {
  const { model, trace } = smallTrace();
  const { graph } = model;

  it('gives each row the leaves that its closed form says', () => {
    for (const t of [0, 1, 59, 63, 64, 69]) {
      const count = rowCount(graph, JOB, t);
      expect(trace.rows(t)).toHaveLength(count);
      for (let node = 0; node < count; node++) {
        const layout = rowLayout(graph, JOB, { t, node });
        const lengths = trace.leaves(t, node).map(({ length }) => length);
        const expected = Array.from({ length: layout.leafCount }, (_, i) => leafBytes(layout, i));
        expect(lengths, `${t}, ${node}.${graph.nodes[node]!.op}`).toEqual(expected);
      }
    }
  });

  it('has tiles where a block closes, logits where a token was sampled, partial sums for long rows', () => {
    const layoutOf = (op: string, t: number) => {
      const node = graph.nodes.findLastIndex((each) => each.op === op);
      return rowLayout(graph, JOB, { t, node });
    };
    expect(layoutOf('mix', 62).tiles).toBeUndefined();
    expect(layoutOf('mix', 63).tiles).toMatchObject({ from: 0, positions: 64, blocks: 5 });
    expect(layoutOf('mix', 69).tiles).toMatchObject({ from: 64, positions: 6 });
    expect(layoutOf('mix', 64).partials).toMatchObject({ parts: 2, perLeaf: 32 });
    expect(layoutOf('logits', 69).partials).toMatchObject({ count: 2, parts: 3 });
    expect(rowCount(graph, JOB, 58)).toBe(graph.logitsFrom);
    expect(rowCount(graph, JOB, 59)).toBe(graph.nodes.length);
    const down = graph.nodes.findIndex(({ op }) => op === 'swiGlu') + 1;
    expect(rowLayout(graph, JOB, { t: 0, node: down }).partials).toMatchObject({ parts: 2 });
  });

  it('answers about one position with what its root covers', () => {
    const { salt, root } = trace.positions[40]!;
    const rows = trace.rows(40);
    expect(leavesRoot(trace.leaves(40, 3), sha256)).toEqual(rows[3]);
    expect(traceRoot(trace.positions, sha256)).toEqual(trace.root);
    expect(salt).not.toEqual(trace.positions[41]!.salt);
    expect(root).not.toEqual(trace.positions[41]!.root);
  });

  it('is the same every time, and another one for another sampler or key', () => {
    expect(smallTrace().trace.root).toEqual(trace.root);
    const other = { ...JOB, sampler: { ...JOB.sampler, topK: 13 } };
    expect(smallTrace(other).trace.root).not.toEqual(trace.root);
  });

  it('refuses a trace beyond its bounds', () => {
    const job = { ...JOB, inputCount: 4090 };
    expect(() => smallTrace(job)).toThrow(expect.objectContaining({ code: 'trace_too_long' }));
  });
});
