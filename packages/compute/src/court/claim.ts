/** What the court is handed: claims, models, disputes and verdicts as its interface (contracts/dispute/ICourt.sol) has them. */
import type { Address, Hex, Job, Receipt, ReceiptEnvelope } from '@assay/protocol';
import { beginPlace, type Place } from './descent.js';
import { PHASES, type Phase } from './phase.js';

export type CourtClaim = { readonly job: Job; readonly receipt: Receipt; readonly signature: Hex };

/** A root that a provider signed for the trace of a job; {@link NO_TRACE} where the proof needs none. */
export type SignedTrace = { readonly root: Hex; readonly signature: Hex };

export type CourtProof = { readonly kind: number; readonly data: Hex };

/** The committed parts of a model, as its id hashes them. */
export type CourtModel = {
  readonly weightsRoot: Hex;
  readonly graphRoot: Hex;
  readonly tablesRoot: Hex;
  readonly tokenizerHash: Hex;
  readonly templateHash: Hex;
  readonly boundsHash: Hex;
  readonly specId: Hex;
};

/** One challenger against the provider of one job. The court stores its hash; whoever moves hands it in. */
export type Dispute = {
  readonly jobId: Hex;
  readonly challenger: Address;
  readonly provider: Address;
  /** Index into `PHASES`. */
  readonly phase: number;
  /** Walks that the challenger may still ask for. */
  readonly walks: number;
  /** Positions that the trace must have. */
  readonly positions: number;
  /** Seconds that a side has left for all its moves. */
  readonly challengerTime: number;
  readonly providerTime: number;
  /** Unix seconds since which the side to move is thinking. */
  readonly movedAt: bigint;
  readonly receiptHash: Hex;
  readonly traceRoot: Hex;
  /** Hash of the nodes shown last. */
  readonly children: Hex;
  /** Wei. */
  readonly bond: bigint;
  readonly place: Place;
};

/** A conviction that waits for its delay; amounts in atomic units. */
export type CourtVerdict = {
  readonly jobId: Hex;
  readonly provider: Address;
  readonly requester: Address;
  readonly claimant: Address;
  readonly committedAt: bigint;
  readonly proofHash: Hex;
  readonly releaseAt: bigint;
  readonly price: bigint;
  readonly taken: bigint;
  /** The part of it that was stake. */
  readonly slashed: bigint;
};

/** Fixed terms of a court; times in seconds, bond in wei. */
export type CourtTerms = {
  readonly clock: number;
  readonly window: number;
  readonly releaseDelay: number;
  readonly bond: bigint;
};

/** Walks down a trace in one dispute, as the contract has it. */
const WALKS_MAX = 4;

const ZERO: Hex = `0x${'00'.repeat(32)}`;

export const NO_TRACE: SignedTrace = { root: ZERO, signature: '0x' };

/** For kinds of proof that need no model. */
export const NO_MODEL: CourtModel = {
  weightsRoot: ZERO,
  graphRoot: ZERO,
  tablesRoot: ZERO,
  tokenizerHash: ZERO,
  templateHash: ZERO,
  boundsHash: ZERO,
  specId: ZERO,
};

/** A receipt as the court takes it. */
export const claimOf = (
  envelope: Pick<ReceiptEnvelope, 'job' | 'receipt' | 'receiptSignature'>,
): CourtClaim => ({
  job: envelope.job,
  receipt: envelope.receipt,
  signature: envelope.receiptSignature,
});

export const phaseOf = ({ phase }: Pick<Dispute, 'phase'>): Phase => PHASES[phase]!;

/** The state right after a dispute was opened, which its event leaves out. */
export const openedDispute = (
  opened: Pick<Dispute, 'jobId' | 'challenger' | 'provider' | 'receiptHash'> & {
    readonly openedAt: bigint;
    readonly positions: number;
  },
  terms: CourtTerms,
): Dispute => ({
  jobId: opened.jobId,
  challenger: opened.challenger,
  provider: opened.provider,
  phase: PHASES.indexOf('answering'),
  walks: WALKS_MAX - 1,
  positions: opened.positions,
  challengerTime: terms.clock,
  providerTime: terms.clock,
  movedAt: opened.openedAt,
  receiptHash: opened.receiptHash,
  traceRoot: ZERO,
  children: ZERO,
  bond: terms.bond,
  place: { ...beginPlace(ZERO), level: 0 },
});

/** Last second, Unix, in which the side to move may move. */
export function clockEnds(dispute: Dispute): bigint {
  const phase = phaseOf(dispute);
  const challengers = phase === 'choosing' || phase === 'proving';
  const left = challengers ? dispute.challengerTime : dispute.providerTime;
  return dispute.movedAt + BigInt(left);
}
