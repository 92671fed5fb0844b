/** What a provider asks of a job and of the channel that pays for it, before it reads the chain or runs anything. */
import {
  type AssayError,
  CLOCK_SKEW_MAX_SECONDS,
  type Controls,
  commitTokens,
  DETAIL_BYTES_MAX,
  decodeControls,
  fromHex,
  type Hex,
  hashControls,
  JOB_LIFETIME_SECONDS,
  type JobRequest,
  traceKeyHash,
  WITHDRAW_DELAY_MIN_SECONDS,
} from '@assay/protocol';
import { vaultAddress } from '../actions/vaults.js';
import * as errors from '../errors.js';
import type { ProviderContext } from './provider-context.js';

/** Recipient, time, model, price and length of a job; throws the first that does not hold. */
export function checkTerms(context: ProviderContext, request: JobRequest): void {
  const { job, inputTokens } = request;
  if (job.provider.toLowerCase() !== context.signer.address.toLowerCase())
    throw errors.wrongRecipient(job.provider);
  const nowSeconds = BigInt(Math.floor(context.nowMs() / 1000));
  if (job.expiresAt + BigInt(CLOCK_SKEW_MAX_SECONDS) < nowSeconds)
    throw errors.jobExpired(job.expiresAt);
  if (job.expiresAt > nowSeconds + BigInt(JOB_LIFETIME_SECONDS + CLOCK_SKEW_MAX_SECONDS))
    throw errors.jobTooLongLived(job.expiresAt);
  const model = context.models.get(job.modelId);
  if (model === undefined) throw errors.modelUnknown(job.modelId);
  const { inputPrice, outputPrice, contextLength } = model.info;
  if (job.inputPrice < inputPrice || job.outputPrice < outputPrice)
    throw errors.priceRefused(`${job.inputPrice}/${job.outputPrice}`);
  if (job.inputCount === 0) throw errors.malformedMessage('inputCount', 0);
  const { pooling, topLogprobs } = checkControls(request);
  if ((job.outputCountMax === 0) !== (pooling !== undefined))
    throw errors.malformedMessage('outputCountMax', job.outputCountMax);
  if (topLogprobs !== undefined && job.outputCountMax * (4 + 8 * topLogprobs) > DETAIL_BYTES_MAX)
    throw errors.malformedMessage('outputCountMax', job.outputCountMax);
  const total = job.inputCount + job.outputCountMax;
  if (total > contextLength) throw errors.contextTooLong(total, contextLength);
  if (inputTokens.length !== job.inputCount)
    throw errors.commitmentMismatch('prompt', job.inputRoot);
}

/** What a job commits to besides its terms: the prompt, and the key of its trace. */
export function checkCommitments({ job, inputTokens, salt }: JobRequest): void {
  if (commitTokens(salt, inputTokens) !== job.inputRoot)
    throw errors.commitmentMismatch('prompt', job.inputRoot);
  if (traceKeyHash(salt) !== job.traceKeyHash)
    throw errors.commitmentMismatch('trace key', job.traceKeyHash);
}

/** The controls that the job commits to, and no others. */
function checkControls({ job, controls }: JobRequest): Controls {
  const bytes = fromHex(controls ?? '0x');
  if (hashControls(bytes) !== job.sampler.controls)
    throw errors.commitmentMismatch('controls', job.sampler.controls);
  return decodeControls(bytes);
}

/** Terms under which a channel pays this provider; `id` is the channel id of what was sent. */
export function checkChannel(
  context: ProviderContext,
  { job, channel }: JobRequest,
  id: Hex,
): void {
  const unfit = (reason: string, value: unknown): AssayError => errors.channelUnfit(reason, value);
  if (id !== job.channelId) throw errors.commitmentMismatch('channel', job.channelId);
  const vault = vaultAddress({
    vaults: context.market.vaults,
    provider: context.signer.address,
  });
  if (channel.receiver.toLowerCase() !== vault.toLowerCase())
    throw unfit('it pays somebody else', channel.receiver);
  if (channel.token.toLowerCase() !== context.market.token.toLowerCase())
    throw unfit('it holds another token', channel.token);
  const authorizer =
    BigInt(channel.payerAuthorizer) === 0n ? channel.payer : channel.payerAuthorizer;
  if (authorizer.toLowerCase() !== job.requester.toLowerCase())
    throw unfit('the requester may not sign its vouchers', job.requester);
  const delayMin = context.withdrawDelayMinSeconds ?? WITHDRAW_DELAY_MIN_SECONDS;
  if (channel.withdrawDelay < delayMin)
    throw unfit('its withdrawal delay is too short', channel.withdrawDelay);
}
