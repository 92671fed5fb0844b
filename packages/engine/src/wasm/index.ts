export {
  type SpawnWorker,
  THREADS_MAX,
  type WorkerLike,
  type WorkerStart,
} from './kernels.js';
export { bytesPerToken, PAGE_POSITIONS } from './pages.js';
export {
  assertFit,
  fingerprint,
  type SelfTestResult,
  selfTest,
  selfTestLogits,
  selfTestModel,
} from './self-test.js';
export { createWasmBackend, type WasmBackend, type WasmOptions } from './wasm-backend.js';
