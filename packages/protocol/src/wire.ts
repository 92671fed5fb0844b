/**
 * What travels between gateway, provider and verifier over HTTP, as JSON. Amounts are decimal strings, bytes are `0x`
 * text, the job stream is newline-delimited JSON ({@link JobEvent} per line).
 *
 *     GET    /v1/provider                 ProviderInfo
 *     POST   /v1/jobs                     JobRequest -> stream of JobEvent
 *     POST   /v1/jobs/{jobId}/vouchers    SignedLaneVoucher -> VoucherAccepted
 *     DELETE /v1/jobs/{jobId}             cancel; the stream ends with a receipt for what was delivered
 *     GET    /v1/receipts/{jobId}         ReceiptEnvelope
 *     GET    /v1/models/{modelId}/file    the model file (GGUF)
 */
import type { Address, Hex } from './hex.js';
import type { ChannelConfig, Job, LaneVoucher, Receipt, Sampler } from './typed-data.js';

/** `bigint` fields as decimal strings, recursively; the JSON form of a message. */
export type Json<T> = T extends bigint
  ? string
  : T extends readonly (infer U)[]
    ? readonly Json<U>[]
    : T extends object
      ? { readonly [K in keyof T]: Json<T[K]> }
      : T;

export type SignedLaneVoucher = { readonly voucher: LaneVoucher; readonly signature: Hex };

export type ModelInfo = {
  readonly modelId: Hex;
  readonly name: string;
  /** Tokens of prompt and answer together. */
  readonly contextLength: number;
  readonly inputPrice: bigint;
  readonly outputPrice: bigint;
  /** SHA-256 of the model file. */
  readonly fileHash: Hex;
  readonly fileSize: number;
};

export type ProviderInfo = {
  readonly address: Address;
  readonly chainId: number;
  readonly models: readonly ModelInfo[];
  /** Jobs running and waiting, and the most that are accepted. */
  readonly queue: { readonly running: number; readonly waiting: number; readonly max: number };
};

export type JobRequest = {
  readonly job: Job;
  readonly signature: Hex;
  readonly inputTokens: readonly number[];
  /** Salt of `job.inputRoot` and of the receipt's `outputRoot`. */
  readonly salt: Hex;
  readonly channel: ChannelConfig;
  /** Last voucher of the lane, absent while the lane is unused; lets a provider that lost its state resume. */
  readonly voucher?: SignedLaneVoucher;
};

export type JobEvent =
  | { readonly type: 'accepted'; readonly jobId: Hex }
  | { readonly type: 'tokens'; readonly index: number; readonly tokens: readonly number[] }
  | { readonly type: 'head'; readonly count: number; readonly head: Hex; readonly signature: Hex }
  | { readonly type: 'receipt'; readonly receipt: Receipt; readonly signature: Hex }
  | { readonly type: 'error'; readonly code: string; readonly message: string };

export type VoucherAccepted = { readonly lane: number; readonly maxClaimableAmount: bigint };

/** Everything a stranger needs to re-execute and judge a receipt. */
export type ReceiptEnvelope = {
  readonly jobId: Hex;
  readonly chainId: number;
  readonly contract: Address;
  readonly job: Job;
  readonly jobSignature: Hex;
  readonly receipt: Receipt;
  readonly receiptSignature: Hex;
  readonly inputTokens: readonly number[];
  readonly outputTokens: readonly number[];
  readonly salt: Hex;
};

export type { ChannelConfig, Job, LaneVoucher, Receipt, Sampler };

const BIGINT_FIELDS = new Set([
  'maxClaimableAmount',
  'inputPrice',
  'outputPrice',
  'expiresAt',
  'price',
  'completedAt',
]);

/** JSON text of a message; `bigint` becomes a decimal string. */
export const encodeJson = (message: unknown): string =>
  JSON.stringify(message, (_, value) => (typeof value === 'bigint' ? value.toString() : value));

/** Inverse of {@link encodeJson} by field name. It checks no shapes: see `decode*` in the rooms that receive. */
export const decodeJson = (text: string): unknown =>
  JSON.parse(text, (key, value) =>
    BIGINT_FIELDS.has(key) && typeof value === 'string' && /^\d{1,39}$/.test(value)
      ? BigInt(value)
      : value,
  );
