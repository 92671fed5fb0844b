import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildLlamaModel } from './engine-model.js';
import {
  decodeHalf,
  importFloatMatrix,
  importGains,
  importMatrix,
  importQ8Matrix,
  importRows,
  type TensorSource,
} from './import-tensor.js';
import { mulberry32, TINY_CONFIG } from './testing/random-model.js';
import type { W8Matrix } from './weights.js';

/** Any finite float32, many of them close in size as weights are. */
const weight = fc.oneof(
  fc.float({ min: -1, max: 1, noNaN: true }),
  fc.float({ min: Math.fround(-1e-3), max: Math.fround(1e-3), noNaN: true }),
  fc.constantFrom(0, -0, 0.5, 1, Math.fround(1 / 3)),
);

/** A float as an integer and a power of two, exactly. */
function exact(x: number): { mantissa: bigint; exponent: number } {
  let exponent = 0;
  let mantissa = x;
  while (!Number.isInteger(mantissa)) {
    mantissa *= 2;
    exponent -= 1;
  }
  return { mantissa: BigInt(mantissa), exponent };
}

/** Nearest integer to p / q, ties to even. */
function nearestQuotient(p: bigint, q: bigint): bigint {
  const sign = p < 0n ? -1n : 1n;
  const magnitude = p * sign;
  const floor = magnitude / q;
  const twice = 2n * (magnitude % q);
  const up = twice > q || (twice === q && floor % 2n === 1n);
  return sign * (floor + (up ? 1n : 0n));
}

/** Quant of `x` in exact rational arithmetic. */
function quantExact(x: number, matrix: W8Matrix, index: number): number {
  const scale = BigInt(matrix.scales[index >> 5]!);
  if (scale === 0n) return 0;
  const { mantissa, exponent } = exact(x);
  const shift = exponent - matrix.exponent - matrix.rowShifts[Math.floor(index / matrix.cols)]!;
  const p = shift >= 0 ? mantissa << BigInt(shift) : mantissa;
  const q = shift >= 0 ? scale : scale << BigInt(-shift);
  const quant = nearestQuotient(p, q);
  return Number(quant > 127n ? 127n : quant < -127n ? -127n : quant);
}

describe('importFloatMatrix', () => {
  it('rounds as exact rational arithmetic does, at most half a quant away (seed 31)', () => {
    fc.assert(
      fc.property(fc.array(weight, { minLength: 128, maxLength: 128 }), (values) => {
        const data = Float32Array.from(values);
        const matrix = importFloatMatrix({ kind: 'f32', rows: 2, cols: 64, data });
        data.forEach((x, i) => {
          expect(matrix.data[i]).toBe(quantExact(x, matrix, i));
          const unit = matrix.scales[i >> 5]! * 2 ** (matrix.exponent + matrix.rowShifts[i >> 6]!);
          expect(Math.abs(matrix.data[i]! * unit - x)).toBeLessThanOrEqual(unit / 2);
        });
      }),
      { numRuns: 200, seed: 31 },
    );
  });

  it('takes half precision as the same numbers in single precision', () => {
    const bits = Uint16Array.from({ length: 64 }, (_, i) => 0x2000 + 97 * i);
    const halves = importFloatMatrix({ kind: 'f16', rows: 1, cols: 64, data: bits });
    const data = Float32Array.from(bits, decodeHalf);
    expect(halves).toEqual(importFloatMatrix({ kind: 'f32', rows: 1, cols: 64, data }));
  });

  it('refuses infinities and NaN', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const data = new Float32Array(32).fill(bad, 7, 8);
      expect(() => importFloatMatrix({ kind: 'f32', rows: 1, cols: 32, data })).toThrow(
        expect.objectContaining({ code: 'tensor_not_finite' }),
      );
    }
  });
});

describe('importQ8Matrix', () => {
  const source = (scales: number[]) => ({
    kind: 'q8' as const,
    rows: 1,
    cols: 32 * scales.length,
    quants: new Int8Array(32 * scales.length).fill(-128),
    scales: Uint16Array.from(scales),
  });

  it('keeps every half-precision scale within 2^5 of the largest exactly', () => {
    const scales = Array.from({ length: 64 }, (_, i) => 0x2000 + i * 79);
    const matrix = importQ8Matrix(source(scales));
    scales.forEach((bits, i) => {
      const value = matrix.scales[i]! * 2 ** (matrix.exponent + matrix.rowShifts[0]!);
      if (decodeHalf(bits) * 32 >= decodeHalf(scales.at(-1)!)) {
        expect(value).toBe(decodeHalf(bits));
      }
    });
  });

  it('refuses scales that are negative, infinite or not a number, and sizes that disagree', () => {
    const refused = (bits: number) => () => importQ8Matrix(source([bits]));
    expect(refused(0x8001)).toThrow(expect.objectContaining({ code: 'scale_negative' }));
    expect(refused(0x7c00)).toThrow(expect.objectContaining({ code: 'tensor_not_finite' }));
    expect(refused(0x7e00)).toThrow(expect.objectContaining({ code: 'tensor_not_finite' }));
    for (const change of [{ rows: 2 }, { cols: 31 }, { scales: new Uint16Array(2) }]) {
      expect(() => importQ8Matrix({ ...source([0x3c00]), ...change })).toThrow(
        expect.objectContaining({ code: 'tensor_size_mismatch' }),
      );
    }
  });
});

describe('importRows', () => {
  const [rows, cols] = [13, 64];
  const next = mulberry32(32);
  const quants = Int8Array.from({ length: rows * cols }, () => next());
  // Rows from 2^-14 to 2^5: row shifts, lost scales, and the largest scale in the middle.
  const scales = Uint16Array.from({ length: (rows * cols) / 32 }, (_, i) =>
    next() % 5 === 0 ? 0 : (((i * 7) % 19) + 1) << 10,
  );
  const data = Float32Array.from(quants, (q, i) => q * decodeHalf(scales[i >> 5]!));
  const whole: readonly TensorSource[] = [
    { kind: 'q8', rows, cols, quants, scales },
    { kind: 'f32', rows, cols, data },
  ];
  const partOf = (source: TensorSource, from: number, count: number): TensorSource => {
    const cut = [from * cols, (from + count) * cols] as const;
    if (source.kind !== 'q8') {
      return { kind: 'f32', rows: count, cols, data: data.slice(...cut) };
    }
    const scaleCut = scales.slice(cut[0] / 32, cut[1] / 32);
    return { ...source, rows: count, quants: quants.slice(...cut), scales: scaleCut };
  };

  it('gives the same matrix in steps of any size', () => {
    for (const source of whole) {
      const wanted = importMatrix(source);
      expect(new Set(wanted.rowShifts).size).toBeGreaterThan(4);
      for (let step = 1; step <= rows + 1; step++) {
        const read = (from: number, count: number) => partOf(source, from, count);
        expect(importRows({ kind: source.kind, rows, cols, step, read })).toEqual(wanted);
      }
    }
  });

  it('asks only for rows that there are', () => {
    const asked: number[] = [];
    const read = (from: number, count: number) => {
      asked.push(from, count);
      return partOf(whole[1]!, from, count);
    };
    importRows({ kind: 'f32', rows, cols, step: 5, read });
    expect(asked).toEqual([0, 5, 5, 5, 10, 3, 0, 5, 5, 5, 10, 3]);
  });
});

describe('importGains', () => {
  it('keeps 24 significant bits of the largest and stays below 2^24', () => {
    const data = Float32Array.from([1.9999998807907104, -0.3, 0]);
    const gains = importGains({ kind: 'f32', rows: 1, cols: 3, data });
    expect(gains.data[0]! * 2 ** gains.exponent).toBe(data[0]);
    expect(Math.max(...gains.data)).toBeLessThan(2 ** 24);
  });
});

describe('buildLlamaModel', () => {
  it('names the tensor that is missing or has another shape', () => {
    expect(() => buildLlamaModel({ config: TINY_CONFIG, tensor: () => undefined })).toThrow(
      expect.objectContaining({ code: 'tensor_missing', value: 'token_embd.weight' }),
    );
    const data = new Float32Array(64);
    expect(() =>
      buildLlamaModel({
        config: TINY_CONFIG,
        tensor: () => ({ kind: 'f32', rows: 1, cols: 64, data }),
      }),
    ).toThrow(expect.objectContaining({ code: 'tensor_shape_mismatch' }));
  });
});
