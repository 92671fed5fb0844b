/**
 * Differential cases, one function per op: from a seed it draws a few rows, lets the WebAssembly kernel compute them in
 * one call and compares every bit with the reference op. A row with its own numbers and exponent is one case; what the
 * rows of a call share (a matrix, gains, a grid) is drawn anew for the next. Used by the short lane
 * (`kernels.test.ts`), the long one (`kernels.fuzz.ts`) and on other machines (`tools/src/check-runtimes.ts`).
 */
import * as ops from '../../reference/ops.js';
import { ropeSteps } from '../../rope-steps.js';
import type { W8Matrix } from '../../weights.js';
import { keptBytes, PAGE_POSITIONS, paddedHead } from '../pages.js';
import { attentionCase } from './attention-case.js';
import {
  type Draw,
  drawA16,
  drawExponent,
  drawFrom,
  drawGains,
  drawHeadSize,
  drawMatrix,
  drawRowCount,
  drawWidth,
  drawWords,
} from './draw.js';
import type { KernelBench } from './kernel-bench.js';
import {
  compare,
  compareHeads,
  compareRows,
  drawSums,
  type Outcome,
  readKept,
  row16Room,
  sumsRoom,
} from './rows.js';

export type KernelCase = (bench: KernelBench, seed: number) => Outcome;

export const KERNEL_CASES = {
  embed(bench, seed) {
    const draw = drawFrom(seed);
    const rows = drawRowCount(draw);
    const width = drawWidth(draw);
    const matrix = drawMatrix(draw, 4 * (1 + draw.below(2)), width);
    const tokens = new Uint32Array(rows).map(() => draw.below(matrix.rows));
    const residualBits = drawResidualBits(draw);
    const out = bench.room(4 * rows * width);
    const fields = { ...bench.pack(matrix), width, residualBits, out };
    const clamped = bench.run('embed', fields, { rows, tokens: bench.put(tokens) });
    return compareRows(rows, (row) => {
      const wanted = ops.embed(matrix, tokens[row]!, residualBits);
      return (
        compare('clamped', [wanted.clampedCount], [clamped[row]!]) ??
        compare('values', wanted.values, bench.int32(out + 4 * row * width, width))
      );
    });
  },

  rmsNorm(bench, seed) {
    const draw = drawFrom(seed);
    const rows = drawRowCount(draw);
    const width = drawWidth(draw);
    const h = drawResidual(draw, rows, width);
    const gains = { data: drawWords(draw, width, 24), exponent: draw.below(40) - 30 };
    const residualBits = drawResidualBits(draw);
    const epsilonQ40 = draw.pick([109_951, 1_099_512, 10_995_116, 10_995_116_278]);
    const room = row16Room(bench, { rows, count: width });
    const given = { ...gainFields(bench, gains, epsilonQ40), residualBits };
    bench.run('norm', { input: bench.put(h), width, ...given, ...room.fields }, { rows });
    return compareRows(rows, (row) => {
      const values = h.subarray(row * width, (row + 1) * width);
      const parameters = { residualBits, epsilonQ40 };
      return room.compare(row, ops.rmsNorm({ values, clampedCount: 0 }, gains, parameters));
    });
  },

  matmul(bench, seed) {
    const draw = drawFrom(seed);
    const width = drawWidth(draw);
    const matrix = drawMatrix(draw, 4 * (1 + draw.below(3)), width);
    // From sixteen rows on the kernel goes another way.
    return matmulCase(bench, { draw, matrix, rows: 1 + draw.below(20) });
  },

  rope(bench, seed) {
    const draw = drawFrom(seed);
    const headSize = drawHeadSize(draw);
    const steps = drawSteps(draw, headSize);
    return draw.rarely(2)
      ? queryCase(bench, { draw, headSize, steps })
      : keptCase(bench, { draw, headSize, steps });
  },

  splitHeads(bench, seed) {
    const draw = drawFrom(seed);
    return keptCase(bench, { draw, headSize: drawHeadSize(draw) });
  },

  attention: attentionCase,

  swiGlu(bench, seed) {
    const draw = drawFrom(seed);
    const sizes = { rows: drawRowCount(draw), count: drawWidth(draw) };
    const gate = drawSums(bench, draw, sizes);
    const up = drawSums(bench, draw, sizes);
    const room = row16Room(bench, sizes);
    bench.run(
      'swiGlu',
      {
        gateValues: gate.fields.values,
        gateExponents: gate.fields.exponents,
        gateMasks: gate.fields.masks,
        upValues: up.fields.values,
        upExponents: up.fields.exponents,
        upMasks: up.fields.masks,
        stride: up.fields.stride,
        width: sizes.count,
        ...room.fields,
      },
      { rows: sizes.rows },
    );
    return compareRows(sizes.rows, (row) =>
      room.compare(row, ops.swiGlu(gate.row(row), up.row(row))),
    );
  },

  residualAdd(bench, seed) {
    const draw = drawFrom(seed);
    const rows = drawRowCount(draw);
    const width = drawWidth(draw);
    const h = drawResidual(draw, rows, width);
    const sums = drawSums(bench, draw, { rows, count: width });
    const residualBits = drawResidualBits(draw);
    const out = bench.room(4 * rows * width);
    const target = { residual: bench.put(h), width, residualBits, out };
    const clamped = bench.run('residualAdd', { ...sums.fields, ...target }, { rows });
    return compareRows(rows, (row) => {
      const values = h.subarray(row * width, (row + 1) * width);
      const wanted = ops.residualAdd({ values, clampedCount: 0 }, sums.row(row), residualBits);
      return (
        compare('clamped', [wanted.clampedCount], [clamped[row]!]) ??
        compare('values', wanted.values, bench.int32(out + 4 * row * width, width))
      );
    });
  },

  logits(bench, seed) {
    const draw = drawFrom(seed);
    const rows = drawRowCount(draw);
    const count = drawCount(draw);
    const sums = drawSums(bench, draw, { rows, count });
    const logits = bench.room(4 * rows * count);
    bench.run('logits', { ...sums.fields, count }, { rows, logits });
    return compareRows(rows, (row) =>
      compare('values', ops.logits(sums.row(row)), bench.int32(logits + 4 * row * count, count)),
    );
  },

  bias(bench, seed) {
    const draw = drawFrom(seed);
    const sizes = { rows: drawRowCount(draw), count: drawCount(draw) };
    const sums = drawSums(bench, draw, sizes);
    const vector = drawGains(draw, sizes.count);
    const room = sumsRoom(bench, sizes);
    const given = { vector: bench.put(vector.data), vectorExponent: vector.exponent };
    const fields = { ...sums.fields, width: sizes.count, ...given, ...room.outFields };
    bench.run('bias', fields, { rows: sizes.rows });
    return compareRows(sizes.rows, (row) => room.compare(row, ops.biasSums(sums.row(row), vector)));
  },

  headNorm(bench, seed) {
    const draw = drawFrom(seed);
    const headSize = drawHeadSize(draw);
    const heads = draw.pick([1, 2, 2, 3, 6]);
    const sizes = { rows: drawRowCount(draw), count: heads * headSize };
    const sums = drawSums(bench, draw, sizes);
    const gains = drawGains(draw, headSize);
    const epsilonQ40 = draw.pick([65_536, 1_099_512, 10_995_116, 2 ** 34]);
    const room = sumsRoom(bench, sizes);
    const given = { heads, headSize, ...gainFields(bench, gains, epsilonQ40) };
    bench.run('headNorm', { ...sums.fields, ...given, ...room.outFields }, { rows: sizes.rows });
    return compareRows(sizes.rows, (row) =>
      room.compare(
        row,
        ops.headNormProducts(sums.row(row), gains, { headCount: heads, epsilonQ40 }),
      ),
    );
  },
} as const satisfies Readonly<Record<string, KernelCase>>;

export type KernelCaseName = keyof typeof KERNEL_CASES;

const drawResidualBits = (draw: Draw): number => 12 + draw.below(9);

/** Elements of a row that is not padded to blocks: mostly a few vectors, now and then a hundred. */
const drawCount = (draw: Draw): number => 4 * (1 + draw.below(draw.rarely(16) ? 50 : 6));

/** Rows of the residual stream, joined. */
function drawResidual(draw: Draw, rows: number, width: number): Int32Array {
  const joined = new Int32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    joined.set(drawWords(draw, width, draw.pick([31, 31, 24, 20, 12, 0])), row * width);
  }
  return joined;
}

const gainFields = (
  bench: KernelBench,
  gains: { readonly data: Int32Array; readonly exponent: number },
  epsilonQ40: number,
) => ({
  gains: bench.put(gains.data),
  gainExponent: gains.exponent,
  epsilonLow: epsilonQ40 % 2 ** 32,
  epsilonHigh: Math.floor(epsilonQ40 / 2 ** 32),
});

/** Several activation rows against one matrix: exact sums, masks and exponents. */
export function matmulCase(
  bench: KernelBench,
  options: {
    readonly draw: Draw;
    readonly rows: number;
    readonly matrix: W8Matrix;
    readonly input?: Int16Array;
  },
): Outcome {
  const { draw, rows, matrix } = options;
  const { cols: width } = matrix;
  const exponents = new Int32Array(rows).map(() => drawExponent(draw));
  const joined = new Int16Array(rows * width);
  for (let row = 0; row < rows; row++) {
    joined.set(options.input ?? drawA16(draw, width), row * width);
  }
  const room = sumsRoom(bench, { rows, count: matrix.rows });
  const input = { input: bench.put(joined), inputExponents: bench.put(exponents), k: width };
  bench.run('matmul', { ...input, ...bench.pack(matrix), ...room.fields }, { rows });
  return compareRows(rows, (row) => {
    const values = joined.subarray(row * width, (row + 1) * width);
    return room.compare(row, ops.matmulSums(matrix, { values, exponent: exponents[row]! }));
  });
}

/** Any phases, or now and then those of a base as models have them, which cost much to compute. */
function drawSteps(draw: Draw, headSize: number): BigUint64Array {
  if (draw.rarely(64)) return ropeSteps(2 + draw.below(1_000_000), headSize);
  const words = new Uint32Array(headSize).map(draw.word);
  return new BigUint64Array(words.buffer);
}

type HeadsOptions = {
  readonly draw: Draw;
  readonly headSize: number;
  /** Without them heads are not turned. */
  readonly steps?: BigUint64Array;
};

/** Turned heads of queries, which lie row after row. */
function queryCase(bench: KernelBench, options: HeadsOptions): Outcome {
  const { draw, headSize } = options;
  const heads = draw.pick([1, 1, 2, 3]);
  const rows = drawRowCount(draw);
  const sums = drawSums(bench, draw, { rows, count: heads * headSize });
  const positions = Array.from({ length: rows }, () => draw.pick([0, 1, draw.below(131_072)]));
  const padded = paddedHead(headSize);
  const out = bench.room(2 * rows * heads * padded);
  const outExponents = bench.room(4 * rows * heads);
  const target = { steps: bench.put(options.steps!), out, outExponents, offset: 0 };
  bench.run('query', { ...sums.fields, heads, headSize, ...target }, bench.rowsAt(positions));
  return compareRows(rows, (row) =>
    compareHeads(
      wantedHeads(sums.row(row), options, { heads, position: positions[row]! }),
      (h) => ({
        values: bench.int16(out + 2 * (row * heads + h) * padded, padded),
        exponent: bench.int32(outExponents, rows * heads)[row * heads + h]!,
      }),
    ),
  );
}

/** Keys (with steps) or values (without) of neighbouring positions, which go into pages. */
function keptCase(bench: KernelBench, options: HeadsOptions): Outcome {
  const { draw, headSize, steps } = options;
  const heads = draw.pick([1, 1, 2, 3]);
  const rows = drawRowCount(draw);
  const sums = drawSums(bench, draw, { rows, count: heads * headSize });
  const first = draw.pick([0, draw.below(2 * PAGE_POSITIONS), PAGE_POSITIONS - 2]);
  const positions = Array.from({ length: rows }, (_, row) => first + row);
  const pages = [0, 1, 2].map(() => bench.room(keptBytes(heads, headSize)));
  const table = bench.put(Uint32Array.from(pages));
  const at = bench.rowsAt(
    positions,
    positions.map(() => table),
  );
  const target = { steps: steps ? bench.put(steps) : 0, out: 0, outExponents: 0, offset: 0 };
  const fields = { ...sums.fields, heads, headSize, ...target };
  bench.run(steps ? 'keys' : 'values', fields, at);
  return compareRows(rows, (row) => {
    const position = positions[row]!;
    const page = pages[Math.floor(position / PAGE_POSITIONS)]!;
    const place = { page, kvHeads: heads, headSize, position, areValues: steps === undefined };
    const wanted = wantedHeads(sums.row(row), options, { heads, position });
    return compareHeads(wanted, (h) => readKept(bench, place, h));
  });
}

const wantedHeads = (
  row: Parameters<typeof ops.splitHeads>[0],
  { steps }: HeadsOptions,
  { heads, position }: { readonly heads: number; readonly position: number },
) =>
  steps === undefined
    ? ops.splitHeads(row, heads)
    : ops.rope(row, steps, { headCount: heads, position });
