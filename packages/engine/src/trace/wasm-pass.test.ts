/** The fast pass against the reference: every leaf of every row, for every family. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { ModelConfig } from '../model-config.js';
import { randomEngineModel } from '../testing/random-model.js';
import { rowCount, type TraceJob, tracePositions } from './layout.js';
import { referencePass } from './reference-pass.js';
import { createRowHasher } from './row-hasher.js';
import { traceOf } from './trace.js';
import { wasmPass } from './wasm-pass.js';

const hash = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
/** One for all traces, as a verifier has it. */
const rowHasher = createRowHasher();
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
    wasm: traceOf({ ...options, pass: wasmPass(model, tokens), rowHasher }),
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
      expect(wasm.root).toEqual(reference.root);
    });
  }

  it('computes a position again that later ones followed', () => {
    const { reference, wasm } = traces(6, {});
    for (const t of [70, 3, 69, 0]) expect(wasm.rows(t)).toEqual(reference.rows(t));
  });
});
