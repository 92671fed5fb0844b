/**
 * The ops of `flex16-w8a16-v0`, one readable function each, in the order in which a token meets them; numbers are the
 * sections of `docs/reference/arithmetic.md`. Everything is BigInt, except sums of products that provably stay below
 * 2^53, which are doubles used as integers. This is the definition; faster kernels must give the same bits.
 */
import { bitLength, bitLengthMax, clampBits, isqrt, roundShift } from '../integer.js';
import { BLOCK_SIZE } from '../model-config.js';
import { cosSin, exp2n } from '../tables.js';
import type { Gains, W8Matrix } from '../weights.js';
import {
  quantise,
  quantise30,
  type ResidualRow,
  type Row16,
  type Row30,
  saturate,
  type WeightRow,
  type WideRow,
  widen,
} from './rows.js';

/** 5.1 Row `token` of the table, on the residual grid. */
export function embed(table: W8Matrix, token: number, residualBits: number): ResidualRow {
  const { cols, data, scales, exponent } = table;
  const rowShift = BigInt(table.rowShifts[token]!);
  const values = Array.from({ length: cols }, (_, k) => {
    const index = token * cols + k;
    const weight = data[index]! * scales[Math.floor(index / BLOCK_SIZE)]!;
    return roundShift(BigInt(weight) << rowShift, -residualBits - exponent);
  });
  return saturate(values);
}

/** 5.2 n = h / sqrt(mean(h^2) + epsilon) in Q24, times the gains. */
export function rmsNorm(
  residual: ResidualRow,
  gains: Gains,
  parameters: { readonly residualBits: number; readonly epsilonQ40: number },
): Row16 {
  const h = widen(residual);
  const preShift = Math.max(0, bitLengthMax(h) - 24);
  const grid = { preShift, exponent: -parameters.residualBits };
  const values = normalise(h, gains, { ...grid, epsilonQ40: parameters.epsilonQ40 });
  return quantise({ values, exponent: gains.exponent - 24 });
}

/** x / sqrt(mean(x^2) + epsilon), with x in units of 2^exponent, in Q24 times the gains. */
function normalise(
  x: readonly bigint[],
  gains: Gains,
  grid: { readonly preShift: number; readonly exponent: number; readonly epsilonQ40: number },
): bigint[] {
  const { inverse, halfScale } = inverseRoot(x, grid);
  const shift = 37 - halfScale + grid.preShift;
  return x.map(
    (each, i) => clampBits(roundShift(each * inverse, shift), 31) * BigInt(gains.data[i]!),
  );
}

/** 1 / sqrt(mean square) as `inverse` / 2^(61 - halfScale), in units of the pre-shifted elements. */
function inverseRoot(
  x: readonly bigint[],
  grid: { readonly preShift: number; readonly exponent: number; readonly epsilonQ40: number },
): { inverse: bigint; halfScale: number } {
  const { preShift, exponent, epsilonQ40 } = grid;
  const epsilon = shiftFloor(BigInt(epsilonQ40), -2 * exponent - 2 * preShift - 40);
  let sum = BigInt(x.length) * epsilon;
  for (const each of x) sum += roundShift(each, preShift) ** 2n;
  // Only a row of zeros under a coarse grid has no sum at all, and any root will do for it.
  if (sum === 0n) sum = 1n;
  const firstShift = Math.max(0, 61 - bitLength(sum));
  const mean = (sum << BigInt(firstShift)) / BigInt(x.length);
  let secondShift = 62 - bitLength(mean);
  if ((firstShift + secondShift) % 2 !== 0) secondShift -= 1;
  const root = isqrt(mean << BigInt(secondShift));
  return { inverse: (1n << 61n) / root, halfScale: (firstShift + secondShift) / 2 };
}

/** 5.3 Every row of the matrix against `x`: per block an integer dot, times the block's scale, summed exactly. */
export const matmul = (matrix: W8Matrix, x: Row16): Row30 => quantise30(matmulSums(matrix, x));

/** The sums of {@link matmul} before they are stored. */
export function matmulSums(matrix: W8Matrix, x: Row16): WideRow {
  const values = Array.from({ length: matrix.rows }, (_, row) => {
    return dotRow(matrix, row, x.values) << BigInt(matrix.rowShifts[row]!);
  });
  return { values, exponent: x.exponent + matrix.exponent };
}

/** Blocks after which a sum of scaled block dots, each below 2^43, could leave the exact range of a double. */
const EXACT_BLOCKS = 1024;

function dotRow(matrix: W8Matrix, row: number, x: Int16Array): bigint {
  const blockCount = matrix.cols / BLOCK_SIZE;
  let total = 0n;
  let sum = 0;
  for (let block = 0; block < blockCount; block++) {
    if (block % EXACT_BLOCKS === 0 && block > 0) {
      total += BigInt(sum);
      sum = 0;
    }
    sum += matrix.scales[row * blockCount + block]! * dotBlock(matrix, row, block, x);
  }
  return total + BigInt(sum);
}

function dotBlock({ data, cols }: W8Matrix, row: number, block: number, x: Int16Array): number {
  const from = block * BLOCK_SIZE;
  const offset = row * cols;
  let sum = 0;
  for (let k = from; k < from + BLOCK_SIZE; k++) sum += data[offset + k]! * x[k]!;
  return sum;
}

/** 5.4 Adjacent pairs of each head turned by position * step, then each head quantised. */
export function rope(
  row: Row30,
  steps: BigUint64Array,
  { headCount, position }: { readonly headCount: number; readonly position: number },
): Row16[] {
  const turns = Array.from(steps, (step) => cosSin(BigInt.asUintN(64, step * BigInt(position))));
  return splitRow(row, headCount).map((head) => {
    const values: bigint[] = [];
    turns.forEach(({ cos, sin }, pair) => {
      const a = head[2 * pair]!;
      const b = head[2 * pair + 1]!;
      values.push(a * cos - b * sin, a * sin + b * cos);
    });
    return quantise({ values, exponent: row.exponent - 30 });
  });
}

/** 5.5 Each head quantised by itself. */
export function splitHeads(row: Row30, headCount: number): Row16[] {
  return splitRow(row, headCount).map((values) => quantise({ values, exponent: row.exponent }));
}

function splitRow(row: Row30, headCount: number): bigint[][] {
  const values = widen(row);
  const size = values.length / headCount;
  return Array.from({ length: headCount }, (_, h) => values.slice(h * size, (h + 1) * size));
}

/** 5.6 One head's query against its keys at positions 0..t, in base-2 units, Q16. */
export function scores(query: Row16, keys: readonly Row16[], scaleQ24: number): Int32Array {
  const scale = BigInt(scaleQ24);
  return Int32Array.from(keys, (key) => {
    const dot = BigInt(dotHeads(query.values, key.values));
    const shift = 8 - query.exponent - key.exponent;
    return Number(clampBits(roundShift(dot * scale, shift), 31));
  });
}

function dotHeads(a: Int16Array, b: Int16Array): number {
  let sum = 0;
  for (let d = 0; d < a.length; d++) sum += a[d]! * b[d]!;
  return sum;
}

/** 5.7 Softmax in two passes, weights in 30 bits with the exponents of the values folded in. */
export function softmax(scoreRow: Int32Array, values: readonly Row16[]): WeightRow {
  const largest = BigInt(scoreRow.reduce((max, score) => Math.max(max, score)));
  const topExponent = values.reduce((max, { exponent }) => Math.max(max, exponent), -Infinity);
  const powers = Array.from(scoreRow, (score) => exp2n(largest - BigInt(score)));
  const folded = powers.map((power, i) =>
    roundShift(power << 16n, topExponent - values[i]!.exponent),
  );
  const shift = Math.max(0, bitLengthMax(folded) - 30);
  return {
    values: Int32Array.from(folded, (p) => Number(clampBits(roundShift(p, shift), 30))),
    exponent: topExponent - 16 + shift,
    sum: powers.reduce((sum, power) => sum + power, 0n),
  };
}

/** 5.8 Weighted sum of one head's values; the weights in two 15-bit halves, so that both sums are exact doubles. */
export function mix(weights: WeightRow, values: readonly Row16[]): Row30 {
  const size = values[0]!.values.length;
  const sums = Array.from({ length: size }, (_, d) => {
    let high = 0;
    let low = 0;
    weights.values.forEach((weight, i) => {
      const value = values[i]!.values[d]!;
      high += (weight >> 15) * value;
      low += (weight & 0x7fff) * value;
    });
    return (BigInt(high) << 15n) + BigInt(low);
  });
  return quantise30({ values: sums, exponent: weights.exponent });
}

/** 5.9 Each head divided by its weight sum; all heads on the largest head exponent; the row quantised. */
export function joinHeads(mixed: readonly Row30[], weights: readonly WeightRow[]): Row16 {
  const heads = mixed.map((head, h) => {
    const inverse = (1n << 62n) / weights[h]!.sum;
    const shift = Math.max(0, bitLength(inverse) - 31);
    const factor = inverse >> BigInt(shift);
    return {
      values: widen(head).map((x) => x * factor),
      exponent: head.exponent + shift - 62,
    };
  });
  const exponent = heads.reduce((max, head) => Math.max(max, head.exponent), -Infinity);
  const values = heads.flatMap((head) =>
    head.values.map((x) => roundShift(x, exponent - head.exponent)),
  );
  return quantise({ values, exponent });
}

/** round(log2(e) * 2^30). */
const LOG2E_Q30 = 1_549_082_005n;

/** 5.10 gate * sigmoid(gate) * up. */
export function swiGlu(gate: Row30, up: Row30): Row16 {
  const values = widen(gate).map((x, i) => {
    const g = clampBits(roundShift(x, -16 - gate.exponent), 31);
    const silu = roundShift(g * sigmoid(g), 30);
    return silu * BigInt(up.values[i]!);
  });
  return quantise({ values, exponent: up.exponent - 16 });
}

/** 1 / (1 + 2^(-x log2(e))) in Q30 for x in Q16. */
function sigmoid(x: bigint): bigint {
  const magnitude = x < 0n ? -x : x;
  const power = exp2n(roundShift(magnitude * LOG2E_Q30, 30));
  const positive = (1n << 60n) / ((1n << 30n) + power);
  return x < 0n ? (1n << 30n) - positive : positive;
}

/** 5.11 The row added on the residual grid. */
export function residualAdd(residual: ResidualRow, row: Row30, residualBits: number): ResidualRow {
  const shift = -residualBits - row.exponent;
  return saturate(widen(residual).map((x, i) => x + roundShift(BigInt(row.values[i]!), shift)));
}

/** 5.12 The row on the grid 2^-16. */
export function logits(row: Row30): Int32Array {
  const shift = -16 - row.exponent;
  return Int32Array.from(row.values, (x) => Number(clampBits(roundShift(BigInt(x), shift), 31)));
}

/** 5.13 The row plus a vector. */
export const bias = (row: Row30, vector: Gains): Row30 => quantise30(biasSums(row, vector));

/** The sums of {@link bias} before they are stored, on a grid that is finer than both. */
export function biasSums(row: Row30, vector: Gains): WideRow {
  const exponent = Math.max(row.exponent, vector.exponent) - 30;
  const values = widen(row).map(
    (y, i) =>
      roundShift(y, exponent - row.exponent) +
      roundShift(BigInt(vector.data[i]!), exponent - vector.exponent),
  );
  return { values, exponent };
}

type HeadNormParameters = { readonly headCount: number; readonly epsilonQ40: number };

/** 5.14 Each head divided by its root mean square, times the gains; one exponent for the row. */
export const headNorm = (row: Row30, gains: Gains, parameters: HeadNormParameters): Row30 =>
  quantise30(headNormProducts(row, gains, parameters));

/** The products of {@link headNorm} before they are stored: normalised values in Q24 times gains. */
export function headNormProducts(
  row: Row30,
  gains: Gains,
  { headCount, epsilonQ40 }: HeadNormParameters,
): WideRow {
  const { exponent } = row;
  // The shift from which on epsilon has at most 48 bits.
  const forEpsilon = ((bitLength(BigInt(epsilonQ40)) - 87) >> 1) - exponent;
  const values = splitRow(row, headCount).flatMap((head) => {
    const preShift = Math.max(0, bitLengthMax(head) - 24, forEpsilon);
    return normalise(head, gains, { preShift, exponent, epsilonQ40 });
  });
  return { values, exponent: gains.exponent - 24 };
}

const shiftFloor = (x: bigint, shift: number): bigint =>
  shift >= 0 ? x << BigInt(shift) : x >> BigInt(-shift);
