/**
 * Where everything stands in a trace: closed forms of graph node, position and job, so that an address never has to be
 * read from anywhere. docs/reference/court.md says the same in words, `contracts/dispute` in Solidity. It knows sizes,
 * not values.
 *
 * A row is what one node gives at one position. Its leaves: facts, one per head; elements; partial sums; tiles.
 */
import { LEAF_COLUMNS } from '../commitment.js';
import type { Graph } from '../graph.js';
import type { Format } from '../op-table.js';
import type { SamplerSettings } from '../sampler.js';
import { TRACE_TABLE, type TraceRule } from './trace-table.js';

/** Elements of a leaf: 128 or 256 bytes, about what a hash costs anyway. */
export const TRACE_LEAF_ELEMENTS = 64;

/** Elements, columns or positions behind one claimed sum: what one transaction recomputes. */
export const SUM_ELEMENTS = LEAF_COLUMNS;

/** Positions and columns of a tile of values: one proof opens 1 KiB. */
export const TILE_POSITIONS = 64;
export const TILE_COLUMNS = 8;

/** Positions of a trace: 64 tiles of 64, as many partial sums as one element may have. */
export const TRACE_POSITIONS_MAX = 4096;

/** Sums of one part of a row of logits: count and weight up to the rank cut, weight up to the share cut. */
export const CUT_SUMS = 3;

const SUM_BYTES = 8;
/** Elements with partial sums share leaves of so many sums. */
const LEAF_SUMS = 64;
/** Parts of the logits share leaves of so many. */
const LEAF_CUT_PARTS = 32;

const ELEMENT_BYTES: Readonly<Record<Format, number>> = {
  token: 4,
  A16: 2,
  I30: 4,
  H: 4,
  Q16: 4,
  P30: 4,
};

/** What the shape of a trace depends on besides the graph: all of it stands in job and receipt. */
export type TraceJob = {
  readonly inputCount: number;
  readonly outputCount: number;
  readonly sampler: SamplerSettings;
  /** True if penalties, biases or a grammar act on the logits: then the cuts are not in the trace. */
  readonly controlled: boolean;
};

/** Positions of the teacher-forced pass: the last token of the answer is never read. */
export const tracePositions = ({ inputCount, outputCount }: TraceJob): number =>
  inputCount + outputCount - 1;

/** Nodes that exist at position `t`: those that only logits need exist where a token was sampled. */
export const rowCount = (graph: Graph, job: TraceJob, t: number): number =>
  t >= job.inputCount - 1 ? graph.nodes.length : graph.logitsFrom;

/** True if the tiles of position `t`'s block are written there. */
export const isClosing = (job: TraceJob, t: number): boolean =>
  t % TILE_POSITIONS === TILE_POSITIONS - 1 || t === tracePositions(job) - 1;

/** The position at which the tiles of block `block` stand. */
export const closingPosition = (job: TraceJob, block: number): number =>
  Math.min(TILE_POSITIONS * (block + 1), tracePositions(job)) - 1;

/** Which of the sampler's cuts a trace claims. */
export function claimedCuts(job: TraceJob, vocabularySize: number): Cuts {
  const { tau, topK, topP } = job.sampler;
  const on = tau > 0 && !job.controlled;
  return {
    rank: on && topK > 0 && topK < vocabularySize,
    share: on && topP > 0 && topP < 2 ** 30,
  };
}

export type Cuts = { readonly rank: boolean; readonly share: boolean };

/** Partial sums: `count` elements (or parts of the logits) with `parts` sums each, whole elements to a leaf. */
export type PartialLayout = {
  readonly count: number;
  readonly parts: number;
  readonly perLeaf: number;
};

export type TileLayout = {
  readonly heads: number;
  readonly columns: number;
  /** Leaves of one head. */
  readonly blocks: number;
  readonly from: number;
  readonly positions: number;
};

/** Leaves of row (t, node), by their order. */
export type RowLayout = {
  readonly rule: TraceRule;
  readonly heads: number;
  /** Elements of a head, or of the row if there are no heads. */
  readonly size: number;
  readonly elementBytes: number;
  readonly leavesPerHead: number;
  readonly partials: PartialLayout | undefined;
  readonly firstPartial: number;
  readonly tiles: TileLayout | undefined;
  readonly firstTile: number;
  /** Sums at the end of a record of facts. */
  readonly sumCount: number;
  /** Bytes of a record, which is a leaf of its own; rows without facts have none. */
  readonly recordBytes: number;
  readonly factLeaves: number;
  readonly leafCount: number;
};

/** The layout of row (t, `node`). */
export function rowLayout(graph: Graph, job: TraceJob, at: RowAddress): RowLayout {
  const { op, output } = graph.nodes[at.node]!;
  const rule: TraceRule = TRACE_TABLE[op];
  const { shape, format } = graph.tensors[output]!;
  const heads = shape.length === 3 ? (shape[1] as number) : 1;
  const last = shape.at(-1)!;
  const size = last === 'T' ? at.t + 1 : last;
  const leavesPerHead = Math.ceil(size / TRACE_LEAF_ELEMENTS);
  const partials = partialLayout(graph, job, { t: at.t, node: at.node, count: heads * size });
  const tiles = tileLayout(graph, job, at);
  const sumCount = recordSums(rule, { size, t: at.t });
  const recordBytes = rule.facts.reduce((sum, { bytes }) => sum + bytes, 0) + SUM_BYTES * sumCount;
  const factLeaves = recordBytes === 0 ? 0 : heads;
  const firstPartial = factLeaves + heads * leavesPerHead;
  const firstTile = firstPartial + (partials ? Math.ceil(partials.count / partials.perLeaf) : 0);
  return {
    rule,
    heads,
    size,
    elementBytes: ELEMENT_BYTES[format],
    leavesPerHead,
    partials,
    firstPartial,
    tiles,
    firstTile,
    sumCount,
    recordBytes,
    factLeaves,
    leafCount: firstTile + (tiles ? tiles.heads * tiles.blocks : 0),
  };
}

/** A row of the trace: what `node` gives at position `t`. */
export type RowAddress = { readonly t: number; readonly node: number };

function recordSums({ sums }: TraceRule, row: { size: number; t: number }): number {
  if (sums === 'columns') return Math.ceil(row.size / SUM_ELEMENTS);
  if (sums === 'positions') return Math.ceil((row.t + 1) / SUM_ELEMENTS);
  return sums === 'cuts' ? CUT_SUMS : 0;
}

function partialLayout(
  graph: Graph,
  job: TraceJob,
  { t, node, count }: RowAddress & { readonly count: number },
): PartialLayout | undefined {
  const { op, inputs } = graph.nodes[node]!;
  const kind = TRACE_TABLE[op].partials;
  if (kind === 'cuts') {
    const { rank, share } = claimedCuts(job, count);
    if (!rank && !share) return undefined;
    const parts = Math.ceil(count / SUM_ELEMENTS);
    return { count: parts, parts: CUT_SUMS, perLeaf: LEAF_CUT_PARTS };
  }
  if (kind === undefined) return undefined;
  const columns = graph.tensors[inputs[0]!]!.shape.at(-1)!;
  const parts =
    kind === 'positions'
      ? Math.ceil((t + 1) / TILE_POSITIONS)
      : Math.ceil((columns as number) / SUM_ELEMENTS);
  if (kind === 'columns' && parts === 1) return undefined;
  return { count, parts, perLeaf: Math.floor(LEAF_SUMS / parts) };
}

function tileLayout(graph: Graph, job: TraceJob, { t, node }: RowAddress): TileLayout | undefined {
  const { op, inputs } = graph.nodes[node]!;
  if (TRACE_TABLE[op].tiles !== true || !isClosing(job, t)) return undefined;
  const [, heads, columns] = graph.tensors[inputs[1]!]!.shape as readonly number[];
  const from = t - (t % TILE_POSITIONS);
  const blocks = Math.ceil(columns! / TILE_COLUMNS);
  return { heads: heads!, columns: columns!, blocks, from, positions: t - from + 1 };
}

/** Leaf of element `k` of head `h`. */
export const elementLeaf = (layout: RowLayout, h: number, k: number): number =>
  layout.factLeaves + h * layout.leavesPerHead + Math.floor(k / TRACE_LEAF_ELEMENTS);

/** Leaf of the sums of element `e` (all heads counted), or of part `e` of the logits. */
export const partialLeaf = (layout: RowLayout, e: number): number =>
  layout.firstPartial + Math.floor(e / layout.partials!.perLeaf);

/** Leaf of the tile with column `d` of head `g`. */
export const tileLeaf = (layout: RowLayout, g: number, d: number): number =>
  layout.firstTile + g * layout.tiles!.blocks + Math.floor(d / TILE_COLUMNS);

/** Bytes that leaf `leaf` has. */
export function leafBytes(layout: RowLayout, leaf: number): number {
  const { size, factLeaves, leavesPerHead, partials, tiles } = layout;
  if (leaf < factLeaves) return layout.recordBytes;
  if (leaf < layout.firstPartial) {
    const from = ((leaf - factLeaves) % leavesPerHead) * TRACE_LEAF_ELEMENTS;
    return layout.elementBytes * Math.min(TRACE_LEAF_ELEMENTS, size - from);
  }
  if (partials !== undefined && leaf < layout.firstTile) {
    const from = (leaf - layout.firstPartial) * partials.perLeaf;
    return SUM_BYTES * partials.parts * Math.min(partials.perLeaf, partials.count - from);
  }
  const { blocks, positions, columns } = tiles!;
  const from = ((leaf - layout.firstTile) % blocks) * TILE_COLUMNS;
  return ELEMENT_BYTES.A16 * positions * Math.min(TILE_COLUMNS, columns - from);
}

/** Node whose output input `i` of a node reads; tensor 0 holds the tokens and has none. */
export const inputNode = (graph: Graph, node: number, i: number): number =>
  graph.nodes[node]!.inputs[i]! - 1;

/** The head of keys or values that head `h` of `headCount` reads. */
export const sharedHead = (h: number, headCount: number, kvHeadCount: number): number =>
  Math.floor((h * kvHeadCount) / headCount);
