/**
 * What can be checked about a receipt without running the model: ids, both signatures, commitments, counts, stream
 * head, price and control rules. Everybody does this before paying, storing or re-executing.
 */
import {
  commitTokens,
  computeDomain,
  FINISH,
  firstStreamHead,
  type Hex,
  hashReceipt,
  type Job,
  jobId,
  jobPriceUp,
  nextStreamHead,
  type Receipt,
  type ReceiptEnvelope,
  STREAM_INCREMENT_TOKENS,
} from '@assay/protocol';
import { receiptInvalid } from './errors.js';
import { type CheckSignature, isSignedBy } from './signature.js';

/** Head of the whole stream: one link per full increment of 32 tokens, and one for the rest. */
export function streamHeadOf(id: Hex, tokens: readonly number[]): Hex {
  let head = firstStreamHead(id);
  for (let start = 0; start < tokens.length; start += STREAM_INCREMENT_TOKENS) {
    const part = tokens.slice(start, start + STREAM_INCREMENT_TOKENS);
    head = nextStreamHead(head, start + part.length, part);
  }
  return head;
}

/** Why an output of these tokens must have ended, or undefined if it should have gone on. */
export function finishOf(job: Job, tokens: readonly number[]): Receipt['finish'] | undefined {
  const last = tokens.at(-1);
  if (last !== undefined && job.sampler.stopIds.includes(last)) return FINISH.stop;
  return tokens.length === job.outputCountMax ? FINISH.length : undefined;
}

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
  const { job, receipt, outputTokens, inputTokens, salt } = envelope;
  const domain = computeDomain(envelope.chainId, envelope.contract);
  const id = jobId(domain, job);
  const check = (holds: boolean, reason: string, value: unknown): void => {
    if (!holds) throw receiptInvalid(reason, value);
  };
  check(
    id === envelope.jobId && id === receipt.jobId,
    'its id is not that of its job',
    envelope.jobId,
  );
  check(inputTokens.length === job.inputCount, 'the prompt has another length', inputTokens.length);
  check(
    commitTokens(salt, inputTokens) === job.inputRoot,
    'the prompt is another one',
    job.inputRoot,
  );
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
    streamHeadOf(id, outputTokens) === receipt.streamHead,
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
