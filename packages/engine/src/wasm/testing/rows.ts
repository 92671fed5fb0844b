/**
 * Rows as kernels take and leave them, laid out on the bench: exact sums with their masks, A16 rows, kept heads; and
 * their comparison with the reference's, bit by bit.
 */
import { bitLength, bitLengthMax } from '../../integer.js';
import { quantise30, type Row16, type Row30, type WideRow } from '../../reference/rows.js';
import { keyIndex, PAGE_POSITIONS, paddedHead, valueIndex } from '../pages.js';
import { type Draw, drawExponent, drawSumRow } from './draw.js';
import type { KernelBench } from './kernel-bench.js';

/** What differs, as a short text, or undefined. */
export type Difference = string | undefined;

/** What came of one call: how many rows were compared, each a case of its own, and the first that differs. */
export type Outcome = { readonly cases: number; readonly difference: Difference };

/** Compares every row of a call, up to the first that differs. */
export function compareRows(rows: number, compareRow: (row: number) => Difference): Outcome {
  for (let row = 0; row < rows; row++) {
    const difference = compareRow(row);
    if (difference !== undefined) {
      return { cases: row + 1, difference: `row ${row} of ${rows}: ${difference}` };
    }
  }
  return { cases: rows, difference: undefined };
}

/** The first difference between two lists of numbers. */
export function compare(
  what: string,
  wanted: ArrayLike<number | bigint>,
  found: ArrayLike<number | bigint>,
): Difference {
  if (wanted.length !== found.length) return `${what}: length`;
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] !== found[i]) return `${what}[${i}]: reference ${wanted[i]}, kernel ${found[i]}`;
  }
  return undefined;
}

/** Rows of sums as a matmul leaves them, and the I30 rows that the reference makes of them. */
export function drawSums(
  bench: KernelBench,
  draw: Draw,
  { rows, count }: { readonly rows: number; readonly count: number },
) {
  const stride = Math.ceil(count / 4) * 4;
  const words = new Int32Array(2 * rows * stride);
  const masks = new Int32Array(4 * rows);
  const exponents = new Int32Array(rows);
  for (let row = 0; row < rows; row++) {
    exponents[row] = drawExponent(draw) - draw.below(60);
    const from = 2 * row * stride;
    const mask = drawSumRow(draw, words.subarray(from, from + 2 * count));
    // A mask is two lanes, of even and of odd elements in a real matmul; only their OR counts.
    const lane = 4 * row + 2 * draw.below(2);
    masks[lane] = mask.low;
    masks[lane + 1] = mask.high;
  }
  const values = new BigInt64Array(words.buffer);
  return {
    row: (row: number): Row30 =>
      quantise30({
        values: Array.from(values.subarray(row * stride, row * stride + count)),
        exponent: exponents[row]!,
      }),
    fields: {
      values: bench.put(values),
      exponents: bench.put(exponents),
      masks: bench.put(masks),
      stride,
    },
  };
}

/** Room for rows of sums that an instruction writes, and their comparison with the reference's sums. */
export function sumsRoom(
  bench: KernelBench,
  { rows, count }: { readonly rows: number; readonly count: number },
) {
  const stride = Math.ceil(count / 4) * 4;
  const values = bench.room(8 * rows * stride);
  const exponents = bench.room(4 * rows);
  const masks = bench.room(16 * rows);
  return {
    fields: { values, exponents, masks, stride },
    outFields: { outValues: values, outExponents: exponents, outMasks: masks },
    /** Sums must be exact to the last bit; of a mask only the length counts. */
    compare(row: number, wanted: WideRow): Difference {
      const found = bench.int64(values + 8 * row * stride, count);
      const mask = bench.int64(masks + 16 * row, 2);
      return (
        compare('exponent', [wanted.exponent], [bench.int32(exponents, rows)[row]!]) ??
        compare('sums', wanted.values, found) ??
        compare('mask bits', [bitLengthMax(wanted.values)], [bitLength(mask[0]! | mask[1]!)])
      );
    },
  };
}

/** Room for A16 rows, and their comparison with the reference's. */
export function row16Room(
  bench: KernelBench,
  { rows, count }: { readonly rows: number; readonly count: number },
) {
  const out = bench.room(2 * rows * count);
  const outExponents = bench.room(4 * rows);
  return {
    fields: { out, outExponents },
    compare: (row: number, wanted: Row16): Difference =>
      compareRow16(wanted, {
        values: bench.int16(out + 2 * row * count, count),
        exponent: bench.int32(outExponents, rows)[row]!,
      }),
  };
}

export const compareRow16 = (wanted: Row16, found: Row16): Difference =>
  compare('exponent', [wanted.exponent], [found.exponent]) ??
  compare('values', wanted.values, found.values);

/** Compares the heads of a row with what lies where a kernel put them, padded with zeros. */
export function compareHeads(wanted: readonly Row16[], found: (head: number) => Row16): Difference {
  for (const [h, row] of wanted.entries()) {
    const padded = new Int16Array(paddedHead(row.values.length));
    padded.set(row.values);
    const difference = compareRow16({ ...row, values: padded }, found(h));
    if (difference !== undefined) return `head ${h}: ${difference}`;
  }
  return undefined;
}

/** One kept tensor of one position in a page. */
export type KeptPlace = {
  readonly page: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly position: number;
  readonly areValues: boolean;
};

/** Reads what a kernel kept of one head. */
export function readKept(bench: KernelBench, place: KeptPlace, head: number): Row16 {
  const { rows, exponent, indexOf } = keptAt(bench, place, head);
  const values = new Int16Array(paddedHead(place.headSize));
  for (let d = 0; d < values.length; d++) values[d] = rows[indexOf(d)]!;
  return { values, exponent: exponent[0]! };
}

/** Writes what a kernel would have kept of one head. */
export function writeKept(bench: KernelBench, place: KeptPlace, head: number, row: Row16): void {
  const { rows, exponent, indexOf } = keptAt(bench, place, head);
  const padded = paddedHead(place.headSize);
  for (let d = 0; d < padded; d++) rows[indexOf(d)] = row.values[d] ?? 0;
  exponent[0] = row.exponent;
}

function keptAt(bench: KernelBench, place: KeptPlace, head: number) {
  const { page, kvHeads, headSize, position, areValues } = place;
  const padded = paddedHead(headSize);
  const slot = position % PAGE_POSITIONS;
  const headCount = PAGE_POSITIONS * padded;
  const exponents = page + 2 * kvHeads * headCount + 4 * (head * PAGE_POSITIONS + slot);
  return {
    rows: bench.int16(page + 2 * head * headCount, headCount),
    exponent: bench.int32(exponents, 1),
    indexOf: (d: number) => (areValues ? valueIndex(slot, d) : keyIndex(slot, d, padded)),
  };
}
