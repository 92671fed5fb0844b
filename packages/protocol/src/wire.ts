/**
 * What travels between gateway, provider and verifier over HTTP, as JSON. Amounts are decimal strings, bytes are `0x`
 * text, the job stream is newline-delimited JSON ({@link JobEvent} per line).
 *
 *     GET    /v1/provider                 ProviderInfo
 *     POST   /v1/jobs                     JobRequest -> stream of JobEvent
 *     GET    /v1/jobs                     with `Upgrade: assay-jobs/1`: a connection over which jobs follow each other,
 *                                         one JobRequest per line -> its JobEvents, or one {@link JobRefused}
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
  /** Bytes of `job.sampler.controls`; absent if that is zero. */
  readonly controls?: Hex;
  /** Last voucher of the lane, absent while the lane is unused; lets a provider that lost its state resume. */
  readonly voucher?: SignedLaneVoucher;
};

export type JobEvent =
  | { readonly type: 'accepted'; readonly jobId: Hex }
  | {
      readonly type: 'tokens';
      readonly index: number;
      readonly tokens: readonly number[];
      /** What the controls ask for besides: log probabilities of these tokens, or the embedding. */
      readonly detail?: Hex;
    }
  | { readonly type: 'head'; readonly count: number; readonly head: Hex; readonly signature: Hex }
  | { readonly type: 'receipt'; readonly receipt: Receipt; readonly signature: Hex }
  | { readonly type: 'error'; readonly code: string; readonly message: string };

/** What the `Upgrade` header of a connection for jobs names. */
export const JOBS_UPGRADE = 'assay-jobs/1';

/** On a connection for jobs: the job was not started, and another may be asked for. */
export type JobRefused = {
  readonly type: 'refused';
  /** The HTTP status that the refusal has where each job is a request of its own. */
  readonly status: number;
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly value?: string;
    readonly remedy?: string;
  };
};

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
  /** Bytes of `job.sampler.controls`; absent if that is zero. */
  readonly controls?: Hex;
  /** All details of the stream, joined; absent if there are none. */
  readonly detail?: Hex;
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
export const encodeJson = (message: unknown): string => JSON.stringify(plainOf(message));

/**
 * The message with text for each `bigint`. What holds none is kept as it is, above all the long lists of token ids; the
 * rest are copies of the same shape, which JSON prints faster than objects that grew name by name.
 */
function plainOf(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null || 'toJSON' in value) return value;
  if (Array.isArray(value)) return isNumbers(value) ? value : value.map((item) => plainOf(item));
  let plain: Fields | undefined;
  for (const name of Object.keys(value)) {
    const field = (value as Fields)[name];
    const written = typeof field === 'bigint' || typeof field === 'object' ? plainOf(field) : field;
    if (written === field) continue;
    plain ??= { ...value };
    plain[name] = written;
  }
  return plain ?? value;
}

type Fields = Record<string, unknown>;

function isNumbers(list: readonly unknown[]): boolean {
  for (const item of list) if (typeof item !== 'number') return false;
  return true;
}

/**
 * Inverse of {@link encodeJson} by field name. It checks no shapes: see `decode*` in the rooms that receive. Walking
 * the parsed value costs a fifth of a reviver, which is called for every token id.
 */
export function decodeJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  restoreAmounts(value);
  return value;
}

function restoreAmounts(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value) && isNumbers(value)) return;
  const fields = value as Fields;
  for (const name of Object.keys(fields)) {
    const field = fields[name];
    if (typeof field === 'object') restoreAmounts(field);
    else if (typeof field === 'string' && BIGINT_FIELDS.has(name) && AMOUNT.test(field))
      fields[name] = BigInt(field);
  }
}

const AMOUNT = /^\d{1,39}$/;
