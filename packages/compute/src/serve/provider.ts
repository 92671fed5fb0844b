/**
 * The provider's side of a job: admits it, streams tokens with signed heads, stops when increments stay unpaid, and
 * signs a receipt for exactly what was delivered. Knows no socket, no disk and no clock; `node` hands them in.
 *
 * What is paid is never lost: a voucher and the tokens it pays for are stored before either side goes on, and jobs that
 * a crash cut off are settled for their paid part by {@link recoverJobs}.
 */
import {
  type ChannelConfig,
  type Controls,
  channelId,
  computeDomain,
  concat,
  decodeControls,
  detailBytesPerToken,
  FINISH,
  firstStreamHead,
  fromHex,
  type Hex,
  hashLaneVoucher,
  hashReceipt,
  hashStreamHead,
  type Job,
  type JobEvent,
  type JobRequest,
  jobId,
  jobPriceUp,
  type ModelInfo,
  nextStreamHead,
  type Receipt,
  type ReceiptEnvelope,
  type SignedLaneVoucher,
  STREAM_INCREMENT_TOKENS,
  settlementDomain,
  toHex,
  UNPAID_INCREMENTS_MAX,
} from '@assay/protocol';
import * as errors from '../errors.js';
import { finishOf, isCutOff, type JobOutput, outputRootOf, streamHeadOf } from '../evidence.js';
import { applyVoucher, completeJob, dropJob, type Lane, newLane, startJob } from '../lane.js';
import type { CheckSignature } from '../signature.js';
import type { Market, Signer } from '../types.js';
import { checkChannel, checkTerms } from './job-terms.js';

/** Time a payer has to send the voucher of an increment before its stream ends. */
export const VOUCHER_TIMEOUT_MS = 15_000;

/** Tokens as they are made, and what the job's controls ask for about them: equally many bytes for each. */
export type Generated = { readonly tokens: readonly number[]; readonly detail?: Uint8Array };

/**
 * Makes tokens; ends after a stop id or `job.outputCountMax`, and soon after `signal` fires. For an embedding it makes
 * one piece without tokens, whose detail is the vector.
 */
export type Generate = (input: {
  readonly job: Job;
  readonly inputTokens: readonly number[];
  /** Bytes of `job.sampler.controls`. */
  readonly controls?: Hex;
  readonly signal: AbortSignal;
}) => AsyncIterable<Generated>;

export type ServedModel = { readonly info: ModelInfo; readonly generate: Generate };

/** What the chain says about a channel. */
export type FundedChannel = {
  /** Atomic units in the channel, claimed ones included. */
  readonly balance: bigint;
  readonly totalClaimed: bigint;
  /** The payer asked for its money back; new work would race the withdrawal. */
  readonly withdrawing: boolean;
};

/** A job with the tokens that its last voucher paid for. */
export type OpenJob = {
  readonly jobId: Hex;
  readonly request: JobRequest;
  readonly tokens: readonly number[];
  /** Details of these tokens, if the job has any. */
  readonly detail?: Hex;
};

/** Durable memory; every method returns only once its write would survive the end of the process. */
export type ProviderStore = {
  /** Remembers the terms of a channel: claims need them, and the chain knows only their hash. */
  readonly saveChannel: (channelId: Hex, config: ChannelConfig) => void;
  readonly loadLane: (channelId: Hex, lane: number) => Lane | undefined;
  /** Lane, voucher and the job that it pays for change together, or not at all. */
  readonly saveLane: (lane: Lane, voucher?: SignedLaneVoucher, open?: OpenJob) => void;
  readonly loadVoucher: (channelId: Hex, lane: number) => SignedLaneVoucher | undefined;
  readonly committed: (channelId: Hex) => bigint;
  readonly openJobs: () => readonly OpenJob[];
  readonly dropOpenJob: (jobId: Hex) => void;
  /** Stores the receipt, the lane it leaves behind, and forgets the open job: one transaction. */
  readonly finishJob: (envelope: ReceiptEnvelope, lane: Lane) => void;
  readonly loadReceipt: (jobId: Hex) => ReceiptEnvelope | undefined;
};

export type ProviderContext = {
  readonly signer: Signer;
  readonly isSignedBy: CheckSignature;
  readonly market: Market;
  readonly models: ReadonlyMap<Hex, ServedModel>;
  /** State of a channel; it may be some seconds old as long as its balance is `needed` or more. */
  readonly readChannel: (config: ChannelConfig, needed: bigint) => Promise<FundedChannel>;
  readonly store: ProviderStore;
  readonly nowMs: () => number;
  /** Resolves after `ms`, or earlier when `signal` fires. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly withdrawDelayMinSeconds?: number;
};

/** A job that passed every check and holds its lane. */
export type AdmittedJob = { readonly jobId: Hex; readonly request: JobRequest };

/** A provider at work: its context, and what must not be done twice at once. Made by {@link createProvider}. */
export type Provider = ProviderContext & {
  readonly running: Map<Hex, RunningJob>;
  /** Amount that running jobs may still cost, per channel. */
  readonly reserved: Map<Hex, bigint>;
  /** Lanes taken between the first check and the last token. */
  readonly lanesTaken: Set<string>;
};

export type RunningJob = AdmittedJob & {
  lane: Lane;
  readonly tokens: number[];
  readonly controls: Controls;
  /** Details as they were made, in pieces that end where heads do; of an embedding, the vector. */
  readonly details: Uint8Array[];
  /** Pieces that the last head covers. */
  detailsSigned: number;
  /** Signed heads: tokens covered by each. */
  readonly heads: number[];
  head: Hex;
  readonly abort: AbortController;
  cancelled: boolean;
  /** Resolves waiters when a voucher arrives. */
  wake: () => void;
};

export const createProvider = (context: ProviderContext): Provider => ({
  ...context,
  running: new Map(),
  reserved: new Map(),
  lanesTaken: new Set(),
});

const jobDomain = ({ market }: Provider) => computeDomain(market.chainId, market.receipts);
const paymentDomain = ({ market }: Provider) => settlementDomain(market.chainId, market.channels);
const laneKey = (channel: Hex, lane: number): string => `${channel}/${lane}`;
const loadLane = ({ store }: Provider, channel: Hex, lane: number): Lane =>
  store.loadLane(channel, lane) ?? newLane(channel, lane);

/** Checks everything about a request and takes its lane. Iterate {@link streamJob} next, or the lane stays taken. */
export async function admitJob(provider: Provider, request: JobRequest): Promise<AdmittedJob> {
  const { job } = request;
  const id = jobId(jobDomain(provider), job);
  checkTerms(provider, request);
  if (provider.running.has(id) || provider.store.loadReceipt(id)) throw errors.jobRepeated(id);
  if (!(await provider.isSignedBy(job.requester, id, request.signature)))
    throw errors.wrongSignature('job', job.requester);
  checkChannel(provider, request, channelId(paymentDomain(provider), request.channel));
  const key = laneKey(job.channelId, job.lane);
  if (provider.lanesTaken.has(key)) throw errors.laneBusy(job.lane);
  provider.lanesTaken.add(key);
  try {
    const lane = startJob(await resumeLane(provider, request));
    await reserve(provider, request);
    provider.store.saveChannel(job.channelId, request.channel);
    provider.running.set(id, newRunningJob(id, request, lane));
    return { jobId: id, request };
  } catch (error) {
    provider.lanesTaken.delete(key);
    throw error;
  }
}

/** The stored lane; a final voucher that got lost on its way may come with the next job. */
async function resumeLane(
  provider: Provider,
  { job, channel, voucher }: JobRequest,
): Promise<Lane> {
  const lane = loadLane(provider, job.channelId, job.lane);
  if (lane.status !== 'owing' || voucher === undefined) return lane;
  await assertVoucherSigned(provider, channel, voucher);
  const paid = applyVoucher(lane, voucher.voucher, 0n);
  provider.store.saveLane(paid, voucher);
  return paid;
}

async function reserve(provider: Provider, { job, channel }: JobRequest): Promise<void> {
  const cost = jobPriceUp(job, job.inputCount, job.outputCountMax);
  const before = provider.reserved.get(job.channelId) ?? 0n;
  provider.reserved.set(job.channelId, before + cost);
  try {
    const stored = provider.store.committed(job.channelId);
    const needed = stored + (provider.reserved.get(job.channelId) ?? 0n);
    const state = await provider.readChannel(channel, needed);
    if (state.withdrawing) throw errors.channelUnfit('a withdrawal is under way', job.channelId);
    const claimedElsewhere = state.totalClaimed > stored ? state.totalClaimed - stored : 0n;
    const missing = needed + claimedElsewhere - state.balance;
    if (missing > 0n) throw errors.channelTooSmall(missing);
  } catch (error) {
    release(provider, job);
    throw error;
  }
}

function release(provider: Provider, job: Job): void {
  const left =
    (provider.reserved.get(job.channelId) ?? 0n) -
    jobPriceUp(job, job.inputCount, job.outputCountMax);
  if (left > 0n) provider.reserved.set(job.channelId, left);
  else provider.reserved.delete(job.channelId);
}

async function assertVoucherSigned(
  provider: Provider,
  channel: ChannelConfig,
  signed: SignedLaneVoucher,
): Promise<void> {
  const authorizer =
    BigInt(channel.payerAuthorizer) === 0n ? channel.payer : channel.payerAuthorizer;
  if (
    !(await provider.isSignedBy(
      authorizer,
      hashLaneVoucher(paymentDomain(provider), signed.voucher),
      signed.signature,
    ))
  )
    throw errors.wrongSignature('voucher', authorizer);
}

/** Runs an admitted job; leaving the loop early counts as a lost connection. */
export async function* streamJob(
  provider: Provider,
  admitted: AdmittedJob,
): AsyncGenerator<JobEvent, void> {
  const job = provider.running.get(admitted.jobId);
  if (job === undefined) throw errors.jobNotFound(admitted.jobId);
  let settled = false;
  try {
    yield { type: 'accepted', jobId: job.jobId };
    yield* streamTokens(provider, job);
    const receipt = await settle(provider, job, outputSoFar(job));
    settled = true;
    free(provider, job);
    yield receipt;
  } finally {
    job.abort.abort();
    if (!settled) {
      await settleBroken(provider, job);
      free(provider, job);
    }
  }
}

/** Gives lane and reservation back; before the receipt leaves, because the payer may answer with the next job. */
function free(provider: Provider, job: RunningJob): void {
  provider.running.delete(job.jobId);
  provider.lanesTaken.delete(laneKey(job.lane.channelId, job.lane.lane));
  release(provider, job.request.job);
}

async function* streamTokens(
  provider: Provider,
  running: RunningJob,
): AsyncGenerator<JobEvent, void> {
  const { job, inputTokens, controls } = running.request;
  const model = provider.models.get(job.modelId)!;
  const { signal } = running.abort;
  const input = { job, inputTokens, signal, ...(controls === undefined ? {} : { controls }) };
  for await (const generated of model.generate(input)) {
    for (const part of splitAtHeads(generated, running.tokens.length)) {
      if (running.cancelled) return;
      const index = running.tokens.length;
      running.tokens.push(...part.tokens);
      if (part.detail.length > 0) running.details.push(part.detail);
      const detail = part.detail.length > 0 ? { detail: toHex(part.detail) } : {};
      yield { type: 'tokens', index, tokens: part.tokens, ...detail };
      const isHead = running.tokens.length % STREAM_INCREMENT_TOKENS === 0;
      if (!isHead || part.tokens.length === 0) continue;
      yield await signHead(provider, running);
      await untilPaid(provider, running);
    }
  }
  const isWhole = finishOf(job, running.tokens) !== undefined && !isCutOff(outputSoFar(running));
  if (!running.cancelled && !isWhole) throw errors.streamBroken();
}

async function signHead(provider: Provider, job: RunningJob): Promise<JobEvent> {
  const count = job.tokens.length;
  const tokens = job.tokens.slice(count - STREAM_INCREMENT_TOKENS);
  const detail = concat(job.details.slice(job.detailsSigned));
  job.detailsSigned = job.details.length;
  job.head = nextStreamHead(job.head, count, tokens, detail);
  job.heads.push(count);
  const hash = hashStreamHead(jobDomain(provider), { jobId: job.jobId, count, head: job.head });
  const signature = await provider.signer.sign({ hash });
  return { type: 'head', count, head: job.head, signature };
}

/** Waits until all but the last {@link UNPAID_INCREMENTS_MAX} increments are paid. */
async function untilPaid(provider: Provider, running: RunningJob): Promise<void> {
  const { job } = running.request;
  const count = running.tokens.length - (UNPAID_INCREMENTS_MAX - 1) * STREAM_INCREMENT_TOKENS;
  if (count <= 0) return;
  const due = running.lane.owed + jobPriceUp(job, job.inputCount, count);
  const deadlineMs = provider.nowMs() + VOUCHER_TIMEOUT_MS;
  while (running.lane.paid < due && !running.cancelled && !running.abort.signal.aborted) {
    const leftMs = deadlineMs - provider.nowMs();
    if (leftMs <= 0) throw errors.paymentMissing(due - running.lane.paid);
    const waiting = new AbortController();
    running.wake = () => waiting.abort();
    await provider.sleep(Math.min(leftMs, VOUCHER_TIMEOUT_MS), waiting.signal);
  }
}

async function settle(provider: Provider, job: RunningJob, output: JobOutput): Promise<JobEvent> {
  const envelope = await signReceipt(provider, job, output);
  const digest = hashReceipt(jobDomain(provider), envelope.receipt);
  job.lane = completeJob(job.lane, digest, envelope.receipt.price);
  provider.store.finishJob(envelope, job.lane);
  return { type: 'receipt', receipt: envelope.receipt, signature: envelope.receiptSignature };
}

/** The connection or the engine broke: only what a voucher has paid for counts. */
async function settleBroken(provider: Provider, job: RunningJob): Promise<void> {
  const paid = firstTokens(outputSoFar(job), paidCount(job, job.lane.paid));
  if (job.lane.paid > job.lane.owed) await settle(provider, job, paid);
  else {
    provider.store.dropOpenJob(job.jobId);
    provider.store.saveLane(dropJob(job.lane));
  }
}

const outputSoFar = ({ tokens, details, controls }: RunningJob): JobOutput => ({
  tokens,
  detail: concat(details),
  controls,
});

/** The beginning of an answer, with the details of its tokens. */
const firstTokens = ({ tokens, detail, controls }: JobOutput, count: number): JobOutput => ({
  tokens: tokens.slice(0, count),
  detail: detail.subarray(0, count * detailBytesPerToken(controls)),
  controls,
});

async function signReceipt(
  provider: Provider,
  { jobId: id, request }: AdmittedJob,
  output: JobOutput,
): Promise<ReceiptEnvelope> {
  const { job, salt } = request;
  const { tokens, detail } = output;
  const receipt: Receipt = {
    jobId: id,
    outputRoot: outputRootOf(salt, output),
    outputCount: tokens.length,
    finish: (isCutOff(output) ? undefined : finishOf(job, tokens)) ?? FINISH.cancelled,
    streamHead: streamHeadOf(id, tokens, detail),
    price: jobPriceUp(job, job.inputCount, tokens.length),
    completedAt: BigInt(Math.floor(provider.nowMs() / 1000)),
  };
  return {
    jobId: id,
    chainId: provider.market.chainId,
    contract: provider.market.receipts,
    job,
    jobSignature: request.signature,
    receipt,
    receiptSignature: await provider.signer.sign({
      hash: hashReceipt(jobDomain(provider), receipt),
    }),
    inputTokens: request.inputTokens,
    outputTokens: tokens,
    salt,
    ...(request.controls === undefined ? {} : { controls: request.controls }),
    ...(detail.length === 0 ? {} : { detail: toHex(detail) }),
  };
}

/** Books a voucher for a running or finished job. */
export async function payJob(
  provider: Provider,
  id: Hex,
  signed: SignedLaneVoucher,
): Promise<Lane> {
  const job = provider.running.get(id);
  if (job !== undefined) return payRunning(provider, job, signed);
  const envelope = provider.store.loadReceipt(id);
  if (envelope === undefined) throw errors.jobNotFound(id);
  return payFinished(provider, envelope, signed);
}

async function payRunning(
  provider: Provider,
  job: RunningJob,
  signed: SignedLaneVoucher,
): Promise<Lane> {
  await assertVoucherSigned(provider, job.request.channel, signed);
  if (job.lane.status !== 'running')
    return payFinished(provider, provider.store.loadReceipt(job.jobId)!, signed);
  const terms = job.request.job;
  const price = jobPriceUp(terms, terms.inputCount, job.heads.at(-1) ?? 0);
  const lane = applyVoucher(job.lane, signed.voucher, price);
  const count = paidCount(job, lane.paid);
  if (lane.paid !== lane.owed + jobPriceUp(terms, terms.inputCount, count))
    throw errors.malformedMessage('voucher.maxClaimableAmount', lane.paid);
  job.lane = lane;
  const { tokens, detail } = firstTokens(outputSoFar(job), count);
  provider.store.saveLane(lane, signed, {
    jobId: job.jobId,
    request: job.request,
    tokens,
    ...(detail.length === 0 ? {} : { detail: toHex(detail) }),
  });
  job.wake();
  return lane;
}

async function payFinished(
  provider: Provider,
  envelope: ReceiptEnvelope,
  signed: SignedLaneVoucher,
): Promise<Lane> {
  const { job } = envelope;
  if (
    !(await provider.isSignedBy(
      job.requester,
      hashLaneVoucher(paymentDomain(provider), signed.voucher),
      signed.signature,
    ))
  )
    throw errors.wrongSignature('voucher', job.requester);
  const lane = applyVoucher(loadLane(provider, job.channelId, job.lane), signed.voucher, 0n);
  provider.store.saveLane(lane, signed);
  return lane;
}

/** Ends a running job after what has been delivered; its stream still closes with a receipt. */
export function cancelJob(provider: Provider, id: Hex): boolean {
  const job = provider.running.get(id);
  if (job === undefined) return false;
  job.cancelled = true;
  job.abort.abort();
  job.wake();
  return true;
}

/** The reader of a job's stream went away: it is settled for its paid part, and the engine stops. */
export function loseJob(provider: Provider, id: Hex): void {
  const job = provider.running.get(id);
  job?.abort.abort();
  job?.wake();
}

/** Settles jobs that an earlier process left open, for the part that was paid. Call once, before serving. */
export async function recoverJobs(provider: Provider): Promise<readonly ReceiptEnvelope[]> {
  const settled: ReceiptEnvelope[] = [];
  for (const { jobId: id, request, tokens, detail } of provider.store.openJobs()) {
    const lane = loadLane(provider, request.job.channelId, request.job.lane);
    const controls = decodeControls(fromHex(request.controls ?? '0x'));
    const output = { tokens, detail: fromHex(detail ?? '0x'), controls };
    const envelope = await signReceipt(provider, { jobId: id, request }, output);
    const open: Lane = { ...lane, status: 'running' };
    provider.store.finishJob(
      envelope,
      completeJob(open, hashReceipt(jobDomain(provider), envelope.receipt), envelope.receipt.price),
    );
    settled.push(envelope);
  }
  return settled;
}

const newRunningJob = (id: Hex, request: JobRequest, lane: Lane): RunningJob => ({
  jobId: id,
  request,
  lane,
  tokens: [],
  controls: decodeControls(fromHex(request.controls ?? '0x')),
  details: [],
  detailsSigned: 0,
  heads: [],
  head: firstStreamHead(id),
  abort: new AbortController(),
  cancelled: false,
  wake: () => {},
});

/** Tokens of the longest signed head that a lane amount of `paid` covers. */
function paidCount({ heads, lane, request: { job } }: RunningJob, paid: bigint): number {
  const covered = heads.filter(
    (count) => lane.owed + jobPriceUp(job, job.inputCount, count) <= paid,
  );
  return covered.at(-1) ?? 0;
}

/** Cuts a chunk so that no part crosses a multiple of {@link STREAM_INCREMENT_TOKENS}. */
function splitAtHeads(
  { tokens, detail = NO_DETAIL }: Generated,
  count: number,
): readonly Required<Generated>[] {
  if (tokens.length === 0) return [{ tokens, detail }];
  const size = detail.length / tokens.length;
  const parts: Required<Generated>[] = [];
  for (let start = 0; start < tokens.length; ) {
    const room = STREAM_INCREMENT_TOKENS - ((count + start) % STREAM_INCREMENT_TOKENS);
    const end = Math.min(start + room, tokens.length);
    parts.push({
      tokens: tokens.slice(start, end),
      detail: detail.subarray(size * start, size * end),
    });
    start = end;
  }
  return parts;
}

const NO_DETAIL = new Uint8Array(0);
