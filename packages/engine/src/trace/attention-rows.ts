/**
 * Scores and softmax weights of one head in doubles that hold only integers: the WebAssembly kernels compute them
 * inside one instruction and keep neither, but a trace needs both. The same bits as the reference
 * (`wasm-pass.test.ts`).
 */
import { floorLog2, powerOfTwo, roundHalfEven } from '../rounding.js';
import { exp2nNumber } from '../sampling/numbers.js';
import { scoreElement } from './formulas.js';
import type { TraceRow } from './row-reader.js';

const WORD_MAX = 2 ** 31 - 1;
const P30_MAX = 2 ** 30 - 1;

/** 5.6 The scores of one query against the keys of every position so far. */
export function scoreRow(query: TraceRow, keys: readonly TraceRow[], scaleQ24: number): Int32Array {
  const q = query.values;
  const scores = new Int32Array(keys.length);
  for (let i = 0; i < keys.length; i++) {
    const k = keys[i]!.values;
    const exponents = query.exponent + keys[i]!.exponent;
    const shift = 8 - exponents;
    if (shift < SPLIT_BITS + 2 || shift > 62) {
      scores[i] = Number(scoreElement(q, k, { exponents, scaleQ24 }));
      continue;
    }
    let dot = 0;
    for (let d = 0; d < q.length; d++) dot += q[d]! * k[d]!;
    scores[i] = roundProduct(dot, scaleQ24, shift);
  }
  return scores;
}

/** A product of 62 bits is taken as high * 2^24 + low. */
const SPLIT_BITS = 24;

/** C(R(dot * scale, shift), 31) for |dot| < 2^38, scale < 2^25 and shifts from 26 to 62. */
function roundProduct(dot: number, scale: number, shift: number): number {
  const split = 2 ** SPLIT_BITS;
  const top = Math.floor(dot / split);
  const rest = (dot - top * split) * scale;
  const high = top * scale + Math.floor(rest / split);
  const low = rest % split;
  const unit = powerOfTwo(shift - SPLIT_BITS);
  const floor = Math.floor(high / unit);
  const over = high - floor * unit;
  const half = unit / 2;
  const up = over > half || (over === half && (low > 0 || floor % 2 !== 0));
  return Math.max(-WORD_MAX, Math.min(WORD_MAX, up ? floor + 1 : floor));
}

/** 5.7 The weights of one head, from its scores and the exponents of the values. */
export function weightRow(scores: Int32Array, exponents: ArrayLike<number>): TraceRow {
  let largest = scores[0]!;
  let top = exponents[0]!;
  for (let i = 1; i < scores.length; i++) {
    if (scores[i]! > largest) largest = scores[i]!;
    if (exponents[i]! > top) top = exponents[i]!;
  }
  const folded = new Float64Array(scores.length);
  let sum = 0;
  let largestFolded = 0;
  for (let i = 0; i < scores.length; i++) {
    const power = exp2nNumber(largest - scores[i]!);
    sum += power;
    const p = shiftRight(power * 65_536, top - exponents[i]!);
    folded[i] = p;
    if (p > largestFolded) largestFolded = p;
  }
  const bits = largestFolded === 0 ? 0 : floorLog2(largestFolded) + 1;
  const sigma = Math.max(0, bits - 30);
  const values = Int32Array.from(folded, (p) => Math.min(P30_MAX, shiftRight(p, sigma)));
  return { values, exponent: top - 16 + sigma, sum: BigInt(sum) };
}

/** R(x, shift) of an integer below 2^47. */
export const shiftRight = (x: number, shift: number): number => {
  if (shift === 0) return x;
  return shift >= 63 ? 0 : roundHalfEven(x / powerOfTwo(shift));
};
