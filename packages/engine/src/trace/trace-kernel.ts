/**
 * What a trace shows and a pass does not keep, read out of a machine's memory after a pass: scores, weights and page
 * sums of attention, parts of long matrix rows, rows of sums as I30. It works with the kernels' own functions, in a
 * module of its own (`assembly/trace`), so that the module that serves tokens carries nothing of it.
 */
import type { EngineModel } from '../engine-model.js';
import type { Graph } from '../graph.js';
import { EXP2_HIGH, EXP2_LOW } from '../tables.js';
import { decodeBase64 } from '../wasm/kernels.js';
import type { Machine } from '../wasm/machine.js';
import { headSumsBytes, PAGE_POSITIONS, paddedHead } from '../wasm/pages.js';
import type { PlaceOf } from '../wasm/places.js';
import { TRACE_BASE64 } from './generated/trace-wasm.js';
import { SUM_ELEMENTS, sharedHead, TRACE_POSITIONS_MAX } from './layout.js';
import type { TraceRow } from './row-reader.js';

/** Attention at one position, one row per head. */
export type HeadsAttention = {
  readonly scores: readonly TraceRow[];
  readonly weights: readonly TraceRow[];
  /** Sums of the mix per 64 positions as leaves hold them: element-major, 8 bytes each. */
  readonly partials: Uint8Array;
};

/** Where the row of a pass lies. */
export type RowPlace = {
  readonly t: number;
  /** Its number among the rows of the last pass. */
  readonly row: number;
  readonly pages: readonly number[];
};

export type TraceKernel = {
  readonly module: TraceModule;
  /** Memory of attention: where its inputs are set and its results lie. */
  readonly areas: AttentionAreas;
  /** Tensors that only {@link TraceKernel.attention} gives, by the node of the mix that they belong to. */
  readonly fused: ReadonlyMap<number, { readonly mix: number; readonly is: 'scores' | 'weights' }>;
  readonly attention: (mix: number, place: RowPlace) => HeadsAttention;
  /** Parts of `rows` sums as leaves hold them: what is left of the total, then those at `sums`. */
  readonly partsOf: (
    total: number,
    parts: { readonly sums: readonly number[]; readonly rows: number },
  ) => Uint8Array;
  readonly quantiseSums: (sums: number, width: number) => { values: Int32Array; shift: number };
};

/** What the module exports; all numbers are addresses, sizes and counts (`assembly/trace`). */
export type TraceModule = {
  readonly describe: (scribe: number, steps: number, first: number, end: number) => number;
  readonly addBytes: (scribe: number, size: number, leafBytes: number) => void;
  readonly addElements: (scribe: number, count: number, isWords: number, leafBytes: number) => void;
  readonly endRow: (scribe: number, nodes: number) => void;
  readonly endLeaves: (hasher: number) => void;
  readonly foldTrees: (
    hasher: number,
    trees: number,
    treeCount: number,
    seals: number,
    roots: number,
  ) => void;
  readonly hasherSize: () => number;
  readonly startHasher: (hasher: number) => void;
  readonly traceHead: (...addressesAndSizes: readonly number[]) => void;
  readonly splitPart: (...addressesAndSizes: readonly number[]) => void;
  readonly quantiseSums: (sums: number, width: number, out: number) => number;
};

/** Tensors of one attention. */
export type Attention = {
  readonly query: number;
  readonly keys: number;
  readonly values: number;
  readonly scaleQ24: number;
};

const compiled: { module?: WebAssembly.Module } = {};

/** Reserves memory in the machine for rows of up to {@link TRACE_POSITIONS_MAX} positions. */
export function createTraceKernel(machine: Machine, model: EngineModel): TraceKernel {
  compiled.module ??= new WebAssembly.Module(decodeBase64(TRACE_BASE64));
  const { memory } = machine.arena;
  const instance = new WebAssembly.Instance(compiled.module, { env: { memory } });
  const kernel = instance.exports as unknown as TraceModule;
  const attentions = attentionsOf(model);
  const areas = layAreas(machine, model);
  const fused = new Map<number, { mix: number; is: 'scores' | 'weights' }>();
  for (const mix of attentions.keys()) {
    const { softmax, scores } = chainOf(model, mix);
    fused.set(scores.output, { mix, is: 'scores' });
    fused.set(softmax.output, { mix, is: 'weights' });
  }
  return {
    module: kernel,
    areas,
    fused,
    attention: (mix, place) => attend({ machine, kernel, areas }, attentions.get(mix)!, place),
    partsOf(total, { sums, rows }) {
      const count = sums.length + 1;
      const bytes = new Uint8Array(memory.buffer);
      const { rest, out } = areas;
      bytes.copyWithin(rest, total, total + 8 * rows);
      for (const [i, part] of sums.entries()) {
        kernel.splitPart(part, rest, rows, i + 1, count, out);
      }
      // The rest is a part like others, taken off itself.
      kernel.splitPart(rest, rest, rows, 0, count, out);
      return bytes.slice(out, out + 8 * rows * count);
    },
    quantiseSums(sums, width) {
      const shift = kernel.quantiseSums(sums, width, areas.out);
      return { values: new Int32Array(memory.buffer, areas.out, width).slice(), shift };
    },
  };
}

/** Softmax and scores of a mix. */
export function chainOf({ graph }: EngineModel, mix: number) {
  const nodeOf = (tensor: number) => graph.nodes[tensor - 1]!;
  const softmax = nodeOf(graph.nodes[mix]!.inputs[0]!);
  return { softmax, scores: nodeOf(softmax.inputs[0]!) };
}

/** The attentions of a graph by the node of their mix. */
export function attentionsOf(model: EngineModel): ReadonlyMap<number, Attention> {
  const found = new Map<number, Attention>();
  for (const [mix, { op, inputs }] of model.graph.nodes.entries()) {
    if (op !== 'mix') continue;
    const { scores } = chainOf(model, mix);
    const [query, keys] = scores.inputs as readonly [number, number];
    found.set(mix, { query, keys, values: inputs[1]!, scaleQ24: scores.parameters.scaleQ24! });
  }
  return found;
}

/** True if attention reads the tensor as values, which lie two positions side by side. */
export const readsAsValues = (graph: Graph, tensor: number): boolean =>
  graph.nodes.some(({ op, inputs }) => op === 'mix' && inputs[1] === tensor);

/** Bytes of the two records that head the areas: AttentionShape, AttentionScratch. */
const RECORD_BYTES = 64;
/** Bytes of what one head gives besides rows (HeadTrace). */
const HEAD_TRACE_BYTES = 32;
/** Vectors are written whole. */
const SLACK_BYTES = 64;

export type AttentionAreas = ReturnType<typeof layAreas>;

/** Memory of one head, and of the widest row that anything here writes. */
function layAreas({ arena }: Machine, model: EngineModel) {
  const padded = paddedHead(model.config.headSize);
  const { rowBytes, partBytes } = rowSizes(model);
  const positions = TRACE_POSITIONS_MAX;
  const heads = model.config.headCount;
  const area = (size: number) => arena.reserve(size + SLACK_BYTES);
  const pageSums = 8 * padded * (positions / PAGE_POSITIONS);
  const areas = {
    shape: area(RECORD_BYTES),
    scratch: area(RECORD_BYTES),
    results: area(heads * HEAD_TRACE_BYTES),
    pages: area((4 * positions) / PAGE_POSITIONS),
    tables: area(4 * (EXP2_HIGH.length + EXP2_LOW.length)),
    query: area(4 * padded),
    scores: area(heads * 4 * positions),
    weights: area(8 * positions),
    planes: area(6 * positions),
    sums: area(headSumsBytes(padded)),
    totals: area(8 * padded),
    weightsOut: area(heads * 4 * positions),
    partials: area(heads * pageSums),
    out: area(Math.max(rowBytes, partBytes)),
    rest: area(rowBytes),
  };
  const words = new Uint32Array(arena.memory.buffer);
  words.set(EXP2_HIGH, areas.tables / 4);
  words.set(EXP2_LOW, areas.tables / 4 + EXP2_HIGH.length);
  const { query, scores, weights, planes, sums } = areas;
  words.set([query, scores, weights, planes, 2 * positions, sums], areas.scratch / 4);
  return areas;
}

/** Most bytes of a row of sums, and of all parts of one. */
function rowSizes({ graph }: EngineModel): { rowBytes: number; partBytes: number } {
  let [rowBytes, partBytes] = [0, 0];
  for (const { op, inputs, output } of graph.nodes) {
    if (op !== 'matmul') continue;
    const widthOf = (tensor: number) => graph.tensors[tensor]!.shape.at(-1) as number;
    const bytes = 8 * widthOf(output);
    rowBytes = Math.max(rowBytes, bytes);
    partBytes = Math.max(partBytes, bytes * Math.ceil(widthOf(inputs[0]!) / SUM_ELEMENTS));
  }
  return { rowBytes, partBytes };
}

function attend(
  { machine, kernel, areas }: { machine: Machine; kernel: TraceModule; areas: AttentionAreas },
  { query, keys, values, scaleQ24 }: Attention,
  { t, row, pages }: RowPlace,
): HeadsAttention {
  const { memory } = machine.arena;
  const queries = machine.places.get(query) as PlaceOf<'query'>;
  const keyPlace = machine.places.get(keys) as PlaceOf<'kept'>;
  const valuePlace = machine.places.get(values) as PlaceOf<'kept'>;
  const { heads, headSize } = queries;
  const padded = paddedHead(headSize);
  const count = t + 1;
  const words = new Int32Array(memory.buffer);
  const wides = new BigInt64Array(memory.buffer);
  words.set(pages.slice(0, Math.ceil(count / PAGE_POSITIONS)), areas.pages / 4);
  words.set([keyPlace.offset, valuePlace.offset, valuePlace.heads, padded], areas.shape / 4);
  wides[areas.shape / 8 + 2] = BigInt(scaleQ24);
  const partBytes = 8 * headSize * Math.ceil(count / PAGE_POSITIONS);
  // Kernels write whole vectors of eight weights.
  const stride = Math.ceil(count / 8) * 8;
  const results: Pick<TraceRow, 'exponent' | 'sum'>[] = [];
  for (let h = 0; h < heads; h++) {
    const at = row * heads + h;
    words[areas.scratch / 4 + 1] = areas.scores + 4 * stride * h;
    kernel.traceHead(
      ...[areas.shape, areas.scratch, areas.pages, areas.tables],
      ...[count, sharedHead(h, heads, valuePlace.heads)],
      ...[queries.block + 2 * at * padded, words[queries.exponents / 4 + at]!, headSize],
      ...[areas.weightsOut + 4 * stride * h, areas.partials + h * partBytes],
      ...[areas.totals, areas.results],
    );
    results.push({ exponent: words[areas.results / 4]!, sum: wides[areas.results / 8 + 1]! });
  }
  // One copy for all heads: arrays of their own cost more than what they hold.
  const copy = (from: number) => words.slice(from / 4, from / 4 + heads * stride);
  const [scores, weights] = [copy(areas.scores), copy(areas.weightsOut)];
  const head = (values: Int32Array, h: number) => values.subarray(h * stride, h * stride + count);
  return {
    scores: results.map((_, h) => ({ values: head(scores, h), exponent: 0, sum: 0n })),
    weights: results.map(({ exponent, sum }, h) => ({ values: head(weights, h), exponent, sum })),
    partials: new Uint8Array(memory.buffer, areas.partials, heads * partBytes).slice(),
  };
}
