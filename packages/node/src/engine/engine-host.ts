/** The role's side of an engine thread: jobs as async streams, verdicts as promises, crashes as errors. */
import { Worker } from 'node:worker_threads';
import type { Generated, Verdict } from '@assay/compute';
import {
  AssayError,
  encodeJson,
  type Hex,
  type ReceiptEnvelope,
  type Sampler,
} from '@assay/protocol';
import type { EngineOrder, EngineReport, EngineSetup } from './engine-messages.js';

export type EngineJob = {
  readonly inputTokens: readonly number[];
  readonly outputCountMax: number;
  readonly sampler: Sampler;
  /** Bytes of `sampler.controls`, if it has any. */
  readonly controls?: Hex | undefined;
  readonly signal: AbortSignal;
};

export type EngineHost = {
  /** Tokens as they are made, or an embedding; ends after a stop id, the limit, or soon after the signal. */
  readonly run: (job: EngineJob) => AsyncGenerator<Generated, void>;
  readonly verify: (envelope: ReceiptEnvelope) => Promise<Verdict>;
  readonly close: () => Promise<void>;
};

type Listener = (report: EngineReport) => void;

/** The built worker, also when this module runs from source under a test. */
const workerUrl = (): URL =>
  new URL(
    import.meta.url.replace('/src/', '/dist/').replace(/engine-host\.[jt]s$/, 'engine-worker.js'),
  );

const failed = (code: string, message: string): AssayError =>
  new AssayError({
    code,
    fault: 'platform',
    message,
    remedy: 'Check the model file with `assay doctor`; the engine restarts with its role.',
  });

/** Starts the thread and opens the model; throws what opening threw, with its code. */
export async function startEngine(setup: EngineSetup): Promise<EngineHost> {
  const worker = new Worker(workerUrl(), { workerData: setup });
  const listeners = new Map<number, Listener>();
  await new Promise<void>((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', (report: EngineReport) => {
      if (report.kind === 'ready') resolve();
      else if (report.kind === 'failed') reject(failed(report.code, report.message));
    });
  });
  worker.on('message', (report: EngineReport) => {
    if ('id' in report && report.id !== undefined) listeners.get(report.id)?.(report);
  });
  const breakAll = (message: string): void => {
    for (const [id, listener] of listeners)
      listener({ kind: 'failed', id, code: 'engine_failed', message });
  };
  worker.on('error', (error) => breakAll(error.message));
  worker.on('exit', () => breakAll('the engine thread ended'));
  const post = (order: EngineOrder): void => worker.postMessage(order);
  let nextId = 1;
  return {
    run: (job) => runJob({ id: nextId++, job, post, listeners }),
    verify: (envelope) => verifyOnce({ id: nextId++, envelope, post, listeners }),
    close: async () => void (await worker.terminate()),
  };
}

type Channel = {
  readonly id: number;
  readonly post: (order: EngineOrder) => void;
  readonly listeners: Map<number, Listener>;
};

async function* runJob({
  id,
  job,
  post,
  listeners,
}: Channel & { job: EngineJob }): AsyncGenerator<Generated, void> {
  const queue: EngineReport[] = [];
  let wake = (): void => {};
  listeners.set(id, (report) => {
    queue.push(report);
    wake();
  });
  const cancel = (): void => post({ kind: 'cancel', id });
  job.signal.addEventListener('abort', cancel, { once: true });
  const { inputTokens, outputCountMax, sampler, controls } = job;
  post({ kind: 'run', id, inputTokens, outputCountMax, sampler, controls });
  let ended = false;
  try {
    while (!ended) {
      const report = queue.shift();
      if (report === undefined) await new Promise<void>((resolve) => (wake = resolve));
      else if (report.kind === 'tokens') {
        ended = report.ends === true;
        yield report;
      } else if (report.kind === 'failed') throw failed(report.code, report.message);
      else ended = true;
    }
  } finally {
    job.signal.removeEventListener('abort', cancel);
    if (!ended) cancel();
    listeners.delete(id);
  }
}

function verifyOnce({
  id,
  envelope,
  post,
  listeners,
}: Channel & { envelope: ReceiptEnvelope }): Promise<Verdict> {
  return new Promise((resolve, reject) => {
    listeners.set(id, (report) => {
      listeners.delete(id);
      if (report.kind === 'verdict') resolve(report.verdict);
      else if (report.kind === 'failed') reject(failed(report.code, report.message));
    });
    post({ kind: 'verify', id, envelope: encodeJson(envelope) });
  });
}
