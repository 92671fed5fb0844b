/**
 * The fast implementation of the arithmetic: WebAssembly SIMD kernels with the bits of the reference. Sessions of one
 * model share one machine, so weights are in memory once.
 */
import { type Backend, type BatchPart, batchInvalid, checkBatch, wantedRows } from '../backend.js';
import { EngineError } from '../engine-error.js';
import type { EngineModel } from '../engine-model.js';
import { appendForLogits } from './batch.js';
import { type SpawnWorker, THREADS_MAX } from './kernels.js';
import { createMachine, type Machine } from './machine.js';
import { WasmSession } from './session.js';

export type WasmOptions = {
  /** Threads per model, the calling one included; 1 unless given. More than 1 needs `spawnWorker`. */
  readonly threads?: number;
  readonly spawnWorker?: SpawnWorker;
  /**
   * Most bytes of keys and values, per model, that are kept after their sessions for `Session.reuse`; 0 unless given.
   * Sessions that run at the same time share pages in any case.
   */
  readonly prefixCacheBytes?: number;
};

export type WasmBackend = Backend & {
  /** Lays a model out in memory and starts its workers, so that its first session is ready at once. */
  load(model: EngineModel): void;
  /** Threads that the next call on `model` will use: workers join as they finish loading. */
  threadCount(model: EngineModel): number;
  /** Bytes of WebAssembly memory that a model takes at present: weights, buffers, keys and values. */
  memoryBytes(model: EngineModel): number;
  /** Ends a model's workers and forgets it; its memory is freed with its last session. */
  unload(model: EngineModel): void;
  /** Ends all workers. Sessions go on with one thread. */
  dispose(): void;
};

/**
 * @example
 * const backend = createWasmBackend();
 * const session = backend.createSession(model);
 * const logits = session.forward([1, 2, 3]); // Q16, vocabularySize of them
 */
export function createWasmBackend(options: WasmOptions = {}): WasmBackend {
  const threads = checkThreads(options);
  const { spawnWorker, prefixCacheBytes = 0 } = options;
  // A machine goes with its model; only machines with workers must be remembered, to end them.
  const machines = new WeakMap<EngineModel, Machine>();
  const withWorkers = new Set<Machine>();
  const machineOf = (model: EngineModel): Machine => {
    const known = machines.get(model);
    if (known !== undefined) return known;
    const machine = createMachine(model, { threads, spawnWorker, prefixCacheBytes });
    machines.set(model, machine);
    if (threads > 1) withWorkers.add(machine);
    return machine;
  };
  const endWorkers = (machine: Machine): void => {
    machine.dispose();
    withWorkers.delete(machine);
  };
  return {
    name: threads === 1 ? 'wasm' : `wasm-${threads}`,
    createSession: (model, sessionOptions) =>
      new WasmSession(machineOf(model), model, sessionOptions),
    forwardBatch,
    load: (model) => void machineOf(model),
    threadCount: (model) => machineOf(model).threadCount(),
    memoryBytes: (model) => machineOf(model).memory.buffer.byteLength,
    unload(model) {
      const machine = machines.get(model);
      if (machine !== undefined) endWorkers(machine);
      machines.delete(model);
    },
    dispose() {
      for (const machine of withWorkers) endWorkers(machine);
    },
  };
}

/** One batch on the machine that its sessions share. */
function forwardBatch(parts: readonly BatchPart[]): Int32Array[] {
  const first = parts[0]?.session;
  if (first === undefined) return [];
  const entries = parts.map(({ session, tokens, logits }) => {
    const shared = session instanceof WasmSession && first instanceof WasmSession;
    if (!shared || session.machine !== first.machine) throw batchInvalid('mixes models');
    session.assertOpen();
    return { session, tokens, wantedCount: wantedRows(logits, tokens.length) };
  });
  const { machine, vocabularySize } = entries[0]!.session;
  checkBatch(parts);
  return appendForLogits(machine, entries, vocabularySize);
}

function checkThreads({ threads = 1, spawnWorker }: WasmOptions): number {
  const valid = Number.isInteger(threads) && threads >= 1 && threads <= THREADS_MAX;
  if (valid && (threads === 1 || canShare(spawnWorker))) return threads;
  throw new EngineError({
    code: 'threads_invalid',
    message: `The engine cannot run on ${threads} threads here.`,
    fault: 'platform',
    value: threads,
    remedy: `Give 1 to ${THREADS_MAX} threads and, for more than one, spawnWorker and shared memory.`,
  });
}

/** Shared memory needs SharedArrayBuffer; a page has it only when it is cross-origin isolated. */
const canShare = (spawnWorker: SpawnWorker | undefined): boolean =>
  spawnWorker !== undefined && typeof SharedArrayBuffer !== 'undefined';
