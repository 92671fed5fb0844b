/**
 * One linear memory and the arena in it. Space is only ever added (weights and buffers live as long as their model);
 * pages of keys and values are recycled by `pages.ts`.
 */
import { EngineError } from '../engine-error.js';

const WASM_PAGE_BYTES = 65_536;

/** All that 32-bit pointers reach. */
const WASM_PAGES_MAX = 65_536;

/** Cache lines; also keeps every vector load of the kernels aligned. */
const ALIGNMENT_BYTES = 64;

export type Arena = {
  readonly memory: WebAssembly.Memory;
  /** Address of `byteCount` fresh zero bytes, aligned to a cache line. */
  reserve(byteCount: number): number;
  /** Views of the memory as it is now; they must be fetched again after a `reserve`. */
  bytes(): Uint8Array;
  words(): Int32Array;
};

export function createArena(options: { readonly shared: boolean }): Arena {
  const memory = new WebAssembly.Memory({
    initial: 1,
    maximum: WASM_PAGES_MAX,
    shared: options.shared,
  });
  // Address 0 is left free, so that a zero pointer is never a valid one.
  let used = ALIGNMENT_BYTES;
  return {
    memory,
    reserve(byteCount) {
      const at = used;
      const end = at + Math.ceil(byteCount / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
      growTo(memory, end);
      used = end;
      return at;
    },
    bytes: () => new Uint8Array(memory.buffer),
    words: () => new Int32Array(memory.buffer),
  };
}

function growTo(memory: WebAssembly.Memory, byteCount: number): void {
  const missing = byteCount - memory.buffer.byteLength;
  if (missing <= 0) return;
  try {
    memory.grow(Math.ceil(missing / WASM_PAGE_BYTES));
  } catch (cause) {
    throw new EngineError({
      code: 'memory_exhausted',
      message: `The model needs ${byteCount} bytes of WebAssembly memory, which is not available.`,
      fault: 'platform',
      value: byteCount,
      remedy: 'Use a smaller model or context, or a machine with more memory.',
      cause,
    });
  }
}
