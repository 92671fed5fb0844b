/** What a provider asks of a job and of the channel that pays for it, before it reads the chain or runs anything. */
import {
  type AssayError,
  CLOCK_SKEW_MAX_SECONDS,
  commitTokens,
  type Hex,
  type JobRequest,
  WITHDRAW_DELAY_MIN_SECONDS,
} from '@assay/protocol';
import * as errors from '../errors.js';
import type { ProviderContext } from './provider.js';

/** Recipient, time, model, price, length and commitment of a job; throws the first that does not hold. */
export function checkTerms(context: ProviderContext, { job, inputTokens, salt }: JobRequest): void {
  if (job.provider.toLowerCase() !== context.signer.address.toLowerCase())
    throw errors.wrongRecipient(job.provider);
  const nowSeconds = BigInt(Math.floor(context.nowMs() / 1000));
  if (job.expiresAt + BigInt(CLOCK_SKEW_MAX_SECONDS) < nowSeconds)
    throw errors.jobExpired(job.expiresAt);
  const model = context.models.get(job.modelId);
  if (model === undefined) throw errors.modelUnknown(job.modelId);
  const { inputPrice, outputPrice, contextLength } = model.info;
  if (job.inputPrice < inputPrice || job.outputPrice < outputPrice)
    throw errors.priceRefused(`${job.inputPrice}/${job.outputPrice}`);
  if (job.inputCount === 0) throw errors.malformedMessage('inputCount', 0);
  if (job.outputCountMax === 0) throw errors.malformedMessage('outputCountMax', 0);
  const total = job.inputCount + job.outputCountMax;
  if (total > contextLength) throw errors.contextTooLong(total, contextLength);
  if (inputTokens.length !== job.inputCount || commitTokens(salt, inputTokens) !== job.inputRoot)
    throw errors.commitmentMismatch('prompt', job.inputRoot);
}

/** Terms under which a channel pays this provider; `id` is the channel id of what was sent. */
export function checkChannel(
  context: ProviderContext,
  { job, channel }: JobRequest,
  id: Hex,
): void {
  const unfit = (reason: string, value: unknown): AssayError => errors.channelUnfit(reason, value);
  if (id !== job.channelId) throw errors.commitmentMismatch('channel', job.channelId);
  if (channel.receiver.toLowerCase() !== context.signer.address.toLowerCase())
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
