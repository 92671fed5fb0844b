/**
 * `config.json` of a Llama-family folder against the engine's configuration. What it asks for and the graph does not
 * compute is refused, because ignoring a bias or a rotary scaling silently gives another model.
 */
import { checkConfig, type ModelConfig, RESIDUAL_BITS_DEFAULT } from '../model-config.js';
import { isObject, type JsonObject } from './parse-json.js';
import { safetensorsError } from './safetensors-error.js';

/** What a folder's `config.json` says. */
export type FolderConfig = { readonly config: ModelConfig; readonly tied: boolean };

/** The one architecture that is read. */
const ARCHITECTURE = 'LlamaForCausalLM';
const ROPE_BASE_DEFAULT = 10_000;
const EPSILON_DEFAULT = 1e-6;
/** Residual fraction bits, where they are not the default: ours, unknown to other readers. */
const RESIDUAL_BITS_KEY = 'assay_residual_bits';

/** The configuration in the limits of the arithmetic. Reals are rounded to float32, as GGUF stores them. */
export function readFolderConfig(json: JsonObject): FolderConfig {
  checkArchitecture(json);
  const rope = isObject(json.rope_parameters) ? json.rope_parameters : json;
  const width = count(json, 'hidden_size');
  const headCount = count(json, 'num_attention_heads');
  const config = checkConfig({
    layerCount: count(json, 'num_hidden_layers'),
    width,
    headCount,
    kvHeadCount: count(json, 'num_key_value_heads', headCount),
    headSize: count(json, 'head_dim', width / headCount),
    feedForwardWidth: count(json, 'intermediate_size'),
    vocabularySize: count(json, 'vocab_size'),
    contextLength: count(json, 'max_position_embeddings'),
    ropeBase: Math.fround(real(rope, 'rope_theta', ROPE_BASE_DEFAULT)),
    rmsEpsilon: Math.fround(real(json, 'rms_norm_eps', EPSILON_DEFAULT)),
    residualBits: count(json, RESIDUAL_BITS_KEY, RESIDUAL_BITS_DEFAULT),
  });
  return { config, tied: json.tie_word_embeddings === true };
}

/** `config.json` text for a model. */
export function writeFolderConfig(folder: FolderConfig): string {
  const { config, tied } = folder;
  const special =
    config.residualBits === RESIDUAL_BITS_DEFAULT
      ? {}
      : { [RESIDUAL_BITS_KEY]: config.residualBits };
  const json = {
    architectures: [ARCHITECTURE],
    model_type: 'llama',
    hidden_size: config.width,
    intermediate_size: config.feedForwardWidth,
    num_hidden_layers: config.layerCount,
    num_attention_heads: config.headCount,
    num_key_value_heads: config.kvHeadCount,
    head_dim: config.headSize,
    vocab_size: config.vocabularySize,
    max_position_embeddings: config.contextLength,
    rms_norm_eps: config.rmsEpsilon,
    rope_theta: config.ropeBase,
    hidden_act: 'silu',
    attention_bias: false,
    mlp_bias: false,
    tie_word_embeddings: tied,
    ...special,
  };
  return `${JSON.stringify(json, undefined, 2)}\n`;
}

function checkArchitecture(json: JsonObject): void {
  const names = Array.isArray(json.architectures) ? json.architectures : [];
  const name: unknown = names.length === 0 && json.model_type === 'llama' ? ARCHITECTURE : names[0];
  if (names.length > 1 || name !== ARCHITECTURE) throw unsupported('architectures', name);
  for (const key of ['rope_scaling', 'rope_parameters']) {
    const value = json[key];
    const type = isObject(value) ? (value.rope_type ?? value.type ?? 'default') : 'default';
    if (type !== 'default') throw unsupported(key, type);
  }
  for (const [key, plain] of PLAIN_VALUES) {
    const value = json[key] ?? plain;
    if (value !== plain) throw unsupported(key, value);
  }
}

/** Keys that would change the graph, with the value that leaves it as it is. */
const PLAIN_VALUES: readonly (readonly [key: string, plain: unknown])[] = [
  ['hidden_act', 'silu'],
  ['attention_bias', false],
  ['mlp_bias', false],
  ['partial_rotary_factor', 1],
  ['sliding_window', undefined],
  ['quantization_config', undefined],
];

function count(json: JsonObject, key: string, fallback?: number): number {
  const value = json[key] ?? fallback;
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw badValue(key, value, 'a whole number');
}

function real(json: JsonObject, key: string, fallback: number): number {
  const value = json[key] ?? fallback;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw badValue(key, value, 'a number');
}

const badValue = (key: string, value: unknown, wanted: string) =>
  safetensorsError({
    code: 'safetensors_bad_config',
    message: `${key} of config.json must be ${wanted}.`,
    value: JSON.stringify(value) ?? 'absent',
  });

const unsupported = (key: string, value: unknown) =>
  safetensorsError({
    code: 'safetensors_unsupported_model',
    message: `${key} of config.json asks for what this engine does not compute.`,
    value: JSON.stringify(value) ?? 'absent',
    remedy: `Use an unscaled ${ARCHITECTURE} without biases.`,
  });
