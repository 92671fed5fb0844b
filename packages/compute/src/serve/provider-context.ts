/**
 * What a provider works with: its keys, models, store and clock as they are handed in, the jobs that run, and the words
 * that admission and streaming share. Decides nothing.
 */
import {
  type ChannelConfig,
  type Controls,
  computeDomain,
  type Hex,
  hashLaneVoucher,
  type Job,
  type JobRequest,
  type ModelInfo,
  type ReceiptEnvelope,
  type SignedLaneVoucher,
  settlementDomain,
} from '@assay/protocol';
import * as errors from '../errors.js';
import { type Lane, newLane } from '../lane.js';
import type { CheckSignature } from '../signature.js';
import type { Market, Signer } from '../types.js';

/** Tokens as they are made, and what the job's controls ask for about them: equally many bytes for each. */
export type Generated = { readonly tokens: readonly number[]; readonly detail?: Uint8Array };

/**
 * Makes tokens; ends after a stop id or `job.outputCountMax`, and soon after `signal` fires. For an embedding it makes
 * one piece without tokens, whose detail is the vector.
 */
export type Generate = (input: {
  readonly job: Job;
  readonly inputTokens: readonly number[];
  /** Bytes of `job.sampler.controls`. */
  readonly controls?: Hex;
  readonly signal: AbortSignal;
}) => AsyncIterable<Generated>;

export type ServedModel = { readonly info: ModelInfo; readonly generate: Generate };

/** What the chain says about a channel. */
export type FundedChannel = {
  /** Atomic units in the channel, claimed ones included. */
  readonly balance: bigint;
  readonly totalClaimed: bigint;
  /** The payer asked for its money back; new work would race the withdrawal. */
  readonly withdrawing: boolean;
};

/** A job with the tokens that its last voucher paid for. */
export type OpenJob = {
  readonly jobId: Hex;
  readonly request: JobRequest;
  readonly tokens: readonly number[];
  /** Details of these tokens, if the job has any. */
  readonly detail?: Hex;
};

/** Durable memory; every method returns only once its write would survive the end of the process. */
export type ProviderStore = {
  /** Remembers the terms of a channel: claims need them, and the chain knows only their hash. */
  readonly saveChannel: (channelId: Hex, config: ChannelConfig) => void;
  readonly loadLane: (channelId: Hex, lane: number) => Lane | undefined;
  /** Lane, voucher and the job that it pays for change together, or not at all. */
  readonly saveLane: (lane: Lane, voucher?: SignedLaneVoucher, open?: OpenJob) => void;
  readonly loadVoucher: (channelId: Hex, lane: number) => SignedLaneVoucher | undefined;
  readonly committed: (channelId: Hex) => bigint;
  readonly openJobs: () => readonly OpenJob[];
  readonly dropOpenJob: (jobId: Hex) => void;
  /** Stores the receipt, the lane it leaves behind, and forgets the open job: one transaction. */
  readonly finishJob: (envelope: ReceiptEnvelope, lane: Lane) => void;
  readonly loadReceipt: (jobId: Hex) => ReceiptEnvelope | undefined;
};

export type ProviderContext = {
  readonly signer: Signer;
  readonly isSignedBy: CheckSignature;
  readonly market: Market;
  readonly models: ReadonlyMap<Hex, ServedModel>;
  /** State of a channel; it may be some seconds old as long as its balance is `needed` or more. */
  readonly readChannel: (channelId: Hex, needed: bigint) => Promise<FundedChannel>;
  readonly store: ProviderStore;
  readonly nowMs: () => number;
  /** Resolves after `ms`, or earlier when `signal` fires. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly withdrawDelayMinSeconds?: number;
};

/** A job that passed every check and holds its lane. */
export type AdmittedJob = { readonly jobId: Hex; readonly request: JobRequest };

/** A provider at work: its context, and what must not be done twice at once. Made by {@link createProvider}. */
export type Provider = ProviderContext & {
  readonly running: Map<Hex, RunningJob>;
  /** Amount that running jobs may still cost, per channel. */
  readonly reserved: Map<Hex, bigint>;
  /** Lanes taken between the first check and the last token. */
  readonly lanesTaken: Set<string>;
};

export type RunningJob = AdmittedJob & {
  lane: Lane;
  readonly tokens: number[];
  readonly controls: Controls;
  /** Details as they were made, in pieces that end where heads do; of an embedding, the vector. */
  readonly details: Uint8Array[];
  /** Pieces that the last head covers. */
  detailsSigned: number;
  /** Signed heads: tokens covered by each. */
  readonly heads: number[];
  head: Hex;
  readonly abort: AbortController;
  /** What the engine makes; it began when the job was admitted. */
  readonly generated: AsyncIterable<Generated>;
  cancelled: boolean;
  /** Resolves waiters when a voucher arrives. */
  wake: () => void;
};

export const createProvider = (context: ProviderContext): Provider => ({
  ...context,
  running: new Map(),
  reserved: new Map(),
  lanesTaken: new Set(),
});

export const jobDomain = ({ market }: Provider) => computeDomain(market.chainId, market.receipts);
export const paymentDomain = ({ market }: Provider) =>
  settlementDomain(market.chainId, market.channels);
export const laneKey = (channel: Hex, lane: number): string => `${channel}/${lane}`;
export const loadLane = ({ store }: Provider, channel: Hex, lane: number): Lane =>
  store.loadLane(channel, lane) ?? newLane(channel, lane);

/** Throws `wrong_signature` unless whoever may spend the channel signed the voucher. */
export async function assertVoucherSigned(
  provider: Provider,
  channel: ChannelConfig,
  signed: SignedLaneVoucher,
): Promise<void> {
  const authorizer =
    BigInt(channel.payerAuthorizer) === 0n ? channel.payer : channel.payerAuthorizer;
  if (
    !(await provider.isSignedBy(
      authorizer,
      hashLaneVoucher(paymentDomain(provider), signed.voucher),
      signed.signature,
    ))
  )
    throw errors.wrongSignature('voucher', authorizer);
}
