/**
 * A lane of a payment channel as both sides keep it: one job at a time, one cumulative amount that never falls. Pure:
 * no keys, no clock, no storage. Gateway and provider run the same transitions, so they disagree on nothing.
 *
 *     idle ──start──► running ──complete──► owing ──voucher(all)──► idle
 *                      │  ▲
 *                      └──┘ voucher(part)         running ──drop──► idle   (nothing was paid)
 */
import {
  assert,
  EMPTY_FRONTIER,
  extendFrontier,
  type Frontier,
  fromHex,
  frontierRoot,
  type Hex,
  type LaneVoucher,
} from '@assay/protocol';
import { laneBusy, laneUnpaid, malformedMessage, voucherStale } from './errors.js';

export type LaneStatus = 'idle' | 'running' | 'owing';

export type Lane = {
  readonly channelId: Hex;
  readonly lane: number;
  readonly status: LaneStatus;
  /** Amount of the last voucher, cumulative over the life of the channel. */
  readonly paid: bigint;
  /** Sum of the prices of all receipts; `paid` may exceed it only while a job runs. */
  readonly owed: bigint;
  /** Tree over the digests of all receipts, oldest first. */
  readonly receipts: Frontier;
};

export const newLane = (channelId: Hex, lane: number): Lane => ({
  channelId,
  lane,
  status: 'idle',
  paid: 0n,
  owed: 0n,
  receipts: EMPTY_FRONTIER,
});

/** A job begins. */
export function startJob(lane: Lane): Lane {
  if (lane.status === 'running') throw laneBusy(lane.lane);
  if (lane.status === 'owing') throw laneUnpaid(lane.owed - lane.paid);
  return { ...lane, status: 'running' };
}

/** The running job ended with a receipt; what it costs is now owed. */
export function completeJob(lane: Lane, receiptDigest: Hex, price: bigint): Lane {
  assert(lane.status === 'running', 'only a running job completes');
  const owed = lane.owed + price;
  assert(owed >= lane.paid, 'a receipt covers at least what was paid during its stream');
  return {
    ...lane,
    status: 'owing',
    owed,
    receipts: extendFrontier(lane.receipts, fromHex(receiptDigest)),
  };
}

/** The running job ended with nothing paid and no receipt. */
export function dropJob(lane: Lane): Lane {
  assert(lane.status === 'running' && lane.paid === lane.owed, 'only an unpaid job is dropped');
  return { ...lane, status: 'idle' };
}

/** The voucher that the payer signs next: `price` is what the running job costs so far, ignored when none runs. */
export function nextVoucher(lane: Lane, price: bigint): LaneVoucher {
  return {
    channelId: lane.channelId,
    lane: lane.lane,
    maxClaimableAmount: lane.status === 'running' ? lane.owed + price : lane.owed,
    receiptRoot: frontierRoot(lane.receipts),
  };
}

/**
 * A voucher arrived (its signature is the caller's concern). Its root must be that of the receipts both sides hold:
 * paying acknowledges the evidence. More than `price`, the running job's cost so far, is refused: a slip of the payer
 * would otherwise be money that no receipt explains.
 */
export function applyVoucher(lane: Lane, voucher: LaneVoucher, price: bigint): Lane {
  if (voucher.channelId !== lane.channelId || voucher.lane !== lane.lane)
    throw malformedMessage('voucher.lane', voucher.lane);
  const sameRoot = voucher.receiptRoot === frontierRoot(lane.receipts);
  const overtaken = voucher.maxClaimableAmount === lane.paid && !sameRoot;
  if (voucher.maxClaimableAmount < lane.paid || overtaken)
    throw voucherStale(lane.paid, voucher.maxClaimableAmount);
  if (!sameRoot) throw malformedMessage('voucher.receiptRoot', voucher.receiptRoot);
  if (voucher.maxClaimableAmount > nextVoucher(lane, price).maxClaimableAmount)
    throw malformedMessage('voucher.maxClaimableAmount', voucher.maxClaimableAmount);
  const paid = voucher.maxClaimableAmount;
  const status = lane.status === 'owing' && paid >= lane.owed ? 'idle' : lane.status;
  return { ...lane, paid, status };
}
