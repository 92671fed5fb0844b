/**
 * The requester's side of a job: signs it, checks every signed head against the tokens that arrived, pays increment by
 * increment, checks the receipt and pays the rest. It never pays for what did not arrive. Knows no socket, disk or
 * clock.
 */
import {
  AssayError,
  type ChannelConfig,
  channelId,
  commitTokens,
  computeDomain,
  concat,
  firstStreamHead,
  fromHex,
  type Hex,
  hashLaneVoucher,
  hashReceipt,
  hashStreamHead,
  JOB_LIFETIME_SECONDS,
  type Job,
  type JobEvent,
  type JobRequest,
  jobId,
  jobPriceUp,
  nextStreamHead,
  type ReceiptEnvelope,
  type Sampler,
  type SignedLaneVoucher,
  STREAM_INCREMENT_TOKENS,
  settlementDomain,
  TIER,
  toHex,
  traceKeyHash,
  UNPAID_INCREMENTS_MAX,
} from '@assay/protocol';
import * as errors from '../errors.js';
import { assertReceipt, assertStatement, outputOf, streamHeadOf } from '../evidence.js';
import {
  applyVoucher,
  completeJob,
  dropJob,
  type Lane,
  newLane,
  nextVoucher,
  startJob,
} from '../lane.js';
import type { CheckSignature } from '../signature.js';
import type { Market, Offer, Signer } from '../types.js';

/** A provider as the requester reaches it. */
export type ProviderPeer = {
  /** Starts a job; refusals throw an `AssayError` with the provider's code. */
  readonly start: (request: JobRequest) => AsyncIterable<JobEvent>;
  readonly pay: (jobId: Hex, voucher: SignedLaneVoucher) => Promise<void>;
  readonly cancel: (jobId: Hex) => Promise<void>;
  /** The stored receipt of a job, undefined while there is none. */
  readonly receipt: (jobId: Hex) => Promise<ReceiptEnvelope | undefined>;
};

/** A paid but unfinished job, kept so that a crash loses neither money nor receipt. */
export type UnsettledJob = {
  readonly jobId: Hex;
  readonly request: JobRequest;
  /** Where the provider answered when the job ran; it may have moved since. */
  readonly endpoint: string;
  /** Signed heads of what arrived, each paid for by a voucher. */
  readonly heads: readonly PaidHead[];
  /** Tokens that arrived before the stream broke; absent if we broke ourselves and cannot know. */
  readonly arrived?: number;
};

/** The voucher that pays the rest of a job, on its way to the provider. */
export type Payment = {
  readonly jobId: Hex;
  readonly provider: Hex;
  /** Where the provider answered when the job ran. */
  readonly endpoint: string;
  readonly voucher: SignedLaneVoucher;
};

/** A receipt whose last voucher is not signed yet. */
export type KeptReceipt = { readonly envelope: ReceiptEnvelope; readonly endpoint: string };

export type PaidHead = { readonly count: number; readonly head: Hex };

/** Durable memory; see `ProviderStore`. */
export type RequesterStore = {
  readonly loadLane: (channelId: Hex, lane: number) => Lane | undefined;
  readonly saveLane: (lane: Lane) => void;
  readonly loadVoucher: (channelId: Hex, lane: number) => SignedLaneVoucher | undefined;
  /** Lane, voucher and the job that it pays for change together, or not at all. */
  readonly payIncrement: (lane: Lane, voucher: SignedLaneVoucher, open: UnsettledJob) => void;
  /** Keeps a receipt before its answer is shown; {@link RequesterStore.finishJob} books it soon after. */
  readonly keepReceipt: (kept: KeptReceipt) => void;
  /** Receipts that were kept and not booked: an earlier process ended in between. */
  readonly unbookedReceipts: () => readonly KeptReceipt[];
  /** Lane, the voucher that is still to be delivered, and the receipt, kept or not: one transaction. */
  readonly finishJob: (envelope: ReceiptEnvelope, lane: Lane, payment: Payment) => void;
  /** At most one per lane: vouchers are cumulative, so a later one takes the place of an earlier. */
  readonly undelivered: () => readonly Payment[];
  readonly delivered: (payment: Payment) => void;
  readonly saveUnsettled: (open: UnsettledJob) => void;
  readonly unsettledJobs: () => readonly UnsettledJob[];
};

export type RequesterContext = {
  readonly signer: Signer;
  readonly isSignedBy: CheckSignature;
  readonly market: Market;
  readonly store: RequesterStore;
  readonly nowMs: () => number;
  readonly randomBytes32: () => Hex;
  /**
   * Runs a task soon. The last voucher of a job can wait: most travel with the next job, and need no call of their
   * own.
   */
  readonly defer: (task: () => Promise<void>) => void;
  /** Runs a task as soon as what can be shown now has left: paying the rest of a job delays no answer. */
  readonly soon: (task: () => void) => void;
  /** Jobs whose stream is under way, or that are not booked yet; nobody else settles them. */
  readonly active: Set<Hex>;
};

export type Purchase = {
  readonly offer: Offer;
  readonly peer: ProviderPeer;
  readonly channel: ChannelConfig;
  /** An idle lane of the channel that nobody else uses until {@link Purchase.onLaneFree}. */
  readonly lane: Lane;
  /** Called once, after the stream is over: the lane is stored as the job left it. */
  readonly onLaneFree?: () => void;
  readonly inputTokens: readonly number[];
  readonly outputCountMax: number;
  readonly sampler: Sampler;
  /** Bytes of `sampler.controls`, if it has any. */
  readonly controls?: Hex;
  /** Ends the job after what has been delivered; the stream still closes with a receipt. */
  readonly signal: AbortSignal;
};

export type PurchaseEvent =
  | { readonly type: 'tokens'; readonly tokens: readonly number[]; readonly detail?: Uint8Array }
  | { readonly type: 'receipt'; readonly envelope: ReceiptEnvelope };

/** A signed job, before anything is sent: its id can go into a header. */
export type SignedJob = { readonly jobId: Hex; readonly request: JobRequest };

export async function signJob(context: RequesterContext, purchase: Purchase): Promise<SignedJob> {
  const { market, signer, store } = context;
  const { offer, channel, lane, inputTokens } = purchase;
  const salt = context.randomBytes32();
  const job: Job = {
    modelId: offer.modelId,
    provider: offer.provider,
    requester: signer.address,
    channelId: channelId(settlementDomain(market.chainId, market.channels), channel),
    lane: lane.lane,
    tier: TIER.exact,
    inputRoot: commitTokens(salt, inputTokens),
    traceKeyHash: traceKeyHash(salt),
    inputCount: inputTokens.length,
    outputCountMax: purchase.outputCountMax,
    sampler: purchase.sampler,
    inputPrice: offer.inputPrice,
    outputPrice: offer.outputPrice,
    expiresAt: BigInt(Math.floor(context.nowMs() / 1000) + JOB_LIFETIME_SECONDS),
    nonce: context.randomBytes32(),
  };
  const id = jobId(computeDomain(market.chainId, market.receipts), job);
  const voucher = store.loadVoucher(job.channelId, job.lane);
  const signature = await signer.sign({ hash: id });
  const request = {
    job,
    signature,
    inputTokens,
    salt,
    channel,
    ...(purchase.controls === undefined ? {} : { controls: purchase.controls }),
    ...(voucher ? { voucher } : {}),
  };
  return { jobId: id, request };
}

type RunningPurchase = SignedJob & {
  readonly peer: ProviderPeer;
  readonly endpoint: string;
  lane: Lane;
  readonly tokens: number[];
  /** Details as they arrived, and how many of these pieces the last head covers. */
  readonly details: Uint8Array[];
  detailsPaid: number;
  readonly heads: PaidHead[];
  /** Payments under way, in order; rejects when one fails. */
  payments: Promise<void>;
  /** The booking of the receipt, once there is one. */
  booking?: Promise<void>;
};

/**
 * Runs a signed job. Throws `provider_failed` when the stream breaks, `peer_lied` when what arrives contradicts itself,
 * or the provider's own refusal. After a throw the lane is idle again if nothing was paid, else {@link settleJob} must
 * fetch the receipt before the lane can be used.
 */
export async function* runPurchase(
  context: RequesterContext,
  purchase: Purchase,
  signed: SignedJob,
): AsyncGenerator<PurchaseEvent, void> {
  const running: RunningPurchase = {
    ...signed,
    peer: purchase.peer,
    endpoint: purchase.offer.endpoint,
    lane: startJob(purchase.lane),
    tokens: [],
    details: [],
    detailsPaid: 0,
    heads: [],
    payments: Promise.resolve(),
  };
  const cancel = (): void => void purchase.peer.cancel(signed.jobId).catch(() => {});
  purchase.signal.addEventListener('abort', cancel, { once: true });
  let complete = false;
  context.active.add(signed.jobId);
  try {
    for await (const event of purchase.peer.start(signed.request)) {
      const out = await applyEvent(context, running, event);
      if (out === undefined) continue;
      complete = out.type === 'receipt';
      yield out;
    }
    if (!complete) throw errors.streamBroken();
  } finally {
    purchase.signal.removeEventListener('abort', cancel);
    if (running.booking === undefined) await abandon(context, running);
    const free = (): void => {
      context.active.delete(signed.jobId);
      purchase.onLaneFree?.();
    };
    // A receipt that cannot be booked keeps its lane and its job taken: the next process books it.
    if (running.booking === undefined) free();
    else running.booking.then(free, () => {});
  }
}

async function applyEvent(
  context: RequesterContext,
  running: RunningPurchase,
  event: JobEvent,
): Promise<PurchaseEvent | undefined> {
  switch (event.type) {
    case 'accepted':
      if (event.jobId !== running.jobId) throw errors.peerLied('job id', event.jobId);
      return undefined;
    case 'tokens':
      if (event.index !== running.tokens.length)
        throw errors.peerLied('token position', event.index);
      running.tokens.push(...event.tokens);
      if (running.tokens.length > running.request.job.outputCountMax)
        throw errors.peerLied('token count', running.tokens.length);
      return { type: 'tokens', tokens: event.tokens, ...takeDetail(running, event) };
    case 'head':
      await payIncrement(context, running, event);
      return undefined;
    case 'receipt':
      return { type: 'receipt', envelope: await settle(context, running, event) };
    case 'error':
      throw errors.streamBroken(event.code);
  }
}

/** Keeps the detail of some tokens until a head or the receipt covers it. */
function takeDetail(
  running: RunningPurchase,
  { detail }: JobEvent & { type: 'tokens' },
): { readonly detail?: Uint8Array } {
  if (detail === undefined) return {};
  const bytes = fromHex(detail);
  running.details.push(bytes);
  return { detail: bytes };
}

async function payIncrement(
  context: RequesterContext,
  running: RunningPurchase,
  { count, head, signature }: JobEvent & { type: 'head' },
): Promise<void> {
  const { job } = running.request;
  const last = running.heads.at(-1) ?? { count: 0, head: firstStreamHead(running.jobId) };
  const detail = concat(running.details.slice(running.detailsPaid));
  running.detailsPaid = running.details.length;
  const expected = nextStreamHead(last.head, count, running.tokens.slice(last.count), detail);
  if (count !== running.tokens.length || head !== expected)
    throw errors.peerLied('stream head', head);
  const domain = computeDomain(context.market.chainId, context.market.receipts);
  const digest = hashStreamHead(domain, { jobId: running.jobId, count, head });
  if (!(await context.isSignedBy(job.provider, digest, signature)))
    throw errors.wrongSignature('stream head', job.provider);
  running.heads.push({ count, head });
  const voucher = await signVoucher(context, running.lane, jobPriceUp(job, job.inputCount, count));
  running.lane = applyVoucher(
    running.lane,
    voucher.voucher,
    voucher.voucher.maxClaimableAmount - running.lane.owed,
  );
  const { jobId: id, request, endpoint, heads } = running;
  context.store.payIncrement(running.lane, voucher, { jobId: id, request, endpoint, heads });
  running.payments = running.payments.then(() => running.peer.pay(running.jobId, voucher));
  running.payments.catch(() => {});
}

async function signVoucher(
  context: RequesterContext,
  lane: Lane,
  price: bigint,
): Promise<SignedLaneVoucher> {
  const voucher = nextVoucher(lane, price);
  const domain = settlementDomain(context.market.chainId, context.market.channels);
  return {
    voucher,
    signature: await context.signer.sign({ hash: hashLaneVoucher(domain, voucher) }),
  };
}

async function settle(
  context: RequesterContext,
  running: RunningPurchase,
  event: JobEvent & { type: 'receipt' },
): Promise<ReceiptEnvelope> {
  const { request, jobId: id } = running;
  const envelope: ReceiptEnvelope = {
    jobId: id,
    chainId: context.market.chainId,
    contract: context.market.receipts,
    job: request.job,
    jobSignature: request.signature,
    receipt: event.receipt,
    receiptSignature: event.signature,
    inputTokens: request.inputTokens,
    outputTokens: running.tokens,
    salt: request.salt,
    ...(request.controls === undefined ? {} : { controls: request.controls }),
    ...(running.details.length === 0 ? {} : { detail: toHex(concat(running.details)) }),
  };
  await assertStatement(envelope, context.isSignedBy);
  context.store.keepReceipt({ envelope, endpoint: running.endpoint });
  running.booking = new Promise((resolve, reject) =>
    context.soon(() => void book(context, running, envelope).then(resolve, reject)),
  );
  return envelope;
}

/** Pays what the receipt says, and has the voucher delivered. */
async function book(
  context: RequesterContext,
  running: RunningPurchase,
  envelope: ReceiptEnvelope,
): Promise<void> {
  const { endpoint, lane } = running;
  const payment = await payReceipt(context, { lane, envelope, endpoint });
  // Not lost when it fails: it stays undelivered in the store, and travels with the next job on this lane too.
  const hand = (): Promise<void> => deliver(context, running.peer, payment).catch(() => {});
  running.payments.then(() => context.defer(hand)).catch(() => {});
}

/** Books the receipts that an earlier process kept and had no time to book. Call it once, before anything is bought. */
export async function bookKeptReceipts(context: RequesterContext): Promise<void> {
  for (const { envelope, endpoint } of context.store.unbookedReceipts()) {
    const { channelId: channel, lane: number } = envelope.job;
    const stored = context.store.loadLane(channel, number) ?? newLane(channel, number);
    const lane = stored.status === 'running' ? stored : startJob(stored);
    await payReceipt(context, { lane, envelope, endpoint });
  }
}

type Settlement = {
  readonly lane: Lane;
  readonly envelope: ReceiptEnvelope;
  readonly endpoint: string;
};

/** Books the receipt and signs the voucher that pays the rest and acknowledges the evidence. */
async function payReceipt(
  context: RequesterContext,
  { lane, envelope, endpoint }: Settlement,
): Promise<Payment> {
  const domain = computeDomain(context.market.chainId, context.market.receipts);
  const { receipt, jobId: id } = envelope;
  const owing = completeJob(lane, hashReceipt(domain, receipt), receipt.price);
  const voucher = await signVoucher(context, owing, 0n);
  const payment = { jobId: id, provider: envelope.job.provider, endpoint, voucher };
  context.store.finishJob(envelope, applyVoucher(owing, voucher.voucher, 0n), payment);
  return payment;
}

/** Hands a payment over; call it again from time to time for each of `store.undelivered()`. */
export async function deliver(
  { store }: RequesterContext,
  peer: ProviderPeer,
  payment: Payment,
): Promise<void> {
  const { channelId: channel, lane, maxClaimableAmount } = payment.voucher.voucher;
  const latest = store.loadVoucher(channel, lane)?.voucher.maxClaimableAmount ?? 0n;
  // A later job on the lane carried it: vouchers are cumulative.
  if (latest > maxClaimableAmount) return store.delivered(payment);
  try {
    await peer.pay(payment.jobId, payment.voucher);
  } catch (error) {
    // A later voucher of the lane overtook it: it is paid.
    if (!(error instanceof AssayError && error.code === 'voucher_stale')) throw error;
  }
  store.delivered(payment);
}

/** The stream is over without a receipt. */
async function abandon({ store }: RequesterContext, running: RunningPurchase): Promise<void> {
  const { jobId: id, request, endpoint, heads, lane, tokens } = running;
  if (lane.paid === lane.owed) store.saveLane(dropJob(lane));
  else store.saveUnsettled({ jobId: id, request, endpoint, heads, arrived: tokens.length });
}

/**
 * Fetches the receipt of a job that broke off after payments, and books it. Returns undefined while the provider has
 * none. Call it at start and from time to time for each of `store.unsettledJobs()`.
 */
export async function settleJob(
  context: RequesterContext,
  peer: ProviderPeer,
  open: UnsettledJob,
): Promise<ReceiptEnvelope | undefined> {
  if (context.active.has(open.jobId)) return undefined;
  const envelope = await peer.receipt(open.jobId);
  if (envelope === undefined) return undefined;
  await assertReceipt(envelope, context.isSignedBy);
  const { job } = open.request;
  if (envelope.jobId !== open.jobId) throw errors.peerLied('receipt', envelope.jobId);
  const lane = context.store.loadLane(job.channelId, job.lane);
  if (lane === undefined) throw errors.jobNotFound(open.jobId);
  checkArrived(open, envelope);
  const owed = lane.owed + envelope.receipt.price;
  // Vouchers that the provider never got are taken back: it settled for less, and can prove no more.
  const settled = { ...lane, paid: lane.paid < owed ? lane.paid : owed };
  const payment = await payReceipt(context, { lane: settled, envelope, endpoint: open.endpoint });
  await deliver(context, peer, payment).catch(() => {});
  return envelope;
}

/**
 * A receipt for a job that broke off must continue what arrived. It may cover the increments that a provider makes
 * ahead of payment: they were on their way when the stream broke, and arrive with the receipt itself.
 */
function checkArrived(open: UnsettledJob, envelope: ReceiptEnvelope): void {
  const { receipt, outputTokens } = envelope;
  const last = open.heads.at(-1)?.count ?? 0;
  const arrived = open.arrived ?? last;
  const countMax = arrived + UNPAID_INCREMENTS_MAX * STREAM_INCREMENT_TOKENS;
  if (receipt.outputCount > countMax) throw errors.peerLied('receipt', receipt.outputCount);
  const known = open.heads.filter(({ count }) => count <= receipt.outputCount).at(-1);
  if (known === undefined) return;
  const { detail } = outputOf(envelope);
  const size = outputTokens.length === 0 ? 0 : detail.length / outputTokens.length;
  const paid = outputTokens.slice(0, known.count);
  if (streamHeadOf(open.jobId, paid, detail.subarray(0, size * known.count)) !== known.head)
    throw errors.peerLied('receipt', receipt.streamHead);
}
