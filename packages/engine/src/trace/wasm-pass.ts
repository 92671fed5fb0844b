/**
 * The values of a teacher-forced pass by the WebAssembly kernels: a machine that keeps every tensor computes some
 * positions at once, and the tensors are read out of its memory. What its attention fuses is computed beside it. It
 * gives what {@link referencePass} gives, bit for bit.
 */
import type { EngineModel } from '../engine-model.js';
import { CHUNK_ROWS, createMachine, HEAD_ROWS, type Machine } from '../wasm/machine.js';
import { keyIndex, PAGE_POSITIONS, paddedHead, valueIndex } from '../wasm/pages.js';
import type { Place, PlaceOf } from '../wasm/places.js';
import { type ColumnParts, createColumnParts } from './column-parts.js';
import { type TraceJob, tracePositions } from './layout.js';
import type { TracePass } from './reference-pass.js';
import type { PassValues, TraceRow } from './row-reader.js';
import { createScribe, type Scribe } from './scribe.js';
import {
  createTraceKernel,
  type HeadsAttention,
  readsAsValues,
  type TraceKernel,
} from './trace-kernel.js';

/** Positions that one run of the machine computed. */
type Held = {
  readonly from: number;
  readonly count: number;
  readonly wanted: boolean;
  /** Address of the rows of logits. */
  readonly logits: number;
};

/** Roots of neighbouring positions. */
type Described = {
  readonly job: TraceJob;
  readonly from: number;
  readonly roots: readonly Uint8Array[];
};

/** One machine per model, and whose tensors it holds. */
type Shared = {
  readonly machine: Machine;
  readonly parts: ColumnParts;
  readonly kernel: TraceKernel;
  readonly scribe: Scribe;
  owner: object | undefined;
};

const machines = new WeakMap<EngineModel, Shared>();

function sharedMachine(model: EngineModel): Shared {
  const known = machines.get(model);
  if (known !== undefined) return known;
  const machine = createMachine(model, { threads: 1, prefixCacheBytes: 0, keepsTensors: true });
  const kernel = createTraceKernel(machine, model);
  const parts = createColumnParts(machine, { model, kernel });
  const scribe = createScribe(machine, { model, kernel, parts });
  const shared = { machine, parts, kernel, scribe, owner: undefined };
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
  return new WasmPass(model, tokens);
}

class WasmPass implements TracePass {
  readonly #model: EngineModel;
  readonly #tokens: readonly number[];
  readonly #shared: Shared;
  readonly #pages: number[];
  /** Rows of kept tensors that were read, by tensor and position. */
  readonly #kept = new Map<number, (readonly TraceRow[])[]>();
  #held: Held | undefined;
  #computed = 0;
  /** Roots of the positions that were described last, and of which job. */
  #roots: Described | undefined;

  constructor(model: EngineModel, tokens: readonly number[]) {
    this.#model = model;
    this.#tokens = tokens;
    this.#shared = sharedMachine(model);
    const { pages } = this.#shared.machine;
    const pageCount = Math.ceil(tokens.length / PAGE_POSITIONS);
    this.#pages = Array.from({ length: pageCount }, () => pages.takePage());
  }

  position(t: number, nodeCount: number): PassValues {
    const { graph } = this.#model;
    const wanted = nodeCount === graph.nodes.length;
    const isHeld = this.#shared.owner === this && holds(this.#held, t, wanted);
    // The next positions of a first pass will be asked for, too.
    const most = t === this.#computed ? rowsOf(wanted) : 1;
    const held = isHeld ? this.#held! : this.#run(t, wanted, most);
    return this.#values(held, t);
  }

  root(t: number, job: TraceJob): Uint8Array {
    const known = this.#roots;
    if (known?.job === job && t >= known.from && t < known.from + known.roots.length)
      return known.roots[t - known.from]!;
    const firstWanted = job.inputCount - 1;
    const wanted = t >= firstWanted;
    const end = wanted ? tracePositions(job) : firstWanted;
    // Room first: memory that grows takes no views with it.
    this.#shared.scribe.makeRoom(job, end - 1);
    const held = this.#run(t, wanted, Math.min(rowsOf(wanted), end - t));
    const roots = this.#shared.scribe.roots(job, {
      ...{ from: t, count: held.count, pages: this.#pages },
      valuesAt: (position) => this.#values(held, position),
    });
    this.#roots = { job, from: t, roots };
    return roots[0]!;
  }

  dispose(): void {
    for (const page of this.#pages.splice(0)) this.#shared.machine.pages.givePage(page);
  }

  /** Computes at most `most` positions from `t` on. */
  #run(t: number, wanted: boolean, most: number): Held {
    const { machine } = this.#shared;
    const count = Math.min(most, this.#tokens.length - t);
    const tokens = this.#tokens.slice(t, t + count);
    const chunk = { tokens, position: t, pages: this.#pages, wantedCount: wanted ? count : 0 };
    const { logits } = machine.run([chunk], 'logits');
    this.#shared.owner = this;
    this.#computed = Math.max(this.#computed, t + count);
    this.#held = { from: t, count, wanted, logits: logits.byteOffset };
    return this.#held;
  }

  #values(held: Held, t: number): PassValues {
    const { machine, parts, kernel } = this.#shared;
    const options = { pages: this.#pages, parts, kernel, held };
    const reader = createReader(this.#model, machine, options);
    return passValues(reader, this.#kept, t);
  }
}

/** Rows that are computed together. */
const rowsOf = (wanted: boolean): number => (wanted ? HEAD_ROWS : CHUNK_ROWS);

const holds = (held: Held | undefined, t: number, wanted: boolean): boolean =>
  held !== undefined && t >= held.from && t < held.from + held.count && (held.wanted || !wanted);

/** Values of one position, each read once. */
function passValues(
  reader: Reader,
  keptRows: Map<number, (readonly TraceRow[])[]>,
  t: number,
): PassValues {
  const rows = new Map<number, readonly TraceRow[]>();
  const keptAt = (tensor: number, position: number): readonly TraceRow[] => {
    const known = keptRows.get(tensor) ?? [];
    keptRows.set(tensor, known);
    known[position] ??= reader.kept(tensor, position);
    return known[position]!;
  };
  const attentions = new Map<number, HeadsAttention>();
  const attention = (node: number): HeadsAttention => {
    const known = attentions.get(node) ?? reader.attention(node, t);
    attentions.set(node, known);
    return known;
  };
  const read = (index: number): readonly TraceRow[] => {
    if (reader.isKept(index)) return keptAt(index, t);
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
    isKept: (tensor: number) => graph.tensors[tensor]!.kept,
    kept(tensor: number, position: number): readonly TraceRow[] {
      const place = machine.places.get(tensor) as PlaceOf<'kept'>;
      const page = pages[Math.floor(position / PAGE_POSITIONS)]! + place.offset;
      const slot = position % PAGE_POSITIONS;
      return keptRows(
        { words, halves },
        { ...place, page, slot, areValues: readsAsValues(graph, tensor) },
      );
    },
    /** What the machine computes inside one instruction: scores, weights, sums of the mix at `node`. */
    attention: (node: number, t: number): HeadsAttention =>
      kernel.attention(node, { t, row: t - held.from, pages }),
    tensor(index: number, t: number): readonly TraceRow[] {
      const row = t - held.from;
      if (index === 0) throw new Error('invariant broken: no op of a trace reads tokens as a row');
      if (index === graph.nodes.at(-1)!.output) {
        const size = model.config.vocabularySize;
        return [rowOf(new Int32Array(buffer, held.logits + 4 * size * row, size), 0)];
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

/** Rows of one position of a kept tensor (assembly/heads.ts). */
function keptRows(
  { words, halves }: { readonly words: Int32Array; readonly halves: Int16Array },
  at: {
    readonly page: number;
    readonly slot: number;
    readonly heads: number;
    readonly headSize: number;
    readonly areValues: boolean;
  },
): readonly TraceRow[] {
  const { page, slot, heads, headSize, areValues } = at;
  const indexOf = areValues ? valueIndex : keyIndex;
  const padded = paddedHead(headSize);
  const headBytes = PAGE_POSITIONS * 2 * padded;
  return Array.from({ length: heads }, (_, h) => {
    const values = new Int16Array(headSize);
    const rows = (page + h * headBytes) / 2;
    for (let d = 0; d < headSize; d++) values[d] = halves[rows + indexOf(slot, d, padded)]!;
    const exponents = (page + heads * headBytes) / 4 + h * PAGE_POSITIONS;
    return rowOf(values, words[exponents + slot]!);
  });
}
