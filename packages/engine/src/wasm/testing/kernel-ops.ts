/**
 * The WebAssembly kernels behind the signatures of the reference ops (`reference/ops.ts`): one row in, one row out. So
 * whoever holds rows of the reference can ask the shipped kernels for the same ones. What attention fuses is read by
 * the module that makes traces.
 */
import { bitLengthMax } from '../../integer.js';
import {
  quantise30,
  type ResidualRow,
  type Row16,
  type Row30,
  type WeightRow,
} from '../../reference/rows.js';
import type { Gains, W8Matrix } from '../../weights.js';
import { keptBytes, PAGE_POSITIONS, paddedHead, valueIndex } from '../pages.js';
import { type Attention, attention } from './kernel-attention.js';

export type { Attention, AttentionRows } from './kernel-attention.js';

import { createKernelBench, type KernelBench } from './kernel-bench.js';

/** Matrices are packed in groups of so many rows. */
const GROUP_ROWS = 4;
const I30_EDGE = 2 ** 30;

export type KernelOps = ReturnType<typeof createKernelOps>;

/** All rows of one instance lie in one memory; each call overwrites the one before. */
export function createKernelOps() {
  const bench = createKernelBench();
  const fresh = (): KernelBench => {
    bench.reset();
    return bench;
  };
  return {
    embed: (table: W8Matrix, token: number, residualBits: number): ResidualRow =>
      embed(fresh(), table, { token, residualBits }),
    rmsNorm: (
      residual: ResidualRow,
      gains: Gains,
      parameters: { readonly residualBits: number; readonly epsilonQ40: number },
    ): Row16 => rmsNorm(fresh(), residual, { gains, ...parameters }),
    matmul: (matrix: W8Matrix, x: Row16): Row30 => quantise30(matmul(fresh(), matrix, x)),
    rope: (
      row: Row30,
      steps: BigUint64Array,
      { headCount, position }: { readonly headCount: number; readonly position: number },
    ): Row16[] => heads(fresh(), row, { headCount, position, steps }),
    splitHeads: (row: Row30, headCount: number): Row16[] => values(fresh(), row, headCount),
    /** scores, softmax and mix of one head, which the kernels compute in one go. */
    attention: (given: Attention) => attention(fresh(), given),
    joinHeads: (mixed: readonly Row30[], weights: readonly WeightRow[]): Row16 =>
      joinHeads(fresh(), mixed, weights),
    swiGlu: (gate: Row30, up: Row30): Row16 => swiGlu(fresh(), gate, up),
    residualAdd: (residual: ResidualRow, row: Row30, residualBits: number): ResidualRow =>
      residualAdd(fresh(), { residual, row, residualBits }),
    logits: (row: Row30): Int32Array => logits(fresh(), row),
    bias: (row: Row30, vector: Gains): Row30 => bias(fresh(), row, vector),
    headNorm: (
      row: Row30,
      gains: Gains,
      parameters: { readonly headCount: number; readonly epsilonQ40: number },
    ): Row30 => headNorm(fresh(), row, { gains, ...parameters }),
  };
}

function embed(
  bench: KernelBench,
  table: W8Matrix,
  { token, residualBits }: { readonly token: number; readonly residualBits: number },
): ResidualRow {
  const width = table.cols;
  const out = bench.room(4 * width);
  const tokens = bench.put(Uint32Array.of(token));
  const fields = { ...bench.pack(wholeGroups(table)), width, residualBits, out };
  const [clampedCount = 0] = bench.run('embed', fields, { tokens });
  return { values: bench.int32(out, width).slice(), clampedCount };
}

/** The matrix with rows of zeros behind it, up to a whole group. */
function wholeGroups(matrix: W8Matrix): W8Matrix {
  const rows = Math.ceil(matrix.rows / GROUP_ROWS) * GROUP_ROWS;
  const data = new Int8Array(rows * matrix.cols);
  data.set(matrix.data);
  const scales = new Uint16Array((matrix.scales.length / matrix.rows) * rows);
  scales.set(matrix.scales);
  const rowShifts = new Uint8Array(rows);
  rowShifts.set(matrix.rowShifts);
  return { ...matrix, rows, data, scales, rowShifts };
}

function rmsNorm(
  bench: KernelBench,
  { values }: ResidualRow,
  options: {
    readonly gains: Gains;
    readonly residualBits: number;
    readonly epsilonQ40: number;
  },
): Row16 {
  const { gains, residualBits, epsilonQ40 } = options;
  const room = row16Room(bench, values.length);
  bench.run('norm', {
    input: bench.put(values),
    width: values.length,
    gains: bench.put(gains.data),
    gainExponent: gains.exponent,
    ...epsilonFields(epsilonQ40),
    residualBits,
    ...room.fields,
  });
  return room.read();
}

const epsilonFields = (epsilonQ40: number) => ({
  epsilonLow: epsilonQ40 % 2 ** 32,
  epsilonHigh: Math.floor(epsilonQ40 / 2 ** 32),
});

function matmul(bench: KernelBench, matrix: W8Matrix, x: Row16) {
  const sums = sumsRoom(bench, matrix.rows);
  const { outValues: values, outExponents: exponents, outMasks: masks } = sums.fields;
  bench.run('matmul', {
    input: bench.put(x.values),
    inputExponents: bench.put(Int32Array.of(x.exponent)),
    k: matrix.cols,
    ...bench.pack(matrix),
    ...{ values, exponents, masks, stride: matrix.rows },
  });
  return sums.read();
}

/** One row of heads as attention asks for it: turned. */
function heads(
  bench: KernelBench,
  row: Row30,
  options: {
    readonly headCount: number;
    readonly position: number;
    readonly steps: BigUint64Array;
  },
): Row16[] {
  const { headCount, position, steps } = options;
  const headSize = row.values.length / headCount;
  const padded = paddedHead(headSize);
  const out = bench.room(2 * padded * headCount);
  const outExponents = bench.room(4 * headCount);
  const target = { steps: bench.put(steps), out, outExponents, offset: 0 };
  const fields = { ...sumsOf(bench, row), heads: headCount, headSize, ...target };
  bench.run('query', fields, bench.rowsAt([position]));
  return Array.from({ length: headCount }, (_, h) => ({
    values: bench.int16(out + 2 * padded * h, headSize).slice(),
    exponent: bench.int32(outExponents, headCount)[h]!,
  }));
}

/** Heads of the first position of a page, read from among their neighbours. */
function values(bench: KernelBench, row: Row30, headCount: number): Row16[] {
  const headSize = row.values.length / headCount;
  const padded = paddedHead(headSize);
  const page = bench.room(keptBytes(headCount, headSize));
  const target = { steps: 0, out: 0, outExponents: 0, offset: 0 };
  const fields = { ...sumsOf(bench, row), heads: headCount, headSize, ...target };
  bench.run('values', fields, bench.rowsAt([0], [bench.put(Uint32Array.of(page))]));
  const headBytes = 2 * padded * PAGE_POSITIONS;
  const exponents = bench.int32(page + headCount * headBytes, headCount * PAGE_POSITIONS);
  return Array.from({ length: headCount }, (_, h) => {
    const kept = bench.int16(page + h * headBytes, headBytes / 2);
    return {
      values: Int16Array.from({ length: headSize }, (_, d) => kept[valueIndex(0, d)]!),
      exponent: exponents[h * PAGE_POSITIONS]!,
    };
  });
}

/** Exponent of a mixed head at 0, its sum at 8. */
const RESULT_BYTES = 16;

function joinHeads(
  bench: KernelBench,
  mixed: readonly Row30[],
  weights: readonly WeightRow[],
): Row16 {
  const headSize = mixed[0]!.values.length;
  const padded = paddedHead(headSize);
  const block = new Int32Array(mixed.length * padded);
  const results = new DataView(new ArrayBuffer(RESULT_BYTES * mixed.length));
  for (const [h, { values, exponent }] of mixed.entries()) {
    block.set(values, h * padded);
    results.setInt32(RESULT_BYTES * h, exponent, true);
    results.setBigInt64(RESULT_BYTES * h + 8, weights[h]!.sum, true);
  }
  const room = row16Room(bench, mixed.length * headSize);
  bench.run('join', {
    mixed: bench.put(block),
    results: bench.put(new Int32Array(results.buffer)),
    ...{ heads: mixed.length, headSize, ...room.fields },
  });
  return room.read();
}

function swiGlu(bench: KernelBench, gate: Row30, up: Row30): Row16 {
  const width = gate.values.length;
  const [left, right] = [sumsOf(bench, gate), sumsOf(bench, up)];
  const room = row16Room(bench, width);
  bench.run('swiGlu', {
    ...{ gateValues: left.values, gateExponents: left.exponents, gateMasks: left.masks },
    ...{ upValues: right.values, upExponents: right.exponents, upMasks: right.masks },
    ...{ stride: width, width, ...room.fields },
  });
  return room.read();
}

function residualAdd(
  bench: KernelBench,
  options: {
    readonly residual: ResidualRow;
    readonly row: Row30;
    readonly residualBits: number;
  },
): ResidualRow {
  const { residual, row, residualBits } = options;
  const width = row.values.length;
  const out = bench.room(4 * width);
  const target = { residual: bench.put(residual.values), width, residualBits, out };
  const [clampedCount = 0] = bench.run('residualAdd', { ...sumsOf(bench, row), ...target });
  return { values: bench.int32(out, width).slice(), clampedCount };
}

function logits(bench: KernelBench, row: Row30): Int32Array {
  const count = row.values.length;
  const out = bench.room(4 * count);
  bench.run('logits', { ...sumsOf(bench, row), count }, { logits: out });
  return bench.int32(out, count).slice();
}

function bias(bench: KernelBench, row: Row30, vector: Gains): Row30 {
  const sums = sumsRoom(bench, row.values.length);
  const given = { vector: bench.put(vector.data), vectorExponent: vector.exponent };
  const width = row.values.length;
  bench.run('bias', { ...sumsOf(bench, row), width, ...given, ...sums.fields });
  return quantise30(sums.read());
}

function headNorm(
  bench: KernelBench,
  row: Row30,
  options: { readonly gains: Gains; readonly headCount: number; readonly epsilonQ40: number },
): Row30 {
  const { gains, headCount, epsilonQ40 } = options;
  const sums = sumsRoom(bench, row.values.length);
  bench.run('headNorm', {
    ...sumsOf(bench, row),
    ...{ heads: headCount, headSize: row.values.length / headCount },
    ...{ gains: bench.put(gains.data), gainExponent: gains.exponent },
    ...epsilonFields(epsilonQ40),
    ...sums.fields,
  });
  return quantise30(sums.read());
}

/**
 * Sums that the kernels store as exactly this row. 2^30 is what rounding may make of a smaller sum and has a bit more
 * than a row keeps, so it stands two bits lower, less one: it is rounded up again.
 */
function sumsOf(bench: KernelBench, { values, exponent }: Row30) {
  const hasEdge = values.some((value) => Math.abs(value) === I30_EDGE);
  const sums = BigInt64Array.from(values, (value) => {
    if (!hasEdge) return BigInt(value);
    return BigInt(4 * value - (Math.abs(value) === I30_EDGE ? Math.sign(value) : 0));
  });
  const mask = sums.reduce((seen, x) => seen | (x < 0n ? -x : x), 0n);
  return {
    values: bench.put(sums),
    exponents: bench.put(Int32Array.of(hasEdge ? exponent - 2 : exponent)),
    masks: bench.put(BigInt64Array.of(mask, 0n)),
    stride: values.length,
  };
}

function row16Room(bench: KernelBench, count: number) {
  const out = bench.room(2 * count);
  const outExponents = bench.room(4);
  return {
    fields: { out, outExponents },
    read: (): Row16 => ({
      values: bench.int16(out, count).slice(),
      exponent: bench.int32(outExponents, 1)[0]!,
    }),
  };
}

/** Room for sums that an instruction writes; the masks must tell their length, too. */
function sumsRoom(bench: KernelBench, count: number) {
  const values = bench.room(8 * count);
  const exponents = bench.room(4);
  const masks = bench.room(16);
  return {
    fields: { outValues: values, outExponents: exponents, outMasks: masks },
    read() {
      const row = {
        values: Array.from(bench.int64(values, count)),
        exponent: bench.int32(exponents, 1)[0]!,
      };
      const mask = Array.from(bench.int64(masks, 2));
      if (bitLengthMax(mask) !== bitLengthMax(row.values)) {
        throw new Error('invariant broken: the masks do not tell the length of the sums');
      }
      return row;
    },
  };
}
