/** Durable memory of a gateway as a payer: lanes, last vouchers, jobs that broke off after payments. */
import type { Lane, Payment, RequesterStore, UnsettledJob } from '@assay/compute';
import type { Hex, ReceiptEnvelope, SignedLaneVoucher } from '@assay/protocol';
import { closeDatabase, openDatabase, recordTable } from './database.js';
import { laneFromRecord, laneKey, laneToRecord } from './provider-store.js';

export type RequesterLedger = RequesterStore & {
  readonly lanes: (channelId: Hex) => readonly Lane[];
  /** Receipts booked but not yet handed to the index; see {@link RequesterLedger.forwarded}. */
  readonly unforwarded: () => readonly ReceiptEnvelope[];
  readonly forwarded: (jobId: Hex) => void;
  readonly readNote: (name: string) => string | undefined;
  readonly writeNote: (name: string, value: string) => void;
  readonly close: () => void;
};

export function openRequesterStore(path: string): RequesterLedger {
  const database = openDatabase(path);
  const lanes = recordTable<ReturnType<typeof laneToRecord>>(database, 'lanes');
  const vouchers = recordTable<SignedLaneVoucher>(database, 'vouchers');
  const unsettled = recordTable<UnsettledJob>(database, 'unsettled_jobs');
  const undelivered = recordTable<Payment>(database, 'undelivered');
  const outbox = recordTable<ReceiptEnvelope>(database, 'outbox');
  const notes = recordTable<string>(database, 'notes');

  const putLane = (lane: Lane): void =>
    lanes.put(laneKey(lane.channelId, lane.lane), laneToRecord(lane));
  const payIncrement = database.transaction(
    (lane: Lane, voucher: SignedLaneVoucher, open: UnsettledJob): void => {
      putLane(lane);
      vouchers.put(laneKey(lane.channelId, lane.lane), voucher);
      unsettled.put(open.jobId, open);
    },
  );
  const finishJob = database.transaction(
    (envelope: ReceiptEnvelope, lane: Lane, payment: Payment): void => {
      putLane(lane);
      vouchers.put(laneKey(lane.channelId, lane.lane), payment.voucher);
      undelivered.put(payment.jobId, payment);
      unsettled.remove(envelope.jobId);
      outbox.put(envelope.jobId, envelope);
    },
  );
  return {
    loadLane: (channelId, lane) => {
      const record = lanes.get(laneKey(channelId, lane));
      return record === undefined ? undefined : laneFromRecord(record);
    },
    saveLane: putLane,
    loadVoucher: (channelId, lane) => vouchers.get(laneKey(channelId, lane)),
    payIncrement: (lane, voucher, open) => payIncrement(lane, voucher, open),
    finishJob: (envelope, lane, payment) => finishJob(envelope, lane, payment),
    undelivered: undelivered.all,
    delivered: undelivered.remove,
    saveUnsettled: (open) => unsettled.put(open.jobId, open),
    unsettledJobs: unsettled.all,
    lanes: (channelId) => lanes.withPrefix(`${channelId}/`).map(laneFromRecord),
    unforwarded: outbox.all,
    forwarded: (jobId) => outbox.remove(jobId),
    readNote: notes.get,
    writeNote: notes.put,
    close: () => closeDatabase(database),
  };
}
