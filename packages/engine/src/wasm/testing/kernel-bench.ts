/**
 * Runs single instructions of the WebAssembly module on rows that a test lays out, outside any graph. Memory is
 * reused from case to case, so stale numbers of earlier cases lie where a kernel must not look.
 */
import { EXP2_HIGH, EXP2_LOW, TURNS_HIGH, TURNS_LOW } from '../../tables.js';
import type { W8Matrix } from '../../weights.js';
import {
  encodeInstruction,
  FRAME_FIELDS,
  type FrameField,
  type InstructionFields,
  type InstructionName,
} from '../instructions.js';
import { compileKernels, instantiateKernels } from '../kernels.js';
import { type Arena, createArena } from '../memory.js';
import { type PackedMatrix, packMatrix } from '../packing.js';

type Words = Int32Array | Int16Array | Uint32Array | BigInt64Array | BigUint64Array;

export type KernelBench = {
  /** Copies numbers into memory and returns their address. */
  put(values: Words): number;
  /** Room for a result, filled with stale bytes. */
  room(byteCount: number): number;
  pack(matrix: W8Matrix): PackedMatrix;
  /** Runs one instruction on one thread, for one row by default; returns how many elements each row had to clamp. */
  run<Name extends InstructionName>(
    name: Name,
    fields: InstructionFields<Name>,
    frame?: Partial<Record<FrameField, number>>,
  ): readonly number[];
  /** The words of a frame for rows at these positions of sessions with these page tables. */
  rowsAt(
    positions: readonly number[],
    tables?: readonly number[],
  ): { readonly rows: number; readonly positions: number; readonly tables: number };
  /** What another module of the same kernels works in. */
  readonly memory: WebAssembly.Memory;
  int16(at: number, count: number): Int16Array;
  int32(at: number, count: number): Int32Array;
  int64(at: number, count: number): BigInt64Array;
  /** Starts the next case: everything laid out so far may be overwritten. */
  reset(): void;
};

/** Enough for the largest row of a case, 65,536 elements of eight bytes, several times. */
const BENCH_BYTES = 32 * 2 ** 20;

/** Behind every room lies a pattern that no kernel may touch. */
const GUARD_BYTES = 64;
const GUARD_WORD = 0x5ca1ab1e;

/** Rows of one call. */
const ROWS_MAX = 64;

/** Scratch for 65,536 elements and this many positions. */
const SCRATCH_POSITIONS = 1024;
const SCRATCH_ROW = 8 * 65_536;

export function createKernelBench(): KernelBench {
  const arena = createArena({ shared: false });
  const kernels = instantiateKernels(compileKernels({ shared: false }), arena.memory);
  const fixed = layFixed(arena);
  const start = arena.reserve(BENCH_BYTES);
  let used = start;
  const guards: number[] = [];
  const room = (byteCount: number): number => {
    const at = used;
    const guard = at + Math.ceil(byteCount / 64) * 64;
    used = guard + GUARD_BYTES;
    if (used > start + BENCH_BYTES) throw new Error('the case is larger than the bench');
    arena.words().fill(GUARD_WORD, guard / 4, used / 4);
    guards.push(guard);
    return at;
  };
  /** A kernel that writes behind a row would spoil another session's. */
  const checkGuards = (name: string): void => {
    const words = arena.words();
    for (const guard of guards) {
      for (let i = guard / 4; i < (guard + GUARD_BYTES) / 4; i++) {
        if (words[i] !== GUARD_WORD) throw new Error(`${name} wrote behind its room`);
      }
    }
  };
  const bench: KernelBench = {
    room,
    memory: arena.memory,
    put(values) {
      const at = room(values.byteLength);
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      arena.bytes().set(bytes, at);
      return at;
    },
    pack: (matrix) => packMatrix({ ...arena, reserve: room }, clearOf(arena, matrix)),
    run(name, fields, frame = {}) {
      const words = arena.words();
      words.set(encodeInstruction(name, fields), fixed.program / 4);
      words.set(encodeInstruction('end', {}), fixed.program / 4 + 16);
      const values: Partial<Record<FrameField, number>> = { ...fixed, rows: 1, ...frame };
      FRAME_FIELDS.forEach((field, i) => {
        words[fixed.frame / 4 + i] = values[field] ?? 0;
      });
      words.fill(0, fixed.saturations / 4, fixed.saturations / 4 + 2 * ROWS_MAX);
      kernels.call(fixed.meeting, fixed.program, fixed.frame, 1);
      checkGuards(name);
      return Array.from(bench.int64(fixed.saturations, frame.rows ?? 1), Number);
    },
    rowsAt: (positions, tables = positions.map(() => 0)) => ({
      rows: positions.length,
      positions: bench.put(Uint32Array.from(positions)),
      tables: bench.put(Uint32Array.from(tables)),
    }),
    int16: (at, count) => new Int16Array(arena.memory.buffer, at, count),
    int32: (at, count) => new Int32Array(arena.memory.buffer, at, count),
    int64: (at, count) => new BigInt64Array(arena.memory.buffer, at, count),
    reset() {
      used = start;
      guards.length = 0;
    },
  };
  return bench;
}

/** `packMatrix` expects fresh memory: padded rows are zero. Only rows that are a multiple of four come clean. */
function clearOf(_arena: Arena, matrix: W8Matrix): W8Matrix {
  if (matrix.rows % 4 !== 0) throw new Error('lay out matrices of whole groups');
  return matrix;
}

function layFixed(arena: Arena) {
  const scratchStride = SCRATCH_ROW + 8192 + 18 * SCRATCH_POSITIONS;
  const fixed = {
    program: arena.reserve(128),
    frame: arena.reserve(4 * FRAME_FIELDS.length),
    meeting: arena.reserve(128),
    saturations: arena.reserve(8 * ROWS_MAX),
    powers: arena.reserve(2048),
    turns: arena.reserve(4 * 4096),
    scratch: arena.reserve(scratchStride),
    scratchStride,
    scratchRow: SCRATCH_ROW,
    scratchPositions: SCRATCH_POSITIONS,
    maskStride: 16 * ROWS_MAX,
  };
  const words = arena.words();
  [EXP2_HIGH, EXP2_LOW].forEach((table, i) => {
    words.set(table, fixed.powers / 4 + 256 * i);
  });
  [TURNS_HIGH.cos, TURNS_HIGH.sin, TURNS_LOW.cos, TURNS_LOW.sin].forEach((table, i) => {
    words.set(table, fixed.turns / 4 + 1024 * i);
  });
  return fixed;
}
