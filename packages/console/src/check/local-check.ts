/**
 * The page's end of the check: starts the worker when it is first needed, keeps it with its opened
 * model, and turns its messages into one promise per check. The engine's code is loaded by the
 * worker only.
 */
import { AssayError } from '@assay/protocol';
import { readApiKey } from '../api-key.js';
import { type EnvelopeJson, readNetwork } from '../gateway.js';
import type { CheckProgress, CheckReply, CheckRequest, LocalVerdict } from './messages.js';

type Waiting = {
  readonly resolve: (verdict: LocalVerdict) => void;
  readonly reject: (error: AssayError) => void;
  readonly onProgress: (progress: CheckProgress) => void;
};

const waiting = new Map<number, Waiting>();
let worker: Worker | undefined;
let lastKey = 0;

/**
 * Re-executes a receipt in this page; rejects when it could not be judged, resolves with the
 * verdict when it could.
 */
export async function checkHere(
  envelope: EnvelopeJson,
  onProgress: (progress: CheckProgress) => void,
): Promise<LocalVerdict> {
  const { chain, contracts } = await readNetwork();
  worker ??= startWorker();
  const key = ++lastKey;
  const request: CheckRequest = {
    type: 'check',
    key,
    envelope: JSON.stringify(envelope),
    network: { chainId: chain.id, receipts: contracts.receipts },
    modelUrl: `/v1/models/${envelope.job.modelId}/file`,
    apiKey: readApiKey(),
  };
  return new Promise((resolve, reject) => {
    waiting.set(key, { resolve, reject, onProgress });
    worker?.postMessage(request);
  });
}

function startWorker(): Worker {
  const started = new Worker(new URL('./check.worker.ts', import.meta.url), { type: 'module' });
  started.addEventListener('message', (event: MessageEvent<CheckReply>) => settle(event.data));
  started.addEventListener('error', (event) => abandon(event.message));
  return started;
}

function settle(reply: CheckReply): void {
  const entry = waiting.get(reply.key);
  if (entry === undefined) return;
  if (reply.type === 'progress') {
    entry.onProgress(reply.progress);
    return;
  }
  waiting.delete(reply.key);
  if (reply.type === 'verdict') entry.resolve(reply.verdict);
  else entry.reject(new AssayError({ ...reply.failure, fault: 'peer' }));
}

/** A worker that died takes its checks with it; the next check starts a new one. */
function abandon(reason: string): void {
  worker?.terminate();
  worker = undefined;
  for (const entry of waiting.values()) entry.reject(workerLost(reason));
  waiting.clear();
}

const workerLost = (reason: string): AssayError =>
  new AssayError({
    code: 'page_check_stopped',
    message: 'The check in this page stopped.',
    fault: 'platform',
    value: reason,
    remedy: 'Try again, or ask the verifier.',
  });
