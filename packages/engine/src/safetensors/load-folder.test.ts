import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { boundsHash, graphRoot, weightsRoot } from '../commitment.js';
import type { EngineModel } from '../engine-model.js';
import { encodeTensor } from '../gguf/encode-tensor.js';
import { exportGguf } from '../gguf/export-gguf.js';
import { bfloat16ToFloat32, float16ToFloat32 } from '../gguf/half.js';
import { loadGgufModel } from '../gguf/load-model.js';
import { readGguf } from '../gguf/read-gguf.js';
import { bytesSource } from '../gguf/source.js';
import { writeGguf } from '../gguf/write-gguf.js';
import { mulberry32, randomEngineModel, TINY_CONFIG } from '../testing/random-model.js';
import { exportSafetensors } from './export-safetensors.js';
import { loadSafetensorsFolder } from './load-folder.js';
import type { SafetensorsErrorCode } from './safetensors-error.js';
import { type SafetensorsType, writeSafetensors } from './write-safetensors.js';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();
const roots = (model: EngineModel) =>
  [weightsRoot, (m: EngineModel) => graphRoot(m.graph, sha256), boundsHash].map((root) =>
    Buffer.from(root(model, sha256)).toString('hex'),
  );

const { width, headCount, kvHeadCount, headSize, feedForwardWidth, vocabularySize } = TINY_CONFIG;

const CONFIG = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_size: width,
  intermediate_size: feedForwardWidth,
  num_hidden_layers: TINY_CONFIG.layerCount,
  num_attention_heads: headCount,
  num_key_value_heads: kvHeadCount,
  vocab_size: vocabularySize,
  max_position_embeddings: TINY_CONFIG.contextLength,
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
  rope_scaling: null,
  hidden_act: 'silu',
  tie_word_embeddings: false,
};

/** GGUF name, folder name, shape, heads in rotary order: written out, so that a wrong table in the source shows. */
const TENSORS: readonly (readonly [string, string, readonly number[], number])[] = [
  ['token_embd.weight', 'model.embed_tokens.weight', [vocabularySize, width], 0],
  ...[0, 1].flatMap((layer) =>
    (
      [
        ['attn_norm', 'input_layernorm', [width], 0],
        ['attn_q', 'self_attn.q_proj', [headCount * headSize, width], headCount],
        ['attn_k', 'self_attn.k_proj', [kvHeadCount * headSize, width], kvHeadCount],
        ['attn_v', 'self_attn.v_proj', [kvHeadCount * headSize, width], 0],
        ['attn_output', 'self_attn.o_proj', [width, headCount * headSize], 0],
        ['ffn_norm', 'post_attention_layernorm', [width], 0],
        ['ffn_gate', 'mlp.gate_proj', [feedForwardWidth, width], 0],
        ['ffn_up', 'mlp.up_proj', [feedForwardWidth, width], 0],
        ['ffn_down', 'mlp.down_proj', [width, feedForwardWidth], 0],
      ] as const
    ).map(
      ([gguf, folder, shape, heads]) =>
        [
          `blk.${layer}.${gguf}.weight`,
          `model.layers.${layer}.${folder}.weight`,
          shape,
          heads,
        ] as const,
    ),
  ),
  ['output_norm.weight', 'model.norm.weight', [width], 0],
  ['output.weight', 'lm_head.weight', [vocabularySize, width], 0],
];

type Weights = ReadonlyMap<
  string,
  { readonly shape: readonly number[]; readonly values: Float32Array }
>;

/** Weights by folder name, from a seed. */
function randomWeights(seed: number): Weights {
  const next = mulberry32(seed);
  return new Map(
    TENSORS.map(([, name, shape]) => {
      const count = shape.reduce((product, length) => product * length, 1);
      const values = Float32Array.from({ length: count }, () => next() / 2 ** 32 - 0.5);
      return [name, { shape, values }];
    }),
  );
}

const file = (weights: Weights, dtype: SafetensorsType = 'F32') =>
  writeSafetensors({
    dtype,
    tensors: [...weights].map(([name, { shape, values }]) => ({
      name,
      shape,
      values: () => values,
    })),
  });

type Files = Readonly<Record<string, Uint8Array | undefined>>;
const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const folder = (files: Files) => ({
  open(name: string) {
    const bytes = files[name];
    return bytes && bytesSource(bytes);
  },
});
const load = (files: Files) => loadSafetensorsFolder(folder(files)).model;

/** The GGUF file of the same weights: rows (2, headSize / 2) of each head transposed, as converters do. */
function ggufOf(weights: Weights, dtype: SafetensorsType): Uint8Array {
  const described = readGguf(
    bytesSource(exportGguf({ model: randomEngineModel({ seed: 1 }) }).bytes),
  );
  const tensors = TENSORS.map(([name, from, shape, heads]) => {
    const { values } = weights.get(from)!;
    const cols = shape.at(-1)!;
    const moved = Float32Array.from(values, (value, at) => {
      if (heads === 0) return value;
      const row = Math.floor(at / cols);
      const inHead = row % headSize;
      const source = row - inHead + (inHead % 2) * (headSize / 2) + Math.floor(inHead / 2);
      return values[source * cols + (at % cols)]!;
    });
    const type = shape.length === 1 ? 'F32' : dtype;
    // Gains are stored as F32 in GGUF files whatever the folder has; the value is the folder's.
    const gain = type === dtype ? moved : roundTo(dtype, moved);
    return { name, dims: shape.toReversed(), type, bytes: encodeTensor(type, gain) };
  });
  return writeGguf({ metadata: described.metadata, tensors });
}

/** Values as a 16-bit type holds them. */
function roundTo(dtype: SafetensorsType, values: Float32Array): Float32Array {
  const bits = new Uint16Array(encodeTensor(dtype, values).buffer);
  const widen = dtype === 'F16' ? float16ToFloat32 : bfloat16ToFloat32;
  return Float32Array.from(bits, (word) => widen(word));
}

const WEIGHTS = randomWeights(21);
const FILES: Files = { 'config.json': json(CONFIG), 'model.safetensors': file(WEIGHTS) };

const refused = (files: Files, code: SafetensorsErrorCode | 'model_config_invalid') =>
  expect(() => load({ ...FILES, ...files })).toThrow(expect.objectContaining({ code }));

describe('loadSafetensorsFolder', () => {
  it.each(['F32', 'F16', 'BF16'] as const)('gives the model of the GGUF file, %s', (dtype) => {
    const model = load({ ...FILES, 'model.safetensors': file(WEIGHTS, dtype) });
    expect(roots(model)).toEqual(roots(loadGgufModel(ggufOf(WEIGHTS, dtype)).model));
  });

  it('reads shards by their index', () => {
    const entries = [...WEIGHTS];
    const [first, second] = [entries.slice(0, 7), entries.slice(7)].map((part) => new Map(part));
    const map = entries.map(([name], i) => [name, i < 7 ? 'model-1.safetensors' : 'b.safetensors']);
    const index = { weight_map: Object.fromEntries(map) };
    const files = {
      'config.json': json(CONFIG),
      'model.safetensors.index.json': json(index),
      'model-1.safetensors': file(first!),
      'b.safetensors': file(second!),
    };
    expect(roots(load(files))).toEqual(roots(load(FILES)));
    refused({ ...files, 'b.safetensors': undefined }, 'safetensors_missing_file');
    refused({ ...files, 'b.safetensors': file(WEIGHTS) }, 'safetensors_duplicate_tensor');
    for (const name of [
      '../x.safetensors',
      '/x.safetensors',
      'a\\b.safetensors',
      '.safetensors',
      7,
    ]) {
      const hostile = json({ weight_map: { 'lm_head.weight': name } });
      refused({ 'model.safetensors.index.json': hostile }, 'safetensors_bad_index');
    }
    refused({ 'model.safetensors.index.json': json([]) }, 'safetensors_bad_index');
    refused({ 'model.safetensors.index.json': json({}) }, 'safetensors_bad_index');
  });

  it('ties the output only as config.json says', () => {
    const tied = json({ ...CONFIG, tie_word_embeddings: true });
    const rest = new Map([...WEIGHTS].filter(([name]) => name !== 'lm_head.weight'));
    const model = load({ 'config.json': tied, 'model.safetensors': file(rest) });
    expect(model.matrices.has('output.weight')).toBe(false);
    const copy = new Map(rest).set('lm_head.weight', WEIGHTS.get('model.embed_tokens.weight')!);
    expect(roots(load({ 'config.json': tied, 'model.safetensors': file(copy) }))).toEqual(
      roots(model),
    );
    refused({ 'config.json': tied }, 'safetensors_unsupported_model');
    refused({ 'model.safetensors': file(rest) }, 'safetensors_missing_tensor');
  });

  it('refuses tensors that are missing, misshapen or without a place', () => {
    for (const [, name] of TENSORS) {
      const rest = new Map([...WEIGHTS].filter(([other]) => other !== name));
      refused({ 'model.safetensors': file(rest) }, 'safetensors_missing_tensor');
    }
    const with_ = (name: string, shape: readonly number[]) => {
      const values = new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1);
      return { 'model.safetensors': file(new Map(WEIGHTS).set(name, { shape, values })) };
    };
    refused(with_('model.norm.weight', [width, 1]), 'safetensors_bad_shape');
    refused(with_('lm_head.weight', [width, vocabularySize]), 'safetensors_bad_shape');
    refused(
      with_('model.layers.0.self_attn.q_proj.bias', [width]),
      'safetensors_unsupported_model',
    );
    expect(
      load({ ...FILES, ...with_('model.layers.0.self_attn.rotary_emb.inv_freq', [8]) }),
    ).toBeDefined();
  });

  it('refuses configurations that ask for another graph', () => {
    for (const change of [
      { architectures: ['MixtralForCausalLM'] },
      { architectures: ['LlamaForCausalLM', 'Other'] },
      { architectures: undefined, model_type: 'gpt2' },
      { rope_scaling: { rope_type: 'dynamic', factor: 8 } },
      { rope_scaling: { rope_type: 'yarn', factor: 8, mscale: 1 } },
      { rope_scaling: { rope_type: 'yarn', factor: 8, truncate: false } },
      { rope_scaling: { rope_type: 'linear', factor: 2, partial_rotary_factor: 0.5 } },
      { architectures: ['SmolLM3ForCausalLM'], no_rope_layers: [1, 0] },
      { architectures: ['SmolLM3ForCausalLM'], no_rope_layer_interval: 2 },
      { hidden_act: 'gelu' },
      { attention_bias: true },
      { mlp_bias: true },
      { sliding_window: 4_096 },
      { quantization_config: { bits: 4 } },
    ]) {
      refused({ 'config.json': json({ ...CONFIG, ...change }) }, 'safetensors_unsupported_model');
    }
    for (const change of [
      { hidden_size: '64' },
      { hidden_size: 64.5 },
      { num_hidden_layers: undefined },
      { num_hidden_layers: -1 },
      { rope_theta: '1' },
      { rope_scaling: { rope_type: 'llama3', factor: 8 } },
      { rope_scaling: { rope_type: 'longrope', short_factor: 'x', factor: 8 } },
      { architectures: ['SmolLM3ForCausalLM'], no_rope_layers: 4 },
    ]) {
      refused({ 'config.json': json({ ...CONFIG, ...change }) }, 'safetensors_bad_config');
    }
    refused({ 'config.json': json({ ...CONFIG, num_hidden_layers: 1e9 }) }, 'model_config_invalid');
    refused({ 'config.json': json({ ...CONFIG, rope_theta: 10_000.5 }) }, 'model_config_invalid');
    refused({ 'config.json': undefined }, 'safetensors_missing_file');
    refused({ 'config.json': new Uint8Array(2 ** 20 + 1) }, 'safetensors_bad_config');
    refused({ 'config.json': Uint8Array.of(0xff) }, 'safetensors_bad_config');
  });
});

describe('exportSafetensors', () => {
  it('writes every value exactly, in the rows that other programs expect', () => {
    const model = loadGgufModel(ggufOf(WEIGHTS, 'F32')).model;
    const { weights, config } = exportSafetensors({ model });
    const again = load({
      'config.json': new TextEncoder().encode(config),
      'model.safetensors': weights,
    });
    // The import of floats finds the same blocks again: the largest of each has the quant 127.
    expect(roots(again)).toEqual(roots(model));
  });

  it('keeps a tied output tied and a calibrated residual', () => {
    const model = randomEngineModel({ seed: 22, tied: true, config: { residualBits: 14 } });
    const { weights, config } = exportSafetensors({ model, dtype: 'BF16' });
    const again = load({
      'config.json': new TextEncoder().encode(config),
      'model.safetensors': weights,
    });
    expect([...again.matrices.keys()]).toEqual([...model.matrices.keys()]);
    expect(roots(again).slice(1)).toEqual(roots(model).slice(1));
  });
});
