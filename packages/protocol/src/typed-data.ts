/**
 * EIP-712 messages of the network. The type strings here are the definition; Solidity keeps their hashes as constants
 * and `vectors/eip712.json` is asserted by both.
 *
 * Settlement messages are those of x402 `batch-settlement` on EVM (npm `@x402/evm` 2.27.0): same domain name, version,
 * `ChannelConfig` and `Voucher`. `LaneVoucher` adds what that scheme lacks: parallel lanes over one deposit and the
 * root of the receipts that the payment acknowledges.
 */
import { compileStruct, hashMessage } from './eip712.js';
import type { Address, Hex } from './hex.js';

export const CHANNEL_TYPES = {
  ChannelConfig: [
    { name: 'payer', type: 'address' },
    { name: 'payerAuthorizer', type: 'address' },
    { name: 'receiver', type: 'address' },
    { name: 'receiverAuthorizer', type: 'address' },
    { name: 'token', type: 'address' },
    { name: 'withdrawDelay', type: 'uint40' },
    { name: 'salt', type: 'bytes32' },
  ],
} as const;

export const VOUCHER_TYPES = {
  Voucher: [
    { name: 'channelId', type: 'bytes32' },
    { name: 'maxClaimableAmount', type: 'uint128' },
  ],
} as const;

export const LANE_VOUCHER_TYPES = {
  LaneVoucher: [
    { name: 'channelId', type: 'bytes32' },
    { name: 'lane', type: 'uint32' },
    { name: 'maxClaimableAmount', type: 'uint128' },
    { name: 'receiptRoot', type: 'bytes32' },
  ],
} as const;

export const JOB_TYPES = {
  Job: [
    { name: 'modelId', type: 'bytes32' },
    { name: 'provider', type: 'address' },
    { name: 'requester', type: 'address' },
    { name: 'channelId', type: 'bytes32' },
    { name: 'lane', type: 'uint32' },
    { name: 'tier', type: 'uint8' },
    { name: 'inputRoot', type: 'bytes32' },
    { name: 'traceKeyHash', type: 'bytes32' },
    { name: 'inputCount', type: 'uint32' },
    { name: 'outputCountMax', type: 'uint32' },
    { name: 'sampler', type: 'Sampler' },
    { name: 'inputPrice', type: 'uint128' },
    { name: 'outputPrice', type: 'uint128' },
    { name: 'expiresAt', type: 'uint64' },
    { name: 'nonce', type: 'bytes32' },
  ],
  Sampler: [
    { name: 'tau', type: 'uint32' },
    { name: 'topK', type: 'uint32' },
    { name: 'topP', type: 'uint32' },
    { name: 'minP', type: 'uint32' },
    { name: 'seed', type: 'bytes32' },
    { name: 'stopIds', type: 'uint32[]' },
    { name: 'controls', type: 'bytes32' },
  ],
} as const;

export const STREAM_HEAD_TYPES = {
  StreamHead: [
    { name: 'jobId', type: 'bytes32' },
    { name: 'count', type: 'uint32' },
    { name: 'head', type: 'bytes32' },
  ],
} as const;

export const RECEIPT_TYPES = {
  Receipt: [
    { name: 'jobId', type: 'bytes32' },
    { name: 'outputRoot', type: 'bytes32' },
    { name: 'outputCount', type: 'uint32' },
    { name: 'finish', type: 'uint8' },
    { name: 'streamHead', type: 'bytes32' },
    { name: 'price', type: 'uint128' },
    { name: 'completedAt', type: 'uint64' },
  ],
} as const;

export const TRACE_TYPES = {
  Trace: [
    { name: 'jobId', type: 'bytes32' },
    { name: 'root', type: 'bytes32' },
  ],
} as const;

export const PLANT_TYPES = {
  Plant: [
    { name: 'jobId', type: 'bytes32' },
    { name: 'root', type: 'bytes32' },
  ],
} as const;

export const AUDIT_REQUEST_TYPES = {
  AuditRequest: [
    { name: 'provider', type: 'address' },
    { name: 'epoch', type: 'uint64' },
    { name: 'index', type: 'uint64' },
    { name: 'place', type: 'uint8' },
    { name: 'expiresAt', type: 'uint64' },
  ],
} as const;

/** Where a message counts: one contract on one chain, so that it can be replayed on no other. */
export type Domain = {
  readonly name: string;
  readonly version: string;
  readonly chainId: number;
  readonly verifyingContract: Address;
};

/** Domain of channels and vouchers; `contract` is the settlement contract. */
export const settlementDomain = (chainId: number, contract: Address): Domain => ({
  name: 'x402 Batch Settlement',
  version: '1',
  chainId,
  verifyingContract: contract,
});

/** Domain of jobs, stream heads and receipts; `contract` is the receipts contract. */
export const computeDomain = (chainId: number, contract: Address): Domain => ({
  name: 'Assay Compute',
  version: '1',
  chainId,
  verifyingContract: contract,
});

/** Domain of planted faults and requests of audits; `contract` is the audits contract. */
export const auditDomain = (chainId: number, contract: Address): Domain => ({
  name: 'Assay Audits',
  version: '1',
  chainId,
  verifyingContract: contract,
});

export type ChannelConfig = {
  readonly payer: Address;
  /** Key that signs vouchers; the zero address means the payer itself (ERC-1271 allowed). */
  readonly payerAuthorizer: Address;
  readonly receiver: Address;
  readonly receiverAuthorizer: Address;
  readonly token: Address;
  /** Seconds between the payer's request to withdraw and the withdrawal. */
  readonly withdrawDelay: number;
  readonly salt: Hex;
};

/** x402 voucher: pays lane 0 of a channel, up to a cumulative amount in atomic units. */
export type Voucher = { readonly channelId: Hex; readonly maxClaimableAmount: bigint };

/** Voucher of one lane, cumulative per lane, acknowledging every receipt under `receiptRoot`. */
export type LaneVoucher = Voucher & { readonly lane: number; readonly receiptRoot: Hex };

/**
 * Everything that decides which token comes next, besides the logits (docs/reference: sampling).
 * `tau` is round(log2(e) / temperature * 2^16), 0 for greedy; `topK` 0 is off; `topP` and `minP` are Q30 fractions, 0
 * is off.
 */
export type Sampler = {
  readonly tau: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly seed: Hex;
  readonly stopIds: readonly number[];
  /** Hash of the job's controls (docs/reference/messages.md): penalties, biases, grammar; zero if it has none. */
  readonly controls: Hex;
};

/** {@link Sampler}'s `controls` of a job without any. */
export const NO_CONTROLS: Hex = `0x${'00'.repeat(32)}`;

export type Job = {
  readonly modelId: Hex;
  readonly provider: Address;
  readonly requester: Address;
  readonly channelId: Hex;
  readonly lane: number;
  readonly tier: number;
  /** {@link commitTokens} of the prompt. */
  readonly inputRoot: Hex;
  /** {@link traceKeyHash} of the job's salt: lets a dispute show the trace key, and never the salt. */
  readonly traceKeyHash: Hex;
  readonly inputCount: number;
  readonly outputCountMax: number;
  readonly sampler: Sampler;
  /** Atomic units per million input tokens. */
  readonly inputPrice: bigint;
  /** Atomic units per million output tokens. */
  readonly outputPrice: bigint;
  /** Unix seconds after which a provider must refuse to start. */
  readonly expiresAt: bigint;
  readonly nonce: Hex;
};

export type StreamHead = { readonly jobId: Hex; readonly count: number; readonly head: Hex };

/** Why a stream ended: a stop id, the limit, or the requester hanging up. */
export const FINISH = { stop: 0, length: 1, cancelled: 2 } as const;
export type Finish = (typeof FINISH)[keyof typeof FINISH];

export type Receipt = {
  readonly jobId: Hex;
  readonly outputRoot: Hex;
  readonly outputCount: number;
  readonly finish: Finish;
  readonly streamHead: Hex;
  /** Atomic units for the whole job. */
  readonly price: bigint;
  /** Unix seconds by the provider's clock; information only. */
  readonly completedAt: bigint;
};

/** By which a provider commits itself to the trace of a job (docs/reference/court.md), when somebody asks. */
export type Trace = { readonly jobId: Hex; readonly root: Hex };

/** By which a requester agrees that a fault is planted in its job, under a root that the provider signs. */
export type Plant = { readonly jobId: Hex; readonly root: Hex };

/** By which the holder of a drawn seat asks the provider for a receipt; it never goes on chain. */
export type AuditRequest = {
  readonly provider: Address;
  readonly epoch: bigint;
  readonly index: bigint;
  readonly place: number;
  /** Unix seconds. */
  readonly expiresAt: bigint;
};

const hashChannelStruct = compileStruct<ChannelConfig>(CHANNEL_TYPES, 'ChannelConfig');
const hashVoucherStruct = compileStruct<Voucher>(VOUCHER_TYPES, 'Voucher');
const hashLaneVoucherStruct = compileStruct<LaneVoucher>(LANE_VOUCHER_TYPES, 'LaneVoucher');
const hashJobStruct = compileStruct<Job>(JOB_TYPES, 'Job');
const hashStreamHeadStruct = compileStruct<StreamHead>(STREAM_HEAD_TYPES, 'StreamHead');
const hashReceiptStruct = compileStruct<Receipt>(RECEIPT_TYPES, 'Receipt');
const hashTraceStruct = compileStruct<Trace>(TRACE_TYPES, 'Trace');

const hashPlantStruct = compileStruct<Plant>(PLANT_TYPES, 'Plant');
const hashAuditRequestStruct = compileStruct<AuditRequest>(AUDIT_REQUEST_TYPES, 'AuditRequest');

/** A channel is its terms: their digest is its id. */
export const channelId = (domain: Domain, config: ChannelConfig): Hex =>
  hashMessage(domain, hashChannelStruct, config);

export const hashVoucher = (domain: Domain, voucher: Voucher): Hex =>
  hashMessage(domain, hashVoucherStruct, voucher);

export const hashLaneVoucher = (domain: Domain, voucher: LaneVoucher): Hex =>
  hashMessage(domain, hashLaneVoucherStruct, voucher);

/** A job's id is the digest that its requester signs; receipts and URLs use it. */
export const jobId = (domain: Domain, job: Job): Hex => hashMessage(domain, hashJobStruct, job);

export const hashStreamHead = (domain: Domain, head: StreamHead): Hex =>
  hashMessage(domain, hashStreamHeadStruct, head);

export const hashReceipt = (domain: Domain, receipt: Receipt): Hex =>
  hashMessage(domain, hashReceiptStruct, receipt);

export const hashTrace = (domain: Domain, trace: Trace): Hex =>
  hashMessage(domain, hashTraceStruct, trace);

export const hashPlant = (domain: Domain, plant: Plant): Hex =>
  hashMessage(domain, hashPlantStruct, plant);

export const hashAuditRequest = (domain: Domain, request: AuditRequest): Hex =>
  hashMessage(domain, hashAuditRequestStruct, request);
