/** The sums that long rows are claimed in: parts of 1,024 columns, blocks of 64 positions, parts of the logits. */
import { matrixAt } from '../engine-model.js';
import type { W8Matrix } from '../weights.js';
import { allCutSums } from './cuts.js';
import { claimedCuts, SUM_ELEMENTS, sharedHead, TILE_POSITIONS } from './layout.js';
import type { RowReader } from './row-reader.js';

/** The partial sums of a row whose layout has them, element-major. */
export function rowPartials(row: RowReader): Uint8Array {
  const kind = row.layout.rule.partials;
  if (kind === 'columns') return columnSums(row);
  return kind === 'positions' ? blockSums(row) : logitSums(row);
}

/** 5.3 What columns `from` to `to` add to element `o` of a row: 2^r * sum of s * (sum of w * x). */
export function dotRow(
  matrix: W8Matrix,
  o: number,
  { x, from, to }: { readonly x: ArrayLike<number>; readonly from: number; readonly to: number },
): bigint {
  const { data, scales } = matrix;
  const offset = o * matrix.cols;
  let sum = 0;
  let scale = (offset + from) >> 5;
  for (let start = from; start < to; start += 32) {
    let dot = 0;
    // Two by two: half of the loop's own work.
    for (let k = start; k < start + 32; k += 2) {
      dot += data[offset + k]! * x[k]! + data[offset + k + 1]! * x[k + 1]!;
    }
    // SAFETY: at most 1,024 columns: 32 blocks below 2^43 each stay exact.
    sum += dot * scales[scale++]!;
  }
  return BigInt(sum) << BigInt(matrix.rowShifts[o]!);
}

function columnSums({ model, node, layout, input }: RowReader): Uint8Array {
  const matrix = matrixAt(model, model.graph.nodes[node]!.weights[0]!);
  const x = input(0)[0]!.values;
  const { parts } = layout.partials!;
  const bytes = new Uint8Array(8 * matrix.rows * parts);
  const view = new DataView(bytes.buffer);
  for (let o = 0; o < matrix.rows; o++) {
    for (let c = 0; c < parts; c++) {
      const from = c * SUM_ELEMENTS;
      const to = Math.min(matrix.cols, from + SUM_ELEMENTS);
      view.setBigInt64(8 * (o * parts + c), dotRow(matrix, o, { x, from, to }));
    }
  }
  return bytes;
}

/** 5.8 Sum of weight times value over at most 64 positions: below 2^51, so a double is exact. */
export function mixBlock(weights: ArrayLike<number>, values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < weights.length; i++) sum += weights[i]! * values[i]!;
  return sum;
}

function blockSums({ t, layout, input, prefix }: RowReader): Uint8Array {
  const weights = input(0);
  const { size } = layout;
  const { parts } = layout.partials!;
  const kvHeadCount = prefix(1, 0).length;
  const bytes = new Uint8Array(8 * weights.length * size * parts);
  const view = new DataView(bytes.buffer);
  for (const [h, { values }] of weights.entries()) {
    const g = sharedHead(h, weights.length, kvHeadCount);
    for (let part = 0; part < parts; part++) {
      const from = part * TILE_POSITIONS;
      const sums = new Float64Array(size);
      for (let i = from; i <= t && i < from + TILE_POSITIONS; i++) {
        addScaled(sums, values[i]!, prefix(1, i)[g]!.values as Int16Array);
      }
      for (let d = 0; d < size; d++) setSum(view, (h * size + d) * parts + part, sums[d]!);
    }
  }
  return bytes;
}

/** Adds a row of values times its weight: sums over a block stay below 2^51. */
function addScaled(sums: Float64Array, weight: number, values: Int16Array): void {
  for (let d = 0; d < sums.length; d++) sums[d]! += weight * values[d]!;
}

/** Writes an integer below 2^53 in magnitude as 8 bytes. */
function setSum(view: DataView, index: number, sum: number): void {
  const high = Math.floor(sum / 2 ** 32);
  view.setInt32(8 * index, high);
  view.setUint32(8 * index + 4, sum - high * 2 ** 32);
}

function logitSums({ job, own, cuts }: RowReader): Uint8Array {
  const logits = own[0]!.values as Int32Array;
  const row = { vocabularySize: logits.length, ...cuts() };
  return allCutSums(logits, {
    row,
    tau: job.sampler.tau,
    cuts: claimedCuts(job, logits.length),
  });
}
