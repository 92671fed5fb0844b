import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { weightsRoot } from './commitment.js';
import { matrixAt } from './engine-model.js';
import { exportGguf } from './gguf/export-gguf.js';
import { loadGgufModel } from './gguf/load-model.js';
import { type ByteSource, bytesSource } from './gguf/source.js';
import { referenceBackend } from './reference/session.js';
import { exportSafetensors } from './safetensors/export-safetensors.js';
import { loadSafetensorsFolder } from './safetensors/load-folder.js';
import { StreamedMatrices } from './streamed-weights.js';
import { randomEngineModel } from './testing/random-model.js';
import { createWasmBackend } from './wasm/wasm-backend.js';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();
const random = randomEngineModel({
  seed: 51,
  tied: false,
  config: { family: 'qwen2', vocabularySize: 3000 },
});
const FILE = exportGguf({ model: random }).bytes;

/** The file, and how many bytes of it were read. */
function countingSource(): { readonly source: ByteSource; readonly read: () => number } {
  let count = 0;
  const inner = bytesSource(FILE);
  const read = (offset: number, length: number) => {
    count += length;
    return inner.read(offset, length);
  };
  return { source: { size: inner.size, read }, read: () => count };
}

describe('a model from a source', () => {
  it('reads no matrix until it is needed, and each once for the root', () => {
    const { source, read } = countingSource();
    const { model } = loadGgufModel(source);
    const opened = read();
    expect(opened).toBeLessThan(FILE.length / 4);
    expect(weightsRoot(model, sha256)).toEqual(weightsRoot(random, sha256));
    expect(read() - opened).toBeLessThan(FILE.length);
  });

  it('gives the logits of the model in memory, on every backend', () => {
    const { model } = loadGgufModel(countingSource().source);
    for (const backend of [referenceBackend, createWasmBackend()]) {
      const logits = backend.createSession(model).forward([5, 6, 7]);
      expect(logits).toEqual(referenceBackend.createSession(random).forward([5, 6, 7]));
    }
  });

  it('is read once for the kernels, and not once per position for the reference', () => {
    const { source, read } = countingSource();
    const { model } = loadGgufModel(source);
    const opened = read();
    createWasmBackend().load(model);
    expect(read() - opened).toBeLessThan(FILE.length);
    const loaded = read();
    referenceBackend.createSession(model).forward([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(read() - loaded).toBeLessThan(FILE.length);
  });

  it('finds a damaged weight when it is read, by name', () => {
    const { file } = loadGgufModel(FILE);
    const broken = FILE.slice();
    broken.set([0, 0x7e], file.tensors.get('blk.1.ffn_up.weight')!.offset + 34);
    expect(() => loadGgufModel(broken)).toThrow(
      expect.objectContaining({ code: 'gguf_nan_scale' }),
    );
    const { model } = loadGgufModel(bytesSource(broken));
    expect(() => weightsRoot(model, sha256)).toThrow(
      expect.objectContaining({ code: 'gguf_nan_scale' }),
    );
  });

  it('streams from a folder alike', () => {
    const { weights, config } = exportSafetensors({ model: random });
    const files = new Map([
      ['config.json', new TextEncoder().encode(config)],
      ['model.safetensors', weights],
    ]);
    const open = (name: string) => {
      const bytes = files.get(name);
      return bytes && bytesSource(bytes);
    };
    const roots = (['kept', 'streamed'] as const).map((choice) =>
      weightsRoot(loadSafetensorsFolder({ open }, { weights: choice }).model, sha256),
    );
    expect(roots[0]).toEqual(roots[1]);
  });
});

describe('StreamedMatrices', () => {
  const matrices = loadGgufModel(bytesSource(FILE)).model.matrices;

  it('is a map like the one of a model in memory', () => {
    expect(matrices).toBeInstanceOf(StreamedMatrices);
    expect(matrices.size).toBe(random.matrices.size);
    expect([...matrices]).toEqual([...random.matrices]);
    expect([...matrices.keys()]).toEqual([...random.matrices.keys()]);
    expect([...matrices.values()]).toEqual([...random.matrices.values()]);
    expect(matrices.has('output.weight')).toBe(true);
    expect(matrices.get('nothing')).toBeUndefined();
    const seen: string[] = [];
    matrices.forEach((_, name) => {
      seen.push(name);
    });
    expect(seen).toEqual([...random.matrices.keys()]);
  });

  it('keeps the last one only; matrixAt holds more', () => {
    const { model } = loadGgufModel(bytesSource(FILE));
    const name = 'token_embd.weight';
    const first = model.matrices.get(name);
    expect(model.matrices.get(name)).toBe(first);
    model.matrices.get('output.weight');
    expect(model.matrices.get(name)).not.toBe(first);
    const held = matrixAt(model, 0);
    matrixAt(model, 2);
    expect(matrixAt(model, 0)).toBe(held);
  });
});
