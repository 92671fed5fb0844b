/**
 * The values of a teacher-forced pass by the WebAssembly kernels: a machine that keeps every tensor computes some
 * positions at once, and the tensors are read out of its memory. What its attention fuses is computed beside it. It
 * gives what {@link referencePass} gives, bit for bit.
 */
import type { EngineModel } from '../engine-model.js';
import type { Graph } from '../graph.js';
import { CHUNK_ROWS, createMachine, HEAD_ROWS, type Machine } from '../wasm/machine.js';
import { PAGE_POSITIONS, paddedHead } from '../wasm/pages.js';
import type { Place, PlaceOf } from '../wasm/places.js';
import { type ColumnParts, createColumnParts } from './column-parts.js';
import type { TracePass } from './reference-pass.js';
import type { PassValues, TraceRow } from './row-reader.js';
import { createTraceKernel, type HeadsAttention, type TraceKernel } from './trace-kernel.js';

/** Positions that one run of the machine computed. */
type Held = {
  readonly from: number;
  readonly count: number;
  readonly wanted: boolean;
  readonly logits: Int32Array;
};

/** One machine per model, and whose tensors it holds. */
type Shared = {
  readonly machine: Machine;
  readonly parts: ColumnParts;
  readonly kernel: TraceKernel;
  owner: object | undefined;
};

const machines = new WeakMap<EngineModel, Shared>();

function sharedMachine(model: EngineModel): Shared {
  const known = machines.get(model);
  if (known !== undefined) return known;
  const machine = createMachine(model, { threads: 1, prefixCacheBytes: 0, keepsTensors: true });
  const kernel = createTraceKernel(machine, model);
  const parts = createColumnParts(machine, { model, kernel });
  const shared = { machine, parts, kernel, owner: undefined };
  machines.set(model, shared);
  return shared;
}

/**
 * A pass on one thread. All passes over a model share one machine, which packs the weights once more and has memory for
 * every tensor of 64 rows.
 *
 * @example
 * const pass = wasmPass(model, tokens);
 * const trace = traceOf({ model, job, pass, traceKey, hash: sha256 });
 */
export function wasmPass(model: EngineModel, tokens: readonly number[]): TracePass {
  const shared = sharedMachine(model);
  const { machine, parts, kernel } = shared;
  const pages = Array.from({ length: Math.ceil(tokens.length / PAGE_POSITIONS) }, () =>
    machine.pages.takePage(),
  );
  const kept = new Map<number, (readonly TraceRow[])[]>();
  model.graph.tensors.forEach((tensor, index) => {
    if (tensor.kept) kept.set(index, []);
  });
  const owner = {};
  let held: Held | undefined;
  let computed = 0;
  /** Computes position `t`, with those after it if it is the next of a first pass. */
  const run = (t: number, wanted: boolean): Held => {
    const most = t === computed ? (wanted ? HEAD_ROWS : CHUNK_ROWS) : 1;
    const count = Math.min(most, tokens.length - t);
    const chunk = { tokens: tokens.slice(t, t + count), position: t, pages };
    const { logits } = machine.run([{ ...chunk, wantedCount: wanted ? count : 0 }], 'logits');
    shared.owner = owner;
    computed = Math.max(computed, t + count);
    const now = { from: t, count, wanted, logits };
    const reader = createReader(model, machine, { pages, parts, kernel, held: now });
    for (let row = 0; row < count; row++) {
      for (const [tensor, rows] of kept) rows[t + row] = reader.kept(tensor, t + row);
    }
    return now;
  };
  return {
    position(t, nodeCount) {
      const wanted = nodeCount === model.graph.nodes.length;
      const isHeld = shared.owner === owner && holds(held, t, wanted);
      const now = isHeld ? held! : run(t, wanted);
      held = now;
      return passValues(createReader(model, machine, { pages, parts, kernel, held: now }), kept, t);
    },
    dispose() {
      for (const page of pages.splice(0)) machine.pages.givePage(page);
    },
  };
}

const holds = (held: Held | undefined, t: number, wanted: boolean): boolean =>
  held !== undefined && t >= held.from && t < held.from + held.count && (held.wanted || !wanted);

/** Values of one position, each read once. */
function passValues(
  reader: Reader,
  kept: ReadonlyMap<number, readonly (readonly TraceRow[])[]>,
  t: number,
): PassValues {
  const rows = new Map<number, readonly TraceRow[]>();
  const keptAt = (tensor: number, position: number) => kept.get(tensor)![position]!;
  const attentions = new Map<number, HeadsAttention>();
  const attention = (node: number): HeadsAttention => {
    const known = attentions.get(node) ?? reader.attention(node, t);
    attentions.set(node, known);
    return known;
  };
  const read = (index: number): readonly TraceRow[] => {
    if (kept.has(index)) return keptAt(index, t);
    const fused = reader.fused(index);
    if (fused === undefined) return reader.tensor(index, t);
    return attention(fused.mix)[fused.is];
  };
  const tensor = (index: number): readonly TraceRow[] => {
    const known = rows.get(index);
    if (known !== undefined) return known;
    const value = read(index);
    rows.set(index, value);
    return value;
  };
  const partials = (node: number): Uint8Array | undefined =>
    reader.isMix(node) ? attention(node).partials : reader.columnSums(node, t);
  return { t, tensor, kept: keptAt, partials };
}

/** Reads tensors of the last run; views of memory are those of now. */
function createReader(
  model: EngineModel,
  machine: Machine,
  options: {
    readonly pages: readonly number[];
    readonly held: Held;
    readonly parts: ColumnParts;
    readonly kernel: TraceKernel;
  },
) {
  const { pages, held, kernel } = options;
  const { graph } = model;
  const { buffer } = machine.arena.memory;
  const words = new Int32Array(buffer);
  const halves = new Int16Array(buffer);
  const isValues = (tensor: number) => readsAsValues(graph, tensor);
  const read: Readers = {
    residual: ({ block, width }, row) => [
      rowOf(words.subarray(block / 4 + row * width, block / 4 + (row + 1) * width), 0),
    ],
    row16({ block, width, exponents }, row) {
      const from = block / 2 + row * width;
      return [rowOf(halves.subarray(from, from + width), words[exponents / 4 + row]!)];
    },
    sums({ block, width, stride, exponents }, row) {
      const { values, shift } = kernel.quantiseSums(block + 8 * row * stride, width);
      return [rowOf(values, words[exponents / 4 + row]! + shift)];
    },
    query({ block, heads, headSize, exponents }, row) {
      const padded = paddedHead(headSize);
      return Array.from({ length: heads }, (_, h) => {
        const from = block / 2 + (row * heads + h) * padded;
        const exponent = words[exponents / 4 + row * heads + h]!;
        return rowOf(halves.subarray(from, from + headSize), exponent);
      });
    },
    mixed({ block, heads, headSize, results }, row) {
      const padded = paddedHead(headSize);
      return Array.from({ length: heads }, (_, h) => {
        const from = block / 4 + (row * heads + h) * padded;
        const exponent = words[results / 4 + 4 * (row * heads + h)]!;
        return rowOf(words.subarray(from, from + headSize), exponent);
      });
    },
  };
  return {
    kept(tensor: number, position: number): readonly TraceRow[] {
      const place = machine.places.get(tensor) as PlaceOf<'kept'>;
      const page = pages[Math.floor(position / PAGE_POSITIONS)]! + place.offset;
      const slot = position % PAGE_POSITIONS;
      return keptRows({ words, halves }, { ...place, page, slot, interleaved: isValues(tensor) });
    },
    /** What the machine computes inside one instruction: scores, weights, sums of the mix at `node`. */
    attention: (node: number, t: number): HeadsAttention =>
      kernel.attention(node, { t, row: t - held.from, pages }),
    tensor(index: number, t: number): readonly TraceRow[] {
      const row = t - held.from;
      if (index === 0) throw new Error('invariant broken: no op of a trace reads tokens as a row');
      if (index === graph.nodes.at(-1)!.output) {
        const size = model.config.vocabularySize;
        return [rowOf(held.logits.subarray(row * size, (row + 1) * size), 0)];
      }
      const place = machine.places.get(index)!;
      return (read[place.kind as ReadKind] as (place: Place, row: number) => TraceRow[])(
        place,
        row,
      );
    },
    fused: (index: number) => kernel.fused.get(index),
    isMix: (node: number) => graph.nodes[node]!.op === 'mix',
    columnSums(node: number, t: number): Uint8Array | undefined {
      const isMatrix = graph.nodes[node]!.op === 'matmul';
      return isMatrix ? options.parts.sums(node, t - held.from) : undefined;
    },
  };
}

type Reader = ReturnType<typeof createReader>;

type ReadKind = 'residual' | 'row16' | 'sums' | 'query' | 'mixed';
type Readers = {
  readonly [K in ReadKind]: (place: PlaceOf<K>, row: number) => readonly TraceRow[];
};

const rowOf = (values: TraceRow['values'], exponent: number): TraceRow => ({
  values,
  exponent,
  sum: 0n,
});

/** True if attention reads the tensor as values, which lie two positions side by side. */
const readsAsValues = (graph: Graph, tensor: number): boolean =>
  graph.nodes.some(({ op, inputs }) => op === 'mix' && inputs[1] === tensor);

/** Rows of one position of a kept tensor (assembly/heads.ts). */
function keptRows(
  { words, halves }: { readonly words: Int32Array; readonly halves: Int16Array },
  at: {
    readonly page: number;
    readonly slot: number;
    readonly heads: number;
    readonly headSize: number;
    readonly interleaved: boolean;
  },
): readonly TraceRow[] {
  const { page, slot, heads, headSize, interleaved } = at;
  const padded = paddedHead(headSize);
  const headBytes = PAGE_POSITIONS * 2 * padded;
  return Array.from({ length: heads }, (_, h) => {
    const values = new Int16Array(headSize);
    const rows = (page + h * headBytes) / 2;
    const from = interleaved ? rows + (slot >> 1) * 2 * padded + (slot & 1) : rows + slot * padded;
    for (let d = 0; d < headSize; d++) values[d] = halves[from + d * (interleaved ? 2 : 1)]!;
    const exponents = (page + heads * headBytes) / 4 + h * PAGE_POSITIONS;
    return rowOf(values, words[exponents + slot]!);
  });
}
