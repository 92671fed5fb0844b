/**
 * One model in WebAssembly memory, and the threads that work on it: weights, tables, buffers and program are laid out
 * once, then `run` computes a pass: rows of one or several sessions. Weights exist once per machine, whatever the
 * number of sessions and workers. It knows addresses; sessions and their bookkeeping are in `session.ts`.
 */
import type { HiddenRows } from '../backend.js';
import type { EngineModel } from '../engine-model.js';
import { EXP2_HIGH, EXP2_LOW, TURNS_HIGH, TURNS_LOW } from '../tables.js';
import {
  encodeInstruction,
  FRAME_FIELDS,
  type FrameField,
  INSTRUCTION_BYTES,
} from './instructions.js';
import { compileKernels, instantiateKernels, type SpawnWorker } from './kernels.js';
import { type Arena, createArena } from './memory.js';
import { createPagePool, PAGE_POSITIONS } from './pages.js';
import type { Place } from './places.js';
import { MASK_BYTES, type Plan, planModel } from './plan.js';
import { createPrefixCache, type PrefixCache } from './prefix-cache.js';

/** Rows of activations in one pass: enough that weights are streamed rarely, few enough to stay in the L2 cache. */
export const CHUNK_ROWS = 64;

/** Rows whose logits are computed together: the vocabulary is wide, so its sums would be large. */
export const HEAD_ROWS = 8;

/** Most bytes of logits that one chunk leaves in memory; longer answers are copied out in several chunks. */
const LOGITS_BYTES_MAX = 16 * 2 ** 20;

/** Words of the threads' meeting point (assembly/threads.ts): 64 bytes, then one counter per thread. */
const MEETING_BYTES = 64;

/** Byte of the count of workers that have reported themselves. */
const READY_BYTE = 12;

/** Neighbouring rows of one session in a pass. */
export type Chunk = {
  readonly tokens: readonly number[];
  /** Position of the first token. */
  readonly position: number;
  /** The session's pages, which have room for every token. */
  readonly pages: readonly number[];
  /** Tokens at the chunk's end whose rows are wanted. */
  readonly wantedCount: number;
};

/** What a pass gives for its wanted rows. */
export type PassOutput = 'logits' | 'hidden';

/** Views that the next pass overwrites; wanted rows are in the order of the chunks. */
export type PassResult = {
  /** [wanted][vocabularySize], empty unless asked for. */
  readonly logits: Int32Array;
  /** [wanted][width] mantissas and [wanted] exponents, empty unless asked for. */
  readonly hidden: HiddenRows;
  /** Clamped residual elements of each row. */
  readonly saturations: BigInt64Array;
};

export type Machine = {
  readonly pages: PrefixCache;
  /** Most wanted rows of logits in one pass; hidden rows are as many as rows. */
  readonly logitRows: number;
  /** Elements of a hidden row. */
  readonly hiddenWidth: number;
  readonly memory: WebAssembly.Memory;
  readonly arena: Arena;
  /** Where the tensors of the last pass lie, by index, if the machine keeps them. */
  readonly places: ReadonlyMap<number, Place>;
  /** Threads that the next pass will use. */
  threadCount(): number;
  /** Computes chunks of different sessions, at most {@link CHUNK_ROWS} rows in all. */
  run(chunks: readonly Chunk[], output: PassOutput): PassResult;
  /** Adds an instruction that passes have no use for; its address. */
  addProgram(instruction: Int32Array): number;
  /** Runs such an instruction for so many rows, on this thread. */
  runProgram(program: number, rows: number): void;
  /** Ends the workers; the machine goes on with one thread. */
  dispose(): void;
};

/** Memory of one call, written anew each time, and the frame that points to it. */
type Call = Readonly<Record<FrameField, number>> & {
  readonly frame: number;
  /** Page tables of the sessions in a pass, `tableBytes` each. */
  readonly pages: number;
  readonly tableBytes: number;
};

export function createMachine(
  model: EngineModel,
  options: {
    readonly threads: number;
    readonly spawnWorker?: SpawnWorker | undefined;
    /** Most bytes of keys and values kept for sessions to come. */
    readonly prefixCacheBytes: number;
    /** Leaves every tensor of a pass in memory, at {@link Machine.places}. */
    readonly keepsTensors?: boolean;
  },
): Machine {
  const { threads, spawnWorker, prefixCacheBytes, keepsTensors = false } = options;
  const arena = createArena({ shared: threads > 1 });
  const module = compileKernels({ shared: threads > 1 });
  const kernels = instantiateKernels(module, arena.memory);
  const plan = planModel(arena, model, {
    chunkRows: CHUNK_ROWS,
    headRows: HEAD_ROWS,
    threads,
    keepsTensors,
  });
  const { vocabularySize } = model.config;
  const logitRows = clampRows(Math.floor(LOGITS_BYTES_MAX / (4 * vocabularySize)));
  const call = layCall(arena, { model, plan, threads, logitRows });
  const workers = Array.from({ length: threads - 1 }, () =>
    spawnWorker!({ module, memory: arena.memory, meeting: call.meeting }),
  );
  let limit = threads;
  return {
    pages: createPrefixCache(createPagePool(arena, plan.pageBytes), {
      pageBytes: plan.pageBytes,
      budgetBytes: prefixCacheBytes,
    }),
    logitRows,
    hiddenWidth: plan.hiddenWidth,
    memory: arena.memory,
    arena,
    places: plan.places,
    addProgram(instruction) {
      const program = arena.reserve(2 * INSTRUCTION_BYTES);
      arena.words().set(instruction, program / 4);
      arena.words().set(encodeInstruction('end', {}), (program + INSTRUCTION_BYTES) / 4);
      return program;
    },
    runProgram(program, rows) {
      writeFrame(arena, call, { rows, wanted: 0, hiddenOnly: 0 });
      kernels.call(call.meeting, program, call.frame, 1);
    },
    threadCount() {
      const ready = Atomics.load(arena.words(), (call.meeting + READY_BYTE) / 4);
      return Math.min(limit, 1 + ready);
    },
    run(chunks, output) {
      writeCall(arena, call, { chunks, output });
      kernels.call(call.meeting, plan.program, call.frame, limit);
      const width = output === 'logits' ? vocabularySize : plan.hiddenWidth;
      return readResult(arena, call, { chunks, output, width });
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
    wanted: 0,
    hiddenOnly: 0,
    positions: arena.reserve(4 * CHUNK_ROWS),
    tokens: arena.reserve(4 * CHUNK_ROWS),
    tables: arena.reserve(4 * CHUNK_ROWS),
    wantedRows: arena.reserve(4 * CHUNK_ROWS),
    pages: arena.reserve(4 * pageCount * CHUNK_ROWS),
    tableBytes: 4 * pageCount,
    logits: arena.reserve(4 * logitRows * vocabularySize),
    hidden: arena.reserve(2 * CHUNK_ROWS * plan.hiddenWidth),
    hiddenExponents: arena.reserve(4 * CHUNK_ROWS),
    saturations: arena.reserve(8 * CHUNK_ROWS),
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

/** What a matmul needs of the row part: 512 columns of a panel as int16, and sums of eight outputs of every row. */
const MATMUL_SCRATCH_BYTES = 512 * 8 * 2 + CHUNK_ROWS * 8 * 8;

/** Least bytes of the row part; one head of 256 elements needs less. */
const ROW_BYTES_MIN = MATMUL_SCRATCH_BYTES;

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

type Pass = { readonly chunks: readonly Chunk[]; readonly output: PassOutput };

const rowCount = (chunks: readonly Chunk[]): number =>
  chunks.reduce((sum, { tokens }) => sum + tokens.length, 0);

const wantedCount = (chunks: readonly Chunk[]): number =>
  chunks.reduce((sum, chunk) => sum + chunk.wantedCount, 0);

function writeCall(arena: Arena, call: Call, { chunks, output }: Pass): void {
  const rows = rowCount(chunks);
  const hiddenOnly = output === 'hidden' ? 1 : 0;
  writeFrame(arena, call, { rows, wanted: wantedCount(chunks), hiddenOnly });
  const words = arena.words();
  writeRows(words, call, chunks);
  words.fill(0, call.saturations / 4, call.saturations / 4 + 2 * rows);
}

function writeFrame(
  arena: Arena,
  call: Call,
  fields: Pick<Record<FrameField, number>, 'rows' | 'wanted' | 'hiddenOnly'>,
): void {
  const words = arena.words();
  const values: Readonly<Record<FrameField, number>> = { ...call, ...fields };
  FRAME_FIELDS.forEach((field, i) => {
    words[call.frame / 4 + i] = values[field];
  });
}

/** Token, position and page table of every row, and the list of wanted rows. */
function writeRows(words: Int32Array, call: Call, chunks: readonly Chunk[]): void {
  let row = 0;
  let wanted = 0;
  for (const [index, chunk] of chunks.entries()) {
    const table = call.pages + index * call.tableBytes;
    words.set(chunk.pages, table / 4);
    const wantedFrom = chunk.tokens.length - chunk.wantedCount;
    for (const [i, token] of chunk.tokens.entries()) {
      words[call.tokens / 4 + row] = token;
      words[call.positions / 4 + row] = chunk.position + i;
      words[call.tables / 4 + row] = table;
      if (i >= wantedFrom) words[call.wantedRows / 4 + wanted++] = row;
      row++;
    }
  }
}

function readResult(
  arena: Arena,
  call: Call,
  { chunks, output, width }: Pass & { readonly width: number },
): PassResult {
  const { buffer } = arena.memory;
  const wanted = wantedCount(chunks);
  const [logits, hidden] = output === 'logits' ? [wanted, 0] : [0, wanted];
  return {
    logits: new Int32Array(buffer, call.logits, logits * width),
    hidden: {
      mantissas: new Int16Array(buffer, call.hidden, hidden * width),
      exponents: new Int32Array(buffer, call.hiddenExponents, hidden),
    },
    saturations: new BigInt64Array(buffer, call.saturations, rowCount(chunks)),
  };
}
