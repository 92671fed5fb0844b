/**
 * What a game is made of, as data: who takes part, what each of them is up to, and which of them share what they gain.
 */
import type { Terms } from './terms.js';

export type ProviderPlan = {
  readonly name: string;
  readonly stake: bigint;
  readonly jobs: number;
  /** Seconds between two jobs. */
  readonly spacing: number;
  /** Share of jobs that are not computed. */
  readonly wrongShare: number;
  /** How it answers for its traces: signs their roots when asked, answers on chain only, or never. */
  readonly answers: 'signs' | 'chain' | 'never';
  /** Asks for its stake back at that time, in seconds. */
  readonly leavesAt?: number;
  /** At that time an accomplice convicts it of its first cheat. */
  readonly convictsItselfAt?: number;
  /** An accomplice opens an idle dispute about every wrong job that is drawn for an audit, before its verdict. */
  readonly shielded?: boolean;
  /** An accomplice commits to the proof about every such job, and claims the bounty of whoever sends it. */
  readonly commitsAhead?: boolean;
  /** Buys its own jobs. */
  readonly dealsWithItself?: boolean;
};

export type VerifierPlan = {
  readonly name: string;
  /**
   * Honest ones compute. Lazy ones say Right under a root of their own making. Those in league are told the root by the
   * provider that cheats; those that believe take the root that leaks from anybody. Absent ones say nothing.
   */
  readonly kind: 'honest' | 'lazy' | 'inLeague' | 'believes' | 'absent';
};

/** Disputes jobs of an honest provider that are right, as slowly as it may. */
export type ChallengerPlan = { readonly name: string; readonly against: string };

/** Transactions of `whom` that are sent in between arrive when it is over. */
export type Censorship = {
  readonly from: number;
  readonly until: number;
  readonly whom: readonly string[];
};

export type Plan = {
  readonly providers: readonly ProviderPlan[];
  readonly verifiers: readonly VerifierPlan[];
  readonly challengers: readonly ChallengerPlan[];
  readonly censorship?: Censorship;
};

export type Scenario = {
  readonly name: string;
  readonly about: string;
  /** Items of the adversarial list. */
  readonly items: readonly number[];
  readonly plan: Plan;
  /** The same people without the attack. */
  readonly honest: Plan;
  /** Whose gains are added. */
  readonly attackers: readonly string[];
  /** A rule that, broken, makes the attack pay. */
  readonly broken: { readonly rule: string; readonly terms: Terms; readonly plan?: Plan };
  /** The attack pays today. What would have to change, which a test shows to be enough. */
  readonly gap?: { readonly reason: string; readonly fixed: Terms };
};

/** Who helps a provider that disputes itself. */
export const accompliceOf = (provider: string): string => `accomplice of ${provider}`;
