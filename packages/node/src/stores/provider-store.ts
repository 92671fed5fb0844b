/** Durable memory of a provider: lanes, vouchers, paid parts of open jobs, receipts. */
import type { Lane, OpenJob, ProviderStore } from '@assay/compute';
import type { ChannelConfig, Hex, ReceiptEnvelope, SignedLaneVoucher } from '@assay/protocol';
import { closeDatabase, openDatabase, recordTable } from './database.js';

/** What the settlement loop needs beyond {@link ProviderStore}. */
export type ProviderLedger = ProviderStore & {
  readonly vouchers: () => readonly SignedLaneVoucher[];
  readonly loadChannel: (channelId: Hex) => ChannelConfig | undefined;
  /** Receipts not yet under an epoch root, oldest first. */
  readonly receiptsAfter: (sequence: number) => readonly SequencedReceipt[];
  readonly readNote: (name: string) => string | undefined;
  readonly writeNote: (name: string, value: string) => void;
  readonly close: () => void;
};

export type SequencedReceipt = { readonly sequence: number; readonly envelope: ReceiptEnvelope };

/** `owed` and `paid` are amounts that JSON readers cannot tell from text, so lanes are stored as text fields. */
type LaneRecord = Omit<Lane, 'paid' | 'owed'> & { readonly paid: string; readonly owed: string };

export const laneToRecord = (lane: Lane): LaneRecord => ({
  ...lane,
  paid: lane.paid.toString(),
  owed: lane.owed.toString(),
});

export const laneFromRecord = (record: LaneRecord): Lane => ({
  ...record,
  paid: BigInt(record.paid),
  owed: BigInt(record.owed),
});

export const laneKey = (channelId: Hex, lane: number): string => `${channelId}/${lane}`;

export function openProviderStore(path: string): ProviderLedger {
  const database = openDatabase(path);
  const lanes = recordTable<LaneRecord>(database, 'lanes');
  const vouchers = recordTable<SignedLaneVoucher>(database, 'vouchers');
  const channels = recordTable<ChannelConfig>(database, 'channels');
  const openJobs = recordTable<OpenJob>(database, 'open_jobs');
  const receipts = recordTable<ReceiptEnvelope>(database, 'receipts');
  const notes = recordTable<string>(database, 'notes');
  database.exec(
    'CREATE TABLE IF NOT EXISTS receipt_order (sequence INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL UNIQUE)',
  );
  const addOrder = database.prepare('INSERT OR IGNORE INTO receipt_order (job_id) VALUES (?)');
  const readOrder = database.prepare(
    'SELECT sequence, job_id FROM receipt_order WHERE sequence > ? ORDER BY sequence',
  );

  const putLane = (lane: Lane): void =>
    lanes.put(laneKey(lane.channelId, lane.lane), laneToRecord(lane));
  const saveLane = database.transaction(
    (lane: Lane, voucher: SignedLaneVoucher | undefined, open: OpenJob | undefined): void => {
      putLane(lane);
      if (voucher) vouchers.put(laneKey(lane.channelId, lane.lane), voucher);
      if (open) openJobs.put(open.jobId, open);
    },
  );
  const finishJob = database.transaction((envelope: ReceiptEnvelope, lane: Lane): void => {
    receipts.put(envelope.jobId, envelope);
    addOrder.run(envelope.jobId);
    openJobs.remove(envelope.jobId);
    putLane(lane);
  });
  return {
    saveChannel: (channelId, config) => {
      if (channels.get(channelId) === undefined) channels.put(channelId, config);
    },
    loadChannel: channels.get,
    loadLane: (channelId, lane) => {
      const record = lanes.get(laneKey(channelId, lane));
      return record === undefined ? undefined : laneFromRecord(record);
    },
    saveLane: (lane, voucher, open) => saveLane(lane, voucher, open),
    loadVoucher: (channelId, lane) => vouchers.get(laneKey(channelId, lane)),
    committed: (channelId) =>
      lanes
        .withPrefix(`${channelId}/`)
        .map(laneFromRecord)
        .reduce((sum, { paid, owed }) => sum + (paid > owed ? paid : owed), 0n),
    openJobs: openJobs.all,
    dropOpenJob: (jobId) => openJobs.remove(jobId),
    finishJob: (envelope, lane) => finishJob(envelope, lane),
    loadReceipt: (jobId) => receipts.get(jobId),
    vouchers: vouchers.all,
    receiptsAfter: (sequence) =>
      (readOrder.all(sequence) as { sequence: number; job_id: string }[]).map((row) => ({
        sequence: row.sequence,
        envelope: receipts.get(row.job_id)!,
      })),
    readNote: notes.get,
    writeNote: notes.put,
    close: () => closeDatabase(database),
  };
}
