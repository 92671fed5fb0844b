import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bitLength, clampBits, isqrt, log2b, roundShift } from '../integer.js';
import { nextToken, type SamplerSettings } from '../sampler.js';
import { exp2n } from '../tables.js';
import { BARRED, controlLogits, createHistory, type LogitControls } from './controls.js';
import { embedRows, type HiddenRow, type PoolingRule } from './embedding.js';
import { logprobsOf } from './logprobs.js';

type ControlCase = {
  readonly name: string;
  readonly row: number[];
  readonly controls: LogitControls;
  readonly inputTokens: number[];
  readonly outputTokens: number[];
  readonly mask: number[] | null;
  readonly controlled: number[];
  readonly sampler: SamplerSettings;
  readonly seed: string;
  readonly position: number;
  readonly token: number;
};

const VECTORS = JSON.parse(
  readFileSync(new URL('../../../../vectors/arithmetic/controls.json', import.meta.url), 'utf8'),
) as {
  cases: ControlCase[];
  logprobs: { row: number[]; id: number; count: number; chosen: number; top: [number, number][] }[];
  embeddings: { rows: HiddenRow[]; pooling: PoolingRule; vector: number[] }[];
};

const OFF: LogitControls = { repetition: 65_536, presence: 0, frequency: 0, bias: [] };

function historyOf(input: readonly number[], output: readonly number[]) {
  const history = createHistory(input);
  for (const id of output) history.append(id);
  return history;
}

/** Step 0 of section 7 in BigInt, id by id; undefined for barred ids. */
function controlExact(
  logit: number,
  id: number,
  {
    controls,
    input,
    output,
  }: { controls: LogitControls; input: readonly number[]; output: readonly number[] },
): bigint {
  let value = BigInt(logit);
  const repetition = BigInt(controls.repetition);
  if (repetition !== 65_536n && [...input, ...output].includes(id)) {
    value =
      value < 0n
        ? roundShift(value * repetition, 16)
        : (value * 65_536n + repetition / 2n) / repetition;
    value = clampBits(value, 31);
  }
  const count = BigInt(output.filter((other) => other === id).length);
  if (count > 0n) {
    value = clampBits(value - BigInt(controls.presence) - count * BigInt(controls.frequency), 31);
  }
  for (const [biased, amount] of controls.bias) {
    if (biased === id) value = clampBits(value + BigInt(amount), 31);
  }
  return value;
}

const logit = fc.oneof(
  fc.integer({ min: -(2 ** 20), max: 2 ** 20 }),
  fc.integer({ min: -(2 ** 31) + 1, max: 2 ** 31 - 1 }),
);
const signed = fc.oneof(
  fc.constant(0),
  fc.integer({ min: -200_000, max: 200_000 }),
  fc.integer({ min: -(2 ** 31) + 1, max: 2 ** 31 - 1 }),
);
const controls: fc.Arbitrary<LogitControls> = fc.record({
  repetition: fc.oneof(
    fc.constant(65_536),
    fc.integer({ min: 60_000, max: 140_000 }),
    fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  ),
  presence: signed,
  frequency: signed,
  bias: fc.uniqueArray(fc.tuple(fc.nat(30), signed), { selector: ([id]) => id, maxLength: 4 }),
});

describe('controlLogits', () => {
  it('has the values and tokens of the vectors', () => {
    expect(VECTORS.cases.length).toBeGreaterThan(10);
    for (const one of VECTORS.cases) {
      const row = controlLogits(Int32Array.from(one.row), {
        controls: one.controls,
        history: historyOf(one.inputTokens, one.outputTokens),
        mask: one.mask === null ? undefined : Uint8Array.from(one.mask),
      });
      const seed = Uint8Array.from(Buffer.from(one.seed, 'hex'));
      expect([one.name, ...row]).toEqual([one.name, ...one.controlled]);
      expect(nextToken(row, one.sampler, seed, one.position)).toBe(one.token);
    }
  });

  it('equals the rules in BigInt (seed 31)', () => {
    fc.assert(
      fc.property(
        fc.array(logit, { minLength: 1, maxLength: 24 }),
        controls,
        fc.array(fc.nat(26), { maxLength: 12 }),
        fc.array(fc.nat(26), { maxLength: 12 }),
        (row, settings, input, output) => {
          const history = historyOf(input, output);
          const found = controlLogits(Int32Array.from(row), { controls: settings, history });
          const where = { controls: settings, input, output };
          expect([...found].map(BigInt)).toEqual(
            row.map((value, id) => controlExact(value, id, where)),
          );
        },
      ),
      { seed: 31, numRuns: 3_000 },
    );
  });

  it('leaves the row that it was given', () => {
    const row = Int32Array.from([5, 6]);
    controlLogits(row, { controls: { ...OFF, bias: [[0, 9]] }, history: createHistory([]) });
    expect([...row]).toEqual([5, 6]);
  });

  it('refuses masks that leave nothing or have another width', () => {
    const control = (mask: Uint8Array) => () =>
      controlLogits(Int32Array.from([1, 2]), { controls: OFF, history: createHistory([]), mask });
    const invalid = expect.objectContaining({ code: 'mask_invalid' });
    expect(control(Uint8Array.of(0, 0))).toThrow(invalid);
    expect(control(Uint8Array.of(1))).toThrow(invalid);
  });
});

describe('nextToken on a masked row', () => {
  const sampler = fc.record({
    tau: fc.oneof(
      fc.constant(0),
      fc.integer({ min: 1, max: 3 }),
      fc.nat(300_000),
      fc.nat(2 ** 32 - 1),
    ),
    topK: fc.nat(30),
    topP: fc.oneof(fc.constant(0), fc.nat(2 ** 30)),
    minP: fc.oneof(fc.constant(0), fc.nat(2 ** 30)),
  });

  it('chooses as if only the open ids existed, with their own noise (seed 32)', () => {
    fc.assert(
      fc.property(
        fc.array(logit, { minLength: 1, maxLength: 24 }),
        fc.array(fc.boolean(), { minLength: 24, maxLength: 24 }),
        sampler,
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        (row, open, settings, seed) => {
          const mask = Uint8Array.from(row, (_, id) => (open[id] || id === 0 ? 1 : 0));
          const history = createHistory([]);
          const barred = controlLogits(Int32Array.from(row), { controls: OFF, history, mask });
          const token = nextToken(barred, settings, seed, 7);
          expect(mask[token]).toBe(1);
          // Barred ids take the place of the lowest possible logits: far below, they change nothing.
          expect(token).toBe(chosenAmong(row, mask, { settings, seed }));
        },
      ),
      { seed: 32, numRuns: 2_000 },
    );
  });
});

/** Section 7 over the open ids only, written without any mask. */
function chosenAmong(
  row: readonly number[],
  mask: Uint8Array,
  { settings, seed }: { settings: SamplerSettings; seed: Uint8Array },
): number {
  const open = [...row.keys()].filter((id) => mask[id] === 1);
  const order = open.sort((a, b) => row[b]! - row[a]! || a - b);
  if (settings.tau === 0) return order[0]!;
  const z = (id: number) => roundShift(BigInt(row[id]!) * BigInt(settings.tau), 16);
  const top = z(order[0]!);
  const weight = (id: number) => exp2n(top - z(id));
  let kept = settings.topK > 0 ? order.slice(0, settings.topK) : order;
  if (settings.topP > 0 && settings.topP < 2 ** 30) {
    const sum = kept.reduce((total, id) => total + weight(id), 0n);
    let reached = 0n;
    let count = 0;
    while (reached << 30n < BigInt(settings.topP) * sum) reached += weight(kept[count++]!);
    kept = kept.slice(0, count);
  }
  kept = kept.filter((id) => weight(id) >= BigInt(Math.min(settings.minP, 2 ** 30)));
  // The noise of one id: the token that wins against nobody shows nothing, so pairs are compared.
  const wins = (a: number, b: number): boolean => {
    const pair = Int32Array.from(row, (value, id) => (id === a || id === b ? value : BARRED));
    return nextToken(pair, { tau: settings.tau, topK: 0, topP: 0, minP: 0 }, seed, 7) === a;
  };
  return kept.reduce((best, id) => (wins(id, best) ? id : best));
}

describe('logprobsOf', () => {
  it('has the values of the vectors', () => {
    expect(VECTORS.logprobs.length).toBeGreaterThan(3);
    for (const { row, id, count, chosen, top } of VECTORS.logprobs) {
      const found = logprobsOf(Int32Array.from(row), id, count);
      expect(found.chosen).toEqual({ id, logprob: chosen });
      expect(found.top.map((one) => [one.id, one.logprob])).toEqual(top);
    }
  });

  it('equals the rule in BigInt, and the float softmax to 2^-14 (seed 33)', () => {
    const near = fc.integer({ min: -1_500_000, max: 1_500_000 });
    fc.assert(
      fc.property(fc.array(near, { minLength: 1, maxLength: 40 }), fc.nat(5), (row, count) => {
        const found = logprobsOf(Int32Array.from(row), row.length - 1, count);
        const order = [...row.keys()].sort((a, b) => row[b]! - row[a]! || a - b).slice(0, count);
        expect(found.top.map(({ id }) => id)).toEqual(order);
        const largest = Math.max(...row);
        const sum = row.reduce(
          (total, x) => total + exp2n(roundShift(BigInt(largest - x) * 1_549_082_005n, 30)),
          0n,
        );
        const shift = Math.max(0, bitLength(sum) - 32);
        const log = roundShift(
          (log2b(sum >> BigInt(shift)) + (BigInt(shift - 30) << 24n)) * 744_261_118n,
          38,
        );
        const exact = BigInt(row.at(-1)! - largest) - log;
        expect(BigInt(found.chosen.logprob)).toBe(exact);
        const float = row.reduce((total, x) => total + Math.exp((x - largest) / 65_536), 0);
        const expected = (row.at(-1)! - largest) / 65_536 - Math.log(float);
        expect(Math.abs(found.chosen.logprob / 65_536 - expected)).toBeLessThan(2 ** -14);
      }),
      { seed: 33, numRuns: 500 },
    );
  });

  it('is never above 0, also at the edges of the format', () => {
    for (const row of [[2 ** 31 - 1, -(2 ** 31) + 1], [0], [7, 7, 7]]) {
      const { chosen, top } = logprobsOf(Int32Array.from(row), row.length - 1, 3);
      expect(Math.max(chosen.logprob, ...top.map(({ logprob }) => logprob))).toBeLessThanOrEqual(0);
    }
  });
});

describe('embedRows', () => {
  const row = fc.record({
    mantissas: fc.array(fc.integer({ min: -32_767, max: 32_767 }), { minLength: 8, maxLength: 8 }),
    exponent: fc.integer({ min: -40, max: 0 }),
  });

  it('has the values of the vectors', () => {
    expect(VECTORS.embeddings.length).toBeGreaterThan(3);
    for (const { rows, pooling, vector } of VECTORS.embeddings) {
      expect([...embedRows(rows, pooling)]).toEqual(vector);
    }
  });

  it('points where the float mean points, and has length one (seed 34)', () => {
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 6 }), (rows) => {
        const sums = rows[0]!.mantissas.map((_, i) =>
          rows.reduce((sum, { mantissas, exponent }) => sum + mantissas[i]! * 2 ** exponent, 0),
        );
        const length = Math.hypot(...sums);
        const largest = Math.max(...rows.map(({ exponent }) => exponent));
        // Sums that cancel leave only rounding: nothing to point at.
        fc.pre(length > 2 ** (largest - 4));
        const vector = [...embedRows(rows, 'mean')].map((value) => value / 2 ** 30);
        expect(Math.abs(Math.hypot(...vector) - 1)).toBeLessThan(1e-6);
        for (const [i, value] of vector.entries()) expect(value).toBeCloseTo(sums[i]! / length, 3);
      }),
      { seed: 34, numRuns: 500 },
    );
  });

  it('of the last row knows no other', () => {
    const rows = [
      { mantissas: [9, -9], exponent: 3 },
      { mantissas: [3, 4], exponent: -7 },
    ];
    expect([...embedRows(rows, 'last')]).toEqual([...embedRows(rows.slice(1), 'mean')]);
    const [x, y] = embedRows(rows, 'last');
    expect(x! / 2 ** 30).toBeCloseTo(0.6, 6);
    expect(y! / 2 ** 30).toBeCloseTo(0.8, 6);
  });

  it('of nothing is nothing', () => {
    expect([...embedRows([{ mantissas: [0, 0], exponent: 0 }], 'mean')]).toEqual([0, 0]);
  });

  it('stays within 62 bits at the largest width and context that a model may have', () => {
    const largest = 32_767n << 16n;
    expect(bitLength(largest * 131_072n)).toBeLessThanOrEqual(62);
    const square = (1n << 23n) ** 2n * 16_384n;
    expect(bitLength(square)).toBeLessThanOrEqual(62);
    expect(isqrt(square)).toBe(1n << 30n);
  });
});
