/** Durable memory of a gateway as a payer: lanes, last vouchers, jobs that broke off after payments. */
import type { KeptReceipt, Payment, RequesterStore, UnsettledJob } from '@assay/compute';
import { decodeJson, encodeJson, type Hex, type ReceiptEnvelope } from '@assay/protocol';
import { closeDatabase, openDatabase, recordTable } from './database.js';
import { laneTable } from './lane-table.js';

export type RequesterLedger = RequesterStore & {
  /** Spent or promised on the lanes of a channel. */
  readonly committed: (channelId: Hex) => bigint;
  /** Receipts not yet handed to the index; see {@link RequesterLedger.forwarded}. */
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
    keepReceipt: outbox.keep,
    unbookedReceipts: outbox.unbooked,
    finishJob: (envelope, lane, payment) => {
      const { jobId } = envelope;
      lanes.commit(() => {
        lanes.put(lane, payment.voucher);
        payments.put(laneKey(payment), payment);
        if (unsettled.has(jobId)) unsettledJobs.remove(jobId);
        outbox.book(envelope, payment.endpoint);
      });
      outbox.booked(jobId);
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
  /** Durable at once; not booked. */
  readonly keep: (kept: KeptReceipt) => void;
  /** Marks a kept receipt as booked, or adds it as such. Call {@link Outbox.booked} once that is committed. */
  readonly book: (envelope: ReceiptEnvelope, endpoint: string) => void;
  readonly booked: (jobId: Hex) => void;
  readonly unbooked: () => readonly KeptReceipt[];
  readonly all: () => readonly ReceiptEnvelope[];
  /** Removes those of the receipts that are booked. */
  readonly remove: (jobIds: readonly Hex[]) => void;
};

type OutboxRow = { readonly endpoint: string; readonly body: string };

/** Receipts in the order in which they came, so that a new one always goes to the page that was written last. */
function openOutbox(database: ReturnType<typeof openDatabase>): Outbox {
  database.exec(
    `CREATE TABLE IF NOT EXISTS receipt_outbox (
       sequence INTEGER PRIMARY KEY, job_id TEXT NOT NULL, endpoint TEXT NOT NULL, booked INTEGER NOT NULL,
       body TEXT NOT NULL
     )`,
  );
  const add = database.prepare(
    'INSERT INTO receipt_outbox (job_id, endpoint, booked, body) VALUES (?, ?, ?, ?)',
  );
  const mark = database.prepare('UPDATE receipt_outbox SET booked = 1 WHERE sequence = ?');
  const all = database.prepare('SELECT endpoint, body FROM receipt_outbox ORDER BY sequence');
  const unbooked = database.prepare(
    'SELECT endpoint, body FROM receipt_outbox WHERE booked = 0 ORDER BY sequence',
  );
  const remove = database.prepare(
    'DELETE FROM receipt_outbox WHERE booked = 1 AND job_id IN (SELECT value FROM json_each(?))',
  );
  const envelopeOf = ({ body }: OutboxRow): ReceiptEnvelope => decodeJson(body) as ReceiptEnvelope;
  const findKept = database.prepare('SELECT sequence, job_id FROM receipt_outbox WHERE booked = 0');
  /** Rows of the receipts that are not booked. */
  const kept = new Map(
    (findKept.all() as { readonly sequence: number; readonly job_id: Hex }[]).map(
      ({ sequence, job_id }) => [job_id, sequence],
    ),
  );
  return {
    keep: ({ envelope, endpoint }) => {
      const { jobId } = envelope;
      const { lastInsertRowid } = add.run(jobId, endpoint, 0, encodeJson(envelope));
      kept.set(jobId, Number(lastInsertRowid));
    },
    book: (envelope, endpoint) => {
      const sequence = kept.get(envelope.jobId);
      if (sequence === undefined) add.run(envelope.jobId, endpoint, 1, encodeJson(envelope));
      else mark.run(sequence);
    },
    booked: (jobId) => void kept.delete(jobId),
    unbooked: () =>
      (unbooked.all() as OutboxRow[]).map((row) => ({
        envelope: envelopeOf(row),
        endpoint: row.endpoint,
      })),
    all: () => (all.all() as OutboxRow[]).map(envelopeOf),
    remove: (jobIds) => void remove.run(JSON.stringify(jobIds)),
  };
}
