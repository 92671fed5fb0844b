/**
 * One model in WebAssembly memory, and the threads that work on it: weights, tables, buffers and program are laid out
 * once, then `run` computes a chunk of one session. Weights exist once per machine, whatever the number of sessions
 * and workers. It knows addresses; sessions and their bookkeeping are in `session.ts`.
 */
import type { EngineModel } from '../engine-model.js';
import { EXP2_HIGH, EXP2_LOW, TURNS_HIGH, TURNS_LOW } from '../tables.js';
import { FRAME_FIELDS, type FrameField } from './instructions.js';
import { compileKernels, instantiateKernels, type SpawnWorker } from './kernels.js';
import { type Arena, createArena } from './memory.js';
import { createPagePool, PAGE_POSITIONS, type PagePool } from './pages.js';
import { MASK_BYTES, type Plan, planModel } from './plan.js';

/** Rows of activations in one pass: enough that weights are streamed rarely, few enough to stay in the L2 cache. */
export const CHUNK_ROWS = 64;

/** Rows whose logits are computed together: the vocabulary is wide, so its sums would be large. */
const HEAD_ROWS = 8;

/** Most bytes of logits that one chunk leaves in memory; longer answers are copied out in several chunks. */
const LOGITS_BYTES_MAX = 16 * 2 ** 20;

/** Words of the threads' meeting point (assembly/threads.ts): 64 bytes, then one counter per thread. */
const MEETING_BYTES = 64;

/** Byte of the count of workers that have reported themselves. */
const READY_BYTE = 12;

/** One chunk of one session. */
export type Chunk = {
  readonly tokens: readonly number[];
  /** Position of the first token. */
  readonly position: number;
  readonly pages: readonly number[];
  /** Rows of the chunk whose logits are wanted. */
  readonly wanted: readonly number[];
};

export type ChunkResult = {
  /** Logits of the wanted rows; a view that the next chunk overwrites. */
  readonly logits: Int32Array;
  readonly saturationCount: number;
};

export type Machine = {
  readonly pages: PagePool;
  /** Most wanted rows in one chunk. */
  readonly logitRows: number;
  /** Threads that the next chunk will use. */
  threadCount(): number;
  run(chunk: Chunk): ChunkResult;
  /** Ends the workers; the machine goes on with one thread. */
  dispose(): void;
};

/** Memory of one call, written anew each time, and the frame that points to it. */
type Call = Readonly<Record<FrameField, number>> & { readonly frame: number };

export function createMachine(
  model: EngineModel,
  options: { readonly threads: number; readonly spawnWorker?: SpawnWorker | undefined },
): Machine {
  const { threads, spawnWorker } = options;
  const arena = createArena({ shared: threads > 1 });
  const module = compileKernels({ shared: threads > 1 });
  const kernels = instantiateKernels(module, arena.memory);
  const plan = planModel(arena, model, {
    chunkRows: CHUNK_ROWS,
    headRows: HEAD_ROWS,
    threads,
  });
  const { vocabularySize } = model.config;
  const logitRows = clampRows(Math.floor(LOGITS_BYTES_MAX / (4 * vocabularySize)));
  const call = layCall(arena, { model, plan, threads, logitRows });
  const workers = Array.from({ length: threads - 1 }, () =>
    spawnWorker!({ module, memory: arena.memory, meeting: call.meeting }),
  );
  let limit = threads;
  return {
    pages: createPagePool(arena, plan.pageBytes),
    logitRows,
    threadCount() {
      const ready = Atomics.load(arena.words(), (call.meeting + READY_BYTE) / 4);
      return Math.min(limit, 1 + ready);
    },
    run(chunk) {
      writeCall(arena, call, chunk, threads);
      kernels.call(call.meeting, plan.program, call.frame, limit);
      return readResult(arena, call, { chunk, threads, vocabularySize });
    },
    dispose() {
      limit = 1;
      kernels.stop(call.meeting);
      for (const worker of workers) worker.terminate();
    },
  };
}

const clampRows = (rows: number): number => Math.max(1, Math.min(CHUNK_ROWS, rows));

/** Lays out what a call needs besides weights and activations. */
function layCall(
  arena: Arena,
  options: {
    readonly model: EngineModel;
    readonly plan: Plan;
    readonly threads: number;
    readonly logitRows: number;
  },
): Call {
  const { model, plan, threads, logitRows } = options;
  const { contextLength, vocabularySize } = model.config;
  const pageCount = Math.ceil(contextLength / PAGE_POSITIONS);
  const scratch = scratchSizes(plan.rowBytes, pageCount * PAGE_POSITIONS);
  return {
    frame: arena.reserve(4 * FRAME_FIELDS.length),
    rows: 0,
    position: 0,
    wanted: 0,
    tokens: arena.reserve(4 * CHUNK_ROWS),
    wantedRows: arena.reserve(4 * CHUNK_ROWS),
    pages: arena.reserve(4 * pageCount),
    logits: arena.reserve(4 * logitRows * vocabularySize),
    saturations: arena.reserve(8 * threads),
    powers: layTables(arena, [EXP2_HIGH, EXP2_LOW]),
    turns: layTables(arena, [TURNS_HIGH.cos, TURNS_HIGH.sin, TURNS_LOW.cos, TURNS_LOW.sin]),
    maskStride: MASK_BYTES * CHUNK_ROWS,
    headRows: HEAD_ROWS,
    meeting: arena.reserve(MEETING_BYTES + 4 * threads),
    scratch: arena.reserve(scratch.scratchStride * threads),
    ...scratch,
  };
}

/** Scratch bytes of one query, its dots, turns and one head (assembly/program.ts, attentionScratch). */
const HEAD_SCRATCH_BYTES = 2048 + 1024 + 2048;

/** Score (4), weight (8) and three planes (2 each) of one position. */
const POSITION_SCRATCH_BYTES = 4 + 8 + 3 * 2;

/** Least bytes of the row part: one head of 256 elements. */
const ROW_BYTES_MIN = 8 * 256;

function scratchSizes(rowBytes: number, positions: number) {
  const scratchRow = Math.max(rowBytes, ROW_BYTES_MIN);
  const bytes = scratchRow + HEAD_SCRATCH_BYTES + POSITION_SCRATCH_BYTES * positions;
  return {
    scratchRow,
    scratchPositions: positions,
    scratchStride: Math.ceil(bytes / 64) * 64,
  };
}

/** Tables of equal size, one after the other. */
function layTables(arena: Arena, tables: readonly (Int32Array | Uint32Array)[]): number {
  const bytes = tables[0]!.byteLength;
  const at = arena.reserve(bytes * tables.length);
  const words = arena.words();
  for (const [i, table] of tables.entries()) words.set(table, (at + i * bytes) / 4);
  return at;
}

function writeCall(arena: Arena, call: Call, chunk: Chunk, threads: number): void {
  const words = arena.words();
  const values: Readonly<Record<FrameField, number>> = {
    ...call,
    rows: chunk.tokens.length,
    position: chunk.position,
    wanted: chunk.wanted.length,
  };
  FRAME_FIELDS.forEach((field, i) => {
    words[call.frame / 4 + i] = values[field];
  });
  words.set(chunk.tokens, call.tokens / 4);
  words.set(chunk.wanted, call.wantedRows / 4);
  words.set(chunk.pages, call.pages / 4);
  words.fill(0, call.saturations / 4, call.saturations / 4 + 2 * threads);
}

function readResult(
  arena: Arena,
  call: Call,
  options: {
    readonly chunk: Chunk;
    readonly threads: number;
    readonly vocabularySize: number;
  },
): ChunkResult {
  const { chunk, threads, vocabularySize } = options;
  const { buffer } = arena.memory;
  const counts = new BigInt64Array(buffer, call.saturations, threads);
  return {
    logits: new Int32Array(buffer, call.logits, chunk.wanted.length * vocabularySize),
    saturationCount: counts.reduce((sum, count) => sum + Number(count), 0),
  };
}
