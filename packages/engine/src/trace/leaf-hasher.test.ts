/** Trees that the trace module hashes four messages at a time, against trees hashed leaf by leaf; and rows it leaves. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { decodeBase64 } from '../wasm/kernels.js';
import { createArena } from '../wasm/memory.js';
import { TRACE_BASE64 } from './generated/trace-wasm.js';
import { startHasher } from './hasher.js';
import { encodeElements } from './row-leaves.js';
import { leavesRoot } from './trace.js';
import type { TraceModule } from './trace-kernel.js';
import { nodeRoot } from './tree.js';

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

const arena = createArena({ shared: false });
const { exports } = new WebAssembly.Instance(new WebAssembly.Module(decodeBase64(TRACE_BASE64)), {
  env: { memory: arena.memory },
});
const module = exports as unknown as TraceModule;
const hasher = startHasher(arena, module);
const ROOM = 2 ** 20;
const [out, nodes, trees] = [arena.reserve(ROOM), arena.reserve(ROOM), arena.reserve(ROOM)];
const [seals, roots, scribe] = [arena.reserve(ROOM), arena.reserve(ROOM), arena.reserve(64)];
const [steps, exponents, row] = [arena.reserve(128), arena.reserve(64), arena.reserve(256)];

/** Word of the scribe: where the next leaf, hash and tree go. */
const CURSORS = [out, nodes, trees];
const cursor = (i: 0 | 1 | 2): number => arena.words()[scribe / 4 + 1 + i]!;

beforeEach(clear);

function clear(): void {
  // Of the rest: t, row, part row, tile positions, pages, exponents.
  arena.words().set([hasher, ...CURSORS, 0, 0, 0, 0, 0, exponents], scribe / 4);
}

function addLeaves(bytes: Uint8Array, leafBytes: number): void {
  arena.bytes().set(bytes, cursor(0));
  module.addBytes(scribe, bytes.length, leafBytes);
}

/** The root over rows that `write` adds one after the other. */
function rootOf(rows: readonly (() => void)[]): string {
  clear();
  for (const write of rows) {
    const first = cursor(1);
    write();
    module.endRow(scribe, first);
  }
  module.endLeaves(hasher);
  module.foldTrees(hasher, trees, rows.length, seals, roots);
  arena.words().set([roots, rows.length], trees / 4);
  module.foldTrees(hasher, trees, 1, seals, nodes);
  return Buffer.from(arena.bytes().slice(nodes, nodes + 32)).toString('hex');
}

const cut = (bytes: Uint8Array, size: number): Uint8Array[] =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
    bytes.subarray(i * size, (i + 1) * size),
  );

/** The root of rows of leaves, by the definition. */
const slowRoot = (rows: readonly (readonly Uint8Array[])[]): string =>
  Buffer.from(
    nodeRoot(
      rows.map((leaves) => leavesRoot(leaves, sha256)),
      sha256,
    ),
  ).toString('hex');

describe('hashed leaves', () => {
  it('are padded for every length up to three blocks, in every lane', () => {
    for (let size = 1; size <= 200; size++) {
      const bytes = Uint8Array.from({ length: 5 * size }, (_, i) => i * 31 + size);
      const root = rootOf([() => addLeaves(bytes, size)]);
      expect(root, `${size}`).toBe(slowRoot([cut(bytes, size)]));
    }
  });

  it('may end in any byte, where that byte fills the last block alone', () => {
    for (const size of [128, 256, 512]) {
      const bytes = new Uint8Array(256 * size);
      for (let i = 0; i < 256; i++) bytes[(i + 1) * size - 1] = i;
      expect(rootOf([() => addLeaves(bytes, size)])).toBe(slowRoot([cut(bytes, size)]));
    }
  });

  it('are those of any rows, again and again, with more sizes than there are queues', () => {
    const run = fc.record({
      bytes: fc.uint8Array({ minLength: 1, maxLength: 1_500 }),
      size: fc.oneof(fc.constantFrom(6, 64, 128, 256, 512), fc.integer({ min: 1, max: 300 })),
    });
    const rows = fc.array(fc.array(run, { minLength: 1, maxLength: 12 }), {
      minLength: 1,
      maxLength: 9,
    });
    fc.assert(
      fc.property(rows, (each) => {
        const writes = each.map((runs) => () => {
          for (const { bytes, size } of runs) addLeaves(bytes, size);
        });
        const leaves = each.map((runs) => runs.flatMap((r) => cut(r.bytes, r.size)));
        expect(rootOf(writes)).toBe(slowRoot(leaves));
      }),
      { seed: 20, numRuns: 100 },
    );
  });

  it('hold elements of both widths, and what stands before and behind them', () => {
    const halves = Int16Array.of(-32_768, -1, 0, 1, 32_767);
    const words = Int32Array.of(-1, 0, 1, 2 ** 31 - 1, 258);
    const addElements = (values: Int16Array | Int32Array, leafBytes: number): void => {
      arena.bytes().set(new Uint8Array(values.buffer), cursor(0));
      const isWords = values instanceof Int32Array ? 1 : 0;
      module.addElements(scribe, values.length, isWords, leafBytes);
    };
    const root = rootOf([
      () => {
        addLeaves(Uint8Array.of(1, 2, 3), 3);
        addElements(halves, 8);
        addElements(words, 12);
      },
    ]);
    const leaves = [...cut(encodeElements(halves), 8), ...cut(encodeElements(words), 12)];
    expect(root).toBe(slowRoot([[Uint8Array.of(1, 2, 3), ...leaves]]));
  });
});

/** Kinds of steps (assembly/trace/describe.ts), and of their words block, width, exponents, heads and padded. */
const [HALVES, QUERY] = [3, 6];

describe('a row whose witness cannot be seen', () => {
  /** Describes a step of this kind whose shift is 1: how many rows were described, and what was written. */
  const described = (kind: number, mantissas: readonly number[], heads: number) => {
    new Int16Array(arena.memory.buffer, row, mantissas.length).set(mantissas);
    const width = mantissas.length / heads;
    const rowExponents = row + 64;
    arena.words().fill(1, rowExponents / 4, rowExponents / 4 + heads);
    arena.words().set([kind, row, width, rowExponents, heads, width], steps / 4);
    const count = module.describe(scribe, steps, 0, 1);
    return { count, written: cursor(0) - out, hashed: (cursor(1) - nodes) / 32 };
  };
  const HALF = 2 ** 14;

  it('is left to the caller, untouched', () => {
    const nothing = { count: 0, written: 0, hashed: 0 };
    expect(described(HALVES, [1, -HALF, 3, HALF + 1, 0, 0, 0, 0], 1)).toEqual(nothing);
    const first = [0, HALF + 1, 0, 0, 0, 0, 0, 0];
    const second = [HALF, 32_767, 0, 0, 0, 0, 0, 0];
    expect(described(QUERY, [...first, ...second], 2)).toEqual(nothing);
  });

  it('is described if a lower element shows it', () => {
    const row8 = [1, -HALF - 1, 3, HALF, 0, 0, 0, 0];
    expect(described(HALVES, row8, 1)).toEqual({ count: 1, written: 22, hashed: 2 });
    expect([...arena.bytes().subarray(out, out + 6)]).toEqual([0, 1, 0, 0, 0, 1]);
  });
});
