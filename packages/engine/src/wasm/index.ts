export { PAGE_POSITIONS, bytesPerToken } from './pages.js';
export { type SpawnWorker, THREADS_MAX, type WorkerLike, type WorkerStart } from './kernels.js';
export { createWasmBackend, type WasmBackend, type WasmOptions } from './wasm-backend.js';
