/** The sums that long rows are claimed in: parts of 1,024 columns, blocks of 64 positions, parts of the logits. */
import { matrixAt } from '../engine-model.js';
import type { W8Matrix } from '../weights.js';
import { allCutSums, cutsOf } from './cuts.js';
import { claimedCuts, SUM_ELEMENTS, sharedHead, TILE_POSITIONS } from './layout.js';
import type { RowReader } from './row-reader.js';

/** The partial sums of a row whose layout has them, element-major. */
export function rowPartials(row: RowReader): BigInt64Array {
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
  const offset = o * matrix.cols;
  let sum = 0;
  for (let start = from; start < to; start += 32) {
    let dot = 0;
    for (let k = start; k < start + 32; k++) dot += matrix.data[offset + k]! * x[k]!;
    // SAFETY: at most 1,024 columns: 32 blocks below 2^43 each stay exact.
    sum += dot * matrix.scales[(offset + start) / 32]!;
  }
  return BigInt(sum) << BigInt(matrix.rowShifts[o]!);
}

function columnSums({ model, node, layout, input }: RowReader): BigInt64Array {
  const matrix = matrixAt(model, model.graph.nodes[node]!.weights[0]!);
  const x = input(0)[0]!.values;
  const { parts } = layout.partials!;
  const sums = new BigInt64Array(matrix.rows * parts);
  for (let o = 0; o < matrix.rows; o++) {
    for (let c = 0; c < parts; c++) {
      const from = c * SUM_ELEMENTS;
      const to = Math.min(matrix.cols, from + SUM_ELEMENTS);
      sums[o * parts + c] = dotRow(matrix, o, { x, from, to });
    }
  }
  return sums;
}

/** 5.8 Sum over the positions of block `b` of weight times value; `columns[i]` holds the values of position i. */
export function mixBlock(
  weights: ArrayLike<number>,
  value: (i: number) => number,
  { from, to }: { readonly from: number; readonly to: number },
): bigint {
  let high = 0;
  let low = 0;
  for (let i = from; i < to; i++) {
    const v = value(i);
    high += (weights[i]! >> 15) * v;
    low += (weights[i]! & 0x7fff) * v;
  }
  return (BigInt(high) << 15n) + BigInt(low);
}

function blockSums({ t, layout, input, prefix }: RowReader): BigInt64Array {
  const weights = input(0);
  const { parts } = layout.partials!;
  const kvHeadCount = prefix(1, 0).length;
  const sums = new BigInt64Array(weights.length * layout.size * parts);
  weights.forEach(({ values }, h) => {
    const g = sharedHead(h, weights.length, kvHeadCount);
    const columns = Array.from({ length: t + 1 }, (_, i) => prefix(1, i)[g]!.values);
    for (let d = 0; d < layout.size; d++) {
      for (let b = 0; b < parts; b++) {
        const from = b * TILE_POSITIONS;
        const to = Math.min(t + 1, from + TILE_POSITIONS);
        const sum = mixBlock(values, (i) => columns[i]![d]!, { from, to });
        sums[(h * layout.size + d) * parts + b] = sum;
      }
    }
  });
  return sums;
}

function logitSums({ job, own }: RowReader): BigInt64Array {
  const logits = own[0]!.values as Int32Array;
  const cuts = claimedCuts(job, logits.length);
  const { top, rankCut, shareCut } = cutsOf(logits, job.sampler, cuts);
  const token = (id: number | undefined) => ({
    id: id ?? 0,
    logit: id === undefined ? 0 : logits[id]!,
  });
  const row = {
    vocabularySize: logits.length,
    ...{ top: token(top), rankCut: token(rankCut), shareCut: token(shareCut) },
  };
  return allCutSums(logits, { row, tau: job.sampler.tau, cuts });
}
