/** Our engine as a contestant (see contestant.ts): the WebAssembly kernels as a provider runs them. */
import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { createWasmBackend, loadGgufModel, type Session, type SpawnWorker } from '@assay/engine';
import {
  answerTasks,
  CONCURRENT_PROMPT,
  parameters,
  peakBytes,
  promptToken,
  type Task,
} from './contestant.js';

/** Node's side of the engine's threads. */
const spawnWorker: SpawnWorker = (start) => {
  const module = import.meta.resolve('@assay/engine/worker');
  const text = `import { workerData } from 'node:worker_threads';
    import { serve } from ${JSON.stringify(module)};
    serve(workerData);`;
  const file = new URL(`data:text/javascript,${encodeURIComponent(text)}`);
  const worker = new Worker(file, { workerData: start });
  worker.unref();
  return worker;
};

const { file, threads } = parameters();
const { model } = loadGgufModel(readFileSync(file));
const backend = createWasmBackend({ threads, spawnWorker });
backend.load(model);
while (backend.threadCount(model) < threads) {
  await new Promise((resolve) => setTimeout(resolve, 5));
}
const single = backend.createSession(model);
let many: readonly Session[] | undefined;
let last = promptToken(0);

async function work(task: Task): Promise<number> {
  if (task.do === 'peak') return peakBytes();
  if (task.do === 'prefill') {
    single.truncate(0);
    last = largest(single.forward(Array.from({ length: task.tokens }, (_, i) => promptToken(i))));
    return task.tokens;
  }
  if (task.do === 'decode') {
    for (let i = 0; i < task.tokens; i++) last = largest(single.forward([last]));
    return task.tokens;
  }
  return concurrent(task.requests, task.tokens);
}

/** The first call makes the sessions and their prompts and is not to be measured. */
function concurrent(requests: number, count: number): number {
  many ??= Array.from({ length: requests }, (_, request) => {
    const session = backend.createSession(model);
    session.forward(Array.from({ length: CONCURRENT_PROMPT }, (__, i) => promptToken(i, request)));
    return session;
  });
  const tokens = many.map((_, request) => promptToken(0, request));
  for (let i = 0; i < count; i++) {
    const parts = many.map((session, request) => ({ session, tokens: [tokens[request]!] }));
    backend.forwardBatch(parts).forEach((logits, request) => {
      tokens[request] = largest(logits);
    });
  }
  return requests * count;
}

/** Index of the largest logit. */
function largest(logits: Int32Array): number {
  let best = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id]! > logits[best]!) best = id;
  return best;
}

await answerTasks(work);
process.exit(0);
