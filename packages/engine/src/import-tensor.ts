/**
 * Brings the weights of a model file into the engine's layout by one deterministic rule (arithmetic.md, section 6).
 * Every float is an integer times a power of two; divisions below are single IEEE divisions whose rounding to an
 * integer is exact for the stated reason, so the result is the same on every machine.
 */
import { EngineError } from './engine-error.js';
import { BLOCK_SIZE } from './model-config.js';
import { floorLog2, powerOfTwo, roundHalfEven } from './rounding.js';
import { type Gains, ROW_SHIFT_MAX, type W8Matrix } from './weights.js';

/** A tensor as a model file holds it; a vector has one row. */
export type TensorSource =
  | {
      readonly kind: 'q8';
      readonly rows: number;
      readonly cols: number;
      readonly quants: Int8Array;
      /** Bits of the half-precision scale of each block of 32 along a row. */
      readonly scales: Uint16Array;
    }
  | {
      readonly kind: 'f16';
      readonly rows: number;
      readonly cols: number;
      /** Half-precision bits. */
      readonly data: Uint16Array;
    }
  | {
      readonly kind: 'f32';
      readonly rows: number;
      readonly cols: number;
      readonly data: Float32Array;
    };

type FloatSource = Extract<TensorSource, { kind: 'f16' | 'f32' }>;

/** Exponents of weights fit a signed byte; with it every exponent of a pass fits 16 bits. */
const EXPONENT_MAX = 127;

/** A matrix from 8-bit blocks with half-precision scales (GGUF `Q8_0`): quants are kept, scales move to 16 bits. */
export function importQ8Matrix(source: Extract<TensorSource, { kind: 'q8' }>): W8Matrix {
  const { rows, cols, quants } = source;
  checkSizes({ rows, cols, count: quants.length });
  const blockCount = (rows * cols) / BLOCK_SIZE;
  if (source.scales.length !== blockCount) throw sizeMismatch(source.scales.length, blockCount);
  const scales = Float64Array.from(source.scales, decodeHalf);
  checkFinite(scales);
  if (scales.some((scale) => scale < 0)) {
    throw tensorInvalid('scale_negative', 'A block scale is negative.');
  }
  return fitScales({ rows, cols, data: quants, scales, round: roundHalfEven });
}

/** A matrix from floats: per block scale = largest / 127 rounded up, quants rounded to nearest, ties to even. */
export function importFloatMatrix(source: FloatSource): W8Matrix {
  const { rows, cols } = source;
  checkSizes({ rows, cols, count: source.data.length });
  const scales = blockMaxima(source).map((largest) => largest / 127);
  const data = new Int8Array(source.data.length);
  // SAFETY: a float32 has 24 significant bits, so largest / 127 / 2^n, at most 2^16, is an integer or at least 2^-24
  // away from one, while the division errs by less than 2^-36: rounding up sees the exact quotient.
  const matrix = fitScales({ rows, cols, data, scales, round: Math.ceil });
  for (let from = 0; from < data.length; from += BLOCK_SIZE) quantiseBlock(source, matrix, from);
  return matrix;
}

/** Either of the above, by the kind of the source. */
export const importMatrix = (source: TensorSource): W8Matrix =>
  source.kind === 'q8' ? importQ8Matrix(source) : importFloatMatrix(source);

/** 24-bit gains with one exponent: the largest lands in [2^23, 2^24), the others are rounded, ties to even. */
export function importGains(source: TensorSource): Gains {
  if (source.kind === 'q8') {
    throw tensorInvalid('tensor_kind_unsupported', 'Normalisation gains must be floats.');
  }
  const values = Float64Array.from(source.data, (_, i) => floatAt(source, i));
  checkFinite(values);
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  const exponent = largest === 0 ? 0 : checkExponent(floorLog2(largest) - 23);
  const data = Int32Array.from(values, (value) => roundHalfEven(value * powerOfTwo(-exponent)));
  return { data, exponent };
}

/**
 * Chooses exponent and row shifts: the largest scale of a row lands in [2^15, 2^16), except in rows below 2^-7 of the
 * tensor's largest, which take shift 0. A half-precision scale within 2^5 of its row's largest stays exact.
 */
function fitScales(options: {
  readonly rows: number;
  readonly cols: number;
  readonly data: Int8Array;
  readonly scales: Float64Array;
  readonly round: (x: number) => number;
}): W8Matrix {
  const { rows, cols, data, scales, round } = options;
  const perRow = cols / BLOCK_SIZE;
  const largest = Float64Array.from({ length: rows }, (_, o) => {
    return maximum(scales.subarray(o * perRow, (o + 1) * perRow));
  });
  const top = maximum(largest);
  const exponent = top === 0 ? 0 : checkExponent(floorLog2(top) - 15 - ROW_SHIFT_MAX);
  const rowShifts = Uint8Array.from(largest, (scale) =>
    scale === 0 ? 0 : Math.max(0, floorLog2(scale) - 15 - exponent),
  );
  const fitted = Uint16Array.from(scales, (scale, i) => {
    const unit = powerOfTwo(exponent + rowShifts[Math.floor(i / perRow)]!);
    return Math.min(65_535, round(scale / unit));
  });
  return { rows, cols, data, scales: fitted, rowShifts, exponent };
}

/**
 * Nearest 8-bit quants of one block under its scale, written into `matrix.data`.
 *
 * SAFETY: a quotient has magnitude below 128 and is m / (s * 2^a) with m < 2^24, s < 2^16: unless it is a tie it is
 * at least 2^-26 away from one, while the division errs by less than 2^-45.
 */
function quantiseBlock(source: FloatSource, matrix: W8Matrix, from: number): void {
  const scale = matrix.scales[from / BLOCK_SIZE]!;
  if (scale === 0) return;
  const shift = matrix.rowShifts[Math.floor(from / matrix.cols)]!;
  const unit = scale * powerOfTwo(matrix.exponent + shift);
  for (let i = from; i < from + BLOCK_SIZE; i++) {
    const quant = roundHalfEven(floatAt(source, i) / unit);
    matrix.data[i] = Math.max(-127, Math.min(127, quant));
  }
}

/** The value of half-precision bits (IEEE 754 binary16), exact. */
export function decodeHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * powerOfTwo(exponent - 25);
}

const floatAt = (source: FloatSource, index: number): number =>
  source.kind === 'f16' ? decodeHalf(source.data[index]!) : source.data[index]!;

/** Largest magnitude of each block; refuses infinities and NaN on the way. */
function blockMaxima(source: FloatSource): Float64Array {
  const maxima = new Float64Array(source.data.length / BLOCK_SIZE);
  for (let i = 0; i < source.data.length; i++) {
    const magnitude = Math.abs(floatAt(source, i));
    if (!Number.isFinite(magnitude)) throw notFinite();
    const block = Math.floor(i / BLOCK_SIZE);
    if (magnitude > maxima[block]!) maxima[block] = magnitude;
  }
  return maxima;
}

const maximum = (values: Float64Array): number =>
  values.reduce((largest, value) => Math.max(largest, value), 0);

function checkSizes(sizes: { rows: number; cols: number; count: number }): void {
  const { rows, cols, count } = sizes;
  if (cols % BLOCK_SIZE !== 0) throw sizeMismatch(cols, BLOCK_SIZE);
  if (rows * cols !== count) throw sizeMismatch(count, rows * cols);
}

function checkFinite(values: Float64Array): void {
  if (!values.every((value) => Number.isFinite(value))) throw notFinite();
}

function checkExponent(exponent: number): number {
  if (Math.abs(exponent) <= EXPONENT_MAX) return exponent;
  throw tensorInvalid('tensor_out_of_range', `A tensor needs the exponent ${exponent}.`);
}

const sizeMismatch = (value: number, wanted: number): EngineError =>
  new EngineError({
    code: 'tensor_size_mismatch',
    message: `A tensor has the size ${value} where ${wanted} was expected.`,
    fault: 'user',
    value,
    remedy: 'Use an undamaged model file whose rows are multiples of 32.',
  });

const notFinite = (): EngineError =>
  tensorInvalid('tensor_not_finite', 'A weight is infinite or not a number.');

const tensorInvalid = (code: string, message: string): EngineError =>
  new EngineError({ code, message, fault: 'user', remedy: 'Use an undamaged model file.' });
