/**
 * Bytes per second that threads read from memory, by looking for a byte that is not there (the C library's memchr,
 * which reads with the widest vectors). Decoding cannot be faster than this divided by the size of the weights.
 */
import { Worker } from 'node:worker_threads';

/** Far above any cache of a desktop or small server. */
const BUFFER_BYTES = 512 * 2 ** 20;
const REPEATS = 5;

const PROGRAM = `
  const { parentPort, workerData } = require('node:worker_threads');
  const buffer = Buffer.alloc(workerData, 1);
  parentPort.on('message', () => {
    const start = performance.now();
    buffer.indexOf(7);
    parentPort.postMessage({ seconds: (performance.now() - start) / 1000 });
  });
  parentPort.postMessage({ seconds: 0 });`;

/** The best of a few readings, as everything else on the machine only takes away from it. */
export async function memoryBytesPerSecond(threads: number): Promise<number> {
  const options = { eval: true, workerData: BUFFER_BYTES };
  const workers = Array.from({ length: threads }, () => new Worker(PROGRAM, options));
  const all = (): Promise<number[]> => Promise.all(workers.map(nextSeconds));
  await all();
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < REPEATS; i++) {
    const done = all();
    for (const worker of workers) worker.postMessage(null);
    best = Math.min(best, Math.max(...(await done)));
  }
  await Promise.all(workers.map((worker) => worker.terminate()));
  return (threads * BUFFER_BYTES) / best;
}

const nextSeconds = (worker: Worker): Promise<number> =>
  new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', ({ seconds }: { seconds: number }) => {
      worker.off('error', reject);
      resolve(seconds);
    });
  });
