import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { weightsRoot } from '../commitment.js';
import { referenceBackend } from '../reference/session.js';
import { encodeTensor } from './encode-tensor.js';
import { loadGgufModel } from './load-model.js';
import type { GgufValue } from './metadata.js';
import { tensorTypeByName } from './tensor-types.js';
import { type TensorToWrite, writeGguf } from './write-gguf.js';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();
const uint32 = (value: number): GgufValue => ({ type: 'uint32', value });
const text = (value: string): GgufValue => ({ type: 'string', value });

const METADATA: ReadonlyMap<string, GgufValue> = new Map<string, GgufValue>([
  ['general.architecture', text('llama')],
  ['llama.block_count', uint32(1)],
  ['llama.context_length', uint32(16)],
  ['llama.embedding_length', uint32(32)],
  ['llama.feed_forward_length', uint32(64)],
  ['llama.attention.head_count', uint32(2)],
  ['llama.attention.head_count_kv', uint32(1)],
  ['llama.attention.layer_norm_rms_epsilon', { type: 'float32', value: Math.fround(1e-5) }],
]);

/** Values that differ everywhere and stay small. */
const ramp = (count: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(i) / 8);

function tensor(
  name: string,
  dims: readonly number[],
  type: 'F32' | 'F16' | 'BF16' | 'Q8_0' = 'Q8_0',
): TensorToWrite {
  const count = dims.reduce((product, length) => product * length, 1);
  return { name, dims, type, bytes: encodeTensor(type, ramp(count)) };
}

const TENSORS: readonly TensorToWrite[] = [
  tensor('token_embd.weight', [32, 40]),
  tensor('blk.0.attn_norm.weight', [32], 'F32'),
  tensor('blk.0.attn_q.weight', [32, 32]),
  tensor('blk.0.attn_k.weight', [32, 16], 'F16'),
  tensor('blk.0.attn_v.weight', [32, 16], 'BF16'),
  tensor('blk.0.attn_output.weight', [32, 32], 'F32'),
  tensor('blk.0.ffn_norm.weight', [32], 'F32'),
  tensor('blk.0.ffn_gate.weight', [32, 64]),
  tensor('blk.0.ffn_up.weight', [32, 64]),
  tensor('blk.0.ffn_down.weight', [64, 32]),
  tensor('output_norm.weight', [32], 'F32'),
];

/** The valid file with some entries replaced, added or (undefined) left out. */
function file(
  changes: {
    readonly metadata?: Readonly<Record<string, GgufValue | undefined>>;
    readonly tensors?: Readonly<Record<string, TensorToWrite | undefined>>;
  } = {},
): Uint8Array {
  const merge = <Value>(base: ReadonlyMap<string, Value>, change = {}) => {
    const merged = new Map([...base, ...Object.entries<Value | undefined>(change)]);
    return new Map([...merged].filter((entry): entry is [string, Value] => entry[1] !== undefined));
  };
  const tensors = merge(new Map(TENSORS.map((t) => [t.name, t])), changes.tensors);
  return writeGguf({
    metadata: merge(METADATA, changes.metadata),
    tensors: [...tensors.values()],
  });
}

const refused = (bytes: Uint8Array, code: string) =>
  expect(() => loadGgufModel(bytes)).toThrow(expect.objectContaining({ code }));

describe('loadGgufModel', () => {
  it('builds a model that runs, with every readable storage type', () => {
    const { model, parameterCount } = loadGgufModel(file());
    expect(model.config).toMatchObject({ headSize: 16, kvHeadCount: 1, vocabularySize: 40 });
    expect(parameterCount).toBe(
      TENSORS.reduce((sum, t) => sum + t.dims.reduce((a, b) => a * b), 0),
    );
    const logits = referenceBackend.createSession(model).forward([1, 2, 3]);
    expect(logits.length).toBe(40);
    expect(new Set(logits).size).toBeGreaterThan(30);
  });

  it('imports quantised blocks as the floats that they stand for', () => {
    const metadata = {
      'llama.embedding_length': uint32(256),
      'llama.feed_forward_length': uint32(256),
    };
    const types = ['Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'Q2_K', 'Q3_K', 'Q4_K', 'Q5_K', 'Q6_K'];
    const rows: readonly (readonly [name: string, rows: number])[] = [
      ['token_embd', 40],
      ['blk.0.attn_q', 256],
      ['blk.0.attn_k', 128],
      ['blk.0.attn_v', 128],
      ['blk.0.attn_output', 256],
      ['blk.0.ffn_gate', 256],
      ['blk.0.ffn_up', 256],
      ['blk.0.ffn_down', 256],
      ['output', 40],
    ];
    const gains = ['blk.0.attn_norm', 'blk.0.ffn_norm', 'output_norm'].map((name) =>
      tensor(`${name}.weight`, [256], 'F32'),
    );
    const quantised = rows.map(([name, length], i) => {
      const { blockElements, blockBytes, decode } = tensorTypeByName(types[i]!)!;
      const size = ((256 * length) / blockElements) * blockBytes;
      // Every byte below 0x3c, so that no float16 in it is huge.
      const bytes = Uint8Array.from({ length: size }, (_, at) => (at * 37 + (at >> 5)) % 0x3c);
      const values = decode!(bytes, 256 * length);
      if (values.kind !== 'float') throw new Error('floats were expected');
      const info = { name: `${name}.weight`, dims: [256, length] };
      return {
        blocks: { ...info, type: types[i]!, bytes },
        floats: { ...info, type: 'F32', bytes: encodeTensor('F32', values.values) },
      };
    });
    const root = (tensors: readonly TensorToWrite[]) => {
      const named = Object.fromEntries([...tensors, ...gains].map((each) => [each.name, each]));
      const { model } = loadGgufModel(file({ metadata, tensors: named }));
      return Buffer.from(weightsRoot(model, sha256)).toString('hex');
    };
    expect(root(quantised.map(({ blocks }) => blocks))).toBe(
      root(quantised.map(({ floats }) => floats)),
    );
  });

  it('ties the output to the token table unless the file has one', () => {
    const untied = { 'output.weight': tensor('output.weight', [32, 40], 'F16') };
    expect(loadGgufModel(file()).model.matrices.has('output.weight')).toBe(false);
    expect(loadGgufModel(file({ tensors: untied })).model.matrices.has('output.weight')).toBe(true);
  });

  it('refuses what is missing', () => {
    for (const key of METADATA.keys()) {
      const optional = key === 'llama.attention.head_count_kv';
      const bytes = file({ metadata: { [key]: undefined } });
      // Without it every query head has its own keys, for which the file's matrices are too small.
      refused(bytes, optional ? 'gguf_bad_shape' : 'gguf_missing_metadata');
    }
    for (const { name } of TENSORS) {
      refused(file({ tensors: { [name]: undefined } }), 'gguf_missing_tensor');
    }
  });

  it('refuses what the graph would ignore', () => {
    const bias = tensor('blk.0.attn_q.bias', [32], 'F32');
    refused(file({ tensors: { [bias.name]: bias } }), 'gguf_unsupported_architecture');
    for (const [key, value] of [
      ['general.architecture', text('mamba')],
      ['llama.rope.scaling.type', text('dynamic')],
      ['llama.expert_count', uint32(8)],
      ['llama.attention.scale', { type: 'float32', value: 0.5 }],
      ['llama.logit_scale', { type: 'float32', value: 2 }],
      ['llama.attention.causal', { type: 'bool', value: false }],
      ['llama.rope.dimension_count', uint32(8)],
      ['llama.attention.value_length', uint32(8)],
    ] as const) {
      refused(file({ metadata: { [key]: value } }), 'gguf_unsupported_architecture');
    }
  });

  it('ends the context of a model with a window at the window, within which it is exact', () => {
    const length = (window: number) =>
      loadGgufModel(file({ metadata: { 'llama.attention.sliding_window': uint32(window) } })).model
        .config.contextLength;
    expect([4, 16, 4_096, 0].map(length)).toEqual([4, 16, 16, 16]);
    const { model } = loadGgufModel(
      file({ metadata: { 'llama.attention.sliding_window': uint32(4) } }),
    );
    expect(() => referenceBackend.createSession(model).forward([1, 2, 3, 4, 5])).toThrow(
      expect.objectContaining({ code: 'context_too_long' }),
    );
  });

  it('refuses rotary scaling that is incomplete or computed otherwise elsewhere', () => {
    const yarn = {
      'llama.rope.scaling.type': text('yarn'),
      'llama.rope.scaling.factor': { type: 'float32', value: 4 },
      'llama.rope.scaling.original_context_length': uint32(8),
    } as const;
    expect(loadGgufModel(file({ metadata: yarn })).model.config.ropeScaling).toMatchObject({
      kind: 'yarn',
      factor: 4,
      betaFast: 32,
      betaSlow: 1,
    });
    for (const key of ['factor', 'original_context_length']) {
      const changed = { ...yarn, [`llama.rope.scaling.${key}`]: undefined };
      refused(file({ metadata: changed }), 'gguf_missing_metadata');
    }
    for (const key of ['attn_factor', 'yarn_ext_factor', 'yarn_log_multiplier']) {
      const changed = { [`llama.rope.scaling.${key}`]: { type: 'float32', value: 0.5 } } as const;
      refused(file({ metadata: { ...yarn, ...changed } }), 'gguf_unsupported_architecture');
    }
    const longrope = { ...yarn, 'llama.rope.scaling.type': text('longrope') };
    refused(file({ metadata: longrope }), 'gguf_unsupported_architecture');
    const factors = tensor('rope_freqs.weight', [8], 'F32');
    const tensors = { [factors.name]: factors };
    refused(file({ metadata: yarn, tensors }), 'gguf_unsupported_architecture');
    // The ramp holds a zero: no frequency can be divided by it.
    refused(file({ tensors }), 'model_config_invalid');
    const short = { ...factors, dims: [7], bytes: encodeTensor('F32', ramp(7).fill(2)) };
    refused(file({ tensors: { [short.name]: short } }), 'model_config_invalid');
  });

  it('refuses shapes that disagree with the configuration', () => {
    const wrong: readonly TensorToWrite[] = [
      tensor('blk.0.attn_q.weight', [32, 64]),
      tensor('blk.0.ffn_down.weight', [32, 64]),
      tensor('blk.0.attn_norm.weight', [32, 1], 'F32'),
      tensor('output_norm.weight', [64], 'F32'),
      tensor('token_embd.weight', [64, 40]),
    ];
    for (const t of wrong) refused(file({ tensors: { [t.name]: t } }), 'gguf_bad_shape');
  });

  it('refuses configurations outside the proofs of the arithmetic', () => {
    for (const [key, value] of [
      ['llama.embedding_length', uint32(2 ** 31)],
      ['llama.block_count', uint32(0)],
      ['llama.block_count', uint32(2 ** 32 - 1)],
      ['llama.context_length', uint32(2 ** 30)],
      ['llama.attention.head_count', uint32(0)],
      ['llama.attention.head_count_kv', uint32(3)],
      ['llama.rope.freq_base', { type: 'float32', value: 0.5 }],
      ['llama.rope.freq_base', { type: 'float32', value: 10_000.5 }],
      ['llama.attention.layer_norm_rms_epsilon', { type: 'float32', value: 1 }],
    ] as const) {
      refused(file({ metadata: { [key]: value } }), 'model_config_invalid');
    }
  });

  it('refuses metadata of another type than its meaning', () => {
    refused(file({ metadata: { 'llama.block_count': text('1') } }), 'gguf_bad_metadata');
    const infinite: GgufValue = { type: 'float32', value: Number.POSITIVE_INFINITY };
    refused(file({ metadata: { 'llama.rope.freq_base': infinite } }), 'gguf_bad_metadata');
  });
});
