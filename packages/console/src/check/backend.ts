/**
 * Which implementation of the arithmetic checks receipts in this page: WebAssembly, with the bits
 * of the reference, on several threads where this page may share memory among them.
 */
import {
  assertFit,
  createWasmBackend,
  type EngineModel,
  type SpawnWorker,
  type WasmBackend,
} from '@assay/engine';

/** Threads of one check: enough to halve its seconds twice, and the rest is left to its reader. */
const THREADS_MAX = 4;

/** Shared memory needs a cross-origin isolated page, which the gateway's headers make it. */
const threadCount = (): number => {
  const isolated = 'crossOriginIsolated' in globalThis && globalThis.crossOriginIsolated;
  return isolated ? Math.max(1, Math.min(THREADS_MAX, navigator.hardwareConcurrency)) : 1;
};

const spawnWorker: SpawnWorker = (start) => {
  const worker = new Worker(new URL('./engine-thread.worker.ts', import.meta.url), {
    type: 'module',
  });
  worker.postMessage(start);
  return worker;
};

function createBackend(): WasmBackend {
  const threads = threadCount();
  return threads > 1 ? createWasmBackend({ threads, spawnWorker }) : createWasmBackend();
}

export let backend = createBackend();

/** Time for the threads of a model to start; they cannot while a check computes. */
const START_TIMEOUT_MS = 2_000;
const START_POLL_MS = 5;

let warm: EngineModel | undefined;
let isFit = false;

/** Lays the model out and lets its threads start, so that the check after it has them; one model at a time. */
export async function warmUp(model: EngineModel): Promise<void> {
  if (warm === model) return;
  if (warm !== undefined) backend.unload(warm);
  warm = model;
  // Before the first check: what this browser computes is compared with answers that are written down.
  if (!isFit) assertFit(createWasmBackend());
  isFit = true;
  try {
    backend.load(model);
  } catch {
    // Some browsers refuse shared memory of this size. One thread gives the same bits, later.
    backend = createWasmBackend();
    backend.load(model);
  }
  const endMs = performance.now() + START_TIMEOUT_MS;
  const wanted = backend.name === 'wasm' ? 1 : threadCount();
  while (backend.threadCount(model) < wanted && performance.now() < endMs) {
    await new Promise((resolve) => setTimeout(resolve, START_POLL_MS));
  }
}
