/**
 * What a Llama-family model is before its weights: sizes and the few numbers that the arithmetic needs. Limits here are
 * those of the overflow proofs in `docs/reference/arithmetic.md`, section 5; outside them the engine refuses to start.
 */
import { EngineError } from './engine-error.js';

export type ModelConfig = {
  readonly layerCount: number;
  /** Elements of the residual stream. */
  readonly width: number;
  readonly headCount: number;
  readonly kvHeadCount: number;
  readonly headSize: number;
  readonly feedForwardWidth: number;
  readonly vocabularySize: number;
  /** Most positions of prompt and answer together. */
  readonly contextLength: number;
  /** Rotary base, a positive integer. */
  readonly ropeBase: number;
  /** Epsilon of the normalisation as a real number, such as 1e-5; committed as round(2^40 * epsilon). */
  readonly rmsEpsilon: number;
  /** Fraction bits of the residual stream (`hg`), {@link RESIDUAL_BITS_DEFAULT} unless calibrated. */
  readonly residualBits: number;
};

/** Range +-32,768 in the residual stream; real models with outlier channels reach a few thousand. */
export const RESIDUAL_BITS_DEFAULT = 16;

/** Weights come in blocks of this many along a row, each with its own scale. */
export const BLOCK_SIZE = 32;

/** Inclusive ranges of the overflow proofs; `multiple` is 1 unless the layout needs more. */
const LIMITS: Readonly<
  Record<keyof ModelConfig, readonly [min: number, max: number, multiple: number]>
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
  residualBits: [12, 20, 1],
};

/** Returns the configuration if every number is inside the proofs; throws `model_config_invalid` otherwise. */
export function checkConfig(config: ModelConfig): ModelConfig {
  for (const [name, [min, max, multiple]] of Object.entries(LIMITS)) {
    const value = config[name as keyof ModelConfig];
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
  return config;
}

const configInvalid = (name: string, value: number, wanted: string): EngineError =>
  new EngineError({
    code: 'model_config_invalid',
    message: `The model's ${name} is ${value}; it must be ${wanted}.`,
    fault: 'user',
    value,
    remedy: 'Use a model inside the limits of docs/reference/arithmetic.md, section 5.',
  });
