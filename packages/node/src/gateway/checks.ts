/**
 * Receipts on their way to a verifier: a bounded queue of one at a time, so that checking never competes with answering
 * for more than one thread, and results go to the index.
 */
import { encodeJson, type Hex, type ReceiptEnvelope } from '@assay/protocol';
import type { Logger } from '../log.js';
import { fetchJson } from '../peers/http-client.js';

/** What a check found; `unavailable` when no verifier could be reached or the model file is missing. */
export type Check = {
  readonly result: 'identical' | 'different' | 'invalid' | 'unavailable';
  readonly position?: number;
  readonly expected?: number;
  readonly found?: number;
  readonly part?: 'logprobs' | 'embedding';
  readonly verifier?: Hex;
  readonly seconds?: number;
  readonly reason?: string;
};

/** Receipts waiting for their check; beyond it the oldest stay unchecked until somebody asks. */
const QUEUE_MAX = 1_000;

/** A check re-computes an answer of up to the longest context. */
const CHECK_TIMEOUT_MS = 300_000;

export type CheckerOptions = {
  /** Base URL of the verifier; none: every check is unavailable. */
  readonly verifierUrl: string | undefined;
  readonly save: (jobId: Hex, check: Check) => Promise<void>;
  readonly log: Logger;
};

export type Checker = {
  /** Checks now; saves and returns the result. */
  readonly check: (envelope: ReceiptEnvelope) => Promise<Check>;
  /** Checks when the verifier is free. */
  readonly enqueue: (envelope: ReceiptEnvelope) => void;
};

export function createChecker(options: CheckerOptions): Checker {
  const queue: ReceiptEnvelope[] = [];
  let working = false;

  async function check(envelope: ReceiptEnvelope): Promise<Check> {
    const result = await askVerifier(options, envelope);
    if (result.result !== 'unavailable') await options.save(envelope.jobId, result);
    return result;
  }

  async function work(): Promise<void> {
    if (working) return;
    working = true;
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      await check(next).catch((error: unknown) =>
        options.log.warn({ jobId: next?.jobId, error: String(error) }, 'check failed'),
      );
    }
    working = false;
  }

  return {
    check,
    enqueue: (envelope) => {
      if (queue.length < QUEUE_MAX) queue.push(envelope);
      void work();
    },
  };
}

async function askVerifier(
  { verifierUrl, log }: CheckerOptions,
  envelope: ReceiptEnvelope,
): Promise<Check> {
  if (verifierUrl === undefined)
    return { result: 'unavailable', reason: 'no verifier is configured' };
  try {
    return (await fetchJson({
      method: 'POST',
      url: `${verifierUrl}/v1/verify`,
      body: encodeJson(envelope),
      timeoutMs: CHECK_TIMEOUT_MS,
    })) as Check;
  } catch (error) {
    log.warn({ error: String(error) }, 'verifier not available');
    return { result: 'unavailable', reason: 'the verifier did not answer' };
  }
}
