/**
 * The gate of a provider: everything about a request is checked here, and its lane and money are taken, before the
 * first token leaves. The engine begins as soon as the requester is known and its channel covers the job, for a
 * requester that was served a moment ago at once; what is left to check is checked meanwhile.
 */
import {
  channelId,
  decodeControls,
  firstStreamHead,
  fromHex,
  type Job,
  type JobRequest,
  jobId,
  jobPriceUp,
} from '@assay/protocol';
import * as errors from '../errors.js';
import { applyVoucher, type Lane, startJob } from '../lane.js';
import { checkChannel, checkCommitments, checkTerms } from './job-terms.js';
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

export type AdmissionOptions = {
  /**
   * True if whoever sent the request has just been served as the requester that it names. Then the engine begins at
   * once, and what it costs to find out that the signature is false is at most one pass per job that was genuine.
   */
  readonly isKnown?: boolean;
};

/** Checks everything about a request and takes its lane. Iterate {@link streamJob} next, or the lane stays taken. */
export async function admitJob(
  provider: Provider,
  request: JobRequest,
  { isKnown = false }: AdmissionOptions = {},
): Promise<AdmittedJob> {
  const abort = new AbortController();
  try {
    checkTerms(provider, request);
    const begun = isKnown ? begin(provider, request, abort.signal) : undefined;
    return await admit(provider, request, { abort, begun });
  } catch (error) {
    abort.abort();
    throw error;
  }
}

/** The engine's work on a job, if it has begun. */
type Work = {
  readonly abort: AbortController;
  readonly begun: AsyncIterable<Generated> | undefined;
};

async function admit(provider: Provider, request: JobRequest, work: Work): Promise<AdmittedJob> {
  const { job } = request;
  const id = jobId(jobDomain(provider), job);
  checkCommitments(request);
  if (provider.running.has(id) || provider.store.loadReceipt(id)) throw errors.jobRepeated(id);
  if (!(await provider.isSignedBy(job.requester, id, request.signature)))
    throw errors.wrongSignature('job', job.requester);
  checkChannel(provider, request, channelId(paymentDomain(provider), request.channel));
  const key = laneKey(job.channelId, job.lane);
  if (provider.lanesTaken.has(key)) throw errors.laneBusy(job.lane);
  provider.lanesTaken.add(key);
  try {
    await reserve(provider, request);
  } catch (error) {
    provider.lanesTaken.delete(key);
    throw error;
  }
  try {
    const stored = loadLane(provider, job.channelId, job.lane);
    if (request.voucher === undefined) startJob(stored);
    const generated = work.begun ?? begin(provider, request, work.abort.signal);
    const lane = startJob(await resumeLane(provider, request, stored));
    provider.store.saveChannel(job.channelId, request.channel);
    const running = { jobId: id, request, lane, abort: work.abort, generated };
    provider.running.set(id, newRunningJob(running));
    return { jobId: id, request };
  } catch (error) {
    release(provider, job);
    provider.lanesTaken.delete(key);
    throw error;
  }
}

/** Sets the engine to work; what it makes is read later, and so is why it failed. */
function begin(
  provider: Provider,
  { job, inputTokens, controls }: JobRequest,
  signal: AbortSignal,
): AsyncIterable<Generated> {
  const { generate } = provider.models.get(job.modelId)!;
  const input = { job, inputTokens, signal, ...(controls === undefined ? {} : { controls }) };
  const pieces = generate(input)[Symbol.asyncIterator]();
  let first: Promise<IteratorResult<Generated>> | undefined = pieces.next();
  const stop = async (): Promise<void> => void (await pieces.return?.());
  first.catch(() => {});
  signal.addEventListener('abort', () => void stop().catch(() => {}), { once: true });
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => {
        const next = first ?? pieces.next();
        first = undefined;
        return next;
      },
      return: async () => {
        await stop();
        return { done: true, value: undefined };
      },
    }),
  };
}

/** The stored lane; a final voucher that got lost on its way may come with the next job. */
async function resumeLane(
  provider: Provider,
  { channel, voucher }: JobRequest,
  lane: Lane,
): Promise<Lane> {
  if (lane.status !== 'owing' || voucher === undefined) return lane;
  await assertVoucherSigned(provider, channel, voucher);
  const paid = applyVoucher(lane, voucher.voucher, 0n);
  provider.store.saveLane(paid, voucher);
  return paid;
}

async function reserve(provider: Provider, { job }: JobRequest): Promise<void> {
  const cost = jobPriceUp(job, job.inputCount, job.outputCountMax);
  const before = provider.reserved.get(job.channelId) ?? 0n;
  provider.reserved.set(job.channelId, before + cost);
  try {
    const stored = provider.store.committed(job.channelId);
    const needed = stored + (provider.reserved.get(job.channelId) ?? 0n);
    const state = await provider.readChannel(job.channelId, needed);
    if (state.withdrawing) throw errors.channelUnfit('a withdrawal is under way', job.channelId);
    const claimedElsewhere = state.totalClaimed > stored ? state.totalClaimed - stored : 0n;
    const missing = needed + claimedElsewhere - state.balance;
    if (missing > 0n) throw errors.channelTooSmall(missing);
  } catch (error) {
    release(provider, job);
    throw error;
  }
}

/** Gives back what {@link admitJob} reserved for a job. */
export function release(provider: Provider, job: Job): void {
  const left =
    (provider.reserved.get(job.channelId) ?? 0n) -
    jobPriceUp(job, job.inputCount, job.outputCountMax);
  if (left > 0n) provider.reserved.set(job.channelId, left);
  else provider.reserved.delete(job.channelId);
}

type Beginning = Pick<RunningJob, 'jobId' | 'request' | 'lane' | 'abort' | 'generated'>;

const newRunningJob = (beginning: Beginning): RunningJob => ({
  ...beginning,
  tokens: [],
  controls: decodeControls(fromHex(beginning.request.controls ?? '0x')),
  details: [],
  detailsSigned: 0,
  heads: [],
  head: firstStreamHead(beginning.jobId),
  cancelled: false,
  wake: () => {},
});
