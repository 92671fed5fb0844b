/**
 * Roots of whole positions, written and hashed in WebAssembly where a pass left its tensors: the roots that `leavesRoot`
 * and `nodeRoot` give over the leaves of `writeRow` (`wasm-pass.test.ts`), for less. A row that the module leaves over
 * is written by `writeRow` here. It owns the memory of that; `assembly/trace` does the work.
 */
import type { EngineModel } from '../engine-model.js';
import { CHUNK_ROWS, type Machine } from '../wasm/machine.js';
import { paddedHead } from '../wasm/pages.js';
import type { ColumnParts } from './column-parts.js';
import { startHasher } from './hasher.js';
import { isClosing, rowCount, rowLayout, TILE_POSITIONS, type TraceJob } from './layout.js';
import { type LeafSink, writeRow } from './row-leaves.js';
import type { PassValues } from './row-reader.js';
import { writeSteps } from './steps.js';
import type { TraceKernel } from './trace-kernel.js';

/** Neighbouring positions, which a pass has just computed. */
export type Positions = {
  readonly from: number;
  readonly count: number;
  readonly pages: readonly number[];
  /** For rows that are written here. */
  readonly valuesAt: (t: number) => PassValues;
};

export type Scribe = {
  /** Reserves memory for positions up to `t`. */
  readonly makeRoom: (job: TraceJob, t: number) => void;
  /** The roots of these positions, for which there is room. */
  readonly roots: (job: TraceJob, positions: Positions) => Uint8Array[];
};

/** Words of the module's Scribe that are set for each position. */
const FIELD = {
  ...{ hasher: 0, out: 1, nodes: 2, trees: 3, t: 4, row: 5, partRow: 6, tilePositions: 7 },
  ...{ pages: 8, exponents: 9, rows: 10, attention: 11, attended: 12 },
} as const;

const SCRIBE_BYTES = 64;
const HASH_BYTES = 32;
/** Where a tree's nodes lie, and how many they are. */
const TREE_BYTES = 8;
/** Count and top of a tree. */
const SEAL_BYTES = 40;
/** Kernels write whole vectors, also behind the last byte. */
const SLACK_BYTES = 64;

type Context = {
  readonly machine: Machine;
  readonly model: EngineModel;
  readonly kernel: TraceKernel;
  readonly parts: ColumnParts;
};

/** Memory of one trace at a time. */
export function createScribe(machine: Machine, options: Omit<Context, 'machine'>): Scribe {
  const context = { machine, ...options };
  const { kernel, parts } = options;
  const areas = layAreas(context);
  const leaves = createRoom(context);
  return {
    makeRoom: leaves.make,
    roots(job, positions) {
      const { from, count } = positions;
      const { graph } = options.model;
      const trees: number[] = [];
      let roots = areas.roots;
      for (let row = 0; row < count; row++) {
        if (row % parts.rowsMax === 0) parts.compute(row, Math.min(parts.rowsMax, count - row));
        const rows = rowCount(graph, job, from + row);
        const at = { ...areas, ...leaves.now(), row, rows, partRow: row % parts.rowsMax };
        describePosition(context, { job, positions, at });
        kernel.module.endLeaves(areas.hasher);
        kernel.module.foldTrees(areas.hasher, areas.trees, rows, areas.seals, roots);
        trees.push(roots, rows);
        roots += HASH_BYTES * rows;
      }
      machine.arena.words().set(trees, areas.trees / 4);
      // Roots of rows are read before those of positions are written.
      const { seals, positionRoots } = areas;
      kernel.module.foldTrees(areas.hasher, areas.trees, count, seals, positionRoots);
      const bytes = machine.arena.bytes();
      return Array.from({ length: count }, (_, row) => {
        const at = positionRoots + HASH_BYTES * row;
        return bytes.slice(at, at + HASH_BYTES);
      });
    },
  };
}

type Areas = ReturnType<typeof layAreas>;
type RowAreas = Areas & {
  readonly leaves: number;
  readonly nodes: number;
  readonly row: number;
  readonly partRow: number;
  /** How many rows there are. */
  readonly rows: number;
};

function layAreas({ machine, model, kernel, parts }: Context) {
  const { arena } = machine;
  const { length } = model.graph.nodes;
  const trees = Math.max(length, CHUNK_ROWS);
  const { headCount, headSize } = model.config;
  const areas = {
    scribe: arena.reserve(SCRIBE_BYTES),
    hasher: startHasher(arena, kernel.module),
    steps: writeSteps(machine, { model, parts }),
    attention: arena.reserve(SCRIBE_BYTES),
    exponents: arena.reserve(4 * length),
    head: arena.reserve(2 * paddedHead(headSize) * headCount + SLACK_BYTES),
    trees: arena.reserve(TREE_BYTES * trees),
    seals: arena.reserve(SEAL_BYTES * trees),
    roots: arena.reserve(HASH_BYTES * length * CHUNK_ROWS),
    positionRoots: arena.reserve(HASH_BYTES * CHUNK_ROWS),
  };
  const { scratch, tables, scores, weightsOut, partials, totals, results } = kernel.areas;
  const attention = [scratch, tables, scores, weightsOut, partials, totals, results];
  arena.words().set(attention, areas.attention / 4);
  return areas;
}

/** Memory of the leaves of a position and their hashes: it grows with the position. */
function createRoom({ machine, model }: Context) {
  let room = { leaves: 0, nodes: 0 };
  let [bytes, hashes] = [0, 0];
  return {
    now: () => room,
    make(job: TraceJob, t: number): void {
      const need = roomFor(model, job, t);
      if (need.bytes <= bytes && need.hashes <= hashes) return;
      // Twice as much: what was reserved before is lost.
      bytes = 2 * Math.max(bytes, need.bytes);
      hashes = 2 * Math.max(hashes, need.hashes);
      const leaves = machine.arena.reserve(bytes);
      room = { leaves, nodes: machine.arena.reserve(HASH_BYTES * hashes) };
    },
  };
}

/** Most bytes and leaves of a position up to `t`: those of one that closes its block. */
function roomFor(model: EngineModel, job: TraceJob, t: number) {
  const last = t - (t % TILE_POSITIONS) + TILE_POSITIONS - 1;
  let [bytes, hashes] = [SLACK_BYTES, 0];
  for (const node of model.graph.nodes.keys()) {
    const layout = rowLayout(model.graph, job, { t: last, node });
    const { heads, size, elementBytes, partials, tiles, recordBytes, factLeaves } = layout;
    bytes += recordBytes * factLeaves + heads * size * elementBytes;
    if (partials !== undefined) bytes += 8 * partials.count * partials.parts;
    if (tiles !== undefined) bytes += 2 * tiles.heads * tiles.columns * tiles.positions;
    hashes += layout.leafCount;
  }
  return { bytes, hashes };
}

/** Writes and hashes every row of a position; what is left over, by {@link writeRow}. */
function describePosition(
  { machine, model, kernel }: Context,
  options: { readonly job: TraceJob; readonly positions: Positions; readonly at: RowAreas },
): void {
  const { job, at } = options;
  const { from, valuesAt } = options.positions;
  const { module } = kernel;
  const t = from + at.row;
  startPosition({ machine, kernel }, { ...options, t });
  let values: PassValues | undefined;
  for (let node = 0; node < at.rows; node++) {
    node = module.describe(at.scribe, at.steps, node, at.rows);
    if (node === at.rows) return;
    values ??= valuesAt(t);
    const nodes = machine.arena.words()[at.scribe / 4 + FIELD.nodes]!;
    writeRow({ model, job }, values, { node, sink: sinkOf({ machine, kernel }, at.scribe) });
    module.endRow(at.scribe, nodes);
  }
}

function startPosition(
  { machine, kernel }: Pick<Context, 'machine' | 'kernel'>,
  options: {
    readonly job: TraceJob;
    readonly positions: Positions;
    readonly at: RowAreas;
    readonly t: number;
  },
): void {
  const { job, positions, at, t } = options;
  const words = machine.arena.words();
  const pages = positions.pages.slice(0, Math.floor(t / TILE_POSITIONS) + 1);
  words.set(pages, kernel.areas.pages / 4);
  const fields: Readonly<Record<keyof typeof FIELD, number>> = {
    ...{ hasher: at.hasher, out: at.leaves, nodes: at.nodes, trees: at.trees, t, row: at.row },
    ...{ partRow: at.partRow, tilePositions: isClosing(job, t) ? (t % TILE_POSITIONS) + 1 : 0 },
    ...{ pages: kernel.areas.pages, exponents: at.exponents, rows: at.head },
    ...{ attention: at.attention, attended: 0 },
  };
  for (const [name, word] of Object.entries(FIELD)) {
    words[at.scribe / 4 + word] = fields[name as keyof typeof FIELD];
  }
}

/** Where leaves of a row that is written here go. */
function sinkOf(
  { machine, kernel }: Pick<Context, 'machine' | 'kernel'>,
  scribe: number,
): LeafSink {
  const put = (bytes: Uint8Array): void => {
    const at = machine.arena.words()[scribe / 4 + FIELD.out]!;
    machine.arena.bytes().set(bytes, at);
  };
  return {
    leaves(bytes, leafBytes) {
      put(bytes);
      kernel.module.addBytes(scribe, bytes.length, leafBytes);
    },
    elements(values, leafBytes) {
      put(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
      const isWords = values instanceof Int32Array ? 1 : 0;
      kernel.module.addElements(scribe, values.length, isWords, leafBytes);
    },
  };
}
