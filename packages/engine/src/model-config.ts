/**
 * What a model of a Llama-like family is before its weights: sizes and the few numbers that the arithmetic needs.
 * Limits here are those of the overflow proofs in `docs/reference/arithmetic.md`, section 5; outside them the engine
 * refuses to start.
 */
import { EngineError } from './engine-error.js';
import type { FamilyName } from './families.js';
import { attentionFactorQ30, NO_SCALING, type RopeScaling } from './rope-scaling.js';

export type ModelConfig = {
  /** Llama unless given. */
  readonly family?: FamilyName;
  readonly layerCount: number;
  /** Elements of the residual stream. */
  readonly width: number;
  readonly headCount: number;
  readonly kvHeadCount: number;
  readonly headSize: number;
  readonly feedForwardWidth: number;
  readonly vocabularySize: number;
  /**
   * Most positions of prompt and answer together. A model whose attention looks back over a window only is exact within
   * it, so its context ends there.
   */
  readonly contextLength: number;
  /** Rotary base, a positive integer. */
  readonly ropeBase: number;
  /** None unless given. */
  readonly ropeScaling?: RopeScaling;
  /** Epsilon of the normalisation as a real number, such as 1e-5; committed as round(2^40 * epsilon). */
  readonly rmsEpsilon: number;
  /** Fraction bits of the residual stream (`hg`), {@link RESIDUAL_BITS_DEFAULT} unless calibrated. */
  readonly residualBits: number;
};

/** Range +-32,768 in the residual stream; real models with outlier channels reach a few thousand. */
export const RESIDUAL_BITS_DEFAULT = 16;

/** Fraction bits within which the proofs hold. */
export const RESIDUAL_BITS_MIN = 12;
export const RESIDUAL_BITS_MAX = 20;

/** Weights come in blocks of this many along a row, each with its own scale. */
export const BLOCK_SIZE = 32;

/** Inclusive ranges of the overflow proofs; `multiple` is 1 unless the layout needs more. */
const LIMITS: Readonly<
  Record<
    Exclude<keyof ModelConfig, 'family' | 'ropeScaling'>,
    readonly [min: number, max: number, multiple: number]
  >
> = {
  layerCount: [1, 1024, 1],
  width: [32, 16_384, BLOCK_SIZE],
  headCount: [1, 1024, 1],
  kvHeadCount: [1, 1024, 1],
  headSize: [2, 256, 2],
  feedForwardWidth: [32, 65_536, BLOCK_SIZE],
  vocabularySize: [1, 1_048_576, 1],
  contextLength: [1, 131_072, 1],
  ropeBase: [2, 2 ** 40, 1],
  rmsEpsilon: [1e-7, 1e-2, 0],
  residualBits: [RESIDUAL_BITS_MIN, RESIDUAL_BITS_MAX, 1],
};

/** Returns the configuration if every number is inside the proofs; throws `model_config_invalid` otherwise. */
export function checkConfig(config: ModelConfig): ModelConfig {
  for (const [name, [min, max, multiple]] of Object.entries(LIMITS)) {
    const value = config[name as keyof typeof LIMITS];
    const fits = value >= min && value <= max && (multiple === 0 || value % multiple === 0);
    if (!fits) throw configInvalid(name, value, `from ${min} to ${max}, a multiple of ${multiple}`);
  }
  if (config.headCount % config.kvHeadCount !== 0) {
    throw configInvalid('kvHeadCount', config.kvHeadCount, `a divisor of ${config.headCount}`);
  }
  const joined = config.headCount * config.headSize;
  if (joined % BLOCK_SIZE !== 0 || joined > 65_536) {
    throw configInvalid(
      'headSize',
      config.headSize,
      'such that headCount * headSize is a multiple of 32',
    );
  }
  checkScaling(config);
  return config;
}

/** Factors within which frequencies keep their digits and a score its bound (arithmetic.md, 4.3 and 5.6). */
const SCALING_MIN = 2 ** -20;
const SCALING_MAX = 2 ** 20;
const ATTENTION_MIN_Q30 = 1n << 29n;
const ATTENTION_MAX_Q30 = 3n << 30n;

function checkScaling({ ropeScaling = NO_SCALING, headSize }: ModelConfig): void {
  const { kind, ...parameters } = ropeScaling;
  const numbers = Object.values(parameters).flat();
  const bad = numbers.find((x) => !(x >= SCALING_MIN && x <= SCALING_MAX));
  if (bad !== undefined)
    throw configInvalid('ropeScaling', bad, 'from 2^-20 to 2^20 in each number');
  if (kind === 'factors' && ropeScaling.factors.length !== headSize / 2) {
    const count = ropeScaling.factors.length;
    throw configInvalid('ropeScaling', count, `one factor for each of ${headSize / 2} pairs`);
  }
  if ('originalContext' in ropeScaling && !Number.isInteger(ropeScaling.originalContext)) {
    throw configInvalid('ropeScaling', ropeScaling.originalContext, 'whole in originalContext');
  }
  if (kind === 'llama3' && ropeScaling.lowFactor >= ropeScaling.highFactor) {
    throw configInvalid('ropeScaling', ropeScaling.lowFactor, 'lower in lowFactor than highFactor');
  }
  if (kind === 'yarn' && ropeScaling.betaSlow >= ropeScaling.betaFast) {
    throw configInvalid('ropeScaling', ropeScaling.betaSlow, 'lower in betaSlow than betaFast');
  }
  const attention = attentionFactorQ30(ropeScaling);
  if (attention < ATTENTION_MIN_Q30 || attention > ATTENTION_MAX_Q30) {
    throw configInvalid(
      'ropeScaling',
      Number(attention) / 2 ** 30,
      'from 1/2 to 3 in attentionFactor',
    );
  }
}

const configInvalid = (name: string, value: number, wanted: string): EngineError =>
  new EngineError({
    code: 'model_config_invalid',
    message: `The model's ${name} is ${value}; it must be ${wanted}.`,
    fault: 'user',
    value,
    remedy: 'Use a model inside the limits of docs/reference/arithmetic.md, section 5.',
  });
