/**
 * Every receipt the gateway bought: booked durably by the payment ledger, then moved to the index, then checked. A
 * reader finds it from the moment the answer ends.
 */
import type { RequesterContext } from '@assay/compute';
import { deliver, settleJob } from '@assay/compute';
import { AssayError, type Hex, type ReceiptEnvelope } from '@assay/protocol';
import { addReceipt, getReceipt, type IndexStore, setCheck } from '../index-store/index.js';
import type { Logger } from '../log.js';
import { providerPeer } from '../peers/provider-peer.js';
import type { RequesterLedger } from '../stores/requester-store.js';
import { type Check, createChecker } from './checks.js';
import type { LiveEvent } from './live.js';

/** How often jobs that broke off are asked for their receipts. */
const SETTLE_INTERVAL_MS = 3_000;

/** Time a receipt stays in the outbox after it is in the index: many times the index's sync interval. */
const OUTBOX_KEEP_MS = 2_000;

export type ReceiptBookOptions = {
  readonly store: IndexStore;
  readonly ledger: RequesterLedger;
  readonly requester: RequesterContext;
  readonly verifierUrl: string | undefined;
  /** Share of receipts that are checked at once, 0 to 1. */
  readonly checkShare: number;
  readonly draw: () => number;
  readonly publish: (event: LiveEvent) => void;
  readonly log: Logger;
};

export type StoredCheck = {
  readonly envelope: ReceiptEnvelope;
  readonly check: Check | null;
  readonly createdAt: number;
};

export type ReceiptBook = {
  readonly add: (envelope: ReceiptEnvelope) => void;
  /** Throws `receipt_not_found`. */
  readonly find: (id: Hex) => Promise<StoredCheck>;
  /** Has the receipt re-computed now. */
  readonly check: (id: Hex) => Promise<Check>;
  readonly stop: () => Promise<void>;
};

const notFound = (id: Hex): AssayError =>
  new AssayError({
    code: 'receipt_not_found',
    fault: 'user',
    message: 'No receipt with this id is kept here.',
    value: id,
    remedy: 'Check the id: it is the `receipt.id` of an answer, or the header x-assay-receipt.',
  });

export function openReceiptBook(options: ReceiptBookOptions): ReceiptBook {
  const { store, ledger, log } = options;
  const moving = new Map<Hex, Promise<void>>();
  /** In the index, perhaps not yet on its disk, and so still in the ledger's outbox. */
  const moved = new Map<Hex, number>();
  const checker = createChecker({
    verifierUrl: options.verifierUrl,
    log,
    save: async (jobId, check) => {
      await moving.get(jobId);
      if (check.result !== 'invalid')
        await setCheck(store, jobId, { ...check, result: check.result });
      options.publish({ type: 'check', jobId, check });
    },
  });

  async function move(envelope: ReceiptEnvelope): Promise<void> {
    await addReceipt(store, envelope, { createdAtMs: Date.now() });
    moved.set(envelope.jobId, Date.now());
    options.publish({ type: 'activity', item: activityOf(envelope) });
  }

  function add(envelope: ReceiptEnvelope): void {
    const { jobId } = envelope;
    const moved = move(envelope)
      .catch((error: unknown) =>
        log.error({ jobId, error: String(error) }, 'receipt waits for the index'),
      )
      .finally(() => moving.delete(jobId));
    moving.set(jobId, moved);
    if (options.verifierUrl !== undefined && options.draw() < options.checkShare)
      checker.enqueue(envelope);
  }

  async function find(id: Hex): Promise<StoredCheck> {
    await moving.get(id);
    const stored = await getReceipt(store, id);
    if (stored === undefined) throw notFound(id);
    return {
      envelope: stored.envelope,
      check: stored.check ?? null,
      createdAt: stored.createdAtMs,
    };
  }

  function forgetMoved(): void {
    for (const [jobId, atMs] of moved) {
      if (Date.now() - atMs < OUTBOX_KEEP_MS) continue;
      ledger.forwarded(jobId);
      moved.delete(jobId);
    }
  }

  async function settleOpen(): Promise<void> {
    forgetMoved();
    for (const payment of ledger.undelivered()) {
      await deliver(options.requester, providerPeer(payment.endpoint), payment).catch(
        (error: unknown) =>
          void log.warn(
            { jobId: payment.jobId, error: String(error) },
            'voucher not delivered yet',
          ),
      );
    }
    for (const open of ledger.unsettledJobs()) {
      const envelope = await settleJob(options.requester, providerPeer(open.endpoint), open).catch(
        (error: unknown) =>
          void log.warn({ jobId: open.jobId, error: String(error) }, 'job not settled yet'),
      );
      if (envelope) add(envelope);
    }
  }

  for (const envelope of ledger.unforwarded()) add(envelope);
  const settling = repeat(settleOpen, SETTLE_INTERVAL_MS);
  return {
    add,
    find,
    check: async (id) => checker.check((await find(id)).envelope),
    stop: async () => {
      await settling.stop();
      await Promise.all(moving.values());
    },
  };
}

/** Runs a task now and again after each pause; never twice at once. */
function repeat(task: () => Promise<void>, pauseMs: number): { stop: () => Promise<void> } {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let current = Promise.resolve();
  const round = (): void => {
    current = task().finally(() => {
      if (!stopped) timer = setTimeout(round, pauseMs);
    });
    current.catch(() => undefined);
  };
  round();
  return {
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await current.catch(() => undefined);
    },
  };
}

const FINISH_WORDS = ['stop', 'length', 'cancelled'] as const;

const activityOf = ({ jobId, job, receipt }: ReceiptEnvelope): object => ({
  jobId,
  model: job.modelId,
  provider: job.provider,
  inputCount: job.inputCount,
  outputCount: receipt.outputCount,
  price: receipt.price,
  createdAt: Date.now(),
  finish: FINISH_WORDS[receipt.finish],
  check: null,
});
