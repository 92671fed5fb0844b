/**
 * Single elements of every op, recomputed: `contracts/dispute/Checker.sol` in BigInt. The reference kernels define rows
 * (arithmetic.md, section 5); here stands what one element of a row is before it is stored, which is what decides a
 * row's exponent and its witness. `formulas.test.ts` holds both against each other.
 */
import { bitLength, clampBits, isqrt, roundShift } from '../integer.js';
import { powerOfTwo, roundHalfEven } from '../rounding.js';
import { exp2nNumber } from '../sampling/numbers.js';
import { cosSin, exp2n } from '../tables.js';
import type { W8Matrix } from '../weights.js';

/** What a row with one exponent claims of one of its elements; `witness` if it names this one. */
export type Claim = {
  readonly mantissa: number;
  readonly exponent: number;
  readonly witness: boolean;
};

/** Bits of the stored formats that are quantised. */
export const A16_BITS = 15;
export const I30_BITS = 30;
export const NORM_BITS = 24;

/** True if `shift` = max(0, L(largest of the row) - bits), as far as one element can tell. */
export function isShift(value: bigint, shift: number, bits: number, witness: boolean): boolean {
  if (shift < 0) return false;
  const need = bitLength(value) - bits;
  return need <= shift && (!witness || shift === 0 || need === shift);
}

/** True if `claim` is what a row stores for `value` * 2^`base` in `bits` bits; I30 is not limited, others are. */
export function isQuantised(
  value: bigint,
  row: { readonly base: number; readonly bits: number; readonly limited: boolean },
  claim: Claim,
): boolean {
  const shift = claim.exponent - row.base;
  if (!isShift(value, shift, row.bits, claim.witness)) return false;
  const mantissa = roundShift(value, shift);
  return BigInt(claim.mantissa) === (row.limited ? clampBits(mantissa, row.bits) : mantissa);
}

/** w * s * 2^r of one weight. */
export function weightOf(matrix: W8Matrix, row: number, column: number): bigint {
  const at = row * matrix.cols + column;
  const product = matrix.data[at]! * matrix.scales[Math.floor(at / 32)]!;
  return BigInt(product) << BigInt(matrix.rowShifts[row]!);
}

/** 5.1 */
export const embedElement = (weight: bigint, shift: number): bigint =>
  clampBits(roundShift(weight, shift), 31);

/** 5.4 Element `odd` of the pair (a, b). */
export function ropeElement(a: number, b: number, phase: bigint, odd: boolean): bigint {
  const { cos, sin } = cosSin(phase);
  return odd ? BigInt(a) * sin + BigInt(b) * cos : BigInt(a) * cos - BigInt(b) * sin;
}

/** The angle of pair `step` at a position, in 2^-64 turns. */
export const ropePhase = (step: bigint, position: number): bigint =>
  BigInt.asUintN(64, step * BigInt(position));

/** round(log2(e) * 2^30). */
const LOG2E_Q30 = 1_549_082_005n;

/** 5.10 gate * sigmoid(gate) * up, on the grid e_up - 16. */
export function swiGluElement(gate: number, gateExponent: number, up: number): bigint {
  const g = clampBits(roundShift(BigInt(gate), -16 - gateExponent), 31);
  const power = exp2n(roundShift((g < 0n ? -g : g) * LOG2E_Q30, 30));
  const positive = (1n << 60n) / ((1n << 30n) + power);
  const sigmoid = g < 0n ? (1n << 30n) - positive : positive;
  return roundShift(g * sigmoid, 30) * BigInt(up);
}

/** 5.11 */
export const residualElement = (residual: number, row: number, shift: number): bigint =>
  clampBits(BigInt(residual) + roundShift(BigInt(row), shift), 31);

/** 5.12 */
export const logitElement = (row: number, exponent: number): bigint =>
  clampBits(roundShift(BigInt(row), -16 - exponent), 31);

/** 5.13 The element before it is stored, and its grid, which is finer than both. */
export function biasElement(
  row: { readonly mantissa: number; readonly exponent: number },
  bias: { readonly mantissa: number; readonly exponent: number },
): { readonly value: bigint; readonly base: number } {
  const base = Math.max(row.exponent, bias.exponent) - 30;
  const value =
    roundShift(BigInt(row.mantissa), base - row.exponent) +
    roundShift(BigInt(bias.mantissa), base - bias.exponent);
  return { value, base };
}

/** What the elements of a normed row share. */
export type NormRow = {
  readonly squares: bigint;
  readonly preShift: number;
  readonly width: number;
  readonly residualBits: number;
  readonly epsilonQ40: number;
};

/** 5.2 1 / sqrt(mean square) as `inverse` / 2^(61 - halfScale). */
export function inverseRoot(row: NormRow): { inverse: bigint; halfScale: number } {
  const shift = 2 * row.residualBits - 2 * row.preShift - 40;
  const epsilon =
    shift < 0 ? BigInt(row.epsilonQ40) >> BigInt(-shift) : BigInt(row.epsilonQ40) << BigInt(shift);
  const width = BigInt(row.width);
  const sum = row.squares + width * epsilon;
  const scale = Math.max(0, 61 - bitLength(sum));
  const mean = (sum << BigInt(scale)) / width;
  let rest = 62 - bitLength(mean);
  if ((scale + rest) % 2 !== 0) rest--;
  const inverse = (1n << 61n) / isqrt(mean << BigInt(rest));
  return { inverse, halfScale: (scale + rest) / 2 };
}

/** 5.2 The element before it is stored, on the grid e_g - 24. */
export function normElement(residual: number, gain: number, row: NormRow): bigint {
  const { inverse, halfScale } = inverseRoot(row);
  const normal = roundShift(BigInt(residual) * inverse, 37 - halfScale + row.preShift);
  return clampBits(normal, 31) * BigInt(gain);
}

/** Squares of up to 2^48 that a double adds exactly. */
const EXACT_SQUARES = 16;

/** 5.2 Sum of h'^2. */
export function sumSquares(residual: ArrayLike<number>, preShift: number): bigint {
  const unit = powerOfTwo(Math.min(preShift, 63));
  let total = 0n;
  let sum = 0;
  for (let i = 0; i < residual.length; i++) {
    const h = roundHalfEven(residual[i]! / unit);
    sum += h * h;
    if (i % EXACT_SQUARES !== EXACT_SQUARES - 1) continue;
    total += BigInt(sum);
    sum = 0;
  }
  return total + BigInt(sum);
}

/** 5.6 */
export function scoreElement(
  query: ArrayLike<number>,
  key: ArrayLike<number>,
  { exponents, scaleQ24 }: { readonly exponents: number; readonly scaleQ24: number },
): bigint {
  let dot = 0;
  for (let d = 0; d < query.length; d++) dot += query[d]! * key[d]!;
  return clampBits(roundShift(BigInt(dot) * BigInt(scaleQ24), 8 - exponents), 31);
}

/** 5.7 Sum of exp2n(largest - score) over up to 1,024 scores: below 2^41. */
export function sumPowers(scores: ArrayLike<number>, largest: number): bigint {
  let sum = 0;
  for (let i = 0; i < scores.length; i++) sum += powerOf(scores[i]!, largest);
  return BigInt(sum);
}

/** exp2n(largest - score); a score above the largest makes q huge in the EVM, its power is 0. */
const powerOf = (score: number, largest: number): number =>
  score > largest ? 0 : exp2nNumber(largest - score);

/** 5.7 p: the power with the exponent of its value folded in, on the grid top - 16. */
export const foldedPower = (
  score: number,
  row: { readonly largest: number; readonly top: number; readonly valueExponent: number },
): bigint => roundShift(BigInt(powerOf(score, row.largest)) << 16n, row.top - row.valueExponent);

/** 5.9 The factor that stands for 1 / S, and the exponent that it adds to a head. */
export function inverseSum(sum: bigint): { factor: bigint; exponent: number } {
  const inverse = (1n << 62n) / sum;
  const shift = Math.max(0, bitLength(inverse) - 31);
  return { factor: inverse >> BigInt(shift), exponent: shift - 62 };
}

/** 5.9 The element before it is stored, on the grid `top`. */
export function joinElement(
  mixed: number,
  row: { readonly exponent: number; readonly sum: bigint; readonly top: number },
): bigint {
  const { factor, exponent } = inverseSum(row.sum);
  return roundShift(BigInt(mixed) * factor, row.top - (row.exponent + exponent));
}
