/**
 * Matrix kernels as a machine or a build would have them that is not fit to compute committed steps: sums in floats of
 * 32 bits, pairs of products that saturate at 16 bits (pmaddubsw), bytes whose sign a machine may choose (relaxed
 * SIMD). Each is a backend that is the reference in all else.
 */
import type { Backend } from '../../backend.js';
import { matrixAt } from '../../engine-model.js';
import { BLOCK_SIZE } from '../../model-config.js';
import { quantise30, type Row16 } from '../../reference/rows.js';
import { type Call, referenceWith } from '../../reference/session.js';
import type { W8Matrix } from '../../weights.js';

/** Sum of the products of one block of a row: weights and inputs, 32 each. */
type BlockDot = (weights: Int8Array, inputs: Int16Array) => number;

/** Adds a block's scaled dot to the sum of a row. */
type Add = (sum: bigint, scaled: number) => bigint;

const exactly: Add = (sum, scaled) => sum + BigInt(scaled);

function withMatmul(name: string, dot: BlockDot, add: Add = exactly): Backend {
  return referenceWith(name, {
    matmul({ model, node, inputs }: Call) {
      const matrix = matrixAt(model, node.weights[0]!);
      const [x] = inputs as [Row16];
      const rows = Array.from({ length: matrix.rows }, (_, row) => row);
      const values = rows.map(
        (row) => sumOf(matrix, row, { x, dot, add }) << BigInt(matrix.rowShifts[row]!),
      );
      return quantise30({ values, exponent: x.exponent + matrix.exponent });
    },
  });
}

function sumOf(
  matrix: W8Matrix,
  row: number,
  { x, dot, add }: { readonly x: Row16; readonly dot: BlockDot; readonly add: Add },
): bigint {
  const blockCount = matrix.cols / BLOCK_SIZE;
  let sum = 0n;
  for (let block = 0; block < blockCount; block++) {
    const [from, at] = [block * BLOCK_SIZE, row * matrix.cols + block * BLOCK_SIZE];
    const weights = matrix.data.subarray(at, at + BLOCK_SIZE);
    const inputs = x.values.subarray(from, from + BLOCK_SIZE);
    sum = add(sum, matrix.scales[row * blockCount + block]! * dot(weights, inputs));
  }
  return sum;
}

const exactDot: BlockDot = (weights, inputs) =>
  weights.reduce((sum, weight, i) => sum + weight * inputs[i]!, 0);

/** Every sum a float of 32 bits: whole to 2^24, and beyond that every second number, every fourth, .. */
const floatDot: BlockDot = (weights, inputs) =>
  weights.reduce((sum, weight, i) => Math.fround(sum + Math.fround(weight * inputs[i]!)), 0);

const floatAdd: Add = (sum, scaled) => BigInt(Math.fround(Number(sum) + Math.fround(scaled)));

/** Inputs in two bytes, the lower one without a sign: two dots of bytes, as machines of eight bits have them. */
const byteDot =
  (lower: (weights: Int8Array, bytes: Uint8Array) => number): BlockDot =>
  (weights, inputs) => {
    const upper = weights.reduce((sum, weight, i) => sum + weight * (inputs[i]! >> 8), 0);
    return 256 * upper + lower(weights, Uint8Array.from(inputs));
  };

const products = (weights: Int8Array, bytes: ArrayLike<number>): number =>
  weights.reduce((sum, weight, i) => sum + weight * bytes[i]!, 0);

const INT16_MAX = 32_767;

const saturate = (value: number): number => Math.min(Math.max(value, -INT16_MAX - 1), INT16_MAX);

function saturatingPairs(weights: Int8Array, bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < weights.length; i += 2)
    sum += saturate(weights[i]! * bytes[i]! + weights[i + 1]! * bytes[i + 1]!);
  return sum;
}

/** By two dots of bytes, and right: what the flawed ones differ from in their flaw alone. */
export const byBytes = withMatmul('bytes', byteDot(products));

export const FLAWED_BACKENDS: readonly Backend[] = [
  withMatmul('float32 sums of rows', exactDot, floatAdd),
  withMatmul('float32 sums of blocks, at the edge of 2^24', floatDot),
  withMatmul('pairs that saturate at int16, as pmaddubsw does', byteDot(saturatingPairs)),
  withMatmul(
    'relaxed SIMD on a machine that takes the lower byte as signed',
    byteDot((weights, bytes) => products(weights, Int8Array.from(bytes))),
  ),
];
