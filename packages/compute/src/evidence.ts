/**
 * What can be checked about a receipt without running the model: ids, both signatures, commitments, counts, stream
 * head, price and control rules. Everybody does this before paying, storing or re-executing.
 */
import {
  type Controls,
  commitTokens,
  computeDomain,
  decodeControls,
  detailBytesPerToken,
  FINISH,
  firstStreamHead,
  fromHex,
  type Hex,
  hashControls,
  hashReceipt,
  type Job,
  jobId,
  jobPriceUp,
  nextStreamHead,
  type Receipt,
  type ReceiptEnvelope,
  STREAM_INCREMENT_TOKENS,
  traceKeyHash,
} from '@assay/protocol';
import { receiptInvalid } from './errors.js';
import { type CheckSignature, isSignedBy } from './signature.js';
import type { Market } from './types.js';

/** Chain and contract that the receipts of one network are bound to. */
export type Network = Pick<Market, 'chainId' | 'receipts'>;

/**
 * Throws `receipt_invalid` for a receipt of another network: it may hold in itself, and yet no stake and no channel of
 * this one stands behind it.
 */
export function assertNetwork(envelope: ReceiptEnvelope, { chainId, receipts }: Network): void {
  if (envelope.chainId !== chainId)
    throw receiptInvalid(`it is of chain ${envelope.chainId}, not of ${chainId}`, envelope.chainId);
  if (envelope.contract.toLowerCase() !== receipts.toLowerCase())
    throw receiptInvalid(`it is bound to another contract than ${receipts}`, envelope.contract);
}

/**
 * Head of the whole stream: one link per full increment of 32 tokens, and one for the rest. `detail` has equally many
 * bytes for each token; without tokens it is an embedding, and the only link.
 */
export function streamHeadOf(
  id: Hex,
  tokens: readonly number[],
  detail: Uint8Array = NO_DETAIL,
): Hex {
  let head = firstStreamHead(id);
  if (tokens.length === 0) return detail.length === 0 ? head : nextStreamHead(head, 0, [], detail);
  const size = detail.length / tokens.length;
  for (let start = 0; start < tokens.length; start += STREAM_INCREMENT_TOKENS) {
    const part = tokens.slice(start, start + STREAM_INCREMENT_TOKENS);
    const count = start + part.length;
    head = nextStreamHead(head, count, part, detail.subarray(size * start, size * count));
  }
  return head;
}

const NO_DETAIL = new Uint8Array(0);

/** What a job gave, under its controls. */
export type JobOutput = {
  readonly tokens: readonly number[];
  readonly detail: Uint8Array;
  readonly controls: Controls;
};

/** Output and controls of an envelope as they stand in it; throws `receipt_invalid` unless they fit each other. */
export function outputOf(envelope: ReceiptEnvelope): JobOutput {
  const bytes = fromHex(envelope.controls ?? '0x');
  if (hashControls(bytes) !== envelope.job.sampler.controls)
    throw receiptInvalid('the controls are others', envelope.job.sampler.controls);
  const detail = fromHex(envelope.detail ?? '0x');
  const tokens = envelope.outputTokens;
  const controls = controlsOf(bytes);
  const expected = detailBytesPerToken(controls) * tokens.length;
  const fits =
    controls.pooling === undefined ? detail.length === expected : detail.length % 4 === 0;
  if (!fits) throw receiptInvalid('the details have another length', detail.length);
  return { tokens, detail, controls };
}

function controlsOf(bytes: Uint8Array): Controls {
  try {
    return decodeControls(bytes);
  } catch (error) {
    throw receiptInvalid((error as Error).message, bytes.length);
  }
}

/**
 * Why an output of these tokens must have ended, or undefined if it should have gone on. An embedding is a limit of no
 * tokens that was reached.
 */
export function finishOf(job: Job, tokens: readonly number[]): Receipt['finish'] | undefined {
  const last = tokens.at(-1);
  if (last !== undefined && job.sampler.stopIds.includes(last)) return FINISH.stop;
  return tokens.length === job.outputCountMax ? FINISH.length : undefined;
}

/** True for a job that was to give an embedding and ended before it did: for such a one there is no receipt. */
export const isCutOff = ({ controls, detail }: JobOutput): boolean =>
  controls.pooling !== undefined && detail.length === 0;

/** Throws `receipt_invalid` naming the first thing that does not hold. */
export async function assertEvidence(
  envelope: ReceiptEnvelope,
  check: CheckSignature = isSignedBy,
): Promise<void> {
  await assertReceipt(envelope, check);
  if (!(await check(envelope.job.requester, envelope.jobId, envelope.jobSignature)))
    throw receiptInvalid('the requester did not sign the job', envelope.job.requester);
}

/** As {@link assertEvidence} for the requester itself, who need not check its own signature. */
export async function assertReceipt(
  envelope: ReceiptEnvelope,
  checkSignature: CheckSignature = isSignedBy,
): Promise<void> {
  const { job, inputTokens, salt } = envelope;
  const id = jobId(computeDomain(envelope.chainId, envelope.contract), job);
  check(id === envelope.jobId, 'its id is not that of its job', envelope.jobId);
  check(inputTokens.length === job.inputCount, 'the prompt has another length', inputTokens.length);
  check(
    commitTokens(salt, inputTokens) === job.inputRoot,
    'the prompt is another one',
    job.inputRoot,
  );
  check(traceKeyHash(salt) === job.traceKeyHash, 'the trace key is another one', job.traceKeyHash);
  await assertStatement(envelope, checkSignature);
}

function check(holds: boolean, reason: string, value: unknown): void {
  if (!holds) throw receiptInvalid(reason, value);
}

/**
 * What the provider states in a receipt, and its signature. Enough for a requester that wrote job and prompt into the
 * envelope itself; who got the envelope from anybody uses {@link assertReceipt}.
 */
export async function assertStatement(
  envelope: ReceiptEnvelope,
  checkSignature: CheckSignature,
): Promise<void> {
  const { job, jobId: id, receipt, outputTokens, salt } = envelope;
  const output = outputOf(envelope);
  const domain = computeDomain(envelope.chainId, envelope.contract);
  check(id === receipt.jobId, 'its id is not that of its job', receipt.jobId);
  check(
    outputTokens.length === receipt.outputCount,
    'the answer has another length',
    outputTokens.length,
  );
  check(
    commitTokens(salt, outputTokens) === receipt.outputRoot,
    'the answer is another one',
    receipt.outputRoot,
  );
  check(
    streamHeadOf(id, outputTokens, output.detail) === receipt.streamHead,
    'the stream was another one',
    receipt.streamHead,
  );
  check(
    receipt.price === jobPriceUp(job, job.inputCount, receipt.outputCount),
    'the price is not the agreed one',
    receipt.price,
  );
  check(
    receipt.outputCount <= job.outputCountMax,
    'it is longer than asked for',
    receipt.outputCount,
  );
  check(
    !outputTokens.slice(0, -1).some((token) => job.sampler.stopIds.includes(token)),
    'it goes on after a stop id',
    receipt.outputCount,
  );
  check(!isCutOff(output), 'it has no embedding', receipt.outputCount);
  const finish = finishOf(job, outputTokens);
  check(
    finish === undefined ? receipt.finish === FINISH.cancelled : receipt.finish === finish,
    'it ended for another reason than it says',
    receipt.finish,
  );
  const digest = hashReceipt(domain, receipt);
  check(
    await checkSignature(job.provider, digest, envelope.receiptSignature),
    'the provider did not sign it',
    job.provider,
  );
}
