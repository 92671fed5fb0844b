/**
 * Roots of whole positions, written and hashed in WebAssembly where a pass left its tensors: those of `leavesRoot` and
 * `nodeRoot` over the leaves of `writeRow` (`wasm-pass.test.ts`), for less. A row that the module leaves over is
 * written by `writeRow` here. It owns the memory of that; `assembly/trace` does the work.
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

/** Words of the module's Scribe that it moves on: where the next leaf and the next hash go. */
const OUT_WORD = 1;
const NODES_WORD = 2;

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
  const room = createRoom(context);
  return {
    makeRoom: room.make,
    roots(job, positions) {
      const { from, count } = positions;
      const trees: number[] = [];
      let roots = areas.roots;
      const pageCount = Math.ceil((from + count) / TILE_POSITIONS);
      machine.arena.words().set(positions.pages.slice(0, pageCount), kernel.areas.pages / 4);
      for (let row = 0; row < count; row++) {
        if (row % parts.rowsMax === 0) parts.compute(row, Math.min(parts.rowsMax, count - row));
        const rows = describePosition(context, { job, positions, areas, room: room.now(), row });
        kernel.module.endLeaves(areas.hasher);
        kernel.module.foldTrees(areas.hasher, areas.trees, rows, areas.seals, roots);
        trees.push(roots, rows);
        roots += HASH_BYTES * rows;
      }
      machine.arena.words().set(trees, areas.trees / 4);
      const { hasher, seals, positionRoots } = areas;
      kernel.module.foldTrees(hasher, areas.trees, count, seals, positionRoots);
      const bytes = machine.arena.bytes().slice(positionRoots, positionRoots + HASH_BYTES * count);
      return Array.from({ length: count }, (_, row) =>
        bytes.subarray(HASH_BYTES * row, HASH_BYTES * (row + 1)),
      );
    },
  };
}

type Areas = ReturnType<typeof layAreas>;
/** Where leaves and their hashes go. */
type Room = { readonly leaves: number; readonly nodes: number };

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
  let room: Room = { leaves: 0, nodes: 0 };
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

type Task = {
  readonly job: TraceJob;
  readonly positions: Positions;
  readonly areas: Areas;
  readonly room: Room;
  /** The position's number among these. */
  readonly row: number;
};

/** Writes and hashes every row of a position, what is left over by {@link writeRow}; how many there are. */
function describePosition({ machine, model, kernel, parts }: Context, task: Task): number {
  const { job, positions, areas, row } = task;
  const { scribe, steps } = areas;
  const t = positions.from + row;
  const rows = rowCount(model.graph, job, t);
  const fields = scribeFields(kernel, { ...task, t, partRow: row % parts.rowsMax });
  machine.arena.words().set(fields, scribe / 4);
  let values: PassValues | undefined;
  for (let node = 0; node < rows; node++) {
    node = kernel.module.describe(scribe, steps, node, rows);
    if (node === rows) break;
    values ??= positions.valuesAt(t);
    const nodes = machine.arena.words()[scribe / 4 + NODES_WORD]!;
    writeRow({ model, job }, values, { node, sink: sinkOf({ machine, kernel }, scribe) });
    kernel.module.endRow(scribe, nodes);
  }
  return rows;
}

/** Words of the module's Scribe at position `t`, in its order. */
function scribeFields(
  kernel: TraceKernel,
  { job, areas, room, row, t, partRow }: Task & { readonly t: number; readonly partRow: number },
): number[] {
  const tilePositions = isClosing(job, t) ? (t % TILE_POSITIONS) + 1 : 0;
  const noAttention = 0;
  return [
    ...[areas.hasher, room.leaves, room.nodes, areas.trees, t, row, partRow, tilePositions],
    ...[kernel.areas.pages, areas.exponents, areas.head, areas.attention, noAttention],
  ];
}

/** Where leaves of a row that is written here go. */
function sinkOf(
  { machine, kernel }: Pick<Context, 'machine' | 'kernel'>,
  scribe: number,
): LeafSink {
  const put = (bytes: Uint8Array): void => {
    const at = machine.arena.words()[scribe / 4 + OUT_WORD]!;
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
