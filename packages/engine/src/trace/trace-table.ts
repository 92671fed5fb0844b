/**
 * What the trace says of each op besides its elements, as data: the facts of a row, and the sums that long rows are
 * claimed in. Layouts, leaf bytes, witnesses and judges are driven by it; docs/reference/court.md prints it. It knows
 * no values and no sizes.
 */
import type { OpName } from '../op-table.js';

/** One number of a fact record, big-endian; `bound` names the range of an index, for the check of its form. */
export type FactField = {
  readonly name: string;
  readonly bytes: 1 | 2 | 4;
  readonly signed: boolean;
  readonly bound?: 'element' | 'position' | 'head';
};

export type TraceRule = {
  /** Numbers of one record; a tensor of rank 3 has a record per head, others have one. */
  readonly facts: readonly FactField[];
  /** Sums of 8 bytes at the end of a record: one per 1,024 columns or positions, or the three totals of the cuts. */
  readonly sums?: 'columns' | 'positions' | 'cuts';
  /** Sums in leaves of their own: 1,024 columns of a matrix, 64 positions, or three sums per 1,024 logits. */
  readonly partials?: 'columns' | 'positions' | 'cuts';
  /** True if closing positions hold tiles of input 1. */
  readonly tiles?: boolean;
};

const i16 = (name: string): FactField => ({ name, bytes: 2, signed: true });
const i32 = (name: string): FactField => ({ name, bytes: 4, signed: true });
const u8 = (name: string): FactField => ({ name, bytes: 1, signed: false });
const index = (name: string, bytes: 2 | 4, bound: NonNullable<FactField['bound']>): FactField => ({
  name,
  bytes,
  signed: false,
  bound,
});

/** Of every row that shares an exponent: the exponent, and the lowest element that forces it. */
const QUANTISED = [i16('exponent'), index('witness', 4, 'element')];

export const TRACE_TABLE: Readonly<Record<OpName, TraceRule>> = {
  embed: { facts: [] },
  rmsNorm: {
    facts: [...QUANTISED, u8('preShift'), index('preShiftWitness', 4, 'element')],
    sums: 'columns',
  },
  matmul: { facts: QUANTISED, partials: 'columns' },
  rope: { facts: QUANTISED },
  splitHeads: { facts: QUANTISED },
  scores: { facts: [] },
  softmax: {
    facts: [
      i32('largest'),
      index('largestPosition', 4, 'position'),
      i16('top'),
      index('topPosition', 4, 'position'),
      ...QUANTISED,
    ],
    sums: 'positions',
  },
  mix: { facts: QUANTISED, partials: 'positions', tiles: true },
  joinHeads: { facts: [...QUANTISED, i16('top'), index('topHead', 2, 'head')] },
  swiGlu: { facts: QUANTISED },
  residualAdd: { facts: [] },
  logits: {
    facts: [
      index('topId', 4, 'element'),
      i32('topLogit'),
      index('rankId', 4, 'element'),
      i32('rankLogit'),
      index('shareId', 4, 'element'),
      i32('shareLogit'),
    ],
    sums: 'cuts',
    partials: 'cuts',
  },
  bias: { facts: QUANTISED },
  headNorm: { facts: QUANTISED },
};
