/**
 * The honest facts of a row, from its values: exponents, witnesses, tops and sums, one maker per op of the table. A
 * witness is the lowest element that a checker accepts as one; only where a mantissa stands exactly at half of its
 * range must the element be recomputed to know.
 */
import { gainsAt, matrixAt } from '../engine-model.js';
import { bitLength } from '../integer.js';
import type { OpName } from '../op-table.js';
import { biasSums, headNormProducts } from '../reference/ops.js';
import type { Row30, WideRow } from '../reference/rows.js';
import { cutSums } from './cuts.js';
import type { FactRecord } from './facts.js';
import {
  A16_BITS,
  foldedPower,
  I30_BITS,
  inverseSum,
  joinElement,
  NORM_BITS,
  normElement,
  ropeElement,
  ropePhase,
  sumPowers,
  sumSquares,
  swiGluElement,
} from './formulas.js';
import { SUM_ELEMENTS, sharedHead } from './layout.js';
import { dotRow } from './row-partials.js';
import type { RowReader, TraceRow } from './row-reader.js';

/** Records of facts, one per head for tensors with heads. */
export const rowFacts = (row: RowReader): FactRecord[] =>
  FACTS[row.model.graph.nodes[row.node]!.op](row);

const NO_SUMS: readonly bigint[] = [];

/** Exponent and witness of a stored row whose elements were `wide(k)` * 2^`base`. */
function quantised(
  { values, exponent }: TraceRow,
  { base, bits, wide }: { base: number; bits: number; wide: (k: number) => bigint },
): Readonly<Record<string, number>> {
  return { exponent, witness: witnessOf(values, { shift: exponent - base, bits, wide }) };
}

/** The lowest element that needs every bit of its row's shift: any, if there is no shift. */
function witnessOf(
  values: TraceRow['values'],
  { shift, bits, wide }: { shift: number; bits: number; wide: (k: number) => bigint },
): number {
  if (shift === 0) return 0;
  const half = 2 ** (bits - 1);
  for (let k = 0; k < values.length; k++) {
    const magnitude = Math.abs(values[k]!);
    // Half of the range may have been rounded up from one bit less.
    if (magnitude > half || (magnitude === half && bitLength(wide(k)) === bits + shift)) return k;
  }
  throw new Error('invariant broken: a row with a shift has an element that forces it');
}

/** Parts of `count` elements, {@link SUM_ELEMENTS} in each. */
function sumsOf(
  values: TraceRow['values'],
  sum: (part: TraceRow['values']) => bigint,
): readonly bigint[] {
  const sums: bigint[] = [];
  for (let from = 0; from < values.length; from += SUM_ELEMENTS) {
    sums.push(sum(values.subarray(from, from + SUM_ELEMENTS)));
  }
  return sums;
}

/** Lowest index of the largest of `values`, and the largest. */
function largestOf(values: ArrayLike<number>): { at: number; largest: number } {
  let at = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[at]!) at = i;
  return { at, largest: values[at]! };
}

/** The trace table has no fields for these, so nobody asks. */
const nothing = (): FactRecord[] => [];

const FACTS: Readonly<Record<OpName, (row: RowReader) => FactRecord[]>> = {
  embed: nothing,
  residualAdd: nothing,
  scores: nothing,
  rmsNorm: normFacts,
  matmul({ model, node, own, input, partials, layout }) {
    const matrix = matrixAt(model, model.graph.nodes[node]!.weights[0]!);
    const x = input(0)[0]!;
    const wide = (k: number) =>
      layout.partials === undefined
        ? dotRow(matrix, k, { x: x.values, from: 0, to: matrix.cols })
        : totalOf(partials(), k, layout.partials.parts);
    const base = x.exponent + matrix.exponent;
    return [{ numbers: quantised(own[0]!, { base, bits: I30_BITS, wide }), sums: NO_SUMS }];
  },
  rope({ model, t, own, input }) {
    const { values, exponent } = input(0)[0]!;
    return own.map((head, h) => {
      const from = h * head.values.length;
      const wide = (k: number) => {
        const pair = from + k - (k % 2);
        const phase = ropePhase(model.ropeSteps[k >> 1]!, t);
        return ropeElement(values[pair]!, values[pair + 1]!, phase, k % 2 === 1);
      };
      const numbers = quantised(head, { base: exponent - 30, bits: A16_BITS, wide });
      return { numbers, sums: NO_SUMS };
    });
  },
  splitHeads({ own, input }) {
    const { values, exponent } = input(0)[0]!;
    return own.map((head, h) => {
      const wide = (k: number) => BigInt(values[h * head.values.length + k]!);
      const numbers = quantised(head, { base: exponent, bits: A16_BITS, wide });
      return { numbers, sums: NO_SUMS };
    });
  },
  softmax: softmaxFacts,
  mix({ own, input, partials, layout }) {
    const weights = input(0);
    return own.map((head, h) => {
      const wide = (d: number) => totalOf(partials(), h * layout.size + d, layout.partials!.parts);
      const { exponent } = weights[h]!;
      return { numbers: quantised(head, { base: exponent, bits: I30_BITS, wide }), sums: NO_SUMS };
    });
  },
  joinHeads: joinFacts,
  swiGlu({ own, input }) {
    const gate = input(0)[0]!;
    const up = input(1)[0]!;
    const wide = (k: number) => swiGluElement(gate.values[k]!, gate.exponent, up.values[k]!);
    const numbers = quantised(own[0]!, { base: up.exponent - 16, bits: A16_BITS, wide });
    return [{ numbers, sums: NO_SUMS }];
  },
  logits: logitFacts,
  bias({ model, node, own, input }) {
    const { weights } = model.graph.nodes[node]!;
    const wide = biasSums(input(0)[0] as Row30, gainsAt(model, weights[0]!));
    return [{ numbers: quantisedFrom(own[0]!, wide), sums: NO_SUMS }];
  },
  headNorm({ model, node, own, input }) {
    const { weights, parameters } = model.graph.nodes[node]!;
    const { headCount, epsilonQ40 } = parameters as { headCount: number; epsilonQ40: number };
    const gains = gainsAt(model, weights[0]!);
    const wide = headNormProducts(input(0)[0] as Row30, gains, { headCount, epsilonQ40 });
    return [{ numbers: quantisedFrom(own[0]!, wide), sums: NO_SUMS }];
  },
};

/** Exponent and witness of an I30 row whose elements are known before they were stored. */
const quantisedFrom = (row: TraceRow, { values, exponent }: WideRow) =>
  quantised(row, { base: exponent, bits: I30_BITS, wide: (k) => values[k]! });

function normFacts({ model, node, own, input }: RowReader): FactRecord[] {
  const { weights, parameters } = model.graph.nodes[node]!;
  const gains = gainsAt(model, weights[0]!);
  const h = input(0)[0]!.values;
  let magnitudes = 0;
  for (let i = 0; i < h.length; i++) magnitudes |= Math.abs(h[i]!);
  const preShift = Math.max(0, 32 - Math.clz32(magnitudes) - NORM_BITS);
  const forcing = 2 ** (NORM_BITS + preShift - 1);
  const preShiftWitness = preShift === 0 ? 0 : h.findIndex((x) => Math.abs(x) >= forcing);
  const sums = sumsOf(h, (part) => sumSquares(part, preShift));
  const squares = sums.reduce((total, sum) => total + sum, 0n);
  const { residualBits, epsilonQ40 } = parameters as { residualBits: number; epsilonQ40: number };
  const row = { squares, preShift, width: h.length, residualBits, epsilonQ40 };
  const wide = (k: number) => normElement(h[k]!, gains.data[k]!, row);
  const stored = quantised(own[0]!, { base: gains.exponent - 24, bits: A16_BITS, wide });
  return [{ numbers: { ...stored, preShift, preShiftWitness }, sums }];
}

function softmaxFacts({ t, own, input, prefix }: RowReader): FactRecord[] {
  const scores = input(0);
  const kvHeadCount = prefix(1, 0).length;
  const kept = Array.from({ length: kvHeadCount }, () => new Int32Array(t + 1));
  for (let i = 0; i <= t; i++) {
    const rows = prefix(1, i);
    for (let g = 0; g < kvHeadCount; g++) kept[g]![i] = rows[g]!.exponent;
  }
  const tops = kept.map(largestOf);
  return own.map((head, h) => {
    const { values } = scores[h]!;
    const g = sharedHead(h, own.length, kvHeadCount);
    const exponents = kept[g]!;
    const { at: largestPosition, largest } = largestOf(values);
    const { at: topPosition, largest: top } = tops[g]!;
    const wide = (i: number) =>
      foldedPower(values[i]!, { largest, top, valueExponent: exponents[i]! });
    const stored = quantised(head, { base: top - 16, bits: I30_BITS, wide });
    const numbers = { ...stored, largest, largestPosition, top, topPosition };
    const sums =
      values.length <= SUM_ELEMENTS
        ? [head.sum]
        : sumsOf(values, (part) => sumPowers(part, largest));
    return { numbers, sums };
  });
}

function joinFacts({ own, input }: RowReader): FactRecord[] {
  const mixed = input(0);
  const weights = input(1);
  const size = mixed[0]!.values.length;
  const exponents = mixed.map(({ exponent }, h) => exponent + inverseSum(weights[h]!.sum).exponent);
  const { at: topHead, largest: top } = largestOf(exponents);
  const wide = (k: number) => {
    const h = Math.floor(k / size);
    const { values, exponent } = mixed[h]!;
    return joinElement(values[k % size]!, { exponent, sum: weights[h]!.sum, top });
  };
  const stored = quantised(own[0]!, { base: top, bits: A16_BITS, wide });
  return [{ numbers: { ...stored, top, topHead }, sums: NO_SUMS }];
}

function logitFacts({ cuts, partials, layout }: RowReader): FactRecord[] {
  const { top, rankCut, shareCut } = cuts();
  const numbers = {
    ...{ topId: top.id, topLogit: top.logit },
    ...{ rankId: rankCut.id, rankLogit: rankCut.logit },
    ...{ shareId: shareCut.id, shareLogit: shareCut.logit },
  };
  const parts = layout.partials === undefined ? new Uint8Array() : partials();
  return [{ numbers, sums: cutSums(parts) }];
}

/** Total of the partial sums of element `e`. */
function totalOf(partials: Uint8Array, e: number, parts: number): bigint {
  const view = new DataView(partials.buffer, partials.byteOffset);
  let total = 0n;
  for (let c = 0; c < parts; c++) total += view.getBigInt64(8 * (e * parts + c));
  return total;
}
