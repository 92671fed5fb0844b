/**
 * Every receipt the gateway bought: booked durably by the payment ledger, then moved to the index, several at a time,
 * then checked. A reader finds it from the moment the answer ends, because every reading waits for the move.
 */
import type { RequesterContext } from '@assay/compute';
import { deliver, settleJob } from '@assay/compute';
import { AssayError, type Hex, type ReceiptEnvelope } from '@assay/protocol';
import {
  addReceipts,
  getReceipt,
  type IndexStore,
  type NewReceipt,
  setCheck,
} from '../index-store/index.js';
import type { Logger } from '../log.js';
import { providerPeer } from '../peers/provider-peer.js';
import type { RequesterLedger } from '../stores/requester-store.js';
import { type Check, createChecker } from './checks.js';
import type { LiveEvent } from './live.js';

/** How often jobs that broke off are asked for their receipts. */
const SETTLE_INTERVAL_MS = 3_000;

/** Time a receipt stays in the outbox after it is in the index: many times the index's sync interval. */
const OUTBOX_KEEP_MS = 2_000;

/**
 * Time that a receipt waits for others: a transaction of the index costs as much for one as for twenty, and none of it
 * is on the way of an answer.
 */
const MOVE_DELAY_MS = 200;

/** Receipts per transaction: bounds how long the event loop is held. */
const MOVE_COUNT_MAX = 100;

export type ReceiptBookOptions = {
  readonly store: IndexStore;
  readonly ledger: RequesterLedger;
  readonly requester: RequesterContext;
  /** Where a provider answers now that answered at `before`: after a restart it may be elsewhere. */
  readonly endpointOf: (provider: Hex, before: string) => string;
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
  /** Resolves when every receipt so far is in the index: sums over it are whole then. */
  readonly settled: () => Promise<void>;
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
  const mover = createMover(options);
  const checker = createChecker({
    verifierUrl: options.verifierUrl,
    log,
    save: async (jobId, check) => {
      await mover.settled();
      await setCheck(store, jobId, check);
      options.publish({ type: 'check', jobId, check });
    },
  });

  function add(envelope: ReceiptEnvelope): void {
    mover.add(envelope);
    if (options.verifierUrl !== undefined && options.draw() < options.checkShare)
      checker.enqueue(envelope);
  }

  async function find(id: Hex): Promise<StoredCheck> {
    await mover.settled();
    const stored = await getReceipt(store, id);
    if (stored === undefined) throw notFound(id);
    return {
      envelope: stored.envelope,
      check: stored.check ?? null,
      createdAt: stored.createdAtMs,
    };
  }

  async function settleOpen(): Promise<void> {
    mover.forget();
    for (const payment of ledger.undelivered()) {
      const peer = providerPeer(options.endpointOf(payment.provider, payment.endpoint));
      await deliver(options.requester, peer, payment).catch(
        (error: unknown) =>
          void log.warn(
            { jobId: payment.jobId, error: String(error) },
            'voucher not delivered yet',
          ),
      );
    }
    for (const open of ledger.unsettledJobs()) {
      const peer = providerPeer(options.endpointOf(open.request.job.provider, open.endpoint));
      const envelope = await settleJob(options.requester, peer, open).catch(
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
    settled: mover.settled,
    stop: async () => {
      await settling.stop();
      await mover.settled();
    },
  };
}

type Mover = {
  readonly add: (envelope: ReceiptEnvelope) => void;
  /** Moves now what waits, and resolves when all is in the index. */
  readonly settled: () => Promise<void>;
  /** Empties the outbox of what is safe in the index. */
  readonly forget: () => void;
};

/** Receipts on their way from the ledger's outbox to the index. */
function createMover({ store, ledger, log, publish }: ReceiptBookOptions): Mover {
  let waiting: NewReceipt[] = [];
  let timer: NodeJS.Timeout | undefined;
  let current: Promise<void> = Promise.resolve();
  /** In the index, perhaps not yet on its disk, and so still in the outbox. */
  const moved = new Map<Hex, number>();

  async function moveSome(some: readonly NewReceipt[]): Promise<void> {
    await addReceipts(store, some);
    for (const { envelope } of some) {
      moved.set(envelope.jobId, Date.now());
      publish({ type: 'activity', item: activityOf(envelope) });
    }
  }

  /** One receipt that the index refuses keeps no other back; it stays in the outbox. */
  async function moveEach(some: readonly NewReceipt[]): Promise<void> {
    for (const receipt of some)
      await moveSome([receipt]).catch((error: unknown) =>
        log.error(
          { jobId: receipt.envelope.jobId, error: String(error) },
          'receipt waits for the index',
        ),
      );
  }

  async function moveAll(): Promise<void> {
    while (waiting.length > 0) {
      const some = waiting.slice(0, MOVE_COUNT_MAX);
      waiting = waiting.slice(MOVE_COUNT_MAX);
      await moveSome(some).catch(() => moveEach(some));
    }
  }

  function settled(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    current = current.then(moveAll);
    return current;
  }

  return {
    add: (envelope) => {
      waiting.push({ envelope, createdAtMs: Date.now() });
      timer ??= setTimeout(() => void settled(), MOVE_DELAY_MS);
    },
    settled,
    forget: () => {
      const old = [...moved].filter(([, atMs]) => Date.now() - atMs >= OUTBOX_KEEP_MS);
      if (old.length === 0) return;
      ledger.forwarded(old.map(([jobId]) => jobId));
      for (const [jobId] of old) moved.delete(jobId);
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
