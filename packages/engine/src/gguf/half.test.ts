import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bfloat16ToFloat32,
  float16ToFloat32,
  float32ToBfloat16,
  float32ToFloat16,
} from './half.js';

const patterns = Array.from({ length: 65_536 }, (_, bits) => bits);
const finite = (bits: number) => (bits & 0x7c00) !== 0x7c00;

describe('float16', () => {
  it('gives the values of IEEE 754-2019 table 3.5', () => {
    const cases: readonly [number, number][] = [
      [0x0000, 0],
      [0x0001, 2 ** -24],
      [0x03ff, 1023 * 2 ** -24],
      [0x0400, 2 ** -14],
      [0x3555, 0.333251953125],
      [0x3c00, 1],
      [0x7bff, 65_504],
      [0x7c00, Number.POSITIVE_INFINITY],
      [0xc000, -2],
      [0xfc00, Number.NEGATIVE_INFINITY],
    ];
    for (const [bits, value] of cases) expect(float16ToFloat32(bits)).toBe(value);
    expect(float16ToFloat32(0x7e00)).toBeNaN();
    expect(Object.is(float16ToFloat32(0x8000), -0)).toBe(true);
  });

  it('returns every finite pattern unchanged', () => {
    const changed = patterns.filter(
      (bits) => finite(bits) && float32ToFloat16(float16ToFloat32(bits)) !== bits,
    );
    expect(changed).toEqual([]);
  });

  it('rounds ties to even, also at the edges of the range', () => {
    expect(float32ToFloat16(1 + 2 ** -11)).toBe(0x3c00);
    expect(float32ToFloat16(1 + 3 * 2 ** -11)).toBe(0x3c02);
    expect(float32ToFloat16(2 ** -25)).toBe(0);
    expect(float32ToFloat16(2 ** -25 * 1.5)).toBe(1);
    expect(float32ToFloat16(65_519)).toBe(0x7bff);
    expect(float32ToFloat16(65_520)).toBe(0x7c00);
  });

  it('is never farther from a float32 than the neighbours are', () => {
    const inRange = fc.float({ min: -65_504, max: 65_504, noNaN: true });
    fc.assert(
      fc.property(inRange, (value) => {
        const bits = float32ToFloat16(value);
        const error = Math.abs(float16ToFloat32(bits) - value);
        for (const near of [bits - 1, bits + 1].filter((b) => b >= 0 && finite(b))) {
          if (((near ^ bits) & 0x8000) !== 0) continue;
          expect(Math.abs(float16ToFloat32(near & 0xffff) - value)).toBeGreaterThanOrEqual(error);
        }
      }),
      { seed: 16 },
    );
  });
});

describe('bfloat16', () => {
  it('returns every finite pattern unchanged', () => {
    const changed = patterns.filter(
      (bits) => (bits & 0x7f80) !== 0x7f80 && float32ToBfloat16(bfloat16ToFloat32(bits)) !== bits,
    );
    expect(changed).toEqual([]);
  });

  it('rounds ties to even', () => {
    expect(float32ToBfloat16(1 + 2 ** -8)).toBe(0x3f80);
    expect(float32ToBfloat16(1 + 3 * 2 ** -8)).toBe(0x3f82);
    expect(bfloat16ToFloat32(float32ToBfloat16(Number.NaN))).toBeNaN();
  });
});
