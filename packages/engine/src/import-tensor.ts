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

/**
 * A tensor that is read a few rows at a time, so that a file is never in memory as a whole. A vector is one row.
 */
export type TensorRows = {
  /** Of every part that is read. */
  readonly kind: TensorSource['kind'];
  readonly rows: number;
  readonly cols: number;
  /** Most rows of one read; each begins at a multiple of it. */
  readonly step: number;
  read(from: number, count: number): TensorSource;
};

/** A tensor that is in memory as a whole. */
export const wholeRows = (source: TensorSource): TensorRows => ({
  kind: source.kind,
  rows: source.rows,
  cols: source.cols,
  step: source.rows,
  read: () => source,
});

export type FloatSource = Extract<TensorSource, { kind: 'f16' | 'f32' }>;

/** Exponents of weights fit a signed byte; with it every exponent of a pass fits 16 bits. */
const EXPONENT_MAX = 127;

/** A matrix from 8-bit blocks with half-precision scales (GGUF `Q8_0`): quants are kept, scales move to 16 bits. */
export const importQ8Matrix = (source: Extract<TensorSource, { kind: 'q8' }>): W8Matrix =>
  importRows(wholeRows(source));

/** A matrix from floats: per block scale = largest / 127 rounded up, quants rounded to nearest, ties to even. */
export const importFloatMatrix = (source: FloatSource): W8Matrix => importRows(wholeRows(source));

/** Either of the above, by the kind of the source. */
export const importMatrix = (source: TensorSource): W8Matrix => importRows(wholeRows(source));

/**
 * A matrix from rows, read twice: once for the largest scale, which sets the exponent, and once for the weights.
 * Beside the result, one step of rows is in memory.
 */
export function importRows(source: TensorRows): W8Matrix {
  const { rows, cols, step } = source;
  if (cols % BLOCK_SIZE !== 0) throw sizeMismatch(cols, BLOCK_SIZE);
  const single = step >= rows ? readPart(source, 0, rows) : undefined;
  const partAt = (from: number) => single ?? readPart(source, from, Math.min(step, rows - from));
  let top = 0;
  for (let from = 0; from < rows; from += step) top = Math.max(top, maximum(partAt(from).scales));
  const exponent = top === 0 ? 0 : checkExponent(floorLog2(top) - 15 - ROW_SHIFT_MAX);
  const matrix: W8Matrix = {
    rows,
    cols,
    data: single?.source.kind === 'q8' ? single.source.quants : new Int8Array(rows * cols),
    scales: new Uint16Array((rows * cols) / BLOCK_SIZE),
    rowShifts: new Uint8Array(rows),
    exponent,
  };
  for (let from = 0; from < rows; from += step) fitPart(partAt(from), matrix, from);
  return matrix;
}

/** Some rows and the scale of each of their blocks, as real numbers. */
type Part = { readonly source: TensorSource; readonly scales: Float64Array };

function readPart(from: TensorRows, row: number, count: number): Part {
  const source = from.read(row, count);
  checkSizes({ rows: count, cols: from.cols, count: elementCount(source) });
  return {
    source,
    scales: source.kind === 'q8' ? halfScales(source) : blockMaxima(source).map((x) => x / 127),
  };
}

const elementCount = (source: TensorSource): number =>
  source.kind === 'q8' ? source.quants.length : source.data.length;

function halfScales(source: Extract<TensorSource, { kind: 'q8' }>): Float64Array {
  const blockCount = source.quants.length / BLOCK_SIZE;
  if (source.scales.length !== blockCount) throw sizeMismatch(source.scales.length, blockCount);
  const scales = Float64Array.from(source.scales, decodeHalf);
  checkFinite(scales);
  if (scales.some((scale) => scale < 0)) {
    throw tensorInvalid('scale_negative', 'A block scale is negative.');
  }
  return scales;
}

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
 * Row shifts, scales and weights of the rows from `from` on: the largest scale of a row lands in [2^15, 2^16), except
 * in rows below 2^-7 of the tensor's largest, which take shift 0. A half-precision scale within 2^5 of its row's
 * largest stays exact.
 */
function fitPart({ source, scales }: Part, matrix: W8Matrix, from: number): void {
  const { cols, exponent } = matrix;
  const perRow = cols / BLOCK_SIZE;
  // SAFETY: a float32 has 24 significant bits, so largest / 127 / 2^n, at most 2^16, is an integer or at least 2^-24
  // away from one, while the division errs by less than 2^-36: rounding up sees the exact quotient.
  const round = source.kind === 'q8' ? roundHalfEven : Math.ceil;
  for (let row = 0; row < scales.length / perRow; row++) {
    const own = scales.subarray(row * perRow, (row + 1) * perRow);
    const largest = maximum(own);
    const shift = largest === 0 ? 0 : Math.max(0, floorLog2(largest) - 15 - exponent);
    const unit = powerOfTwo(exponent + shift);
    matrix.rowShifts[from + row] = shift;
    const target = (from + row) * perRow;
    for (let i = 0; i < perRow; i++) {
      matrix.scales[target + i] = Math.min(65_535, round(own[i]! / unit));
    }
  }
  const start = from * cols;
  if (source.kind !== 'q8') {
    for (let at = 0; at < source.data.length; at += BLOCK_SIZE) {
      quantiseBlock(source, matrix, { from: at, to: start + at });
    }
  } else if (matrix.data !== source.quants) {
    matrix.data.set(source.quants, start);
  }
}

/**
 * Nearest 8-bit quants of one block of the source under its scale, written into `matrix.data`.
 *
 * SAFETY: a quotient has magnitude below 128 and is m / (s * 2^a) with m < 2^24, s < 2^16: unless it is a tie it is
 * at least 2^-26 away from one, while the division errs by less than 2^-45.
 */
function quantiseBlock(
  source: FloatSource,
  matrix: W8Matrix,
  { from, to }: { readonly from: number; readonly to: number },
): void {
  const scale = matrix.scales[to / BLOCK_SIZE]!;
  if (scale === 0) return;
  const shift = matrix.rowShifts[Math.floor(to / matrix.cols)]!;
  const unit = scale * powerOfTwo(matrix.exponent + shift);
  for (let i = 0; i < BLOCK_SIZE; i++) {
    const quant = roundHalfEven(floatAt(source, from + i) / unit);
    matrix.data[to + i] = Math.max(-127, Math.min(127, quant));
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

/** The numbers of a float tensor; half precision is exact in single. */
export const floatValues = (source: FloatSource): Float32Array =>
  source.kind === 'f32' ? source.data : Float32Array.from(source.data, decodeHalf);

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
