/**
 * The trees of all rows of a position at once, in a WebAssembly module that hashes four messages side by side: the
 * roots that `leavesRoot` and `nodeRoot` give with SHA-256 (`row-hasher.test.ts`) for less, because a call per leaf
 * costs more than a leaf. It knows bytes and sizes, not what they mean. Source: `assembly/sha256`.
 */
import { decodeBase64 } from '../wasm/kernels.js';
import { SHA256_BASE64 } from './generated/sha256-wasm.js';
import type { LeafSink } from './row-leaves.js';

/** Takes the leaves of a position row after row, then gives its roots. */
export type RowHasher = LeafSink & {
  /** Forgets all rows. */
  readonly clear: () => void;
  /** What was written since the last row is one: at least one leaf. */
  readonly endRow: () => void;
  /** The root over the roots of all rows. */
  readonly root: () => Uint8Array;
};

type Exports = {
  readonly memory: WebAssembly.Memory;
  readonly heapAddress: () => number;
  readonly hashLeaves: (runs: number, runCount: number, size: number) => void;
  readonly foldTrees: (trees: number, treeCount: number, seals: number, roots: number) => void;
  readonly encodeWords: (at: number, size: number) => void;
  readonly encodeHalves: (at: number, size: number) => void;
};

const PAGE_BYTES = 65_536;
const HASH_BYTES = 32;
/** Words of a run: where it lies, leaves, where their nodes go. */
const RUN_WORDS = 3;
/** Words of a tree: where its nodes lie, how many. */
const TREE_WORDS = 2;
const SEAL_BYTES = 40;
/** Kernels write whole vectors, also behind the last byte. */
const SLACK_BYTES = 16;

const compiled: { module?: WebAssembly.Module } = {};

/**
 * A hasher of its own memory, for one trace at a time.
 *
 * @example
 * const trace = traceOf({ model, job, pass, traceKey, hash: sha256, rowHasher: createRowHasher() });
 */
export function createRowHasher(): RowHasher {
  compiled.module ??= new WebAssembly.Module(decodeBase64(SHA256_BASE64));
  // The module calls nobody: its runtime's abort is never reached.
  const instance = new WebAssembly.Instance(compiled.module, { env: { abort() {} } });
  return hasherOf(instance.exports as unknown as Exports);
}

function hasherOf(kernel: Exports): RowHasher {
  const { memory } = kernel;
  const start = kernel.heapAddress();
  let end = start;
  let bytes = new Uint8Array(memory.buffer);
  /** Runs of leaves by size: address, count, first node; nodes are numbered over all rows. */
  const runs = new Map<number, number[]>();
  let widths: number[] = [];
  let nodes = 0;
  let rowNodes = 0;
  const reserve = (size: number): number => {
    const at = (end + 3) & ~3;
    end = at + size;
    const missing = end + SLACK_BYTES - memory.buffer.byteLength;
    if (missing > 0) {
      memory.grow(Math.ceil(Math.max(missing, memory.buffer.byteLength) / PAGE_BYTES));
      bytes = new Uint8Array(memory.buffer);
    }
    return at;
  };
  const addRun = (size: number, at: number, count: number): void => {
    const known = runs.get(size);
    if (known === undefined) runs.set(size, [at, count, nodes]);
    else known.push(at, count, nodes);
    nodes += count;
  };
  const addLeaves = (at: number, size: number, leafBytes: number): void => {
    const whole = Math.floor(size / leafBytes);
    if (whole > 0) addRun(leafBytes, at, whole);
    const rest = size - whole * leafBytes;
    if (rest > 0) addRun(rest, at + size - rest, 1);
  };
  const put = (source: Uint8Array): number => {
    const at = reserve(source.length);
    bytes.set(source, at);
    return at;
  };
  const putWords = (words: readonly number[]): number =>
    put(new Uint8Array(Int32Array.from(words).buffer));
  const fold = (trees: readonly number[]): number => {
    const count = trees.length / TREE_WORDS;
    const roots = reserve(HASH_BYTES * count);
    kernel.foldTrees(putWords(trees), count, reserve(SEAL_BYTES * count), roots);
    return roots;
  };
  return {
    clear() {
      end = start;
      runs.clear();
      widths = [];
      nodes = 0;
      rowNodes = 0;
    },
    leaves(source, leafBytes) {
      addLeaves(put(source), source.length, leafBytes);
    },
    elements(values, leafBytes) {
      const size = values.byteLength;
      const at = put(new Uint8Array(values.buffer, values.byteOffset, size));
      if (values instanceof Int16Array) kernel.encodeHalves(at, size);
      else kernel.encodeWords(at, size);
      addLeaves(at, size, leafBytes);
    },
    endRow() {
      widths.push(nodes - rowNodes);
      rowNodes = nodes;
    },
    root() {
      const first = reserve(HASH_BYTES * nodes);
      for (const [size, words] of runs) {
        const placed = words.map((word, i) =>
          i % RUN_WORDS === 2 ? first + HASH_BYTES * word : word,
        );
        kernel.hashLeaves(putWords(placed), words.length / RUN_WORDS, size);
      }
      let at = first;
      const trees = widths.flatMap((width) => {
        const tree = [at, width];
        at += HASH_BYTES * width;
        return tree;
      });
      const root = fold([fold(trees), widths.length]);
      return bytes.slice(root, root + HASH_BYTES);
    },
  };
}
