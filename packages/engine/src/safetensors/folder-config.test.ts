/** config.json of models as their publishers wrote them, without keys that concern training: sizes are facts of each. */
import { describe, expect, it } from 'vitest';
import { type ModelConfig, RESIDUAL_BITS_DEFAULT } from '../model-config.js';
import { readFolderConfig, writeFolderConfig } from './folder-config.js';
import type { JsonObject } from './parse-json.js';

const SMOLLM3_LAYERS = Array.from({ length: 36 }, (_, layer) => Number(layer % 4 !== 3));

/** Name, what the file says, what the engine makes of it, and whether the output is tied. */
const PUBLISHED: readonly (readonly [string, JsonObject, Partial<ModelConfig>, boolean])[] = [
  [
    'SmolLM2-135M',
    {
      architectures: ['LlamaForCausalLM'],
      attention_bias: false,
      hidden_act: 'silu',
      hidden_size: 576,
      intermediate_size: 1536,
      max_position_embeddings: 8192,
      model_type: 'llama',
      num_attention_heads: 9,
      num_hidden_layers: 30,
      num_key_value_heads: 3,
      rms_norm_eps: 1e-5,
      rope_interleaved: false,
      rope_scaling: null,
      rope_theta: 100_000,
      tie_word_embeddings: true,
      vocab_size: 49_152,
    },
    { width: 576, headSize: 64, ropeBase: 100_000, contextLength: 8192 },
    true,
  ],
  [
    'Llama-3.2-1B',
    {
      architectures: ['LlamaForCausalLM'],
      attention_bias: false,
      head_dim: 64,
      hidden_act: 'silu',
      hidden_size: 2048,
      intermediate_size: 8192,
      max_position_embeddings: 131_072,
      mlp_bias: false,
      model_type: 'llama',
      num_attention_heads: 32,
      num_hidden_layers: 16,
      num_key_value_heads: 8,
      pretraining_tp: 1,
      rms_norm_eps: 1e-5,
      rope_scaling: {
        factor: 32.0,
        high_freq_factor: 4.0,
        low_freq_factor: 1.0,
        original_max_position_embeddings: 8192,
        rope_type: 'llama3',
      },
      rope_theta: 500_000.0,
      tie_word_embeddings: true,
      vocab_size: 128_256,
    },
    {
      headSize: 64,
      ropeScaling: {
        kind: 'llama3',
        factor: 32,
        lowFactor: 1,
        highFactor: 4,
        originalContext: 8192,
      },
    },
    true,
  ],
  [
    'Mistral-7B-v0.1',
    {
      architectures: ['MistralForCausalLM'],
      hidden_act: 'silu',
      hidden_size: 4096,
      intermediate_size: 14_336,
      max_position_embeddings: 32_768,
      model_type: 'mistral',
      num_attention_heads: 32,
      num_hidden_layers: 32,
      num_key_value_heads: 8,
      rms_norm_eps: 1e-5,
      rope_theta: 10_000.0,
      sliding_window: 4096,
      tie_word_embeddings: false,
      vocab_size: 32_000,
    },
    { family: 'mistral', headSize: 128, contextLength: 4096 },
    false,
  ],
  [
    'Qwen2.5-0.5B-Instruct',
    {
      architectures: ['Qwen2ForCausalLM'],
      hidden_act: 'silu',
      hidden_size: 896,
      intermediate_size: 4864,
      max_position_embeddings: 32_768,
      max_window_layers: 21,
      model_type: 'qwen2',
      num_attention_heads: 14,
      num_hidden_layers: 24,
      num_key_value_heads: 2,
      rms_norm_eps: 1e-6,
      rope_theta: 1_000_000.0,
      sliding_window: 32_768,
      tie_word_embeddings: true,
      use_sliding_window: false,
      vocab_size: 151_936,
    },
    { family: 'qwen2', headSize: 64, contextLength: 32_768, rmsEpsilon: Math.fround(1e-6) },
    true,
  ],
  [
    'Qwen3-0.6B',
    {
      architectures: ['Qwen3ForCausalLM'],
      attention_bias: false,
      head_dim: 128,
      hidden_act: 'silu',
      hidden_size: 1024,
      intermediate_size: 3072,
      max_position_embeddings: 40_960,
      max_window_layers: 28,
      model_type: 'qwen3',
      num_attention_heads: 16,
      num_hidden_layers: 28,
      num_key_value_heads: 8,
      rms_norm_eps: 1e-6,
      rope_scaling: null,
      rope_theta: 1_000_000,
      sliding_window: null,
      tie_word_embeddings: true,
      use_sliding_window: false,
      vocab_size: 151_936,
    },
    { family: 'qwen3', width: 1024, headCount: 16, headSize: 128 },
    true,
  ],
  [
    'SmolLM3-3B',
    {
      architectures: ['SmolLM3ForCausalLM'],
      attention_bias: false,
      hidden_act: 'silu',
      hidden_size: 2048,
      intermediate_size: 11_008,
      max_position_embeddings: 65_536,
      max_window_layers: 28,
      mlp_bias: false,
      model_type: 'smollm3',
      no_rope_layer_interval: 4,
      no_rope_layers: SMOLLM3_LAYERS,
      num_attention_heads: 16,
      num_hidden_layers: 36,
      num_key_value_heads: 4,
      rms_norm_eps: 1e-6,
      rope_scaling: null,
      rope_theta: 5_000_000.0,
      sliding_window: null,
      use_sliding_window: false,
      vocab_size: 128_256,
    },
    { family: 'smollm3', headSize: 128, ropeBase: 5_000_000 },
    true,
  ],
];

describe.each(PUBLISHED)('%s', (_, json, wanted, tied) => {
  it('is read as its publisher meant it', () => {
    const read = readFolderConfig(json);
    expect(read.config).toMatchObject({ ...wanted, residualBits: RESIDUAL_BITS_DEFAULT });
    expect(read.tied).toBe(tied);
  });

  it('is written so that it reads the same', () => {
    const read = readFolderConfig(json);
    expect(readFolderConfig(JSON.parse(writeFolderConfig(read)))).toEqual(read);
  });
});

describe('readFolderConfig', () => {
  const json = PUBLISHED.find(([name]) => name === 'Qwen2.5-0.5B-Instruct')![1];
  const scaling = (rope: JsonObject, change: JsonObject = {}) =>
    readFolderConfig({ ...json, ...change, rope_scaling: rope }).config.ropeScaling;

  it('stretches positions as a model card advises', () => {
    const rope = { type: 'yarn', factor: 4.0, original_max_position_embeddings: 32_768 };
    expect(scaling(rope)).toEqual({
      kind: 'yarn',
      factor: 4,
      betaFast: 32,
      betaSlow: 1,
      originalContext: 32_768,
    });
    const stated = { ...rope, attention_factor: 1.5, beta_fast: 16, beta_slow: 2 };
    expect(scaling(stated)).toMatchObject({ attentionFactor: 1.5, betaFast: 16, betaSlow: 2 });
    expect(scaling({ rope_type: 'linear', factor: 2.5 })).toEqual({ kind: 'linear', factor: 2.5 });
  });

  it('takes the list of LongRoPE that the context length calls for', () => {
    const list = (x: number) => Array.from({ length: 32 }, () => x);
    const rope = { rope_type: 'longrope', short_factor: list(1.5), long_factor: list(3) };
    const original = { original_max_position_embeddings: 4096 };
    const long = scaling({ ...rope, ...original });
    expect(long).toMatchObject({ kind: 'factors', factors: list(3) });
    const attention = Math.sqrt(1 + Math.log(8) / Math.log(4096));
    expect((long as { attentionFactor: number }).attentionFactor).toBeCloseTo(attention, 6);
    expect(scaling(rope, original)).toEqual(long);
    expect(scaling({ ...rope, ...original, attention_factor: 1.25 })).toMatchObject({
      attentionFactor: 1.25,
    });
    const short = scaling(rope, { original_max_position_embeddings: 32_768 });
    expect(short).toEqual({ kind: 'factors', factors: list(1.5), attentionFactor: 1 });
  });

  it('ends the context at a window only where it is used', () => {
    const context = (change: JsonObject) =>
      readFolderConfig({ ...json, ...change }).config.contextLength;
    expect(context({ sliding_window: 1024 })).toBe(32_768);
    expect(context({ sliding_window: 1024, use_sliding_window: true })).toBe(1024);
  });

  it('finds the family by the model type where no architecture is named', () => {
    const { architectures, ...rest } = json;
    expect(architectures).toBeDefined();
    expect(readFolderConfig(rest).config.family).toBe('qwen2');
  });
});
