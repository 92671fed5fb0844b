import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { boundsHash, graphRoot, weightsRoot } from '../commitment.js';
import { buildLlamaModel, type EngineModel } from '../engine-model.js';
import { mulberry32, randomEngineModel, TINY_CONFIG } from '../testing/random-model.js';
import { exportGguf, matrixValues } from './export-gguf.js';
import { loadGgufModel } from './load-model.js';
import type { GgufMetadata, GgufValue } from './metadata.js';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();

/** What of a model's identity the engine computes. */
const identity = (model: EngineModel) =>
  [weightsRoot, (m: EngineModel) => graphRoot(m.graph, sha256), boundsHash].map((root) =>
    Buffer.from(root(model, sha256)).toString('hex'),
  );

const TEXT: GgufMetadata = new Map<string, GgufValue>([
  ['tokenizer.ggml.tokens', { type: 'array', element: 'string', value: ['a', 'b'] }],
  ['llama.block_count', { type: 'uint16', value: 2 }],
  ['llama.context_length', { type: 'uint32', value: 7 }],
  ['split.count', { type: 'uint16', value: 3 }],
]);

/** A model whose weights were floats, from a seed. */
function floatModel(seed: number): EngineModel {
  const next = mulberry32(seed);
  const shapes = new Map(
    randomEngineModel({ seed: 1 }).graph.weights.map((w) => [w.name, w.shape]),
  );
  return buildLlamaModel({
    config: TINY_CONFIG,
    tensor(name) {
      const shape = shapes.get(name);
      if (shape === undefined) return undefined;
      const [rows, cols] = shape.length === 2 ? [shape[0]!, shape[1]!] : [1, shape[0]!];
      const data = Float32Array.from({ length: rows * cols }, () => next() / 2 ** 32 - 0.5);
      return { kind: 'f32', rows, cols, data };
    },
  });
}

describe('exportGguf', () => {
  it('loses nothing of weights that came from Q8_0', () => {
    for (const tied of [true, false]) {
      const model = randomEngineModel({ seed: 11, tied });
      const { bytes, roundedTensors } = exportGguf({ model });
      expect(roundedTensors).toEqual([]);
      expect(identity(loadGgufModel(bytes).model)).toEqual(identity(model));
    }
  });

  it('gives the same bytes once more', () => {
    const first = exportGguf({ model: randomEngineModel({ seed: 12 }), metadata: TEXT }).bytes;
    const { model, file } = loadGgufModel(first);
    expect(Buffer.from(exportGguf({ model, metadata: file.metadata }).bytes).equals(first)).toBe(
      true,
    );
  });

  it('keeps metadata, sets what describes the model, forgets that it was split', () => {
    const { bytes } = exportGguf({ model: randomEngineModel({ seed: 12 }), metadata: TEXT });
    const { metadata } = loadGgufModel(bytes).file;
    expect([...metadata.keys()].slice(0, 3)).toEqual([...TEXT.keys()].slice(0, 3));
    expect(metadata.get('tokenizer.ggml.tokens')).toEqual(TEXT.get('tokenizer.ggml.tokens'));
    expect(metadata.get('llama.block_count')).toEqual({ type: 'uint16', value: 2 });
    expect(metadata.get('llama.context_length')).toEqual({ type: 'uint32', value: 256 });
    expect(metadata.has('split.count')).toBe(false);
  });

  it('keeps a calibrated residual', () => {
    const model = randomEngineModel({ seed: 13, config: { residualBits: 14 } });
    expect(identity(loadGgufModel(exportGguf({ model }).bytes).model)).toEqual(identity(model));
  });

  it('names the tensors whose scales float16 rounds, by less than a part in 2,048', () => {
    const model = floatModel(14);
    const { bytes, roundedTensors } = exportGguf({ model });
    expect(roundedTensors).toEqual([...model.matrices.keys()]);
    const again = loadGgufModel(bytes).model;
    for (const [name, matrix] of model.matrices) {
      const wanted = matrixValues(matrix);
      const found = matrixValues(again.matrices.get(name)!);
      const off = wanted.findIndex((w, i) => Math.abs(found[i]! - w) > Math.abs(w) / 2_048);
      expect(off).toBe(-1);
    }
    expect(again.gains).toEqual(model.gains);
  });

  it('refuses a scale beyond float16', () => {
    const model = randomEngineModel({ seed: 15 });
    const matrix = model.matrices.get('token_embd.weight')!;
    const large = new Map(model.matrices).set('token_embd.weight', { ...matrix, exponent: 10 });
    expect(() => exportGguf({ model: { ...model, matrices: large } })).toThrow(
      expect.objectContaining({ code: 'gguf_scale_too_large' }),
    );
  });
});
