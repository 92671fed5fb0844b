/** Durable memory of a provider: lanes, vouchers, paid parts of open jobs, receipts. */
import type { OpenJob, ProviderStore } from '@assay/compute';
import {
  type ChannelConfig,
  decodeJson,
  encodeJson,
  type Hex,
  type ReceiptEnvelope,
  type SignedLaneVoucher,
} from '@assay/protocol';
import { closeDatabase, openDatabase, recordTable } from './database.js';
import { laneTable } from './lane-table.js';

/** What the settlement loop needs beyond {@link ProviderStore}. */
export type ProviderLedger = ProviderStore & {
  readonly vouchers: () => readonly SignedLaneVoucher[];
  readonly loadChannel: (channelId: Hex) => ChannelConfig | undefined;
  /** Receipts not yet under an epoch root, oldest first. */
  readonly receiptsAfter: (sequence: number) => readonly SequencedReceipt[];
  /** The last `count` receipts up to a number, oldest first. */
  readonly receiptsUpTo: (sequence: number, count: number) => readonly SequencedReceipt[];
  readonly readNote: (name: string) => string | undefined;
  readonly writeNote: (name: string, value: string) => void;
  readonly close: () => void;
};

export type SequencedReceipt = { readonly sequence: number; readonly envelope: ReceiptEnvelope };

/** Channels remembered as saved; more are looked up on disk again. */
const SAVED_MAX = 4_096;

type ReceiptRow = { readonly sequence: number; readonly body: string };

const sequenced = ({ sequence, body }: ReceiptRow): SequencedReceipt => ({
  sequence,
  envelope: decodeJson(body) as ReceiptEnvelope,
});

export function openProviderStore(path: string): ProviderLedger {
  const database = openDatabase(path);
  const lanes = laneTable(database);
  const channels = recordTable<ChannelConfig>(database, 'channels');
  const openJobs = recordTable<OpenJob>(database, 'open_jobs');
  const notes = recordTable<string>(database, 'notes');
  database.exec(
    `CREATE TABLE IF NOT EXISTS receipt_log (
       sequence INTEGER PRIMARY KEY, job_id TEXT NOT NULL UNIQUE, body TEXT NOT NULL
     )`,
  );
  const addReceipt = database.prepare(
    'INSERT INTO receipt_log (job_id, body) VALUES (?, ?) ON CONFLICT (job_id) DO NOTHING',
  );
  const readReceipt = database.prepare('SELECT sequence, body FROM receipt_log WHERE job_id = ?');
  const readAfter = database.prepare(
    'SELECT sequence, body FROM receipt_log WHERE sequence > ? ORDER BY sequence',
  );
  const readUpTo = database.prepare(
    'SELECT sequence, body FROM receipt_log WHERE sequence <= ? ORDER BY sequence DESC LIMIT ?',
  );
  /** Jobs with a row in `open_jobs`: most end before their first increment and never get one. */
  const open = new Set(openJobs.all().map(({ jobId }) => jobId));
  /** Channels whose terms are on disk: every job names its channel again. */
  const saved = new Set<Hex>();
  const close = (jobId: Hex): void => {
    if (open.has(jobId)) openJobs.remove(jobId);
  };
  return {
    saveChannel: (channelId, config) => {
      if (saved.has(channelId)) return;
      if (channels.get(channelId) === undefined) channels.put(channelId, config);
      if (saved.size >= SAVED_MAX) saved.clear();
      saved.add(channelId);
    },
    loadChannel: channels.get,
    loadLane: lanes.load,
    saveLane: (lane, voucher, job) => {
      lanes.commit(() => {
        lanes.put(lane, voucher);
        if (job) openJobs.put(job.jobId, job);
      });
      if (job) open.add(job.jobId);
    },
    loadVoucher: lanes.voucher,
    committed: lanes.committed,
    openJobs: openJobs.all,
    dropOpenJob: (jobId) => {
      close(jobId);
      open.delete(jobId);
    },
    finishJob: (envelope, lane) => {
      lanes.commit(() => {
        addReceipt.run(envelope.jobId, encodeJson(envelope));
        close(envelope.jobId);
        lanes.put(lane);
      });
      open.delete(envelope.jobId);
    },
    loadReceipt: (jobId) => {
      const row = readReceipt.get(jobId) as ReceiptRow | undefined;
      return row === undefined ? undefined : sequenced(row).envelope;
    },
    vouchers: lanes.vouchers,
    receiptsAfter: (sequence) => (readAfter.all(sequence) as ReceiptRow[]).map(sequenced),
    receiptsUpTo: (sequence, count) =>
      (readUpTo.all(sequence, count) as ReceiptRow[]).reverse().map(sequenced),
    readNote: notes.get,
    writeNote: notes.put,
    close: () => closeDatabase(database),
  };
}
