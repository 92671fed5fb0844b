import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bitLength, bitLengthMax, clampBits, isqrt, log2b, roundShift } from './integer.js';
import { floorLog2, powerOfTwo, roundHalfEven } from './rounding.js';
import { cosSin, exp2n } from './tables.js';

const int64 = fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n });

describe('roundShift', () => {
  it('rounds halves of negative numbers to even', () => {
    expect([-3n, -1n, -5n, 1n, 3n, 5n].map((x) => roundShift(x, 1))).toEqual([
      -2n,
      0n,
      -2n,
      0n,
      2n,
      2n,
    ]);
  });

  it('is odd: R(-x, s) = -R(x, s) (seed 1)', () => {
    fc.assert(
      fc.property(int64, fc.integer({ min: -70, max: 70 }), (x, s) => {
        expect(roundShift(-x, s)).toBe(-roundShift(x, s));
      }),
      { numRuns: 2000, seed: 1 },
    );
  });

  it('is at most half a unit away, and even when exactly half (seed 2)', () => {
    fc.assert(
      fc.property(int64, fc.integer({ min: 1, max: 62 }), (x, s) => {
        const distance = x - (roundShift(x, s) << BigInt(s));
        const half = 1n << BigInt(s - 1);
        const magnitude = distance < 0n ? -distance : distance;
        expect(magnitude <= half).toBe(true);
        if (magnitude === half) expect(roundShift(x, s) % 2n).toBe(0n);
      }),
      { numRuns: 2000, seed: 2 },
    );
  });

  it('shifts left exactly until 62 bits, then saturates', () => {
    expect(roundShift(1n, -61)).toBe(2n ** 61n);
    expect(roundShift(1n, -62)).toBe(2n ** 62n);
    expect(roundShift(-3n, -61)).toBe(-(2n ** 62n));
    expect(roundShift(0n, -1000)).toBe(0n);
    expect(roundShift(2n ** 62n, 63)).toBe(0n);
  });
});

describe('clampBits', () => {
  it('is symmetric and never gives -2^b', () => {
    expect([-32769n, -32768n, -32767n, 32767n, 32768n].map((x) => clampBits(x, 15))).toEqual([
      -32767n,
      -32767n,
      -32767n,
      32767n,
      32767n,
    ]);
  });
});

describe('bitLength', () => {
  it('counts the bits of the magnitude (seed 4)', () => {
    expect(bitLength(0n)).toBe(0);
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 2n ** 200n }), (x) => {
        expect(bitLength(x)).toBe(x.toString(2).length);
        expect(bitLength(-x)).toBe(bitLength(x));
      }),
      { seed: 4 },
    );
    expect(bitLengthMax([1n, -9n, 3n])).toBe(4);
    expect(bitLengthMax([])).toBe(0);
  });
});

describe('isqrt', () => {
  it('is the floor of the root (seed 5)', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 260n }), (x) => {
        const root = isqrt(x);
        expect(root * root <= x && (root + 1n) * (root + 1n) > x).toBe(true);
      }),
      { numRuns: 500, seed: 5 },
    );
  });
});

describe('exp2n', () => {
  it('errs by at most 1.37 * 2^-30 over every fraction', () => {
    let worst = 0;
    for (let q = 0; q < 65_536; q++) {
      worst = Math.max(worst, Math.abs(Number(exp2n(BigInt(q))) - 2 ** (30 - q / 65_536)));
    }
    expect(worst).toBeLessThan(1.37);
    expect(worst).toBeGreaterThan(1);
  });

  it('never grows with its argument, and is 0 from 32 on', () => {
    let previous = exp2n(0n);
    let grown = 0;
    for (let q = 1n; q <= 32n * 65_536n; q++) {
      const next = exp2n(q);
      if (next > previous) grown++;
      previous = next;
    }
    expect(grown).toBe(0);
    expect(exp2n(32n << 16n)).toBe(0n);
  });
});

describe('log2b', () => {
  it('errs downwards by at most 1.01 * 2^-24 (seed 6)', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 32 - 1 }), (x) => {
        const error = Math.log2(x) * 2 ** 24 - Number(log2b(BigInt(x)));
        expect(error).toBeGreaterThan(-1e-6);
        expect(error).toBeLessThan(1.01);
      }),
      { numRuns: 2000, seed: 6 },
    );
  });
});

describe('cosSin', () => {
  it('errs by at most 3e-6, that is half a step of the 20-bit phase (seed 7)', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (phase) => {
        const angle = (Number(phase) / 2 ** 64) * 2 * Math.PI;
        const { cos, sin } = cosSin(phase);
        expect(Math.abs(Number(cos) / 2 ** 30 - Math.cos(angle))).toBeLessThan(3.01e-6);
        expect(Math.abs(Number(sin) / 2 ** 30 - Math.sin(angle))).toBeLessThan(3.01e-6);
      }),
      { numRuns: 2000, seed: 7 },
    );
  });
});

describe('roundHalfEven', () => {
  it('rounds ties to even on both sides of zero', () => {
    expect([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49, -0.51].map((x) => roundHalfEven(x) + 0)).toEqual(
      [0, 2, 2, 0, -2, -2, 0, -1],
    );
  });
});

describe('powerOfTwo and floorLog2', () => {
  it('are inverse over the range of normal doubles', () => {
    let expected = 2 ** 1023;
    for (let n = 1023; n >= -1022; n--) {
      expect(powerOfTwo(n)).toBe(expected);
      expect(floorLog2(expected)).toBe(n);
      if (n > -1022) expect(floorLog2(expected * 0.999)).toBe(n - 1);
      expected /= 2;
    }
  });
});
