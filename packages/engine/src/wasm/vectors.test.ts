/** The kernels against the golden vectors. Attention's ops are one instruction here; kernels.test.ts covers them. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { FamilyName } from '../families.js';
import type { ModelConfig } from '../model-config.js';
import { randomEngineModel } from '../testing/random-model.js';
import type { W8Matrix } from '../weights.js';
import { paddedRows } from './packing.js';
import { paddedHead } from './pages.js';
import { createKernelBench } from './testing/kernel-bench.js';
import { createWasmBackend } from './wasm-backend.js';

const FOLDER = new URL('../../../../vectors/arithmetic/', import.meta.url);

const read = (name: string) =>
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

const bench = createKernelBench();

type Row = { readonly values: number[]; readonly exponent: number };

/** A matrix filled up with zero rows to whole groups. */
function matrixOf(json: { [K in keyof W8Matrix]: W8Matrix[K] extends number ? number : number[] }) {
  const rows = paddedRows(json.rows);
  const data = new Int8Array(rows * json.cols);
  const scales = new Uint16Array((rows * json.cols) / 32);
  const rowShifts = new Uint8Array(rows);
  data.set(json.data);
  scales.set(json.scales);
  rowShifts.set(json.rowShifts);
  return { rows, cols: json.cols, data, scales, rowShifts, exponent: json.exponent };
}

/** An I30 row as exact sums that need no shift. */
const sumsOf = ({ values, exponent }: Row) => ({
  values: bench.put(BigInt64Array.from(values, BigInt)),
  exponents: bench.put(Int32Array.of(exponent)),
  masks: bench.put(BigInt64Array.of(0n, 0n)),
  stride: values.length,
});

function row16(count: number, run: (out: { out: number; outExponents: number }) => void): Row {
  const fields = { out: bench.room(2 * count), outExponents: bench.room(4) };
  run(fields);
  const values = [...bench.int16(fields.out, count)];
  return { values, exponent: bench.int32(fields.outExponents, 1)[0]! };
}

// biome-ignore lint/suspicious/noExplicitAny: one JSON shape per op; a wrong field fails its case.
const APPLY: Record<string, (input: any) => unknown> = {
  embed({ table, token, residualBits }) {
    const out = bench.room(4 * table.cols);
    const fields = { ...bench.pack(matrixOf(table)), width: table.cols, residualBits, out };
    const tokens = bench.put(Uint32Array.of(token));
    const [clampedCount] = bench.run('embed', fields, { tokens });
    return { values: [...bench.int32(out, table.cols)], clampedCount };
  },
  rmsNorm({ values, gains, residualBits, epsilonQ40 }) {
    const fields = {
      input: bench.put(Int32Array.from(values)),
      width: values.length,
      gains: bench.put(Int32Array.from(gains.data)),
      gainExponent: gains.exponent,
      epsilonLow: epsilonQ40 % 2 ** 32,
      epsilonHigh: Math.floor(epsilonQ40 / 2 ** 32),
      residualBits,
    };
    return row16(values.length, (out) => bench.run('norm', { ...fields, ...out }));
  },
  matmul({ matrix, values, exponent }) {
    const packed = matrixOf(matrix);
    const sums = {
      values: bench.room(8 * packed.rows),
      exponents: bench.room(4),
      masks: bench.room(16),
      stride: packed.rows,
    };
    const input = bench.put(Int16Array.from(values));
    const inputExponents = bench.put(Int32Array.of(exponent));
    const fields = { input, inputExponents, k: matrix.cols, ...bench.pack(packed), ...sums };
    bench.run('matmul', fields);
    return readI30(sums, matrix.rows);
  },
  rope({ steps, headCount, position, ...row }) {
    const headSize = 2 * steps.length;
    const padded = paddedHead(headSize);
    const out = bench.room(headCount * padded * 2);
    const outExponents = bench.room(headCount * 4);
    const target = { steps: bench.put(BigUint64Array.from(steps, BigInt)), out, outExponents };
    const fields = { ...sumsOf(row), heads: headCount, headSize, ...target, offset: 0 };
    bench.run('query', fields, bench.rowsAt([position]));
    const heads = Array.from({ length: headCount }, (_, h) => ({
      values: [...bench.int16(out + h * padded * 2, headSize)],
      exponent: bench.int32(outExponents, headCount)[h]!,
    }));
    return { heads };
  },
  joinHeads({ mixed, sums }) {
    const headSize = mixed[0].values.length;
    const padded = paddedHead(headSize);
    const heads = mixed.length;
    const joined = new Int32Array(heads * padded);
    const results = new BigInt64Array(2 * heads);
    for (const [h, { values, exponent }] of mixed.entries()) {
      joined.set(values, h * padded);
      results[2 * h] = BigInt.asUintN(32, BigInt(exponent));
      results[2 * h + 1] = BigInt(sums[h]);
    }
    const fields = { mixed: bench.put(joined), results: bench.put(results), heads, headSize };
    return row16(heads * headSize, (out) => bench.run('join', { ...fields, ...out }));
  },
  swiGlu({ gate, up }) {
    const [g, u] = [sumsOf(gate), sumsOf(up)];
    const width = gate.values.length;
    const fields = {
      ...{ gateValues: g.values, gateExponents: g.exponents, gateMasks: g.masks },
      ...{ upValues: u.values, upExponents: u.exponents, upMasks: u.masks },
      ...{ stride: width, width },
    };
    return row16(width, (out) => bench.run('swiGlu', { ...fields, ...out }));
  },
  residualAdd({ residual, row, residualBits }) {
    const width = residual.length;
    const out = bench.room(4 * width);
    const target = { residual: bench.put(Int32Array.from(residual)), width, residualBits, out };
    const [clampedCount] = bench.run('residualAdd', { ...sumsOf(row), ...target });
    return { values: [...bench.int32(out, width)], clampedCount };
  },
  logits(row) {
    const count = row.values.length;
    const logits = bench.room(4 * count);
    bench.run('logits', { ...sumsOf(row), count }, { logits });
    return { values: [...bench.int32(logits, count)] };
  },
  bias({ bias, ...row }) {
    const width = row.values.length;
    const vector = bench.put(Int32Array.from(bias.data));
    const sums = sumsRoom(width);
    const fields = { width, vector, vectorExponent: bias.exponent, ...sums.fields };
    bench.run('bias', { ...sumsOf(row), ...fields });
    return sums.read();
  },
  headNorm({ gains, headCount, epsilonQ40, ...row }) {
    const width = row.values.length;
    const sums = sumsRoom(width);
    const fields = {
      heads: headCount,
      headSize: width / headCount,
      gains: bench.put(Int32Array.from(gains.data)),
      gainExponent: gains.exponent,
      epsilonLow: epsilonQ40 % 2 ** 32,
      epsilonHigh: Math.floor(epsilonQ40 / 2 ** 32),
    };
    bench.run('headNorm', { ...sumsOf(row), ...fields, ...sums.fields });
    return sums.read();
  },
};

/** Room for sums that an instruction writes, and how they read as I30. */
function sumsRoom(count: number) {
  const [values, exponents, masks] = [bench.room(8 * count), bench.room(4), bench.room(16)];
  return {
    fields: { outValues: values, outExponents: exponents, outMasks: masks },
    read: () => readI30({ values, exponents, masks }, count),
  };
}

/** Sums as I30, through the kernel that reads them with the coarsest grid: none is lost but by their own shift. */
function readI30(sums: { values: number; exponents: number; masks: number }, count: number): Row {
  const masks = bench.int64(sums.masks, 2);
  const bits = (masks[0]! | masks[1]!).toString(2).length;
  const shift = Math.max(0, bits - 30);
  const values = Array.from(bench.int64(sums.values, count), (x) => Number(roundTo(x, shift)));
  return { values, exponent: bench.int32(sums.exponents, 1)[0]! + shift };
}

function roundTo(x: bigint, shift: number): bigint {
  if (shift === 0) return x;
  const s = BigInt(shift);
  return (x + (1n << (s - 1n)) - 1n + ((x >> s) & 1n)) >> s;
}

describe.each(Object.keys(APPLY))('vectors/arithmetic/op-%s.json', (op) => {
  const { cases } = read(`op-${op}`) as {
    cases: { name: string; input: unknown; output: unknown }[];
  };
  it.each(cases.map((each) => [each.name, each] as const))('%s', (_, { input, output }) => {
    bench.reset();
    expect(APPLY[op]!(input)).toMatchObject(output as object);
  });
});

describe('vectors/arithmetic/model.json', () => {
  const { cases } = read('model') as {
    cases: {
      seed: number;
      tied: boolean;
      family: FamilyName;
      config: Partial<ModelConfig>;
      tokens: number[];
      sha256: string;
    }[];
  };
  it.each(cases)('logits of $family, seed $seed', (vector) => {
    const { seed, tied, tokens, sha256 } = vector;
    const config = { ...vector.config, family: vector.family };
    const session = createWasmBackend().createSession(randomEngineModel({ seed, tied, config }));
    const logits = session.forward(tokens, { logits: 'all' });
    const view = new DataView(new ArrayBuffer(logits.byteLength));
    for (const [i, logit] of logits.entries()) view.setInt32(4 * i, logit);
    expect(createHash('sha256').update(view).digest('hex')).toBe(sha256);
  });
});
