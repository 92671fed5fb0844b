/**
 * What a verifier does with receipts that do not re-compute: it brings them to court in the background, some at once,
 * so that checking goes on meanwhile and no case holds up another. Most of the time of a case is waiting: for an audit
 * to close, for a provider's move, for the day of payment.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ReceiptEnvelope } from '@assay/protocol';
import { LOCAL_CHAIN_ID } from '../chain/index.js';
import { fundLocalRole } from '../chain-access.js';
import { inTurn } from '../in-turn.js';
import { createSlots, type Slots } from '../slots.js';
import { takeBackBonds } from './bonds.js';
import { type CaseOptions, payOut, tryCase } from './case.js';
import type { Outcome } from './prosecutor.js';

/** Cases that are not decided; each holds the tokens of a receipt. Who cheats that often is convicted by the first. */
const CASES_MAX = 64;

/** Cases worked on at once: each may trace on a thread of its own, with the weights of a model. */
const CASES_AT_ONCE = 4;

/** Between tries of a case that failed: the chain, the provider and the model's file may come back; seconds. */
const RETRY_SECONDS = [10, 60, 600, 3_600] as const;

export type BailiffOptions = Pick<CaseOptions, 'home' | 'access' | 'log' | 'book'> & {
  /** In place of {@link RETRY_SECONDS}. */
  readonly retrySeconds?: readonly number[];
};

export type Bailiff = {
  /** Takes a case; false if it is known already or too many wait. */
  readonly take: (envelope: ReceiptEnvelope) => boolean;
  /** Takes no more cases. One under way can be taken up again at any time: the receipt stays what it is. */
  readonly close: () => void;
};

export function createBailiff(options: BailiffOptions): Bailiff {
  const { access, log } = options;
  const known = new Set<string>();
  const closing = new AbortController();
  // Two transfers from the faucet at once would take the same number.
  const fund = inTurn(async () => {
    if (access.market.chainId === LOCAL_CHAIN_ID) await fundLocalRole(access, 0n);
  });
  const work: Work = {
    ...{ options, slots: createSlots(CASES_AT_ONCE), closed: closing.signal },
    fund: () => fund(undefined),
  };
  let undecided = 0;
  return {
    take(envelope) {
      if (known.has(envelope.jobId) || undecided >= CASES_MAX) return false;
      known.add(envelope.jobId);
      undecided++;
      const { jobId } = envelope;
      decide(work, envelope)
        .finally(() => undecided--)
        .then((outcome) => outcome && pay(work, envelope, outcome))
        .catch((error: unknown) => {
          if (!closing.signal.aborted) log.error({ jobId, error: String(error) }, 'case failed');
        });
      return true;
    },
    close: () => closing.abort(),
  };
}

type Work = {
  readonly options: BailiffOptions;
  readonly slots: Slots;
  readonly closed: AbortSignal;
  readonly fund: () => Promise<void>;
};

/** The outcome of a case, tried again while it fails; undefined if the bailiff was closed before. */
async function decide(work: Work, envelope: ReceiptEnvelope): Promise<Outcome | undefined> {
  const { options, closed } = work;
  const { retrySeconds = RETRY_SECONDS, log } = options;
  for (const seconds of retrySeconds) {
    try {
      return await tryOnce(work, envelope);
    } catch (error) {
      const { code } = error as { code?: unknown };
      // Somebody else was faster, which is as good.
      if (code === 'already_convicted') return undefined;
      log.warn({ jobId: envelope.jobId, error: String(error), seconds }, 'case: trying again');
    }
    await sleep(seconds * 1_000, undefined, { signal: closed });
  }
  return tryOnce(work, envelope);
}

/** One try, in a slot that is free for others whenever the case only waits. */
async function tryOnce(
  { options, slots, closed, fund }: Work,
  envelope: ReceiptEnvelope,
): Promise<Outcome | undefined> {
  const pause = async (ms: number): Promise<void> => {
    slots.give();
    await sleep(ms);
    await slots.take();
  };
  await slots.take();
  try {
    if (closed.aborted) return undefined;
    await fund();
    const outcome = await tryCase({ ...options, pause, paysOut: () => false }, envelope);
    await takeBackBonds(options.access);
    return outcome;
  } finally {
    slots.give();
  }
}

/** Waits for the day of payment outside of all slots: it is days away, and anybody may pay a verdict meanwhile. */
async function pay(
  { options, closed }: Work,
  { jobId }: ReceiptEnvelope,
  outcome: Outcome,
): Promise<void> {
  if (outcome.result !== 'convicted') return;
  const pause = (ms: number): Promise<void> => sleep(ms, undefined, { signal: closed });
  await payOut({ ...options, pause }, jobId, outcome.verdict);
}
