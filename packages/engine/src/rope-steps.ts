/**
 * Rotary steps: how far pair i of a head turns per position, as a 64-bit fraction of a full turn, in integers alone
 * (arithmetic.md, section 4.3). They are part of the model, so a scaling variant needs other steps, and at most another
 * score scale.
 */
import { isqrt } from './integer.js';
import { NO_SCALING, type RopeScaling, scaleFrequencies } from './rope-scaling.js';

const BITS = 120n;
const ONE = 1n << BITS;

/**
 * step_i = floor(2^64 * f_i) mod 2^64, where f_i = base^(-2i / headSize) / (2 pi), i = 0 .. headSize / 2 - 1, computed
 * in Q120 and stretched as `scaling` says.
 *
 * @example ropeSteps(10_000, 32)[0] // 2935890503282001226n = 2^64 / (2 pi)
 */
export function ropeSteps(
  base: number,
  headSize: number,
  scaling: RopeScaling = NO_SCALING,
): BigUint64Array {
  const pairCount = headSize / 2;
  const ratio = floorRoot(ONE ** BigInt(pairCount) / BigInt(base), pairCount);
  let turns = (ONE * ONE) / (2n * machinPi());
  const frequencies = Array.from({ length: headSize }, () => {
    const frequency = turns;
    turns = (turns * ratio) >> BITS;
    return frequency;
  });
  const scaled = scaleFrequencies(frequencies, headSize, scaling);
  return BigUint64Array.from(scaled, (f) => BigInt.asUintN(64, f >> (BITS - 64n)));
}

/** pi = 16 arctan(1/5) - 4 arctan(1/239), Q120 (Machin 1706). */
function machinPi(): bigint {
  return 4n * (4n * arctanOfInverse(5n) - arctanOfInverse(239n));
}

function arctanOfInverse(x: bigint): bigint {
  let sum = 0n;
  let sign = 1n;
  let power = ONE / x;
  for (let n = 1n; power > 0n; n += 2n) {
    sum += (sign * power) / n;
    power /= x * x;
    sign = -sign;
  }
  return sum;
}

/** Largest r with r^n <= x. */
function floorRoot(x: bigint, n: number): bigint {
  if (n === 1) return x;
  if (n % 2 === 0) return floorRoot(isqrt(x), n / 2);
  const degree = BigInt(n);
  let root = ONE;
  for (;;) {
    const next = ((degree - 1n) * root + x / root ** (degree - 1n)) / degree;
    if (next >= root) return root;
    root = next;
  }
}
