/** Entry of a worker thread of the trainer: it only takes tasks (see `crew.ts`). */

import { workerData } from 'node:worker_threads';
import { serveTurns, type ThreadData } from './crew.js';

serveTurns(workerData as ThreadData);
