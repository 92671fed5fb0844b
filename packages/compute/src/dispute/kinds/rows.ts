/** Kinds of the RowJudge: ops that first reduce a row, and what they claim of it. */
import {
  decodeGain,
  decodeWeightHeader,
  type FactRecord,
  referenceOps,
  SUM_ELEMENTS,
  sharedHead,
  TRACE_LEAF_ELEMENTS,
  traceFormulas,
} from '@assay/engine';
import { nodeOf, type OpenRow, openRows, requireBelow, type Scene } from '../access.js';
import { A16, I30, isWrongClaim, isWrongElement, type Kind, P30 } from './claim.js';

/** What a normed row claims of itself, with what the node says. */
function normRow(scene: Scene, { numbers, sums }: FactRecord, width: number) {
  const { residualBits, epsilonQ40 } = nodeOf(scene).parameters;
  const squares = sums.reduce((total, sum) => total + sum, 0n);
  return {
    ...{ squares, width, preShift: numbers.preShift! },
    ...{ residualBits: residualBits!, epsilonQ40: epsilonQ40! },
  };
}

/** True if `value` breaks the claim that `named` is the lowest index of the largest value. */
const isWrongMaximum = (value: number, index: number, claim: { largest: number; named: number }) =>
  isWrongClaim(index, claim.named, (asWitness) =>
    asWitness ? value === claim.largest : value <= claim.largest,
  );

/** Part `part` of a head: 1,024 elements unless it is the last. */
const partOf = (row: OpenRow, head: number, part: number): number[] =>
  row.elements(head, part * SUM_ELEMENTS, Math.min(row.layout.size, (part + 1) * SUM_ELEMENTS));

export const ROW_KINDS = {
  normElement: {
    number: 0x30,
    isGuilty(scene) {
      const { access, index } = scene;
      const rows = openRows(scene);
      const own = rows.own();
      const h = rows.input(0).element(0, index);
      const facts = own.facts(0);
      const mantissa = own.element(0, index);
      const gains = access.weightLeaf(1 + Math.floor(index / SUM_ELEMENTS));
      const { exponent } = decodeWeightHeader(access.weightLeaf(0));
      const gain = decodeGain(gains, index % SUM_ELEMENTS);
      const value = traceFormulas.normElement(h, gain, normRow(scene, facts, own.layout.size));
      return isWrongElement(value, { base: exponent - 24, ...A16 }, { mantissa, index, facts });
    },
  },
  normShift: {
    number: 0x31,
    isGuilty(scene) {
      const { index } = scene;
      const rows = openRows(scene);
      const h = BigInt(rows.input(0).element(0, index));
      const { preShift, preShiftWitness } = rows.own().facts(0).numbers;
      return isWrongClaim(index, preShiftWitness!, (asWitness) =>
        traceFormulas.isShift(h, preShift!, traceFormulas.NORM_BITS, asWitness),
      );
    },
  },
  normPartial: {
    number: 0x32,
    isGuilty(scene) {
      const rows = openRows(scene);
      const h = partOf(rows.input(0), 0, scene.part);
      const { numbers, sums } = rows.own().facts(0);
      return traceFormulas.sumSquares(h, numbers.preShift!) !== sums[scene.part];
    },
  },
  softmaxElement: {
    number: 0x33,
    isGuilty(scene) {
      const { head, index } = scene;
      const rows = openRows(scene, index);
      const [own, values] = [rows.own(), rows.inputThere(1)];
      const score = rows.input(0).element(head, index);
      const facts = own.facts(head);
      const mantissa = own.element(head, index);
      const g = sharedHead(head, own.layout.heads, values.layout.heads);
      const valueExponent = values.facts(g).numbers.exponent!;
      const { largest, top } = facts.numbers;
      const row = { largest: largest!, top: top!, valueExponent };
      const value = traceFormulas.foldedPower(score, row);
      return isWrongElement(value, { base: top! - 16, ...P30 }, { mantissa, index, facts });
    },
  },
  softmaxLargest: {
    number: 0x34,
    isGuilty(scene) {
      const { head, index } = scene;
      const rows = openRows(scene);
      const score = rows.input(0).element(head, index);
      const { largest, largestPosition } = rows.own().facts(head).numbers;
      return isWrongMaximum(score, index, { largest: largest!, named: largestPosition! });
    },
  },
  softmaxTop: {
    number: 0x35,
    isGuilty(scene) {
      const { head, index } = scene;
      const rows = openRows(scene, index);
      const [own, values] = [rows.own(), rows.inputThere(1)];
      requireBelow(index, own.layout.size);
      const { top, topPosition } = own.facts(head).numbers;
      const g = sharedHead(head, own.layout.heads, values.layout.heads);
      const { exponent } = values.facts(g).numbers;
      return isWrongMaximum(exponent!, index, { largest: top!, named: topPosition! });
    },
  },
  softmaxPartial: {
    number: 0x36,
    isGuilty(scene) {
      const { head, part } = scene;
      const rows = openRows(scene);
      const scores = partOf(rows.input(0), head, part);
      const { numbers, sums } = rows.own().facts(head);
      return traceFormulas.sumPowers(scores, numbers.largest!) !== sums[part];
    },
  },
  /** A head is short enough to be recomputed as a whole. */
  headNormElement: {
    number: 0x37,
    isGuilty(scene) {
      const { access, index } = scene;
      const { headCount, epsilonQ40 } = nodeOf(scene).parameters;
      const rows = openRows(scene);
      const [x, own] = [rows.input(0), rows.own()];
      const size = own.layout.size / headCount!;
      const from = index - (index % size);
      const run = x.elements(0, from, from + size);
      const head = run.slice(from % TRACE_LEAF_ELEMENTS).slice(0, size);
      const { exponent } = x.facts(0).numbers;
      const facts = own.facts(0);
      const mantissa = own.element(0, index);
      const leaf = access.weightLeaf(1);
      const header = decodeWeightHeader(access.weightLeaf(0));
      const gains = Int32Array.from({ length: size }, (_, i) => decodeGain(leaf, i));
      const { values, exponent: base } = referenceOps.headNormProducts(
        { values: Int32Array.from(head), exponent: exponent! },
        { data: gains, exponent: header.exponent },
        { headCount: 1, epsilonQ40: epsilonQ40! },
      );
      const value = values[index % size]!;
      return isWrongElement(value, { base, ...I30 }, { mantissa, index, facts });
    },
  },
} as const satisfies Readonly<Record<string, Kind>>;
