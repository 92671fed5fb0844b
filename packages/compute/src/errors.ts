/** Failures of the compute market that a caller can act on; one function per code. */
import { AssayError, printValue } from '@assay/protocol';

const peer = (code: string, message: string, remedy: string, value?: unknown): AssayError =>
  new AssayError({
    code,
    message,
    remedy,
    fault: 'peer',
    ...(value === undefined ? {} : { value: printValue(value) }),
  });

export const malformedMessage = (field: string, value: unknown): AssayError =>
  peer(
    'malformed_message',
    `The field ${field} has the wrong shape.`,
    'Send it as the protocol reference describes.',
    value,
  );

export const wrongSignature = (what: string, expected: string): AssayError =>
  peer(
    'wrong_signature',
    `The ${what} is not signed by the party it names.`,
    'Sign it with the key of the named address, for this chain and contract.',
    expected,
  );

export const wrongRecipient = (provider: string): AssayError =>
  peer(
    'wrong_recipient',
    'The job names another provider.',
    'Send it to the provider that it names.',
    provider,
  );

export const jobExpired = (expiresAt: bigint): AssayError =>
  peer(
    'job_expired',
    'The job was signed to start earlier than now.',
    'Sign a new job; check the clocks of both machines.',
    expiresAt,
  );

export const jobTooLongLived = (expiresAt: bigint): AssayError =>
  peer(
    'job_too_long_lived',
    'The job may start later than a provider has to remember it.',
    'Sign it to expire within five minutes; check the clocks of both machines.',
    expiresAt,
  );

export const jobRepeated = (jobId: string): AssayError =>
  peer(
    'job_repeated',
    'A job with this id has been seen before.',
    'Sign a new job with a fresh nonce.',
    jobId,
  );

export const modelUnknown = (modelId: string): AssayError =>
  peer(
    'model_not_found',
    'This provider does not serve the model.',
    'Choose a provider whose offer names the model.',
    modelId,
  );

export const priceRefused = (value: string): AssayError =>
  peer(
    'price_refused',
    'The job offers less than the price of the model.',
    'Read the current offer and sign its price.',
    value,
  );

export const contextTooLong = (tokens: number, limit: number): AssayError =>
  peer(
    'context_length_exceeded',
    `Prompt and answer together exceed the ${limit} tokens of the model.`,
    'Shorten the prompt or ask for fewer tokens.',
    tokens,
  );

export const commitmentMismatch = (what: string, value: unknown): AssayError =>
  peer(
    'commitment_mismatch',
    `The ${what} does not match its commitment.`,
    'Commit to exactly what is sent.',
    value,
  );

export const channelTooSmall = (missing: bigint): AssayError =>
  peer(
    'channel_empty',
    'The channel does not hold enough for this job.',
    'Top up the channel by at least the missing amount (atomic units).',
    missing,
  );

export const channelUnfit = (reason: string, value: unknown): AssayError =>
  peer(
    'channel_unfit',
    `The channel cannot pay this provider: ${reason}.`,
    'Open a channel to this provider as its terms ask.',
    value,
  );

export const laneBusy = (lane: number): AssayError =>
  peer('lane_busy', 'Another job runs on this lane.', 'Use a free lane of the channel.', lane);

export const laneUnpaid = (missing: bigint): AssayError =>
  peer(
    'lane_unpaid',
    'An earlier job on this lane has not been paid in full.',
    'Send the missing voucher first (atomic units).',
    missing,
  );

export const voucherStale = (signed: bigint, value: bigint): AssayError =>
  peer(
    'voucher_stale',
    `The voucher is lower than one already signed (${signed}).`,
    'Vouchers are cumulative: sign at least the earlier amount.',
    value,
  );

export const paymentMissing = (missing: bigint): AssayError =>
  peer(
    'payment_missing',
    'The stream stopped because an increment was not paid in time.',
    'Send a voucher for each increment as its signed head arrives.',
    missing,
  );

export const jobNotFound = (jobId: string): AssayError =>
  peer(
    'job_not_found',
    'No such job is known here.',
    'Check the id; receipts are kept until their window ends.',
    jobId,
  );

export const overloaded = (waiting: number): AssayError =>
  new AssayError({
    code: 'queue_full',
    fault: 'peer',
    message: 'The queue is full.',
    value: String(waiting),
    remedy: 'Try again after the time in Retry-After, or use another provider.',
  });

export const streamBroken = (cause?: unknown): AssayError =>
  new AssayError({
    code: 'provider_failed',
    fault: 'peer',
    message: 'The provider stopped before the answer was complete.',
    remedy: 'Ask again; only what arrived was paid.',
    ...(cause === undefined ? {} : { cause }),
  });

export const peerLied = (what: string, value: unknown): AssayError =>
  peer(
    'peer_lied',
    `The provider sent a ${what} that does not fit what it sent before.`,
    'Keep the signed messages as evidence and use another provider.',
    value,
  );

export const receiptInvalid = (reason: string, value: unknown): AssayError =>
  peer(
    'receipt_invalid',
    `The receipt is not valid: ${reason}.`,
    'A receipt counts only with both signatures and matching commitments.',
    value,
  );

export const noProvider = (modelId: string): AssayError =>
  new AssayError({
    code: 'no_provider',
    fault: 'platform',
    message: 'No provider serves this model now.',
    value: modelId,
    remedy: 'Try again later, or start one with `assay provider`.',
  });
