/**
 * Ways in which models stretch their rotary positions over longer contexts, each as a rule that maps frequencies (turns
 * per position, Q120) to frequencies in integers (arithmetic.md, 4.3), and the factor by which it sharpens attention.
 *
 * Sources: position interpolation (Chen et al. 2023), YaRN (Peng et al. 2023, equations 17 to 22), Llama 3.1's rule,
 * LongRoPE (Ding et al. 2024), as Hugging Face transformers and llama.cpp compute them in floating point.
 */
import { bitLength, isqrt, log2b, roundShift } from './integer.js';

export type RopeScaling =
  | { readonly kind: 'none' }
  | { readonly kind: 'linear'; readonly factor: number }
  | {
      readonly kind: 'llama3';
      readonly factor: number;
      readonly lowFactor: number;
      readonly highFactor: number;
      /** Positions that the model was trained on before it was stretched. */
      readonly originalContext: number;
    }
  | {
      readonly kind: 'yarn';
      readonly factor: number;
      readonly betaFast: number;
      readonly betaSlow: number;
      readonly originalContext: number;
      /** Stated by the model instead of following from `factor`. */
      readonly attentionFactor?: number;
    }
  | {
      /** One divisor per pair: LongRoPE, and any other rule that a file states as numbers. */
      readonly kind: 'factors';
      readonly factors: readonly number[];
      readonly attentionFactor: number;
    };

type Yarn = Extract<RopeScaling, { kind: 'yarn' }>;
type Llama3 = Extract<RopeScaling, { kind: 'llama3' }>;

export const NO_SCALING: RopeScaling = { kind: 'none' };

const BITS = 120n;
const ONE = 1n << BITS;

/**
 * Frequencies of the pairs of a head, stretched.
 *
 * @param frequencies f(0), f(1), ... in Q120, for `headSize` indices: YaRN looks beyond the pairs that exist
 * @param headSize twice the number of pairs
 */
export function scaleFrequencies(
  frequencies: readonly bigint[],
  headSize: number,
  scaling: RopeScaling,
): bigint[] {
  const pairs = frequencies.slice(0, headSize / 2);
  switch (scaling.kind) {
    case 'none':
      return pairs;
    case 'linear':
      return pairs.map((f) => divide(f, scaling.factor));
    case 'factors':
      return pairs.map((f, i) => divide(f, scaling.factors[i]!));
    case 'llama3':
      return pairs.map((f) => llama3Frequency(f, scaling));
    case 'yarn':
      return yarnFrequencies(frequencies, headSize, scaling);
  }
}

/** Factor on queries and on keys, Q30; scores carry its square. */
export function attentionFactorQ30(scaling: RopeScaling): bigint {
  if (scaling.kind === 'factors') return realToQ30(scaling.attentionFactor);
  if (scaling.kind !== 'yarn') return UNIT;
  const { attentionFactor, factor } = scaling;
  return attentionFactor === undefined ? yarnAttentionQ30(factor) : realToQ30(attentionFactor);
}

const UNIT = 1n << 30n;

/** 1 + ln(factor) / 10 in Q30, 1 for factors up to 1. */
function yarnAttentionQ30(factor: number): bigint {
  return factor <= 1 ? UNIT : UNIT + roundShift(log2Q24(factor) * LN2_TENTH_Q30, 24);
}

/** round(ln(2) / 10 * 2^30). */
const LN2_TENTH_Q30 = 74_426_112n;

/** LongRoPE's factor sqrt(1 + ln(factor) / ln(originalContext)), rounded down in Q30; 1 for factors up to 1. */
export function longRopeAttention(factor: number, originalContext: number): number {
  if (factor <= 1) return 1;
  const original = log2Q24(originalContext);
  const root = isqrt(((original + log2Q24(factor)) << 60n) / original);
  return Number(root) / 2 ** 30;
}

/** log2(x) in Q24 for x >= 1. */
function log2Q24(x: number): bigint {
  const fixed = realToQ120(x);
  const length = bitLength(fixed);
  return log2b(fixed >> BigInt(length - 32)) + (BigInt(length - 152) << 24n);
}

/** Slow pairs divided, fast ones kept, those between blended by how often they turn in the original context. */
function llama3Frequency(frequency: bigint, scaling: Llama3): bigint {
  const turns = frequency * BigInt(scaling.originalContext);
  const low = realToQ120(scaling.lowFactor);
  const high = realToQ120(scaling.highFactor);
  if (turns > high) return frequency;
  const slow = divide(frequency, scaling.factor);
  if (turns < low) return slow;
  const share = ((turns - low) << BITS) / (high - low);
  return ((ONE - share) * slow + share * frequency) >> BITS;
}

/** Between the last pair that turns `betaFast` times in the original context and the first of `betaSlow`: a ramp. */
function yarnFrequencies(
  frequencies: readonly bigint[],
  headSize: number,
  { factor, betaFast, betaSlow, originalContext }: Yarn,
): bigint[] {
  const turns = frequencies.slice(0, headSize).map((f) => f * BigInt(originalContext));
  const fast = realToQ120(betaFast);
  const slow = realToQ120(betaSlow);
  const low = Math.max(
    0,
    turns.findLastIndex((each) => each >= fast),
  );
  const found = turns.findIndex((each) => each <= slow);
  const high = found < 0 ? headSize - 1 : found;
  const span = Math.max(1, high - low);
  return frequencies.slice(0, headSize / 2).map((f, i) => {
    const k = BigInt(Math.min(span, Math.max(0, i - low)));
    return (f * (BigInt(span) - k) + divide(f, factor) * k) / BigInt(span);
  });
}

const divide = (frequency: bigint, factor: number): bigint =>
  (frequency << BITS) / realToQ120(factor);

/** floor(x * 2^120) of a finite double x > 0, exactly. */
function realToQ120(x: number): bigint {
  // SAFETY: x * 2^a is exact for a power of two, and an integer below 2^53 once a is large enough.
  let shift = 0;
  let scaled = x;
  while (!Number.isInteger(scaled)) {
    scaled *= 2;
    shift++;
  }
  return shift <= 120
    ? BigInt(scaled) << BigInt(120 - shift)
    : BigInt(scaled) >> BigInt(shift - 120);
}

/** Nearest Q30, ties up. */
const realToQ30 = (x: number): bigint => (realToQ120(x) + (1n << 89n)) >> 90n;
