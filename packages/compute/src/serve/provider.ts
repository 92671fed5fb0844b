/**
 * The provider's side of a job that was admitted (`admission.ts`): streams tokens with signed heads, stops when
 * increments stay unpaid, and signs a receipt for exactly what was delivered. Knows no socket, no disk and no clock;
 * `node` hands them in.
 *
 * What is paid is never lost: a voucher and the tokens it pays for are stored before either side goes on, and jobs that
 * a crash cut off are settled for their paid part by {@link recoverJobs}.
 */
import {
  commitTokens,
  concat,
  decodeControls,
  detailBytesPerToken,
  FINISH,
  fromHex,
  type Hex,
  hashLaneVoucher,
  hashReceipt,
  hashStreamHead,
  type JobEvent,
  jobPriceUp,
  nextStreamHead,
  type Receipt,
  type ReceiptEnvelope,
  type SignedLaneVoucher,
  STREAM_INCREMENT_TOKENS,
  toHex,
  UNPAID_INCREMENTS_MAX,
} from '@assay/protocol';
import * as errors from '../errors.js';
import { finishOf, isCutOff, type JobOutput, streamHeadOf } from '../evidence.js';
import { applyVoucher, completeJob, dropJob, type Lane } from '../lane.js';
import { release } from './admission.js';
import {
  type AdmittedJob,
  assertVoucherSigned,
  type Generated,
  jobDomain,
  laneKey,
  loadLane,
  type Provider,
  paymentDomain,
  type RunningJob,
} from './provider-context.js';

export { admitJob } from './admission.js';
export {
  type AdmittedJob,
  createProvider,
  type FundedChannel,
  type Generate,
  type Generated,
  type OpenJob,
  type Provider,
  type ProviderContext,
  type ProviderStore,
  type RunningJob,
  type ServedModel,
} from './provider-context.js';

/** Time a payer has to send the voucher of an increment before its stream ends. */
export const VOUCHER_TIMEOUT_MS = 15_000;

/** Jobs that have made a token, and those that wait for their first. */
export function countJobs({ running }: Provider): {
  readonly running: number;
  readonly waiting: number;
} {
  const waiting = [...running.values()].filter(({ tokens }) => tokens.length === 0).length;
  return { running: running.size - waiting, waiting };
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
    if (!settled) {
      job.abort.abort();
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
  const { job } = running.request;
  for await (const generated of running.generated) {
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
  const isOver = finishOf(job, running.tokens) !== undefined || running.cancelled;
  if (!isOver || isCutOff(outputSoFar(running))) throw errors.streamBroken();
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
    outputRoot: commitTokens(salt, tokens),
    outputCount: tokens.length,
    finish: finishOf(job, tokens) ?? FINISH.cancelled,
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
