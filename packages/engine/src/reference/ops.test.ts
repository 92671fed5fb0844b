/** Bounds that are too large for a vector file: sums beyond 2^53, the longest context. */
import { describe, expect, it } from 'vitest';
import { roundShift } from '../integer.js';
import type { W8Matrix } from '../weights.js';
import * as ops from './ops.js';
import type { Row16 } from './rows.js';

const COLS = 65_536;

/** One row of 65,536 columns near its bound whose exact sum is `offset` above a rounding tie of 24 bits. */
function rowAtTie(offset: bigint): { matrix: W8Matrix; x: Row16; sum: bigint } {
  const data = Int8Array.from({ length: COLS }, (_, k) => 127 - (k % 2));
  const scales = new Uint16Array(COLS / 32).fill(65_535);
  const x = { values: new Int16Array(COLS).fill(32_767), exponent: 0 };
  const first = COLS - 32;
  data.fill(0, first);
  scales[scales.length - 1] = 1;
  let sum = 0n;
  for (let k = 0; k < first; k++) sum += 65_535n * BigInt(data[k]! * 32_767);
  // The last block, at scale 1, moves the sum to the next tie: floor even, so an exact tie rounds down.
  const period = 1n << 25n;
  let rest = ((((1n << 23n) + offset - sum) % period) + period) % period;
  sum += rest;
  for (let k = first; rest > 0n; k++) {
    const weight = rest >= 127n * 32_767n ? 127n : rest / 32_767n;
    data[k] = Number(weight > 0n ? weight : 1n);
    if (weight === 0n) x.values[k] = Number(rest);
    rest -= weight > 0n ? weight * 32_767n : rest;
  }
  const matrix = { rows: 1, cols: COLS, data, scales, rowShifts: new Uint8Array(1), exponent: 0 };
  return { matrix, x, sum };
}

describe('matmul', () => {
  for (const offset of [-1n, 0n, 1n]) {
    it(`is exact beyond 2^53: a sum ${offset} from a tie`, () => {
      const { matrix, x, sum } = rowAtTie(offset);
      expect(sum > 1n << 53n).toBe(true);
      const shift = sum.toString(2).length - 30;
      expect(shift).toBe(24);
      const expected = roundShift(sum, shift);
      expect(expected % 2n).toBe(offset > 0n ? 1n : 0n);
      expect(ops.matmul(matrix, x).values[0]).toBe(Number(expected));
    });
  }
});

describe('softmax and mix', () => {
  it('hold 131,072 equal positions at their bounds', () => {
    const count = 131_072;
    const value: Row16 = { values: Int16Array.of(32_767, -32_767), exponent: 0 };
    const values = new Array<Row16>(count).fill(value);
    const weights = ops.softmax(new Int32Array(count).fill(-77), values);
    expect(weights.sum).toBe(1n << 47n);
    const mixed = ops.mix(weights, values);
    const joined = ops.joinHeads([mixed], [weights]);
    const mean = joined.values[0]! * 2 ** joined.exponent;
    expect(Math.abs(mean / 32_767 - 1)).toBeLessThan(2 ** -14);
    expect(joined.values[1]).toBe(-joined.values[0]!);
  });
});
