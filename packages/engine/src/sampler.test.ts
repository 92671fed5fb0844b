import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chachaBlock, chachaKey } from './chacha.js';
import { log2b, roundShift } from './integer.js';
import { nextToken, type SamplerSettings, tauFromTemperature } from './sampler.js';
import { exp2n } from './tables.js';
import { mulberry32 } from './testing/random-model.js';

const VECTORS = JSON.parse(
  readFileSync(new URL('../../../vectors/arithmetic/sampler.json', import.meta.url), 'utf8'),
) as {
  rows: Record<string, number[]>;
  seeds: string[];
  positions: number[];
  cases: { name: string; row: string; sampler: SamplerSettings; tokens: number[] }[];
  noise: { seed: string; position: number; token: number; gumbel: number }[];
};

const fromHex = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));

/** The rules of arithmetic.md, section 7, in BigInt and without shortcuts. */
function nextTokenExact(
  logits: readonly number[],
  { tau, topK, topP, minP }: SamplerSettings,
  seed: Uint8Array,
  position: number,
): number {
  const order = [...logits.keys()].sort((a, b) => logits[b]! - logits[a]! || a - b);
  if (tau === 0) return order[0]!;
  const z = logits.map((logit) => roundShift(BigInt(logit) * BigInt(tau), 16));
  const weight = (id: number) => exp2n(z[order[0]!]! - z[id]!);
  let kept = topK > 0 ? order.slice(0, topK) : order;
  if (topP > 0 && topP < 2 ** 30) {
    const sum = kept.reduce((total, id) => total + weight(id), 0n);
    let reached = 0n;
    let count = 0;
    while (reached << 30n < BigInt(topP) * sum) reached += weight(kept[count++]!);
    kept = kept.slice(0, count);
  }
  kept = kept.filter((id) => weight(id) >= BigInt(Math.min(minP, 2 ** 30)));
  const score = (id: number) => z[id]! - gumbelExact(seed, position, id);
  return kept.reduce((best, id) => {
    const gain = score(id) - score(best);
    return gain > 0n || (gain === 0n && id < best) ? id : best;
  });
}

function gumbelExact(seed: Uint8Array, position: number, id: number): bigint {
  const block = chachaBlock(chachaKey(seed), id >> 4, { nonce: [position, 0, 0] });
  const depth = (32n << 24n) - log2b(BigInt((block[id & 15]! | 1) >>> 0));
  return log2b(depth < 1n ? 1n : depth) >> 8n;
}

describe('nextToken', () => {
  for (const { name, row, sampler, tokens } of VECTORS.cases) {
    it(`vector ${name}`, () => {
      const logits = Int32Array.from(VECTORS.rows[row]!);
      const drawn = VECTORS.seeds.flatMap((seed) =>
        VECTORS.positions.map((position) => nextToken(logits, sampler, fromHex(seed), position)),
      );
      expect(drawn).toEqual(tokens);
    });
  }

  it('has the noise of the vectors', () => {
    for (const { seed, position, token, gumbel } of VECTORS.noise) {
      expect(gumbelExact(fromHex(seed), position, token)).toBe(BigInt(gumbel));
    }
  });

  it('equals the rules without shortcuts (seed 9)', () => {
    const setting = fc.oneof(
      fc.constant(0),
      fc.nat(2 ** 30),
      fc.constantFrom(2 ** 30, 2 ** 32 - 1),
    );
    const logit = fc.oneof(
      fc.integer({ min: -(2 ** 20), max: 2 ** 20 }),
      fc.integer({ min: -5, max: 5 }),
      fc.integer({ min: -(2 ** 31) + 1, max: 2 ** 31 - 1 }),
    );
    fc.assert(
      fc.property(
        fc.array(logit, { minLength: 1, maxLength: 60 }),
        fc.record({
          tau: fc.oneof(fc.nat(300_000), fc.nat(2 ** 32 - 1)),
          topK: fc.nat(70),
          topP: setting,
          minP: setting,
        }),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.nat(131_071),
        (logits, sampler, seed, position) => {
          expect(nextToken(Int32Array.from(logits), sampler, seed, position)).toBe(
            nextTokenExact(logits, sampler, seed, position),
          );
        },
      ),
      { numRuns: 2000, seed: 9 },
    );
  });

  it('draws in proportion to the weights: chi-square of 20,000 draws over 6 tokens', () => {
    const shares = [0.4, 0.25, 0.15, 0.1, 0.07, 0.03];
    const logits = Int32Array.from(shares, (p) => Math.round(Math.log(p) * 65_536));
    const counts = shares.map(() => 0);
    const draws = 20_000;
    const sampler = { tau: tauFromTemperature(1), topK: 0, topP: 0, minP: 0 };
    const seed = new Uint8Array(32).fill(7);
    for (let i = 0; i < draws; i++) counts[nextToken(logits, sampler, seed, i)]!++;
    const chiSquare = shares.reduce(
      (sum, p, id) => sum + (counts[id]! - p * draws) ** 2 / (p * draws),
      0,
    );
    // 99.9 % of fair samplers stay below 20.5 with 5 degrees of freedom.
    expect(chiSquare).toBeLessThan(20.5);
  });

  it('gives the lowest id on ties when greedy', () => {
    const sampler = { tau: 0, topK: 0, topP: 0, minP: 0 };
    const seed = new Uint8Array(32);
    expect(nextToken(Int32Array.from([3, 9, 9, 1]), sampler, seed, 0)).toBe(1);
    expect(nextToken(Int32Array.from([-5, -5]), sampler, seed, 0)).toBe(0);
  });

  it('depends on every byte of the seed', () => {
    const next = mulberry32(1);
    const logits = Int32Array.from({ length: 5000 }, () => next() % 1000);
    const sampler = { tau: tauFromTemperature(1), topK: 0, topP: 0, minP: 0 };
    const base = nextToken(logits, sampler, new Uint8Array(32), 3);
    for (let byte = 0; byte < 32; byte++) {
      const seed = new Uint8Array(32);
      seed[byte] = 1;
      expect(nextToken(logits, sampler, seed, 3)).not.toBe(base);
    }
  });

  it('refuses settings that do not fit a message', () => {
    const logits = Int32Array.from([1, 2]);
    const good = { tau: 1, topK: 0, topP: 0, minP: 0 };
    for (const bad of [{ tau: -1 }, { topK: 0.5 }, { topP: 2 ** 32 }, { minP: Number.NaN }]) {
      expect(() => nextToken(logits, { ...good, ...bad }, new Uint8Array(32), 0)).toThrow(
        expect.objectContaining({ code: 'sampler_invalid' }),
      );
    }
    expect(() => nextToken(logits, good, new Uint8Array(31), 0)).toThrow(
      expect.objectContaining({ code: 'sampler_invalid' }),
    );
  });
});

describe('tauFromTemperature', () => {
  it('is round(log2(e) / temperature * 2^16), at least 1, 0 for greedy', () => {
    expect(tauFromTemperature(1)).toBe(94_548);
    expect(tauFromTemperature(0.8)).toBe(118_186);
    expect(tauFromTemperature(2)).toBe(47_274);
    expect(tauFromTemperature(0)).toBe(0);
    expect(tauFromTemperature(-1)).toBe(0);
    expect(tauFromTemperature(Number.NaN)).toBe(0);
    expect(tauFromTemperature(1e-9)).toBe(2 ** 32 - 1);
    expect(tauFromTemperature(1e9)).toBe(1);
  });
});
