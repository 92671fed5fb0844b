/**
 * The rules of a game as numbers. `DEFAULT_TERMS` takes the court's, the audits', the vaults' and the stake's
 * from what `assay deploy` deploys on a public chain; whoever changes those, changes the game.
 */
import {
  AUDIT_TERMS,
  type AuditTerms,
  COURT_TERMS,
  type CourtTerms,
  STAKE_WITHDRAW_DELAY_SECONDS,
  VAULT_WINDOW_SECONDS,
} from '@assay/compute';

export type Audits = {
  /** The contract's terms. */
  readonly rules: AuditTerms;
  /** Model only: what a re-computation costs a verifier, in atomic units. */
  readonly cost: bigint;
  /** Model only: share of audits of honest providers that are planted faults. */
  readonly planted: number;
  /** False: Right is paid without the root of the trace, as if everybody believed everybody. */
  readonly rootRequired: boolean;
  /** Seconds from receipt to what agrees being settled: an epoch is posted and drawn at once, then come both phases. */
  readonly latency: number;
};

export type Terms = {
  readonly court: CourtTerms;
  readonly vaultWindow: number;
  readonly stakeWithdrawDelay: number;
  /** Percent of what a conviction takes that its claimant gets. */
  readonly bountyPercent: bigint;
  /** What that percentage is of: the stake alone, as in `Verdicts.release`, or all that was taken. */
  readonly bountyOf: 'taken' | 'stake';
  /** No batch of a vault is larger than the free stake. */
  readonly exposureCap: boolean;
  /** Whose silence loses. */
  readonly silenceLoses: boolean;
  /** How many disputes there may be: one per challenger and job, or one per job. */
  readonly disputesPer: 'challenger' | 'job';
  readonly audits: Audits;
  /** Atomic units: price of a job, and what computing it costs honestly and by cheating. */
  readonly price: bigint;
  readonly cost: bigint;
  readonly cheatCost: bigint;
  /** New money per job, which this network refuses to give; see the farm. */
  readonly emission: bigint;
  /** Wei per gas, and wei that are worth one atomic unit. */
  readonly gasPrice: bigint;
  readonly weiPerUnit: bigint;
};

export const HOUR = 3_600;
export const DAY = 24 * HOUR;
/** A block of the game. */
export const BLOCK_SECONDS = 12;

const PRICE = 10_000n;

export const DEFAULT_TERMS: Terms = {
  court: COURT_TERMS,
  vaultWindow: VAULT_WINDOW_SECONDS,
  stakeWithdrawDelay: STAKE_WITHDRAW_DELAY_SECONDS,
  bountyPercent: 50n,
  bountyOf: 'stake',
  exposureCap: true,
  silenceLoses: true,
  disputesPer: 'challenger',
  // A twentieth of a job's cost for one teacher-forced pass; the fee is twice that, and leaves a margin.
  audits: {
    ...{ rules: AUDIT_TERMS, cost: 500n, planted: 0.05, rootRequired: true },
    latency: AUDIT_TERMS.commitTime + AUDIT_TERMS.revealTime,
  },
  // Cheating saves 80 % of the price, the design's g.
  ...{ price: PRICE, cost: 9_000n, cheatCost: 1_000n, emission: 0n },
  // 0.02 gwei, a usual price of a second layer; a coin of 2,500 dollars.
  ...{ gasPrice: 20_000_000n, weiPerUnit: 400_000_000n },
};

/** Atomic units that a provider of these games has at risk: 2,000 jobs. */
export const DEFAULT_STAKE = 2_000n * PRICE;
