/** The fast pass against the reference: every leaf of every row, for every family, and the roots of any job. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { EngineModel } from '../engine-model.js';
import type { ModelConfig } from '../model-config.js';
import { mulberry32, randomEngineModel } from '../testing/random-model.js';
import { rowCount, type TraceJob, tracePositions } from './layout.js';
import { referencePass } from './reference-pass.js';
import { leavesRoot, type Trace, traceOf, tracePosition } from './trace.js';
import { nodeRoot } from './tree.js';
import { wasmPass } from './wasm-pass.js';

const hash = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const TRACE_KEY = new Uint8Array(32).fill(9);
const JOB: TraceJob = {
  ...{ inputCount: 61, outputCount: 15, controlled: false },
  sampler: { tau: 90_000, topK: 0, topP: 2 ** 29, minP: 0 },
};

function traces(seed: number, config: Partial<ModelConfig>) {
  const model = randomEngineModel({ seed, config: { layerCount: 2, ...config } });
  const tokens = Array.from({ length: tracePositions(JOB) }, (_, i) => (i * 31 + seed) % 128);
  const options = { model, job: JOB, traceKey: TRACE_KEY, hash };
  return {
    model,
    reference: traceOf({ ...options, pass: referencePass(model, tokens) }),
    wasm: traceOf({ ...options, pass: wasmPass(model, tokens) }),
  };
}

describe('wasmPass', () => {
  const cases: [string, Partial<ModelConfig>][] = [
    ['llama', {}],
    ['long rows and odd heads', { headSize: 40, feedForwardWidth: 2112, layerCount: 1 }],
    ['qwen2', { family: 'qwen2' }],
    ['qwen3', { family: 'qwen3' }],
  ];
  for (const [name, config] of cases) {
    it(`gives the trace of the reference, ${name}`, () => {
      const { model, reference, wasm } = traces(5, config);
      for (const t of [0, 60, 63, 74]) {
        for (let node = 0; node < rowCount(model.graph, JOB, t); node++) {
          const label = `${t}, ${node}.${model.graph.nodes[node]!.op}`;
          expect(wasm.leaves(t, node), label).toEqual(reference.leaves(t, node));
        }
      }
      expect(hexOf(wasm.root)).toBe(hexOf(reference.root));
    });
  }

  it('computes a position again that later ones followed', () => {
    const { reference, wasm } = traces(6, {});
    for (const t of [70, 3, 69, 0]) expect(wasm.rows(t)).toEqual(reference.rows(t));
  });
});

/** Any job over any small model: what a seed says. */
function randomCase(seed: number): { model: EngineModel; job: TraceJob; tokens: number[] } {
  const next = mulberry32(seed);
  const oneOf = <T>(...values: readonly T[]): T => values[next() % values.length]!;
  const family = oneOf('llama', 'mistral', 'qwen2', 'qwen3', 'smollm3');
  // Head sizes that are whole vectors and others, heads that share keys and others.
  const heads = oneOf([4, 1, 8], [4, 2, 40], [6, 3, 16], [8, 2, 20], [2, 2, 64]);
  const [headCount, kvHeadCount, headSize] = heads as [number, number, number];
  const config: Partial<ModelConfig> = {
    ...{ family, headCount, kvHeadCount, headSize },
    ...{ layerCount: oneOf(1, 2), width: oneOf(32, 64), feedForwardWidth: oneOf(96, 1056) },
    ...{ vocabularySize: oneOf(70, 1100) },
  };
  const sampler = {
    ...{ tau: oneOf(0, 90_000, 90_000), topK: oneOf(0, 1, 20), minP: 0 },
    topP: oneOf(0, 2 ** 28, 966_367_641, 2 ** 30),
  };
  const counts = { inputCount: 1 + (next() % 90), outputCount: 1 + (next() % 30) };
  const job: TraceJob = { ...counts, sampler, controlled: oneOf(false, false, true) };
  const tokens = Array.from({ length: tracePositions(job) }, () => next() % 70);
  return { model: randomEngineModel({ seed, config }), job, tokens };
}

describe('the roots of wasmPass', () => {
  for (let seed = 100; seed < 112; seed++) {
    it(`are those of the reference, leaf by leaf, job ${seed}`, () => {
      const { model, job, tokens } = randomCase(seed);
      const pass = wasmPass(model, tokens);
      const options = { model, job, traceKey: TRACE_KEY, hash };
      const reference = traceOf({ ...options, pass: referencePass(model, tokens) });
      const fast = traceOf({ ...options, pass });
      const rootsOf = ({ positions }: Trace) => positions.map(({ root }) => hexOf(root));
      expect(rootsOf(fast)).toEqual(rootsOf(reference));
      expect(hexOf(fast.root)).toBe(hexOf(reference.root));
      pass.dispose?.();
    });
  }

  it('claim several sums of weights beyond 1,024 positions', () => {
    const job: TraceJob = { ...JOB, inputCount: 1030, outputCount: 2 };
    const config = { layerCount: 1, width: 32, contextLength: 1100, vocabularySize: 70 };
    const model = randomEngineModel({ seed: 8, config });
    const tokens = Array.from({ length: tracePositions(job) }, (_, i) => (i * 31) % 70);
    const pass = wasmPass(model, tokens);
    const roots = tokens.map((_, t) => pass.root!(t, job));
    for (const t of [1023, 1024, 1029, 1030]) {
      const rows = tracePosition({ model, job, pass, traceKey: TRACE_KEY, hash }, t);
      const expected = nodeRoot(
        rows.map((row) => leavesRoot(row, hash)),
        hash,
      );
      expect(hexOf(roots[t]!), `${t}`).toBe(hexOf(expected));
    }
  });

  it('stand when another pass over the model runs in between', () => {
    const { model, reference } = traces(7, {});
    const tokensOf = (seed: number) =>
      Array.from({ length: tracePositions(JOB) }, (_, i) => (i * 31 + seed) % 128);
    const [pass, other] = [wasmPass(model, tokensOf(7)), wasmPass(model, tokensOf(3))];
    for (const [t, { root }] of reference.positions.entries()) {
      other.root!(t, JOB);
      if (t % 3 === 0) pass.position(t, model.graph.logitsFrom);
      expect(hexOf(pass.root!(t, JOB)), `${t}`).toBe(hexOf(root));
    }
  });
});
