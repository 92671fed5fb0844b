/**
 * The compiled module: its exports, how it is compiled and connected to a memory, and what a worker needs for that.
 * Two builds of one source exist, because a module for shared memory cannot use a memory that is not.
 */
import { EngineError } from '../engine-error.js';
import { SINGLE_BASE64 } from './generated/single.js';
import { THREADS_BASE64 } from './generated/threads.js';

/** Most threads of a machine; beyond it memory bandwidth is long exhausted. */
export const THREADS_MAX = 64;

/** What the module exports; every argument but `threads` is an address. */
export type Kernels = {
  /** Runs a program for a frame on this thread and the ready workers, at most `threads` in all. */
  call(meeting: number, program: number, frame: number, threads: number): void;
  /** Serves calls until `stop`; for workers. */
  serve(meeting: number): void;
  stop(meeting: number): void;
};

/** What a worker needs to join in; it can be posted to a worker as it is. */
export type WorkerStart = {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly meeting: number;
};

/** A running worker, as far as the engine is concerned. */
export type WorkerLike = { terminate(): unknown };

/** Starts a worker that calls `serve(start)` of `@assay/engine/worker`. */
export type SpawnWorker = (start: WorkerStart) => WorkerLike;

export function compileKernels(options: { readonly shared: boolean }): WebAssembly.Module {
  const bytes = decodeBase64(options.shared ? THREADS_BASE64 : SINGLE_BASE64);
  try {
    return new WebAssembly.Module(bytes);
  } catch (cause) {
    throw new EngineError({
      code: 'wasm_unsupported',
      message: 'This runtime cannot compile the WebAssembly kernels.',
      fault: 'platform',
      remedy: 'Use a runtime with WebAssembly SIMD (every browser and Node since 2021).',
      cause,
    });
  }
}

export function instantiateKernels(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
): Kernels {
  return new WebAssembly.Instance(module, { env: { memory } }).exports as Kernels;
}

export const decodeBase64 = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
