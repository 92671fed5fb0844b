/**
 * One differential case per op and seed: random rows with a taste for extremes, computed by the reference op and by
 * the WebAssembly kernel, compared bit by bit. Used by the short lane (`kernels.test.ts`) and the long one
 * (`kernels.fuzz.ts`).
 */
import { scoreScaleQ24 } from '../../graph.js';
import { bitLengthMax } from '../../integer.js';
import * as ops from '../../reference/ops.js';
import { quantise30, type Row16, type Row30 } from '../../reference/rows.js';
import { ropeSteps } from '../../rope-steps.js';
import type { W8Matrix } from '../../weights.js';
import { keptBytes, PAGE_POSITIONS, paddedHead } from '../pages.js';
import {
  type Draw,
  drawA16,
  drawExponent,
  drawFrom,
  drawGains,
  drawMatrix,
  drawWidth,
} from './draw.js';
import type { KernelBench } from './kernel-bench.js';

/** What differs, or undefined. Values are short texts so that a failure can be read. */
export type Difference = { readonly what: string; readonly seed: number } | undefined;

export type KernelCase = (bench: KernelBench, seed: number) => Difference;

/** Sums as a matmul leaves them, and the I30 row that the reference makes of them. */
function drawSums(bench: KernelBench, draw: Draw, count: number) {
  const bits = draw.pick([61, 61, 35, 20, 0]);
  const values = BigInt64Array.from({ length: count }, () => draw.wide(bits));
  if (draw.below(8) === 0) values.fill(draw.pick([2n ** 61n, 1n - 2n ** 30n, 2n ** 30n]));
  const exponent = drawExponent(draw) - draw.below(60);
  const mask = values.reduce((seen, x) => seen | (x < 0n ? -x : x), 0n);
  const row = quantise30({ values: Array.from(values), exponent });
  const fields = {
    values: bench.put(values),
    exponents: bench.put(Int32Array.of(exponent)),
    masks: bench.put(BigInt64Array.of(mask, 0n)),
    stride: count,
  };
  return { row, fields };
}

const gateFields = (sums: { values: number; exponents: number; masks: number }) => ({
  gateValues: sums.values,
  gateExponents: sums.exponents,
  gateMasks: sums.masks,
});

const upFields = (sums: { values: number; exponents: number; masks: number }) => ({
  upValues: sums.values,
  upExponents: sums.exponents,
  upMasks: sums.masks,
});

/** The first difference between two lists of numbers. */
function compare(
  what: string,
  seed: number,
  wanted: ArrayLike<number | bigint>,
  found: ArrayLike<number | bigint>,
): Difference {
  if (wanted.length !== found.length) return { what: `${what}: length`, seed };
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] !== found[i]) {
      return { what: `${what}[${i}]: reference ${wanted[i]}, kernel ${found[i]}`, seed };
    }
  }
  return undefined;
}

function compareRow16(
  seed: number,
  wanted: Row16,
  found: { readonly values: Int16Array; readonly exponent: number },
): Difference {
  return (
    compare('exponent', seed, [wanted.exponent], [found.exponent]) ??
    compare('values', seed, wanted.values, found.values)
  );
}

/** Room for an A16 row and a reader of it. */
function row16Room(bench: KernelBench, count: number) {
  const out = bench.room(2 * count);
  const outExponents = bench.room(4);
  return {
    fields: { out, outExponents },
    read: () => ({
      values: bench.int16(out, count),
      exponent: bench.int32(outExponents, 1)[0]!,
    }),
  };
}

/** Room for a row of sums that an instruction writes, and a reader of it. */
function sumsRoom(bench: KernelBench, count: number) {
  const sums = {
    values: bench.room(8 * count),
    exponents: bench.room(4),
    masks: bench.room(16),
    stride: count,
  };
  return {
    fields: { outValues: sums.values, outExponents: sums.exponents, outMasks: sums.masks },
    read: () => readSums(bench, sums, 0),
  };
}

export const KERNEL_CASES = {
  embed(bench, seed) {
    const draw = drawFrom(seed);
    const width = drawWidth(draw);
    const matrix = drawMatrix(draw, 8, width);
    const token = draw.below(8);
    const residualBits = 12 + draw.below(9);
    const wanted = ops.embed(matrix, token, residualBits);
    const out = bench.room(4 * width);
    const tokens = bench.put(Uint32Array.of(token));
    const fields = { ...bench.pack(matrix), width, residualBits, out };
    const clamped = bench.run('embed', fields, { tokens });
    return (
      compare('clamped', seed, [wanted.clampedCount], [clamped]) ??
      compare('values', seed, wanted.values, bench.int32(out, width))
    );
  },

  rmsNorm(bench, seed) {
    const draw = drawFrom(seed);
    const width = drawWidth(draw);
    const bits = draw.pick([31, 31, 24, 12, 0]);
    const h = Int32Array.from({ length: width }, () => Number(draw.wide(bits)));
    if (draw.below(8) === 0) h.fill(draw.pick([2 ** 31 - 1, 1 - 2 ** 31, 1]));
    const data = Int32Array.from({ length: width }, () => Number(draw.wide(24)));
    const gains = { data, exponent: draw.below(40) - 30 };
    const residualBits = 12 + draw.below(9);
    const epsilonQ40 = draw.pick([109_951, 1_099_512, 10_995_116, 10_995_116_278]);
    const wanted = ops.rmsNorm({ values: h, clampedCount: 0 }, gains, { residualBits, epsilonQ40 });
    const room = row16Room(bench, width);
    bench.run('norm', {
      input: bench.put(h),
      width,
      gains: bench.put(data),
      gainExponent: gains.exponent,
      epsilonLow: epsilonQ40 % 2 ** 32,
      epsilonHigh: Math.floor(epsilonQ40 / 2 ** 32),
      residualBits,
      ...room.fields,
    });
    return compareRow16(seed, wanted, room.read());
  },

  matmul(bench, seed) {
    const draw = drawFrom(seed);
    const width = drawWidth(draw);
    return matmulCase(bench, seed, {
      draw,
      rows: 1 + draw.below(20),
      width,
      outputs: 4 * (1 + draw.below(3)),
    });
  },

  rope(bench, seed) {
    const draw = drawFrom(seed);
    const headSize = 2 * (1 + draw.below(draw.pick([4, 64])));
    const heads = 1 + draw.below(3);
    const steps = ropeSteps(2 + draw.below(1_000_000), headSize);
    const { row, fields } = drawSums(bench, draw, heads * headSize);
    const position = draw.pick([0, 1, draw.below(131_072)]);
    const wanted = ops.rope(row, steps, { headCount: heads, position });
    const padded = paddedHead(headSize);
    const out = bench.room(heads * padded * 2);
    const outExponents = bench.room(heads * 4);
    const target = { steps: bench.put(steps), out, outExponents, offset: 0 };
    bench.run('query', { ...fields, heads, headSize, ...target }, bench.rowAt(position));
    return compareHeads(seed, wanted, {
      exponents: bench.int32(outExponents, heads),
      head: (h) => bench.int16(out + h * padded * 2, padded),
    });
  },

  splitHeads(bench, seed) {
    const draw = drawFrom(seed);
    const headSize = 2 * (1 + draw.below(32));
    const heads = 1 + draw.below(3);
    const { row, fields } = drawSums(bench, draw, heads * headSize);
    const wanted = ops.splitHeads(row, heads);
    const page = bench.room(keptBytes(heads, headSize));
    const pages = bench.put(Uint32Array.of(page));
    const position = draw.below(PAGE_POSITIONS);
    const target = { steps: 0, out: 0, outExponents: 0, offset: 0 };
    bench.run('values', { ...fields, heads, headSize, ...target }, bench.rowAt(position, pages));
    const padded = paddedHead(headSize);
    const bytes = heads * PAGE_POSITIONS * padded * 2;
    return compareHeads(seed, wanted, {
      exponents: Int32Array.from(
        wanted,
        (_, h) => bench.int32(page + bytes, heads * PAGE_POSITIONS)[h * PAGE_POSITIONS + position]!,
      ),
      head: (h) =>
        readInterleaved(bench, page + h * PAGE_POSITIONS * padded * 2, { padded, position }),
    });
  },

  attention: (bench, seed) => attentionCase(bench, seed),

  swiGlu(bench, seed) {
    const draw = drawFrom(seed);
    const width = drawWidth(draw);
    const gate = drawSums(bench, draw, width);
    const up = drawSums(bench, draw, width);
    const wanted = ops.swiGlu(gate.row, up.row);
    const room = row16Room(bench, width);
    const fields = { ...gateFields(gate.fields), ...upFields(up.fields), stride: width, width };
    bench.run('swiGlu', { ...fields, ...room.fields });
    return compareRow16(seed, wanted, room.read());
  },

  residualAdd(bench, seed) {
    const draw = drawFrom(seed);
    const width = drawWidth(draw);
    const bits = draw.pick([31, 20]);
    const h = Int32Array.from({ length: width }, () => Number(draw.wide(bits)));
    const { row, fields } = drawSums(bench, draw, width);
    const residualBits = 12 + draw.below(9);
    const wanted = ops.residualAdd({ values: h, clampedCount: 0 }, row, residualBits);
    const out = bench.room(4 * width);
    const target = { residual: bench.put(h), width, residualBits, out };
    const clamped = bench.run('residualAdd', { ...fields, ...target });
    return (
      compare('clamped', seed, [wanted.clampedCount], [clamped]) ??
      compare('values', seed, wanted.values, bench.int32(out, width))
    );
  },

  logits(bench, seed) {
    const draw = drawFrom(seed);
    const count = 4 * (1 + draw.below(50));
    const { row, fields } = drawSums(bench, draw, count);
    const logits = bench.room(4 * count);
    bench.run('logits', { ...fields, count }, { logits });
    return compare('values', seed, ops.logits(row), bench.int32(logits, count));
  },

  bias(bench, seed) {
    const draw = drawFrom(seed);
    const count = 4 * (1 + draw.below(50));
    const { row, fields } = drawSums(bench, draw, count);
    const vector = drawGains(draw, count);
    const wanted = ops.bias(row, vector);
    const room = sumsRoom(bench, count);
    const given = { vector: bench.put(vector.data), vectorExponent: vector.exponent };
    bench.run('bias', { ...fields, width: count, ...given, ...room.fields });
    return compareSums(seed, wanted, room.read());
  },

  headNorm(bench, seed) {
    const draw = drawFrom(seed);
    const headSize = 2 * (1 + draw.below(draw.pick([4, 64, 128])));
    const headCount = draw.pick([2, 4, 6]);
    const { row, fields } = drawSums(bench, draw, headCount * headSize);
    const gains = drawGains(draw, headSize);
    const epsilonQ40 = draw.pick([65_536, 1_099_512, 10_995_116, 2 ** 34]);
    const wanted = ops.headNorm(row, gains, { headCount, epsilonQ40 });
    const room = sumsRoom(bench, headCount * headSize);
    const given = {
      heads: headCount,
      headSize,
      gains: bench.put(gains.data),
      gainExponent: gains.exponent,
      epsilonLow: epsilonQ40 % 2 ** 32,
      epsilonHigh: Math.floor(epsilonQ40 / 2 ** 32),
    };
    bench.run('headNorm', { ...fields, ...given, ...room.fields });
    return compareSums(seed, wanted, room.read());
  },
} as const satisfies Readonly<Record<string, KernelCase>>;

export type KernelCaseName = keyof typeof KERNEL_CASES;

/** Several activation rows against one matrix: exact sums, masks and exponents. */
export function matmulCase(
  bench: KernelBench,
  seed: number,
  options: {
    readonly draw: Draw;
    readonly rows: number;
    readonly width: number;
    readonly outputs: number;
    readonly matrix?: W8Matrix;
    readonly input?: Int16Array;
  },
): Difference {
  const { draw, rows, width, outputs } = options;
  const matrix = options.matrix ?? drawMatrix(draw, outputs, width);
  const x = Array.from({ length: rows }, () => options.input ?? drawA16(draw, width));
  const exponents = Int32Array.from(x, () => drawExponent(draw));
  const joined = new Int16Array(rows * width);
  for (const [row, values] of x.entries()) joined.set(values, row * width);
  const fields = {
    values: bench.room(8 * rows * outputs),
    exponents: bench.room(4 * rows),
    masks: bench.room(16 * rows),
    stride: outputs,
  };
  const input = { input: bench.put(joined), inputExponents: bench.put(exponents), k: width };
  bench.run('matmul', { ...input, ...bench.pack(matrix), ...fields }, { rows });
  for (let row = 0; row < rows; row++) {
    const wanted = ops.matmul(matrix, { values: x[row]!, exponent: exponents[row]! });
    const difference = compareSums(seed, wanted, readSums(bench, fields, row));
    if (difference !== undefined) return difference;
  }
  return undefined;
}

type SumsFields = {
  readonly values: number;
  readonly exponents: number;
  readonly masks: number;
  readonly stride: number;
};

const readSums = (bench: KernelBench, sums: SumsFields, row: number) => ({
  values: Array.from(bench.int64(sums.values + 8 * row * sums.stride, sums.stride)),
  exponent: bench.int32(sums.exponents, row + 1)[row]!,
  mask: Array.from(bench.int64(sums.masks + 16 * row, 2)),
});

function compareSums(
  seed: number,
  wanted: Row30,
  found: { values: bigint[]; exponent: number; mask: bigint[] },
): Difference {
  const row = quantise30(found);
  return (
    compare('exponent', seed, [wanted.exponent], [row.exponent]) ??
    compare('values', seed, wanted.values, row.values) ??
    compare('mask bits', seed, [bitLengthMax(found.values)], [bitLengthMax(found.mask)])
  );
}

function compareHeads(
  seed: number,
  wanted: readonly Row16[],
  found: { readonly exponents: Int32Array; readonly head: (h: number) => Int16Array },
): Difference {
  for (const [h, row] of wanted.entries()) {
    const padding = new Int16Array(paddedHead(row.values.length));
    padding.set(row.values);
    const exponent = found.exponents[h]!;
    const difference = compareRow16(
      seed,
      { ...row, values: padding },
      { values: found.head(h), exponent },
    );
    if (difference !== undefined) return difference;
  }
  return undefined;
}

/** A value row as it lies among its neighbours in a page. */
function readInterleaved(
  bench: KernelBench,
  rows: number,
  { padded, position }: { readonly padded: number; readonly position: number },
): Int16Array {
  const pair = bench.int16(rows + (position >> 1) * padded * 4, 2 * padded);
  return Int16Array.from({ length: padded }, (_, d) => pair[2 * d + (position & 1)]!);
}

/** Attention of all heads at one position, joined: the four ops that two instructions compute. */
function attentionCase(bench: KernelBench, seed: number): Difference {
  const draw = drawFrom(seed);
  // Other sizes than whole blocks need many heads, and long prompts many rows: both are rarer, not left out.
  const usual = draw.below(10) < 8;
  const headSize = usual ? 32 : draw.pick([64, 128, 16, 2 * (1 + draw.below(128))]);
  const kvHeads = 1 + draw.below(2);
  // The joined row must be whole blocks, as in every model.
  const heads = kvHeads * (headSize % 32 === 0 ? 1 + draw.below(2) : 16);
  const count = 1 + draw.below(usual ? draw.pick([4, 4, 4, 9, 9, 70]) : draw.pick([4, 9, 70, 200]));
  const spread = draw.pick([0, 3, 40]);
  const rowOf = (): Row16 => ({
    values: drawA16(draw, headSize),
    exponent: draw.below(spread + 1) - draw.pick([10, 20]),
  });
  const query = Array.from({ length: heads }, rowOf);
  const keys = Array.from({ length: count }, () => Array.from({ length: kvHeads }, rowOf));
  const values = Array.from({ length: count }, () => Array.from({ length: kvHeads }, rowOf));
  const scaleQ24 = scoreScaleQ24(headSize);
  const wanted = referenceAttention({ query, keys, values, scaleQ24 });
  // As after a truncated session: what lies behind the last position looks like rows and must not count.
  const stale = Array.from({ length: draw.below(5) }, () => Array.from({ length: kvHeads }, rowOf));
  const kept = { keys: [...keys, ...stale], values: [...values, ...stale] };
  const pages = layPages(bench, { ...kept, headSize });
  const mixed = bench.room(heads * 4 * paddedHead(headSize));
  const results = bench.room(16 * heads);
  const room = row16Room(bench, heads * headSize);
  const sizes = { heads, headSize };
  bench.run(
    'attend',
    {
      query: layHeads(bench, query),
      queryExponents: bench.put(Int32Array.from(query, ({ exponent }) => exponent)),
      keys: 0,
      keptValues: keptBytes(kvHeads, headSize),
      kvHeads,
      scaleQ24,
      out: mixed,
      results,
      ...sizes,
    },
    bench.rowAt(count - 1, pages),
  );
  bench.run('join', { mixed, results, ...sizes, ...room.fields });
  return compareRow16(seed, wanted, room.read());
}

function referenceAttention(options: {
  readonly query: readonly Row16[];
  readonly keys: readonly Row16[][];
  readonly values: readonly Row16[][];
  readonly scaleQ24: number;
}): Row16 {
  const { query, keys, values, scaleQ24 } = options;
  const shared = (rows: readonly Row16[][], h: number) =>
    rows.map((heads) => heads[Math.floor((h * heads.length) / query.length)]!);
  const weights = query.map((head, h) =>
    ops.softmax(ops.scores(head, shared(keys, h), scaleQ24), shared(values, h)),
  );
  return ops.joinHeads(
    weights.map((row, h) => ops.mix(row, shared(values, h))),
    weights,
  );
}

/** Heads of one position, each padded with zeros. */
function layHeads(bench: KernelBench, heads: readonly Row16[]): number {
  const padded = paddedHead(heads[0]!.values.length);
  const joined = new Int16Array(heads.length * padded);
  for (const [h, { values }] of heads.entries()) joined.set(values, h * padded);
  return bench.put(joined);
}

/** Pages with keys and values, and their table; positions that were not written hold stale numbers. */
function layPages(
  bench: KernelBench,
  kept: {
    readonly keys: readonly Row16[][];
    readonly values: readonly Row16[][];
    readonly headSize: number;
  },
): number {
  const { keys, values, headSize } = kept;
  const kvHeads = keys[0]!.length;
  const bytes = keptBytes(kvHeads, headSize);
  const pages = Array.from({ length: Math.ceil(keys.length / PAGE_POSITIONS) }, () =>
    bench.room(2 * bytes),
  );
  keys.forEach((heads, position) => {
    heads.forEach((row, h) => {
      writeKept(bench, {
        page: pages[Math.floor(position / PAGE_POSITIONS)]!,
        row,
        h,
        kvHeads,
        position,
      });
    });
  });
  values.forEach((heads, position) => {
    const page = pages[Math.floor(position / PAGE_POSITIONS)]! + bytes;
    heads.forEach((row, h) => {
      writeKept(bench, { page, row, h, kvHeads, position, interleaved: true });
    });
  });
  return bench.put(Uint32Array.from(pages));
}

function writeKept(
  bench: KernelBench,
  options: {
    readonly page: number;
    readonly row: Row16;
    readonly h: number;
    readonly kvHeads: number;
    readonly position: number;
    readonly interleaved?: boolean;
  },
): void {
  const { page, row, h, kvHeads, position, interleaved } = options;
  const padded = paddedHead(row.values.length);
  const slot = position % PAGE_POSITIONS;
  const rows = bench.int16(page + h * PAGE_POSITIONS * padded * 2, PAGE_POSITIONS * padded);
  for (let d = 0; d < padded; d++) {
    const at = interleaved ? ((slot >> 1) * padded + d) * 2 + (slot & 1) : slot * padded + d;
    rows[at] = row.values[d] ?? 0;
  }
  const exponents = page + kvHeads * PAGE_POSITIONS * padded * 2;
  bench.int32(exponents, kvHeads * PAGE_POSITIONS)[h * PAGE_POSITIONS + slot] = row.exponent;
}
