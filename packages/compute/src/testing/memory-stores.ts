/** Stores in memory with the same transactions as the durable ones; for tests and the simulation. */
import type { Hex, ReceiptEnvelope, SignedLaneVoucher } from '@assay/protocol';
import type { Lane } from '../lane.js';
import type { OpenJob, ProviderStore } from '../serve/provider.js';
import type { KeptReceipt, Payment, RequesterStore, UnsettledJob } from '../serve/requester.js';

const key = (channelId: Hex, lane: number): string => `${channelId}/${lane}`;

export function memoryProviderStore(): ProviderStore {
  const lanes = new Map<string, Lane>();
  const vouchers = new Map<string, SignedLaneVoucher>();
  const open = new Map<Hex, OpenJob>();
  const receipts = new Map<Hex, ReceiptEnvelope>();
  return {
    saveChannel: () => {},
    loadLane: (channelId, lane) => lanes.get(key(channelId, lane)),
    saveLane: (lane, voucher, job) => {
      lanes.set(key(lane.channelId, lane.lane), lane);
      if (voucher) vouchers.set(key(lane.channelId, lane.lane), voucher);
      if (job) open.set(job.jobId, job);
    },
    loadVoucher: (channelId, lane) => vouchers.get(key(channelId, lane)),
    committed: (channelId) =>
      [...lanes.values()]
        .filter((lane) => lane.channelId === channelId)
        .reduce((sum, { paid, owed }) => sum + (paid > owed ? paid : owed), 0n),
    openJobs: () => [...open.values()],
    dropOpenJob: (jobId) => void open.delete(jobId),
    finishJob: (envelope, lane) => {
      receipts.set(envelope.jobId, envelope);
      open.delete(envelope.jobId);
      lanes.set(key(lane.channelId, lane.lane), lane);
    },
    loadReceipt: (jobId) => receipts.get(jobId),
  };
}

export function memoryRequesterStore(): RequesterStore & { receipts: ReceiptEnvelope[] } {
  const lanes = new Map<string, Lane>();
  const vouchers = new Map<string, SignedLaneVoucher>();
  const unsettled = new Map<Hex, UnsettledJob>();
  const undelivered = new Map<string, Payment>();
  const receipts: ReceiptEnvelope[] = [];
  const kept = new Map<Hex, KeptReceipt>();
  const put = (lane: Lane): void => void lanes.set(key(lane.channelId, lane.lane), lane);
  return {
    receipts,
    loadLane: (channelId, lane) => lanes.get(key(channelId, lane)),
    saveLane: put,
    loadVoucher: (channelId, lane) => vouchers.get(key(channelId, lane)),
    payIncrement: (lane, voucher, open) => {
      put(lane);
      vouchers.set(key(lane.channelId, lane.lane), voucher);
      unsettled.set(open.jobId, open);
    },
    saveUnsettled: (open) => void unsettled.set(open.jobId, open),
    keepReceipt: (receipt) => void kept.set(receipt.envelope.jobId, receipt),
    unbookedReceipts: () => [...kept.values()],
    finishJob: (envelope, lane, payment) => {
      kept.delete(envelope.jobId);
      put(lane);
      vouchers.set(key(lane.channelId, lane.lane), payment.voucher);
      undelivered.set(key(lane.channelId, lane.lane), payment);
      unsettled.delete(envelope.jobId);
      receipts.push(envelope);
    },
    undelivered: () => [...undelivered.values()],
    delivered: ({ jobId, voucher: { voucher } }) => {
      const lane = key(voucher.channelId, voucher.lane);
      if (undelivered.get(lane)?.jobId === jobId) undelivered.delete(lane);
    },
    unsettledJobs: () => [...unsettled.values()],
  };
}
