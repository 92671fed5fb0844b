/** Durable memory of a gateway as a payer: lanes, last vouchers, jobs that broke off after payments. */
import type { Payment, RequesterStore, UnsettledJob } from '@assay/compute';
import { decodeJson, encodeJson, type Hex, type ReceiptEnvelope } from '@assay/protocol';
import { closeDatabase, openDatabase, recordTable } from './database.js';
import { laneTable } from './lane-table.js';

export type RequesterLedger = RequesterStore & {
  /** Spent or promised on the lanes of a channel. */
  readonly committed: (channelId: Hex) => bigint;
  /** Receipts booked but not yet handed to the index; see {@link RequesterLedger.forwarded}. */
  readonly unforwarded: () => readonly ReceiptEnvelope[];
  readonly forwarded: (jobIds: readonly Hex[]) => void;
  readonly readNote: (name: string) => string | undefined;
  readonly writeNote: (name: string, value: string) => void;
  readonly close: () => void;
};

const laneKey = ({ voucher }: Payment): string =>
  `${voucher.voucher.channelId}/${voucher.voucher.lane}`;

export function openRequesterStore(path: string): RequesterLedger {
  const database = openDatabase(path);
  const lanes = laneTable(database);
  const unsettledJobs = recordTable<UnsettledJob>(database, 'unsettled_jobs');
  const payments = recordTable<Payment>(database, 'payments');
  const notes = recordTable<string>(database, 'notes');
  const outbox = openOutbox(database);
  /** What the tables hold, by key: nearly every job finds nothing to remove, and need not ask. */
  const unsettled = new Set(unsettledJobs.all().map(({ jobId }) => jobId));
  const undelivered = new Map(payments.all().map((payment) => [laneKey(payment), payment]));
  return {
    loadLane: lanes.load,
    saveLane: (lane) => lanes.commit(() => lanes.put(lane)),
    loadVoucher: lanes.voucher,
    payIncrement: (lane, voucher, open) => {
      lanes.commit(() => {
        lanes.put(lane, voucher);
        unsettledJobs.put(open.jobId, open);
      });
      unsettled.add(open.jobId);
    },
    finishJob: (envelope, lane, payment) => {
      const { jobId } = envelope;
      lanes.commit(() => {
        lanes.put(lane, payment.voucher);
        payments.put(laneKey(payment), payment);
        if (unsettled.has(jobId)) unsettledJobs.remove(jobId);
        outbox.add(envelope);
      });
      unsettled.delete(jobId);
      undelivered.set(laneKey(payment), payment);
    },
    undelivered: () => [...undelivered.values()],
    delivered: (payment) => {
      const key = laneKey(payment);
      if (undelivered.get(key)?.jobId !== payment.jobId) return;
      payments.remove(key);
      undelivered.delete(key);
    },
    saveUnsettled: (open) => {
      unsettledJobs.put(open.jobId, open);
      unsettled.add(open.jobId);
    },
    unsettledJobs: unsettledJobs.all,
    committed: lanes.committed,
    unforwarded: outbox.all,
    forwarded: outbox.remove,
    readNote: notes.get,
    writeNote: notes.put,
    close: () => closeDatabase(database),
  };
}

type Outbox = {
  readonly add: (envelope: ReceiptEnvelope) => void;
  readonly all: () => readonly ReceiptEnvelope[];
  readonly remove: (jobIds: readonly Hex[]) => void;
};

/** Receipts in the order in which they came, so that a new one always goes to the page that was written last. */
function openOutbox(database: ReturnType<typeof openDatabase>): Outbox {
  database.exec(
    `CREATE TABLE IF NOT EXISTS outbox_log (
       sequence INTEGER PRIMARY KEY, job_id TEXT NOT NULL, body TEXT NOT NULL
     )`,
  );
  const add = database.prepare('INSERT INTO outbox_log (job_id, body) VALUES (?, ?)');
  const all = database.prepare('SELECT body FROM outbox_log ORDER BY sequence');
  const remove = database.prepare(
    'DELETE FROM outbox_log WHERE job_id IN (SELECT value FROM json_each(?))',
  );
  return {
    add: (envelope) => void add.run(envelope.jobId, encodeJson(envelope)),
    all: () =>
      (all.all() as { readonly body: string }[]).map(
        ({ body }) => decodeJson(body) as ReceiptEnvelope,
      ),
    remove: (jobIds) => void remove.run(JSON.stringify(jobIds)),
  };
}
