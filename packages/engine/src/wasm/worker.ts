/**
 * A worker's side of the threads: connects to the shared memory and serves calls until it is stopped, so `serve`
 * blocks its thread for good. Exported as `@assay/engine/worker`.
 *
 * @example
 * // Node: new Worker(file, { workerData: start }), and in the file:
 * import { workerData } from 'node:worker_threads';
 * import { serve } from '@assay/engine/worker';
 * serve(workerData);
 * // Page: new Worker(url, { type: 'module' }).postMessage(start), and in the file:
 * self.onmessage = (event) => serve(event.data);
 */
import { instantiateKernels, type WorkerStart } from './kernels.js';

export type { WorkerStart } from './kernels.js';

export function serve({ module, memory, meeting }: WorkerStart): void {
  instantiateKernels(module, memory).serve(meeting);
}
