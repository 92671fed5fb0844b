import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { tensorRows, weightsRoot } from './commitment.js';
import { buildLlamaModel, type EngineModel } from './engine-model.js';
import { type FamilyName, familyOf } from './families.js';
import { encodeTensor } from './gguf/encode-tensor.js';
import { exportGguf, gainValues, matrixValues } from './gguf/export-gguf.js';
import { loadGgufModel } from './gguf/load-model.js';
import { bytesSource } from './gguf/source.js';
import { writeGguf } from './gguf/write-gguf.js';
import { ROPE_STEPS_NAME } from './graph.js';
import {
  type FloatSource,
  importGains,
  importMatrix,
  type TensorRows,
  type TensorSource,
} from './import-tensor.js';
import { merkleRootOf } from './merkle.js';
import type { ModelConfig } from './model-config.js';
import { referenceBackend } from './reference/session.js';
import { rotaryHeads, toHalves } from './rotary-order.js';
import { writeFolderConfig } from './safetensors/folder-config.js';
import { folderName } from './safetensors/folder-names.js';
import { loadSafetensorsFolder } from './safetensors/load-folder.js';
import { writeSafetensors } from './safetensors/write-safetensors.js';
import { mulberry32, randomEngineModel } from './testing/random-model.js';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();

/** Bits by which the tests move a channel: more than a block's scale can serve. */
const BITS = 7;
/** Channels that they move: one of a norm, one of the feed-forward, one of the values. */
const NORM = 5;
const INNER = 40;
const VALUE = 17;

type Tensors = Map<string, TensorSource & { kind: 'f32' }>;

const random = (family: FamilyName) =>
  randomEngineModel({ seed: 61, tied: false, config: { family } });

/** The weights of a model as floats, which blocks of 8 bits hold exactly. */
function floatsOf(model: EngineModel): Tensors {
  const tensors: Tensors = new Map();
  for (const [name, matrix] of model.matrices) {
    const { rows, cols } = matrix;
    tensors.set(name, { kind: 'f32', rows, cols, data: matrixValues(matrix) });
  }
  for (const [name, gains] of model.gains) {
    const data = gainValues(gains);
    tensors.set(name, { kind: 'f32', rows: 1, cols: data.length, data });
  }
  return tensors;
}

const build = ({ config }: EngineModel, tensors: ReadonlyMap<string, TensorSource>) =>
  buildLlamaModel({ config, tensor: (name) => tensors.get(name) });

/** What moves a channel: the weights that write it, and the columns that read it. */
type Place = { readonly name: string; readonly index: number; readonly axis: 'row' | 'column' };
type Channel = { readonly writers: readonly Place[]; readonly readers: readonly Place[] };

const place = (name: string, index: number, axis: Place['axis'] = 'column'): Place => ({
  name,
  index,
  axis,
});

/** One channel of every kind in every layer. */
function channelsOf({ layerCount, headCount, kvHeadCount, headSize, family }: ModelConfig) {
  const channels: Channel[] = [
    { writers: [place('output_norm.weight', NORM)], readers: [place('output.weight', NORM)] },
  ];
  for (let layer = 0; layer < layerCount; layer++) {
    const at = (name: string) => `blk.${layer}.${name}`;
    const read = (...names: string[]) => names.map((name) => place(at(`${name}.weight`), NORM));
    const heads = Array.from({ length: headCount }, (_, head) => head).filter(
      (head) => Math.floor((head * kvHeadCount) / headCount) === Math.floor(VALUE / headSize),
    );
    const bias = family === 'qwen2' ? [place(at('attn_v.bias'), VALUE)] : [];
    channels.push(
      { writers: read('attn_norm'), readers: read('attn_q', 'attn_k', 'attn_v') },
      { writers: read('ffn_norm'), readers: read('ffn_gate', 'ffn_up') },
      {
        writers: [place(at('ffn_up.weight'), INNER, 'row')],
        readers: [place(at('ffn_down.weight'), INNER)],
      },
      {
        writers: [place(at('attn_v.weight'), VALUE, 'row'), ...bias],
        readers: heads.map((head) =>
          place(at('attn_output.weight'), head * headSize + (VALUE % headSize)),
        ),
      },
    );
  }
  return channels;
}

/** Multiplies one row or column in place. */
function scale(tensors: Tensors, { name, index, axis }: Place, factor: number): void {
  const { cols, data } = tensors.get(name)!;
  const [from, to, step] =
    axis === 'row' ? [index * cols, (index + 1) * cols, 1] : [index, data.length, cols];
  for (let at = from; at < to; at += step) data[at]! *= factor;
}

/**
 * Weights whose chosen channels are a little off the middle, on the side to which they are moved, so that the rule,
 * which rounds towards the middle, brings them back to the bit.
 */
function before(model: EngineModel, bits: number): Tensors {
  const tensors = floatsOf(model);
  for (const { readers } of channelsOf(model.config)) {
    for (const reader of readers) scale(tensors, reader, bits > 0 ? 0.75 : 1.25);
  }
  return tensors;
}

/** The same function: what writes a channel times 2^bits, what reads it divided. */
function moved(model: EngineModel, bits: number): Tensors {
  const tensors = before(model, bits);
  for (const { writers, readers } of channelsOf(model.config)) {
    for (const writer of writers) scale(tensors, writer, 2 ** bits);
    for (const reader of readers) scale(tensors, reader, 2 ** -bits);
  }
  return tensors;
}

const TOKENS = [3, 1, 4, 1, 5, 9, 2, 6];

const logitsOf = (model: EngineModel): number[] =>
  [...referenceBackend.createSession(model).forward(TOKENS, { logits: 'all' })].map(Number);

const rootOf = (model: EngineModel): string =>
  Buffer.from(weightsRoot(model, sha256)).toString('hex');

/** Blocks of 8 bits as any converter makes them. */
function blocksOf({ rows, cols, data }: FloatSource & { kind: 'f32' }): TensorSource {
  const bytes = encodeTensor('Q8_0', data);
  const blocks = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = data.length / 32;
  const scales = Uint16Array.from({ length: count }, (_, i) => blocks.getUint16(34 * i, true));
  const quants = Int8Array.from(data, (_, i) => blocks.getInt8(34 * (i >> 5) + 2 + (i & 31)));
  return { kind: 'q8', rows, cols, quants, scales };
}

/** A tensor that is read five rows at a time. */
const steps = ({ data, rows, cols }: FloatSource & { kind: 'f32' }): TensorRows => ({
  kind: 'f32',
  rows,
  cols,
  step: 5,
  read: (from, count) => ({
    kind: 'f32',
    rows: count,
    cols,
    data: data.slice(from * cols, (from + count) * cols),
  }),
});

/** A GGUF file of float weights; it describes the model as an exported one does. */
function fileOf(model: EngineModel, tensors: Tensors): Uint8Array {
  const { metadata } = loadGgufModel(exportGguf({ model }).bytes).file;
  const { family } = model.config;
  return writeGguf({
    metadata,
    tensors: [...tensors].map(([name, { rows, cols, data }]) => {
      const heads =
        familyOf(family).ggufPairs === 'halves' ? rotaryHeads(name, model.config) : undefined;
      const values = heads === undefined ? data : toHalves(data, heads);
      const dims = rows === 1 ? [cols] : [cols, rows];
      return { name, dims, type: 'F32', bytes: encodeTensor('F32', values) };
    }),
  });
}

/** A safetensors folder of float weights. */
function folderOf({ config }: EngineModel, tensors: Tensors) {
  const weights = writeSafetensors({
    dtype: 'F32',
    tensors: [...tensors].map(([name, { rows, cols, data }]) => {
      const heads = rotaryHeads(name, config);
      const values = () => (heads === undefined ? data : toHalves(data, heads));
      return { name: folderName(name)!, shape: rows === 1 ? [cols] : [rows, cols], values };
    }),
  });
  const json = new TextEncoder().encode(writeFolderConfig({ config, tied: false }));
  const files = new Map([
    ['config.json', json],
    ['model.safetensors', weights],
  ]);
  return {
    open(name: string) {
      const bytes = files.get(name);
      return bytes === undefined ? undefined : bytesSource(bytes);
    },
  };
}

const FAMILIES = ['llama', 'qwen2', 'qwen3', 'smollm3'] as const;

type BalanceCase = {
  readonly seed: number;
  readonly family: FamilyName;
  readonly names: readonly string[];
  /** Merkle roots of weights by name. */
  readonly roots: Readonly<Record<string, string>>;
};

const VECTORS: { readonly config: ModelConfig; readonly cases: readonly BalanceCase[] } =
  JSON.parse(
    readFileSync(new URL('../../../vectors/conversion/balance.json', import.meta.url), 'utf8'),
  );

/** Weights whose columns differ by up to 2^24, drawn as `vectors/arithmetic/oracle.py` draws them. */
function unevenTensors(model: EngineModel, { seed, names }: BalanceCase): Tensors {
  const next = mulberry32(seed);
  const shapes = new Map(model.graph.weights.map(({ name, shape }) => [name, shape]));
  return new Map(
    names.map((name) => {
      const shape = shapes.get(name)!;
      const [rows, cols] = shape.length === 1 ? [1, shape[0]!] : [shape[0]!, shape[1]!];
      const factors = Array.from({ length: cols }, () => 2 ** ((next() % 25) - 12));
      const data = Float32Array.from({ length: rows * cols }, (_, i) => {
        const value = (next() % (2 ** 21 - 1)) - (2 ** 20 - 1);
        return (value / 2 ** 24) * factors[i % cols]!;
      });
      return [name, { kind: 'f32', rows, cols, data }];
    }),
  );
}

describe('balanceChannels', () => {
  it('gives the weights that a separate program computes from the specification', () => {
    for (const vector of VECTORS.cases) {
      const { seed, family } = vector;
      const tied = !vector.names.includes('output.weight');
      const drawn = randomEngineModel({ seed, tied, config: { ...VECTORS.config, family } });
      const found = build(drawn, unevenTensors(drawn, vector));
      for (const { name, leaves } of tensorRows(found)) {
        if (name === ROPE_STEPS_NAME) continue;
        const root = Buffer.from(merkleRootOf(leaves, sha256)).toString('hex');
        expect([name, root]).toEqual([name, vector.roots[name]]);
      }
    }
  });

  it('takes outliers of every kind out again, to the very weights, in every family', () => {
    for (const family of FAMILIES) {
      const model = random(family);
      for (const bits of [BITS, -BITS]) {
        const plain = build(model, before(model, bits));
        const found = build(model, moved(model, bits));
        expect(rootOf(found)).toBe(rootOf(plain));
        expect(logitsOf(found)).toEqual(logitsOf(plain));
      }
    }
  });

  it('leaves channels within a factor of four of the middle where they are', () => {
    const model = random('qwen2');
    const near = build(model, moved(model, 1));
    expect(near.gains.get('output_norm.weight')).toEqual(
      importGains(moved(model, 1).get('output_norm.weight')!),
    );
  });

  it('leaves weights that come in 8-bit blocks as they are', () => {
    const model = random('llama');
    const tensors = moved(model, BITS);
    const blocks: [string, TensorSource][] = [...tensors].map(([name, source]) => [
      name,
      source.rows === 1 ? source : blocksOf(source),
    ]);
    const found = build(model, new Map(blocks));
    for (const [name, source] of blocks) {
      if (source.kind === 'q8') expect(found.matrices.get(name)).toEqual(importMatrix(source));
      else expect(found.gains.get(name)).toEqual(importGains(source));
    }
  });

  it('gives the same weights from a file, from its rows in steps, and from a folder', () => {
    const model = random('qwen2');
    const balanced = rootOf(build(model, moved(model, BITS)));
    const file = fileOf(model, moved(model, BITS));
    expect(rootOf(loadGgufModel(file).model)).toBe(balanced);
    expect(rootOf(loadGgufModel(bytesSource(file)).model)).toBe(balanced);
    const folder = folderOf(model, moved(model, BITS));
    expect(rootOf(loadSafetensorsFolder(folder).model)).toBe(balanced);
    const inSteps = [...moved(model, BITS)].map(([name, source]) => [name, steps(source)] as const);
    const tensors = new Map(inSteps);
    const { config } = model;
    for (const weights of ['kept', 'streamed'] as const) {
      const found = buildLlamaModel({ config, weights, tensor: (name) => tensors.get(name) });
      expect(rootOf(found)).toBe(balanced);
    }
  });

  it('keeps a model whose channel is never read, and refuses numbers that are none', () => {
    const model = random('llama');
    const silent = floatsOf(model);
    for (const { readers } of channelsOf(model.config)) {
      for (const reader of readers) scale(silent, reader, 0);
    }
    const found = build(model, silent);
    expect(found.gains).toEqual(build(model, floatsOf(model)).gains);
    const broken = floatsOf(model);
    broken.get('blk.0.ffn_down.weight')!.data[7] = Number.NaN;
    expect(() => build(model, broken)).toThrowError(/infinite or not a number/);
  });
});
