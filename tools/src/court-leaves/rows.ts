/**
 * Rows of every op as leaves of `contracts/test/dispute/Leaves.t.sol` expect them: drawn by hashes, computed by the
 * reference or by the WebAssembly kernels.
 */
import {
  exp2n,
  nextToken,
  referenceOps,
  ropeSteps,
  roundShift,
  scoreScaleQ24,
  type W8Matrix,
} from '@assay/engine';
import type { Attention, AttentionRows, KernelOps } from '@assay/engine/kernel-ops';
import { bigEndian, concat, toHex } from '@assay/protocol';
import { drawStream, type Stream } from './draw.js';

/** Largest magnitudes of the formats (arithmetic.md, section 3). */
const A16_MAX = 32_767;
const I30_MAX = 2 ** 30;
const WORD_MAX = 2 ** 31 - 1;
const GAIN_MAX = 2 ** 24 - 1;
const BLOCK = 32;

export const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));
export const row16 = (draw: Stream, size: number, exponent: number) => ({
  values: Int16Array.from(times(size, () => draw.signed(A16_MAX))),
  exponent,
});
const row30 = (draw: Stream, size: number, exponent: number) => ({
  values: Int32Array.from(times(size, () => draw.signed(I30_MAX))),
  exponent,
});
const residualRow = (draw: Stream, size: number) => ({
  values: Int32Array.from(times(size, () => draw.signed(WORD_MAX))),
  clampedCount: 0,
});

/** Every byte drawn alike; a quarter of the rows has all scales or all weights at their ends. */
function drawMatrix(draw: Stream, rows: number, cols: number): W8Matrix {
  const extreme = draw.word() % 4 === 0;
  const rowShifts = Uint8Array.from(times(rows, () => draw.between(0, 7)));
  const scales = Uint16Array.from(
    times((rows * cols) / BLOCK, () => (extreme ? 65_535 : draw.word() & 0xffff)),
  );
  const data = Int8Array.from(
    times(rows * cols, () => (extreme ? -128 : (draw.word() & 0xff) - 128)),
  );
  return { rows, cols, data, scales, rowShifts, exponent: draw.between(-40, -10) };
}

/** Big-endian two's complement. */
export const pack = (size: number, ...values: (number | bigint)[]): Uint8Array =>
  concat(values.map((value) => bigEndian(BigInt.asUintN(8 * size, BigInt(value)), size)));

const NO_WITNESS = 0xffff;

/**
 * An element that forces the exponent of its row: with more than half of the mantissa's range it needs every bit. A row
 * without one (all small, or exactly half) gives none.
 */
function witnessOf(values: ArrayLike<number>, bits: number): number {
  const index = Array.from(values).findIndex((m) => Math.abs(m) > 2 ** (bits - 1));
  return index < 0 ? NO_WITNESS : index;
}

/** Exponent (2 bytes), witness (2 bytes), mantissas. */
function packRow(row: { values: ArrayLike<number>; exponent: number }, bits: number): Uint8Array {
  const size = bits === 15 ? 2 : 4;
  const head = pack(2, row.exponent, witnessOf(row.values, bits));
  return concat([head, pack(size, ...Array.from(row.values))]);
}

/** Each op: leaves of a row, rows of the short lane, and the bytes expected of row i. */
export const COURT_OPS: Readonly<Record<string, CourtOp>> = {
  // 8 matrix rows against one row of activations; the exact sums, then the row.
  matmul: {
    rows: 256,
    leaves: 8,
    hasKernel: true,
    make(draw, ops, row) {
      const blocks = row % 32 === 0 ? 32 : draw.between(1, 4);
      const matrix = drawMatrix(draw, 8, BLOCK * blocks);
      const x = row16(draw, matrix.cols, draw.between(-20, 0));
      const sums = times(8, (o) => exactSum(matrix, o, x.values));
      return concat([packRow(ops.matmul(matrix, x), 30), pack(8, ...sums)]);
    },
  },
  embed: {
    rows: 64,
    leaves: 32,
    hasKernel: true,
    make(draw, ops) {
      const table = drawMatrix(draw, 1, BLOCK);
      return pack(4, ...ops.embed(table, 0, draw.between(12, 20)).values);
    },
  },
  rmsNorm: {
    rows: 64,
    leaves: 32,
    hasKernel: true,
    make(draw, ops) {
      const residual = residualRow(draw, 32);
      const data = Int32Array.from(times(32, () => draw.signed(GAIN_MAX)));
      const gains = { data, exponent: draw.between(-40, 0) };
      const residualBits = draw.between(12, 20);
      const epsilonQ40 = 2 ** draw.between(17, 34) - (draw.word() % 2) * 7;
      const result = ops.rmsNorm(residual, gains, { residualBits, epsilonQ40 });
      return concat([packRow(result, 15), normFacts(residual.values)]);
    },
  },
  rope: {
    rows: 64,
    leaves: 32,
    hasKernel: true,
    make(draw, ops) {
      const row = row30(draw, 32, draw.between(-40, 0));
      const position = draw.word() % 131_072;
      const [head] = ops.rope(row, ropeSteps(10_000, 32), { headCount: 1, position });
      return packRow(head!, 15);
    },
  },
  splitHeads: {
    rows: 64,
    leaves: 32,
    hasKernel: true,
    make(draw, ops) {
      return packRow(ops.splitHeads(row30(draw, 32, draw.between(-40, 0)), 1)[0]!, 15);
    },
  },
  // 8 keys; every head size from 2 to 64 that is even.
  scores: {
    rows: 256,
    leaves: 8,
    hasKernel: false,
    make(draw) {
      const size = 2 * draw.between(1, 32);
      const query = row16(draw, size, draw.between(-20, -6));
      const keys = times(8, () => row16(draw, size, draw.between(-20, -6)));
      return pack(4, ...referenceOps.scores(query, keys, scoreScaleQ24(size)));
    },
  },
  // Weights, then largest score, top exponent, S.
  softmax: {
    rows: 64,
    leaves: 32,
    hasKernel: false,
    make(draw) {
      const limit = draw.word() % 2 === 0 ? WORD_MAX : 4_000_000;
      const scoreRow = Int32Array.from(times(32, () => draw.signed(limit)));
      const exponents = times(32, () => draw.between(-24, -8));
      const values = exponents.map((exponent) => ({ values: new Int16Array(), exponent }));
      const result = referenceOps.softmax(scoreRow, values);
      const facts = [pack(4, Math.max(...scoreRow)), pack(2, Math.max(...exponents))];
      return concat([packRow(result, 30), ...facts, pack(8, result.sum)]);
    },
  },
  // 8 columns over 1 to 64 positions: one tile.
  mix: {
    rows: 256,
    leaves: 8,
    hasKernel: false,
    make(draw) {
      const positions = draw.between(1, 64);
      const P = times(positions, () => Math.abs(draw.signed(I30_MAX - 1)));
      const weights = { values: Int32Array.from(P), exponent: draw.between(-40, 0), sum: 0n };
      const values = times(positions, () => row16(draw, 8, 0));
      return packRow(referenceOps.mix(weights, values), 30);
    },
  },
  // 4 heads of 8, each with its own sum; then the top exponent.
  joinHeads: {
    rows: 64,
    leaves: 32,
    hasKernel: true,
    make(draw, ops) {
      const mixed = times(4, () => row30(draw, 8, draw.between(-40, 0)));
      const sums = times(4, () => BigInt(2 ** 30) * BigInt(draw.between(1, 131_072)));
      const heads = sums.map((sum) => ({ values: new Int32Array(), exponent: 0, sum }));
      return packRow(ops.joinHeads(mixed, heads), 15);
    },
  },
  swiGlu: {
    rows: 64,
    leaves: 32,
    hasKernel: true,
    make(draw, ops) {
      const gate = row30(draw, 32, draw.between(-40, 0));
      const up = row30(draw, 32, draw.between(-40, 0));
      return packRow(ops.swiGlu(gate, up), 15);
    },
  },
  residualAdd: {
    rows: 64,
    leaves: 32,
    hasKernel: true,
    make(draw, ops) {
      const residual = residualRow(draw, 32);
      const row = row30(draw, 32, draw.between(-60, 0));
      return pack(4, ...ops.residualAdd(residual, row, draw.between(12, 20)).values);
    },
  },
  logits: {
    rows: 64,
    leaves: 32,
    hasKernel: true,
    make(draw, ops) {
      return pack(4, ...ops.logits(row30(draw, 32, draw.between(-60, 0))));
    },
  },
  bias: {
    rows: 64,
    leaves: 32,
    hasKernel: true,
    make(draw, ops) {
      const row = row30(draw, 32, draw.between(-60, 20));
      const data = Int32Array.from(times(32, () => draw.signed(GAIN_MAX)));
      return packRow(ops.bias(row, { data, exponent: draw.between(-60, 20) }), 30);
    },
  },
  // 2 heads of 16; epsilon from negligible to all that counts.
  headNorm: {
    rows: 64,
    leaves: 32,
    hasKernel: true,
    make(draw, ops) {
      const row = row30(draw, 32, draw.between(-70, 20));
      const data = Int32Array.from(times(16, () => draw.signed(GAIN_MAX)));
      const gains = { data, exponent: draw.between(-40, 0) };
      const epsilonQ40 = 2 ** draw.between(17, 34) - (draw.word() % 2) * 7;
      return packRow(ops.headNorm(row, gains, { headCount: 2, epsilonQ40 }), 30);
    },
  },
  // What the kernels fuse: 32 scores, then 32 weights as those of softmax, then 32 columns of the mix.
  attention: {
    rows: 64,
    leaves: 32,
    hasKernel: true,
    make(draw, ops) {
      const query = row16(draw, 32, draw.between(-20, -6));
      const keys = times(32, () => row16(draw, 32, draw.between(-20, -6)));
      const values = times(32, () => row16(draw, 32, draw.between(-24, -8)));
      const scaleQ24 = scoreScaleQ24(32);
      const { scores, weights, mixed } = ops.attention({ query, keys, values, scaleQ24 });
      const top = Math.max(...values.map(({ exponent }) => exponent));
      const facts = [pack(4, Math.max(...scores)), pack(2, top), pack(8, weights.sum)];
      return concat([pack(4, ...scores), packRow(weights, 30), ...facts, packRow(mixed, 30)]);
    },
  },
  // 64 logits: the token, the cuts and the sums that prove them.
  sampler: {
    rows: 32,
    leaves: 64,
    hasKernel: false,
    make(draw) {
      const limit = draw.word() % 2 === 0 ? WORD_MAX : 400_000;
      const row = Int32Array.from(times(64, () => draw.signed(limit)));
      const settings = {
        tau: draw.word() % 4 === 0 ? 0 : draw.word() >>> draw.between(0, 20),
        topK: draw.word() % 2 === 0 ? 0 : draw.between(1, 64),
        topP: draw.word() % 2 === 0 ? 0 : draw.word() >>> 2,
        minP: draw.word() % 2 === 0 ? 0 : draw.word() >>> draw.between(2, 12),
      };
      const seed = concat(times(8, () => pack(4, draw.word())));
      const token = nextToken(row, settings, seed, draw.word());
      return concat([pack(4, token), cutFacts(row, settings)]);
    },
  },
};

/** What computes a row: the reference, or the WebAssembly kernels behind the same signatures. */
export type LeafOps = KernelOps;

type RowMaker = (draw: Stream, ops: LeafOps, row: number) => Uint8Array;

export type CourtOp = {
  readonly rows: number;
  readonly leaves: number;
  /** False where no kernel computes the op alone: {@link COURT_OPS.attention} has it among others. */
  readonly hasKernel: boolean;
  readonly make: RowMaker;
};

export const REFERENCE: LeafOps = { ...referenceOps, attention: referenceAttention };

function referenceAttention({ query, keys, values, scaleQ24 }: Attention): AttentionRows {
  const scores = referenceOps.scores(query, keys, scaleQ24);
  const weights = referenceOps.softmax(scores, values);
  return { scores, weights, mixed: referenceOps.mix(weights, values) };
}

/** 2^r * sum of s * w * x over a row, from the definition. */
export function exactSum(matrix: W8Matrix, o: number, x: Int16Array): bigint {
  let sum = 0n;
  x.forEach((value, k) => {
    const index = o * matrix.cols + k;
    const scale = matrix.scales[Math.floor(index / BLOCK)]!;
    sum += BigInt(matrix.data[index]! * value) * BigInt(scale);
  });
  return sum << BigInt(matrix.rowShifts[o]!);
}

/** Pre-shift, sum of squares, an element that forces the shift. */
function normFacts(residual: Int32Array): Uint8Array {
  const lengths = Array.from(residual, (h) => Math.abs(h).toString(2).length);
  const shift = Math.max(0, Math.max(...lengths) - 24);
  let squares = 0n;
  for (const h of residual) squares += roundShift(BigInt(h), shift) ** 2n;
  const witness = shift === 0 ? NO_WITNESS : lengths.indexOf(24 + shift);
  return concat([pack(1, shift), pack(8, squares), pack(2, witness)]);
}

type Settings = Parameters<typeof nextToken>[1];

/** Ids of the largest logit, of the last token of top-k and of top-p; then S and C. */
function cutFacts(row: Int32Array, settings: Settings): Uint8Array {
  const order = Array.from(row.keys()).sort((a, b) => row[b]! - row[a]! || a - b);
  const ranked = settings.topK > 0 ? order.slice(0, settings.topK) : order;
  const z = (id: number) => roundShift(BigInt(row[id]!) * BigInt(settings.tau), 16);
  const weight = (id: number) => exp2n(z(order[0]!) - z(id));
  const sum = ranked.reduce((total, id) => total + weight(id), 0n);
  let count = 0;
  let share = 0n;
  while (share << 30n < BigInt(settings.topP) * sum) share += weight(ranked[count++]!);
  const cuts = [order[0]!, ranked.at(-1)!, ranked[Math.max(0, count - 1)]!];
  return concat([pack(4, ...cuts), pack(8, sum, share)]);
}

/** What Leaves.t.sol reads of some rows of an op. */
export type LeafFile = {
  readonly op: string;
  readonly first: number;
  readonly leaves: number;
  readonly rows: readonly string[];
};

export function leafFile(
  op: string,
  { first, rows, ops }: { readonly first: number; readonly rows: number; readonly ops: LeafOps },
): LeafFile {
  const { leaves, make } = COURT_OPS[op]!;
  const expected = times(rows, (i) => toHex(make(drawStream(op, first + i), ops, first + i)));
  return { op, first, leaves: rows * leaves, rows: expected };
}
