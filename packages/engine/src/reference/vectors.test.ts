/** The reference against the golden vectors, which a separate Python program computed from the specification. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { FamilyName } from '../families.js';
import { scoreScaleQ24 } from '../graph.js';
import { importFloatMatrix, importGains, importQ8Matrix } from '../import-tensor.js';
import { bitLength, clampBits, isqrt, log2b, roundShift } from '../integer.js';
import type { ModelConfig } from '../model-config.js';
import { OP_TABLE, type OpName } from '../op-table.js';
import { attentionFactorQ30, longRopeAttention, type RopeScaling } from '../rope-scaling.js';
import { ropeSteps } from '../rope-steps.js';
import { cosSin, EXP2_HIGH, EXP2_LOW, exp2n, TURNS_HIGH, TURNS_LOW } from '../tables.js';
import { randomEngineModel } from '../testing/random-model.js';
import type { W8Matrix } from '../weights.js';
import * as ops from './ops.js';
import type { Row16, Row30 } from './rows.js';
import { referenceBackend } from './session.js';

const FOLDER = new URL('../../../../vectors/arithmetic/', import.meta.url);

type VectorFile = { readonly spec: string; readonly source: string; readonly cases: never[] };

const read = (name: string): VectorFile =>
  expand(JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), 'utf8')));

/** `{ repeat, count }` stands for a long constant list. */
function expand<T>(value: T): T {
  if (Array.isArray(value)) return value.map(expand) as T;
  if (typeof value !== 'object' || value === null) return value;
  if ('repeat' in value && 'count' in value) {
    return new Array(value.count as number).fill(value.repeat) as T;
  }
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, expand(v)])) as T;
}

type JsonMatrix = { [K in keyof W8Matrix]: W8Matrix[K] extends number ? number : number[] };
type JsonRow = { readonly values: number[]; readonly exponent: number };

const matrixOf = (json: JsonMatrix): W8Matrix => ({
  ...json,
  data: Int8Array.from(json.data),
  scales: Uint16Array.from(json.scales),
  rowShifts: Uint8Array.from(json.rowShifts),
});
const row16 = ({ values, exponent }: JsonRow): Row16 => ({
  values: Int16Array.from(values),
  exponent,
});
const row30 = ({ values, exponent }: JsonRow): Row30 => ({
  values: Int32Array.from(values),
  exponent,
});
const residual = (values: number[]) => ({ values: Int32Array.from(values), clampedCount: 0 });

/** Typed arrays as lists and big integers as text, as the vectors have them. */
const plain = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, v) =>
      ArrayBuffer.isView(v)
        ? Array.from(v as unknown as ArrayLike<number>)
        : typeof v === 'bigint'
          ? String(v)
          : v,
    ),
  );

// biome-ignore lint/suspicious/noExplicitAny: one JSON shape per op; a wrong field fails its case.
const APPLY: Record<OpName, (input: any) => unknown> = {
  embed: ({ table, token, residualBits }) => ops.embed(matrixOf(table), token, residualBits),
  rmsNorm: ({ values, gains, ...parameters }) =>
    ops.rmsNorm(
      residual(values),
      { data: Int32Array.from(gains.data), exponent: gains.exponent },
      parameters,
    ),
  matmul: ({ matrix, ...row }) => ops.matmul(matrixOf(matrix), row16(row)),
  rope: ({ steps, headCount, position, ...row }) => ({
    heads: ops.rope(row30(row), BigUint64Array.from(steps, BigInt), { headCount, position }),
  }),
  splitHeads: ({ headCount, ...row }) => ({ heads: ops.splitHeads(row30(row), headCount) }),
  scores: ({ query, keys, scaleQ24 }) => ({
    values: ops.scores(row16(query), keys.map(row16), scaleQ24),
  }),
  softmax: ({ scores, exponents }) =>
    ops.softmax(
      Int32Array.from(scores),
      exponents.map((exponent: number) => row16({ values: [], exponent })),
    ),
  mix: ({ weights, values }) => ops.mix({ ...row30(weights), sum: 0n }, values.map(row16)),
  joinHeads: ({ mixed, sums }) =>
    ops.joinHeads(
      mixed.map(row30),
      sums.map((sum: string) => ({ values: new Int32Array(), exponent: 0, sum: BigInt(sum) })),
    ),
  swiGlu: ({ gate, up }) => ops.swiGlu(row30(gate), row30(up)),
  residualAdd: ({ residual: values, row, residualBits }) =>
    ops.residualAdd(residual(values), row30(row), residualBits),
  logits: (row) => ({ values: ops.logits(row30(row)) }),
  bias: ({ bias, ...row }) =>
    ops.bias(row30(row), { data: Int32Array.from(bias.data), exponent: bias.exponent }),
  headNorm: ({ gains, headCount, epsilonQ40, ...row }) =>
    ops.headNorm(
      row30(row),
      { data: Int32Array.from(gains.data), exponent: gains.exponent },
      { headCount, epsilonQ40 },
    ),
};

const PRIMITIVES: Record<string, (...numbers: bigint[]) => bigint | bigint[]> = {
  R: (x, s) => roundShift(x!, Number(s)),
  C: (x, b) => clampBits(x!, Number(b)),
  L: (x) => BigInt(bitLength(x!)),
  isqrt: (x) => isqrt(x!),
  exp2n: (q) => exp2n(q!),
  log2b: (x) => log2b(x!),
  cosSin: (phase) => Object.values(cosSin(phase!)),
  scoreScaleQ24: (headSize) => BigInt(scoreScaleQ24(Number(headSize))),
};

describe('vectors/arithmetic', () => {
  it('has one file per op and names its source in each', () => {
    const files = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));
    const opFiles = files.filter((name) => name.startsWith('op-')).sort();
    expect(opFiles).toEqual(
      Object.keys(OP_TABLE)
        .map((op) => `op-${op}.json`)
        .sort(),
    );
    for (const name of files) {
      const file = read(name.replace('.json', ''));
      expect(file.spec).toBe('flex16-w8a16-v0');
      expect(file.source).toMatch(/\w/);
      expect(file.cases.length).toBeGreaterThan(0);
    }
  });

  it('primitives', () => {
    for (const vector of read('primitives').cases) {
      const {
        function: name,
        arguments: numbers,
        result,
      } = vector as {
        function: string;
        arguments: string[];
        result: unknown;
      };
      expect(plain(PRIMITIVES[name]!(...numbers.map(BigInt))), `${name}(${numbers})`).toEqual(
        result,
      );
    }
  });

  for (const op of Object.keys(OP_TABLE) as OpName[]) {
    describe(op, () => {
      for (const vector of read(`op-${op}`).cases) {
        const { name, input, output } = vector as { name: string; input: never; output: object };
        it(name, () => {
          expect(plain(APPLY[op](input))).toMatchObject(output);
        });
      }
    });
  }
});

describe('tables', () => {
  const interleave = ({ cos, sin }: typeof TURNS_HIGH) =>
    Array.from({ length: 2048 }, (_, i) => (i & 1 ? sin : cos)[i >> 1]!);
  const tables: Record<string, ArrayLike<number>> = {
    T1: EXP2_HIGH,
    T2: EXP2_LOW,
    A: interleave(TURNS_HIGH),
    B: interleave(TURNS_LOW),
  };

  it('are the vectors, entry by entry', () => {
    for (const vector of read('tables').cases) {
      const { table, count, first, sha256 } = vector as {
        table: string;
        count: number;
        first: number[];
        sha256: string;
      };
      const values = Array.from(tables[table]!);
      expect(values.length).toBe(count);
      expect(values.slice(0, first.length)).toEqual(first);
      expect(hashIntegers(values)).toBe(sha256);
    }
  });

  it('have the check values of the design', () => {
    expect([EXP2_HIGH[1], EXP2_HIGH[255], EXP2_LOW[255]]).toEqual([
      1070838486, 538326517, 1070849812,
    ]);
    expect([TURNS_HIGH.cos[1], TURNS_HIGH.sin[1]]).toEqual([1073721611, 6588356]);
    expect([TURNS_LOW.cos[1023], TURNS_LOW.sin[1023]]).toEqual([1073721651, 6581922]);
  });
});

describe('ropeSteps', () => {
  const file = read('rope-steps') as VectorFile & { readonly longrope: never[] };

  it('are the vectors, in integers for any even head size and every rule', () => {
    const kinds = new Set<string>();
    for (const vector of file.cases) {
      const { base, headSize, scaling, steps, attentionQ30, scaleQ24 } = vector as {
        base: number;
        headSize: number;
        scaling?: RopeScaling;
        steps: string[];
        attentionQ30?: string;
        scaleQ24?: number;
      };
      expect(Array.from(ropeSteps(base, headSize, scaling), String)).toEqual(steps);
      if (scaling === undefined) continue;
      kinds.add(scaling.kind);
      expect(String(attentionFactorQ30(scaling))).toBe(attentionQ30);
      expect(scoreScaleQ24(headSize, attentionFactorQ30(scaling))).toBe(scaleQ24);
    }
    expect([...kinds].sort()).toEqual(['factors', 'linear', 'llama3', 'yarn']);
  });

  it('have the attention factors of LongRoPE', () => {
    for (const vector of file.longrope) {
      const { factor, originalContext, attentionQ30 } = vector as {
        factor: number;
        originalContext: number;
        attentionQ30: string;
      };
      const attention = longRopeAttention(factor, originalContext);
      expect(String(BigInt(attention * 2 ** 30))).toBe(attentionQ30);
    }
  });
});

describe('import', () => {
  const floats = (bits: number[]) => new Float32Array(Uint32Array.from(bits).buffer);

  for (const vector of read('import').cases) {
    const { name, rule, input, output } = vector as {
      name: string;
      rule: 'q8' | 'f32' | 'gains';
      input: { rows: number; cols: number; quants: number[]; scaleBits: number[]; bits: number[] };
      output: object;
    };
    it(`${rule}: ${name}`, () => {
      const { rows, cols } = input;
      const made =
        rule === 'q8'
          ? importQ8Matrix({
              kind: 'q8',
              rows,
              cols,
              quants: Int8Array.from(input.quants),
              scales: Uint16Array.from(input.scaleBits),
            })
          : rule === 'f32'
            ? importFloatMatrix({ kind: 'f32', rows, cols, data: floats(input.bits) })
            : importGains({
                kind: 'f32',
                rows: 1,
                cols: input.bits.length,
                data: floats(input.bits),
              });
      expect(plain(made)).toEqual(output);
    });
  }
});

describe('a whole model', () => {
  for (const vector of read('model').cases) {
    const { seed, tied, family, config, tokens, firstLogits, lastLogits, sha256 } = vector as {
      seed: number;
      tied: boolean;
      family: FamilyName;
      config: Partial<ModelConfig>;
      tokens: number[];
      firstLogits: number[];
      lastLogits: number[];
      sha256: string;
    };
    it(`${family}, seed ${seed}, ${tied ? 'tied' : 'untied'} output: every logit of ${tokens.length} positions`, () => {
      const model = randomEngineModel({ seed, tied, config: { ...config, family } });
      const session = referenceBackend.createSession(model);
      const rows = session.forward(tokens, { logits: 'all' });
      const { vocabularySize } = model.config;
      expect(Array.from(rows.slice(0, 8))).toEqual(firstLogits);
      const last = rows.length - vocabularySize;
      expect(Array.from(rows.slice(last, last + 8))).toEqual(lastLogits);
      expect(hashIntegers(Array.from(rows))).toBe(sha256);
    });
  }
});

/** SHA-256 over 32-bit big-endian integers. */
function hashIntegers(values: readonly number[]): string {
  const bytes = new DataView(new ArrayBuffer(4 * values.length));
  values.forEach((value, i) => {
    bytes.setInt32(4 * i, value);
  });
  return createHash('sha256').update(new Uint8Array(bytes.buffer)).digest('hex');
}
