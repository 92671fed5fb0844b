/**
 * The committed sampler: logits, settings, seed and position decide the next token by integers alone (arithmetic.md,
 * section 7), so a verifier who recomputes the logits recomputes the token. It uses doubles only as integers below
 * 2^53; `sampler.test.ts` holds the same rules once more in BigInt.
 */
import { chachaBlock, chachaKey } from './chacha.js';
import { EngineError } from './engine-error.js';
import { BARRED } from './sampling/controls.js';
import { exp2nNumber, log2bNumber, multiplyShift16 } from './sampling/numbers.js';

export type SamplerSettings = {
  /** round(log2(e) / temperature * 2^16); 0 chooses the largest logit. */
  readonly tau: number;
  /** Keeps the K largest logits; 0 is off. */
  readonly topK: number;
  /** Keeps the smallest set of largest weights with at least this share of their sum, Q30; 0 or 2^30 is off. */
  readonly topP: number;
  /** Drops weights below this share of the largest weight, Q30; 0 is off, more than 2^30 counts as 2^30. */
  readonly minP: number;
};

/** One in Q30. */
const ONE_Q30 = 2 ** 30;

/** Settings are 32-bit unsigned in every message and in the EVM. */
const SETTING_MAX = 2 ** 32 - 1;

/**
 * The next token.
 *
 * @param logits one row of Q16 logits, after `controlLogits` if the job has controls
 * @param seed 32 bytes
 * @param position index, over prompt and answer together, of the token that is being chosen
 * @example nextToken(logits, { tau: tauFromTemperature(0.8), topK: 40, topP: 0, minP: 0 }, seed, 17)
 */
export function nextToken(
  logits: Int32Array,
  sampler: SamplerSettings,
  seed: Uint8Array,
  position: number,
): number {
  checkSampler(sampler, seed);
  const top = largestLogit(logits);
  if (sampler.tau === 0) return top;
  const scaled = scaleLogits(logits, sampler.tau);
  const candidates = chooseCandidates({ logits, scaled, top, sampler });
  return noisyMaximum({ scaled, candidates, top, seed, position });
}

/** `tau` for a temperature; 0 (or less) is greedy, very small and very large ones are limited to what 32 bits hold. */
export function tauFromTemperature(temperature: number): number {
  if (!(temperature > 0)) return 0;
  return Math.min(SETTING_MAX, Math.max(1, Math.round((Math.LOG2E / temperature) * 65_536)));
}

/** Index of the largest logit, the lowest on ties. */
export function largestLogit(logits: Int32Array): number {
  let top = 0;
  let largest = logits[0]!;
  for (let id = 1; id < logits.length; id++) {
    const logit = logits[id]!;
    if (logit <= largest) continue;
    largest = logit;
    top = id;
  }
  return top;
}

/** z of every logit. */
function scaleLogits(logits: Int32Array, tau: number): Float64Array {
  const scaled = new Float64Array(logits.length);
  for (let id = 0; id < logits.length; id++) scaled[id] = scaleLogit(logits[id]!, tau);
  return scaled;
}

/** z = R(logit * tau, 16); an id that controls barred is below everything, so no step keeps it. */
const scaleLogit = (logit: number, tau: number): number =>
  logit === BARRED ? Number.NEGATIVE_INFINITY : multiplyShift16(logit, tau);

/** Ids that pass top-k, then top-p, then min-p, ascending; undefined if all do. */
function chooseCandidates(options: {
  readonly logits: Int32Array;
  readonly scaled: Float64Array;
  readonly top: number;
  readonly sampler: SamplerSettings;
}): ArrayLike<number> | undefined {
  const { logits, scaled, top, sampler } = options;
  const weight = (z: number) => exp2nNumber(scaled[top]! - z);
  let ids: number[] | undefined;
  const nucleus = sampler.topP > 0 && sampler.topP < ONE_Q30;
  if (nucleus || (sampler.topK > 0 && sampler.topK < logits.length)) {
    const sorted = logits.slice().sort();
    const limit = sampler.topK > 0 ? Math.min(sampler.topK, sorted.length) : sorted.length;
    const weightOf = (logit: number) => weight(scaleLogit(logit, sampler.tau));
    const count = nucleus ? nucleusSize(sorted, limit, { weightOf, topP: sampler.topP }) : limit;
    ids = largestIds(logits, sorted[sorted.length - count]!, count);
  }
  if (sampler.minP === 0) return ids;
  const floor = scaled[top]! - farthestWith(Math.min(sampler.minP, ONE_Q30));
  return (ids ?? Array.from(logits.keys())).filter((id) => scaled[id]! >= floor);
}

/** The largest distance q below the top with exp2n(q) >= `weight`; exp2n never grows (tested over every q). */
function farthestWith(weight: number): number {
  let reaches = -1;
  let fails = 32 * 65_536;
  while (fails - reaches > 1) {
    const middle = (reaches + fails) >> 1;
    if (exp2nNumber(middle) >= weight) reaches = middle;
    else fails = middle;
  }
  return reaches;
}

/** How many of the `limit` largest logits it takes for their weights to reach `topP` / 2^30 of the sum. */
function nucleusSize(
  sorted: Int32Array,
  limit: number,
  { weightOf, topP }: { readonly weightOf: (logit: number) => number; readonly topP: number },
): number {
  const weights: number[] = [];
  let sum = 0;
  for (let rank = 1; rank <= limit; rank++) {
    const weight = weightOf(sorted[sorted.length - rank]!);
    if (weight === 0) break; // SAFETY: weights only fall, so the rest is 0 too.
    weights.push(weight);
    sum += weight;
  }
  const threshold = Number((BigInt(topP) * BigInt(sum) + BigInt(ONE_Q30 - 1)) >> 30n);
  let reached = 0;
  let count = 0;
  while (reached < threshold) reached += weights[count++]!;
  return count;
}

/** The `count` largest logits' ids, ascending; `cutoff` is the smallest of those logits, ties go to lower ids. */
function largestIds(logits: Int32Array, cutoff: number, count: number): number[] {
  let ties = count;
  for (const logit of logits) if (logit > cutoff) ties--;
  const ids: number[] = [];
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id]!;
    if (logit > cutoff || (logit === cutoff && ties-- > 0)) ids.push(id);
  }
  return ids;
}

/** argmax of z - noise over the candidates, the lowest id on ties. */
function noisyMaximum(options: {
  readonly scaled: Float64Array;
  readonly candidates: ArrayLike<number> | undefined;
  readonly top: number;
  readonly seed: Uint8Array;
  readonly position: number;
}): number {
  const { scaled, candidates, top } = options;
  const word = noiseWords(options.seed, options.position);
  let best = top;
  let bestScore = scaled[top]! - gumbel(word(top));
  const count = candidates?.length ?? scaled.length;
  for (let i = 0; i < count; i++) {
    const id = candidates === undefined ? i : candidates[i]!;
    const z = scaled[id]!;
    if (z < bestScore) continue; // SAFETY: the noise is never negative.
    const bits = word(id);
    if (z - gumbelFloor(bits) < bestScore) continue;
    const score = z - gumbel(bits);
    if (score > bestScore || (score === bestScore && id < best)) {
      best = id;
      bestScore = score;
    }
  }
  return best;
}

/** The 32 random bits of a token: word id mod 16 of ChaCha8 block (key seed, counter id / 16, nonce position). */
function noiseWords(seed: Uint8Array, position: number): (id: number) => number {
  const key = chachaKey(seed);
  const block = new Uint32Array(16);
  let held = -1;
  return (id) => {
    const counter = id >>> 4;
    if (counter !== held) {
      chachaBlock(key, counter, { nonce: [position, 0, 0], block });
      held = counter;
    }
    return block[id & 15]!;
  };
}

/** log2(-log2(u / 2^32) * 2^24) in Q16 for u = bits with the lowest bit set: 0 is the strongest push. */
function gumbel(bits: number): number {
  const u = (bits | 1) >>> 0;
  const depth = Math.max(1, 2 ** 29 - log2bNumber(u));
  return Math.floor(log2bNumber(depth) / 256);
}

/**
 * A cheap value that {@link gumbel} is never below. With v = 2^32 - u: -log2(u / 2^32) >= v / 2^32 * log2(e), so
 * depth >= 1.44 v / 2^8 and its logarithm is at least floor(log2(v)) - 8.
 */
function gumbelFloor(bits: number): number {
  const v = 2 ** 32 - ((bits | 1) >>> 0);
  return Math.max(0, 31 - Math.clz32(v) - 8) * 65_536;
}

function checkSampler(sampler: SamplerSettings, seed: Uint8Array): void {
  for (const name of ['tau', 'topK', 'topP', 'minP'] as const) {
    const value = sampler[name];
    if (!Number.isInteger(value) || value < 0 || value > SETTING_MAX) {
      throw samplerInvalid(name, value);
    }
  }
  if (seed.length !== 32) throw samplerInvalid('seed', seed.length);
}

const samplerInvalid = (name: string, value: number): EngineError =>
  new EngineError({
    code: 'sampler_invalid',
    message: `The sampler's ${name} is ${value}.`,
    fault: 'user',
    value,
    remedy: 'Use 32-bit unsigned integers and a seed of 32 bytes.',
  });
