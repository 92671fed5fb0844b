/**
 * One vector of unit length from the final-norm rows of a prompt, by integers alone (arithmetic.md, section 7.3).
 * BigInt, because it runs once per prompt: this is the definition and the only implementation.
 */
import { bitLength, bitLengthMax, isqrt, roundShift } from '../integer.js';

/** A row of the final norm: A16 mantissas and their exponent. */
export type HiddenRow = { readonly mantissas: ArrayLike<number>; readonly exponent: number };

/** Sum of the rows (whose direction is that of their mean), or the last row alone. */
export type PoolingRule = 'mean' | 'last';

/** Fraction bits of an embedding's elements. */
export const EMBEDDING_BITS = 30;

/** Bits that elements keep below the largest one before they are squared: 46 bits per square, 2^14 of them fit. */
const SQUARED_BITS = 23;

/** The vector in Q30, with length one but for rounding; all zero if the rows are. */
export function embedRows(rows: readonly HiddenRow[], pooling: PoolingRule): Int32Array {
  return normalise(pooling === 'mean' ? sumRows(rows) : sumRows(rows.slice(-1)));
}

/** Sum over the rows of R(m * 2^16, largest exponent - exponent). */
function sumRows(rows: readonly HiddenRow[]): readonly bigint[] {
  const largest = Math.max(...rows.map(({ exponent }) => exponent));
  const sums = new Array<bigint>(rows[0]?.mantissas.length ?? 0).fill(0n);
  for (const { mantissas, exponent } of rows) {
    for (let i = 0; i < sums.length; i++) {
      sums[i] = sums[i]! + roundShift(BigInt(mantissas[i]!) << 16n, largest - exponent);
    }
  }
  return sums;
}

/** x / |x| in Q30, halves away from zero. */
function normalise(row: readonly bigint[]): Int32Array {
  const shift = bitLengthMax(row) - SQUARED_BITS;
  const short = row.map((x) => roundShift(x, shift));
  const squares = short.reduce((sum, y) => sum + y * y, 0n);
  if (squares === 0n) return new Int32Array(row.length);
  const room = 62 - bitLength(squares);
  const even = room - (room % 2);
  const root = isqrt(squares << BigInt(even));
  const scale = BigInt(EMBEDDING_BITS + even / 2);
  return Int32Array.from(short, (y) => {
    const magnitude = ((y < 0n ? -y : y) << scale) + root / 2n;
    return Number(y < 0n ? -(magnitude / root) : magnitude / root);
  });
}
