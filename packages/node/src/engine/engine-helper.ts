/** A further thread of the engine: it serves the memory that `engine-worker.ts` shares with it. */
import { workerData } from 'node:worker_threads';
import { serve } from '@assay/engine/worker';

serve(workerData as Parameters<typeof serve>[0]);
