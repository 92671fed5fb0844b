/**
 * Shapes of messages that arrive from strangers. Each function takes parsed JSON and returns the typed message or
 * throws `malformed_message` naming the field; nothing is coerced.
 */
import {
  type Address,
  type ChannelConfig,
  CONTROLS_BYTES_MAX,
  DETAIL_BYTES_MAX,
  type Hex,
  isHexOf,
  JOB_TOKENS_MAX,
  type Job,
  type JobEvent,
  type JobRequest,
  LANES_MAX,
  type LaneVoucher,
  type Receipt,
  type ReceiptEnvelope,
  type Sampler,
  type SignedLaneVoucher,
  STOP_IDS_MAX,
} from '@assay/protocol';
import { malformedMessage } from './errors.js';

type Fields = { readonly [name: string]: unknown };

/** Longest endpoint or text field that a message may carry. */
const TEXT_LENGTH_MAX = 2_048;
const UINT32_MAX = 0xffff_ffff;
const UINT128_MAX = (1n << 128n) - 1n;
const UINT64_MAX = (1n << 64n) - 1n;
const UINT40_MAX = 2 ** 40 - 1;

function fields(value: unknown, name: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw malformedMessage(name, value);
  return value as Fields;
}

function integer(record: Fields, name: string, max: number): number {
  const value = record[name];
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > max)
    throw malformedMessage(name, value);
  return value;
}

function amount(record: Fields, name: string, max = UINT128_MAX): bigint {
  const value = record[name];
  if (typeof value !== 'bigint' || value < 0n || value > max) throw malformedMessage(name, value);
  return value;
}

function bytes(record: Fields, name: string, size: number): Hex {
  const value = record[name];
  if (!isHexOf(value, size)) throw malformedMessage(name, value);
  return value.toLowerCase() as Hex;
}

/** An optional field of one to `sizeMax` bytes, as the field itself. */
function blob<Name extends string>(
  record: Fields,
  name: Name,
  sizeMax: number,
): { readonly [N in Name]?: Hex } {
  const value = record[name];
  if (value === undefined) return {};
  if (typeof value !== 'string' || value.length < 4 || value.length > 2 + 2 * sizeMax)
    throw malformedMessage(name, value);
  if (!isHexOf(value, (value.length - 2) / 2)) throw malformedMessage(name, value);
  return { [name]: value.toLowerCase() as Hex } as { readonly [N in Name]?: Hex };
}

const address = (record: Fields, name: string): Address => bytes(record, name, 20);

function signature(record: Fields, name: string): Hex {
  return bytes(record, name, 65);
}

function tokenIds(record: Fields, name: string, countMax = JOB_TOKENS_MAX): readonly number[] {
  const value = record[name];
  if (!Array.isArray(value) || value.length > countMax) throw malformedMessage(name, value);
  for (const id of value)
    if (!Number.isInteger(id) || id < 0 || id > UINT32_MAX) throw malformedMessage(name, id);
  return value as number[];
}

function text(record: Fields, name: string): string {
  const value = record[name];
  if (typeof value !== 'string' || value.length > TEXT_LENGTH_MAX)
    throw malformedMessage(name, value);
  return value;
}

function decodeSampler(value: unknown): Sampler {
  const record = fields(value, 'sampler');
  return {
    tau: integer(record, 'tau', UINT32_MAX),
    topK: integer(record, 'topK', UINT32_MAX),
    topP: integer(record, 'topP', UINT32_MAX),
    minP: integer(record, 'minP', UINT32_MAX),
    seed: bytes(record, 'seed', 32),
    stopIds: tokenIds(record, 'stopIds', STOP_IDS_MAX),
    controls: bytes(record, 'controls', 32),
  };
}

export function decodeJob(value: unknown): Job {
  const record = fields(value, 'job');
  return {
    modelId: bytes(record, 'modelId', 32),
    provider: address(record, 'provider'),
    requester: address(record, 'requester'),
    channelId: bytes(record, 'channelId', 32),
    lane: integer(record, 'lane', LANES_MAX - 1),
    tier: integer(record, 'tier', 255),
    inputRoot: bytes(record, 'inputRoot', 32),
    traceKeyHash: bytes(record, 'traceKeyHash', 32),
    inputCount: integer(record, 'inputCount', JOB_TOKENS_MAX),
    outputCountMax: integer(record, 'outputCountMax', JOB_TOKENS_MAX),
    sampler: decodeSampler(record['sampler']),
    inputPrice: amount(record, 'inputPrice'),
    outputPrice: amount(record, 'outputPrice'),
    expiresAt: amount(record, 'expiresAt', UINT64_MAX),
    nonce: bytes(record, 'nonce', 32),
  };
}

export function decodeChannel(value: unknown): ChannelConfig {
  const record = fields(value, 'channel');
  return {
    payer: address(record, 'payer'),
    payerAuthorizer: address(record, 'payerAuthorizer'),
    receiver: address(record, 'receiver'),
    receiverAuthorizer: address(record, 'receiverAuthorizer'),
    token: address(record, 'token'),
    withdrawDelay: integer(record, 'withdrawDelay', UINT40_MAX),
    salt: bytes(record, 'salt', 32),
  };
}

function decodeLaneVoucher(value: unknown): LaneVoucher {
  const record = fields(value, 'voucher');
  return {
    channelId: bytes(record, 'channelId', 32),
    lane: integer(record, 'lane', LANES_MAX - 1),
    maxClaimableAmount: amount(record, 'maxClaimableAmount'),
    receiptRoot: bytes(record, 'receiptRoot', 32),
  };
}

export function decodeSignedVoucher(value: unknown): SignedLaneVoucher {
  const record = fields(value, 'voucher');
  return {
    voucher: decodeLaneVoucher(record['voucher']),
    signature: signature(record, 'signature'),
  };
}

export function decodeJobRequest(value: unknown): JobRequest {
  const record = fields(value, 'request');
  return {
    job: decodeJob(record['job']),
    signature: signature(record, 'signature'),
    inputTokens: tokenIds(record, 'inputTokens'),
    salt: bytes(record, 'salt', 32),
    channel: decodeChannel(record['channel']),
    ...blob(record, 'controls', CONTROLS_BYTES_MAX),
    ...(record['voucher'] === undefined ? {} : { voucher: decodeSignedVoucher(record['voucher']) }),
  };
}

export function decodeReceipt(value: unknown): Receipt {
  const record = fields(value, 'receipt');
  const finish = integer(record, 'finish', 2);
  return {
    jobId: bytes(record, 'jobId', 32),
    outputRoot: bytes(record, 'outputRoot', 32),
    outputCount: integer(record, 'outputCount', JOB_TOKENS_MAX),
    finish: finish as Receipt['finish'],
    streamHead: bytes(record, 'streamHead', 32),
    price: amount(record, 'price'),
    completedAt: amount(record, 'completedAt', UINT64_MAX),
  };
}

export function decodeEnvelope(value: unknown): ReceiptEnvelope {
  const record = fields(value, 'envelope');
  return {
    jobId: bytes(record, 'jobId', 32),
    chainId: integer(record, 'chainId', Number.MAX_SAFE_INTEGER),
    contract: address(record, 'contract'),
    job: decodeJob(record['job']),
    jobSignature: signature(record, 'jobSignature'),
    receipt: decodeReceipt(record['receipt']),
    receiptSignature: signature(record, 'receiptSignature'),
    inputTokens: tokenIds(record, 'inputTokens'),
    outputTokens: tokenIds(record, 'outputTokens'),
    salt: bytes(record, 'salt', 32),
    ...blob(record, 'controls', CONTROLS_BYTES_MAX),
    ...blob(record, 'detail', DETAIL_BYTES_MAX),
  };
}

export function decodeJobEvent(value: unknown): JobEvent {
  const record = fields(value, 'event');
  switch (record['type']) {
    case 'accepted':
      return { type: 'accepted', jobId: bytes(record, 'jobId', 32) };
    case 'tokens':
      return {
        type: 'tokens',
        index: integer(record, 'index', JOB_TOKENS_MAX),
        tokens: tokenIds(record, 'tokens'),
        ...blob(record, 'detail', DETAIL_BYTES_MAX),
      };
    case 'head':
      return {
        type: 'head',
        count: integer(record, 'count', JOB_TOKENS_MAX),
        head: bytes(record, 'head', 32),
        signature: signature(record, 'signature'),
      };
    case 'receipt':
      return {
        type: 'receipt',
        receipt: decodeReceipt(record['receipt']),
        signature: signature(record, 'signature'),
      };
    case 'error':
      return { type: 'error', code: text(record, 'code'), message: text(record, 'message') };
    default:
      throw malformedMessage('type', record['type']);
  }
}
