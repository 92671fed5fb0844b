/**
 * Rotary scaling in config.json: the object `rope_scaling`, or `rope_parameters` of newer folders. Defaults and the
 * order in which keys win are those of Hugging Face transformers (modeling_rope_utils).
 */
import type { ModelConfig } from '../model-config.js';
import { longRopeAttention, NO_SCALING, type RopeScaling } from '../rope-scaling.js';
import { isObject, type JsonObject } from './parse-json.js';
import { count, real, reals, unsupported } from './read-json.js';

const ORIGINAL = 'original_max_position_embeddings';
const BETA_FAST_DEFAULT = 32;
const BETA_SLOW_DEFAULT = 1;

/** The scaling that a folder asks for; `contextLength` decides between LongRoPE's lists. */
export function readFolderScaling(json: JsonObject, contextLength: number): RopeScaling {
  const key = isObject(json.rope_scaling) ? 'rope_scaling' : 'rope_parameters';
  const rope = json[key];
  if (!isObject(rope)) return NO_SCALING;
  if (rope.partial_rotary_factor !== undefined && rope.partial_rotary_factor !== 1) {
    throw unsupported(key, rope);
  }
  const type = rope.rope_type ?? rope.type ?? 'default';
  switch (type) {
    case 'default':
      return NO_SCALING;
    case 'linear':
      return { kind: 'linear', factor: rounded(rope, 'factor') };
    case 'llama3':
      return {
        kind: 'llama3',
        factor: rounded(rope, 'factor'),
        lowFactor: rounded(rope, 'low_freq_factor'),
        highFactor: rounded(rope, 'high_freq_factor'),
        originalContext: count(rope, ORIGINAL),
      };
    case 'yarn':
      return yarn(rope, contextLength);
    case 'longrope':
    case 'su':
      return longRope(json, rope, contextLength);
    default:
      throw unsupported(key, type);
  }
}

/** As GGUF stores it. */
const rounded = (json: JsonObject, key: string, fallback?: number): number =>
  Math.fround(real(json, key, fallback));

function yarn(rope: JsonObject, contextLength: number): RopeScaling {
  for (const [key, plain] of [
    ['mscale', undefined],
    ['mscale_all_dim', undefined],
    ['truncate', true],
  ] as const) {
    const value = rope[key] ?? plain;
    if (value !== plain) throw unsupported(key, value);
  }
  const stated = rope.attention_factor ?? undefined;
  return {
    kind: 'yarn',
    factor: rounded(rope, 'factor'),
    betaFast: rounded(rope, 'beta_fast', BETA_FAST_DEFAULT),
    betaSlow: rounded(rope, 'beta_slow', BETA_SLOW_DEFAULT),
    originalContext: count(rope, ORIGINAL, contextLength),
    ...(stated === undefined ? {} : { attentionFactor: rounded(rope, 'attention_factor') }),
  };
}

function longRope(json: JsonObject, rope: JsonObject, contextLength: number): RopeScaling {
  for (const key of ['short_mscale', 'long_mscale']) {
    if (rope[key] !== undefined) throw unsupported(key, rope[key]);
  }
  const original = rope[ORIGINAL] === undefined ? json : rope;
  const originalContext = count(original, ORIGINAL, contextLength);
  const stretched = original[ORIGINAL] !== undefined;
  const factor = stretched ? contextLength / originalContext : real(rope, 'factor');
  const list = contextLength > originalContext ? 'long_factor' : 'short_factor';
  return {
    kind: 'factors',
    factors: reals(rope, list).map(Math.fround),
    attentionFactor:
      (rope.attention_factor ?? undefined) === undefined
        ? longRopeAttention(factor, originalContext)
        : rounded(rope, 'attention_factor'),
  };
}

/** The keys that give this scaling again. */
export function writeFolderScaling(config: ModelConfig): JsonObject {
  const scaling = config.ropeScaling ?? NO_SCALING;
  switch (scaling.kind) {
    case 'none':
      return {};
    case 'linear':
      return { rope_scaling: { rope_type: 'linear', factor: scaling.factor } };
    case 'llama3':
      return {
        rope_scaling: {
          rope_type: 'llama3',
          factor: scaling.factor,
          low_freq_factor: scaling.lowFactor,
          high_freq_factor: scaling.highFactor,
          [ORIGINAL]: scaling.originalContext,
        },
      };
    case 'yarn':
      return {
        rope_scaling: {
          rope_type: 'yarn',
          factor: scaling.factor,
          beta_fast: scaling.betaFast,
          beta_slow: scaling.betaSlow,
          [ORIGINAL]: scaling.originalContext,
          ...(scaling.attentionFactor === undefined
            ? {}
            : { attention_factor: scaling.attentionFactor }),
        },
      };
    case 'factors':
      return {
        rope_scaling: {
          rope_type: 'longrope',
          // Both lists are the same, so the original context decides nothing.
          short_factor: [...scaling.factors],
          long_factor: [...scaling.factors],
          attention_factor: scaling.attentionFactor,
          [ORIGINAL]: config.contextLength,
        },
      };
  }
}
