/**
 * A seeded source of numbers: 32-bit state advanced by a Weyl step and mixed by multiply and
 * shift (the "mulberry32" construction, public domain). Integers only, so a seed gives the same
 * sequence on every machine. Not for secrets.
 */

export type Random = {
  /** A whole number in [0, bound). */
  readonly below: (bound: number) => number;
  /** A number in [0, 1) with 32 bits. */
  readonly unit: () => number;
};

/** Starts a sequence from any number of whole numbers. */
export function createRandom(...seeds: readonly number[]): Random {
  let state = seeds.reduce((hash, seed) => mix(hash ^ mix(seed + 0x9e3779b9)), 0x243f6a88);
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    return mix(state) >>> 0;
  };
  return {
    below: (bound) => Math.floor((next() / 2 ** 32) * bound),
    unit: () => next() / 2 ** 32,
  };
}

/** One element of a list that is not empty. */
export function pick<T>(random: Random, list: readonly T[]): T {
  return list[random.below(list.length)]!;
}

function mix(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d);
  x = Math.imul(x ^ (x >>> 12), 0x297a2d39);
  return x ^ (x >>> 15);
}
