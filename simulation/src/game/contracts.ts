/**
 * Stake and vaults as the contracts keep them (contracts/settlement/Stake.sol, contracts/dispute/Vault.sol), rule by
 * rule, without signatures and hashes. Whether a receipt is wrong is a fact of the game; that courts find it out is
 * shown elsewhere.
 */
import type { Dispute, Job, Verdict } from './court.js';
import { BURNED, balanceOf, createLedger, type Ledger, pay, Refused } from './ledger.js';
import type { Terms } from './terms.js';

export type StakePosition = { staked: bigint; requested: bigint; readyAt: number };
/** What audits took of a stake in the period that ends then. */
export type Period = { charged: bigint; chargedMax: bigint; endsAt: number };
/** What is left of the bond of a verifier, and its silences in a row. */
export type Seat = { readonly bond: bigint; readonly absences: number };
export type Batch = { amount: bigint; readyAt: number };

export type Chain = {
  readonly terms: Terms;
  readonly ledger: Ledger;
  /** Seconds. */
  readonly now: () => number;
  readonly stakes: Map<string, StakePosition>;
  readonly periods: Map<string, Period>;
  readonly seats: Map<string, Seat>;
  readonly batches: Map<string, Batch>;
  readonly jobs: Map<string, Job>;
  readonly disputes: Map<string, Dispute>;
  readonly verdicts: Map<string, Verdict>;
  /** Time at which somebody committed to the proof about a job. */
  readonly commitments: Map<string, number>;
  readonly remainders: Map<string, { amount: bigint; burnAt: number }>;
};

export const STAKE = 'contract:stake';
export const COURT = 'contract:court';
export const AUDITS = 'contract:audits';
/** Part of a stake that audits take at most in one period (contracts/settlement/Stake.sol). */
const CHARGE_DIVISOR = 16n;
export const vaultOf = (provider: string): string => `vault:${provider}`;

export const createChain = (terms: Terms, now: () => number): Chain => ({
  ...{ terms, now, ledger: createLedger(), stakes: new Map(), batches: new Map() },
  ...{ periods: new Map(), seats: new Map() },
  ...{ jobs: new Map(), disputes: new Map(), verdicts: new Map() },
  ...{ commitments: new Map(), remainders: new Map() },
});

export const stakeOf = (chain: Chain, provider: string): StakePosition =>
  chain.stakes.get(provider) ?? { staked: 0n, requested: 0n, readyAt: 0 };

export function depositStake(chain: Chain, provider: string, amount: bigint): void {
  pay(chain.ledger, { kind: 'token', from: provider, to: STAKE, amount });
  const position = stakeOf(chain, provider);
  chain.stakes.set(provider, { ...position, staked: position.staked + amount });
}

export function requestWithdrawal(chain: Chain, provider: string, amount: bigint): void {
  const position = stakeOf(chain, provider);
  if (amount > position.staked) throw new Refused('stake_too_low', provider);
  const readyAt = amount === 0n ? 0 : chain.now() + chain.terms.stakeWithdrawDelay;
  chain.stakes.set(provider, { ...position, requested: amount, readyAt });
}

export function withdrawStake(chain: Chain, provider: string): void {
  const { staked, requested, readyAt } = stakeOf(chain, provider);
  if (requested === 0n) throw new Refused('nothing_to_withdraw', provider);
  if (chain.now() < readyAt) throw new Refused('withdraw_not_ready', provider);
  chain.stakes.set(provider, { staked: staked - requested, requested: 0n, readyAt: 0 });
  pay(chain.ledger, { kind: 'token', from: STAKE, to: provider, amount: requested });
}

/** Sends a fee out of a stake, as far as the period allows; returns what that was. */
export function chargeStake(
  chain: Chain,
  {
    provider,
    to,
    amount,
  }: { readonly provider: string; readonly to: string; readonly amount: bigint },
): bigint {
  const { staked, requested, readyAt } = stakeOf(chain, provider);
  let period = chain.periods.get(provider);
  if (period === undefined || chain.now() >= period.endsAt) {
    const endsAt = chain.now() + chain.terms.stakeWithdrawDelay;
    period = { charged: 0n, chargedMax: staked / CHARGE_DIVISOR, endsAt };
  }
  const left = period.chargedMax - period.charged;
  const charged = [amount, left, staked].reduce((least, one) => (one < least ? one : least));
  if (charged === 0n) return 0n;
  chain.periods.set(provider, { ...period, charged: period.charged + charged });
  const rest = staked - charged;
  chain.stakes.set(provider, {
    ...{ staked: rest, readyAt },
    requested: requested < rest ? requested : rest,
  });
  pay(chain.ledger, { kind: 'token', from: STAKE, to, amount: charged });
  return charged;
}

export function takeSeat(chain: Chain, holder: string): void {
  const { bond } = chain.terms.audits.rules;
  pay(chain.ledger, { kind: 'token', from: holder, to: AUDITS, amount: bond });
  chain.seats.set(holder, { bond, absences: 0 });
}

/** The whole bond is lost; half of it would be a planter's, who plays no part here. */
export function loseSeat(chain: Chain, holder: string): void {
  const seat = chain.seats.get(holder);
  if (seat === undefined) return;
  chain.seats.delete(holder);
  pay(chain.ledger, { kind: 'token', from: AUDITS, to: BURNED, amount: seat.bond });
}

/** Takes the whole stake, on its way out or not. */
export function slashStake(chain: Chain, provider: string): bigint {
  const { staked } = stakeOf(chain, provider);
  chain.stakes.set(provider, { staked: 0n, requested: 0n, readyAt: 0 });
  pay(chain.ledger, { kind: 'token', from: STAKE, to: COURT, amount: staked });
  return staked;
}

/** Pays the batch that is ready and begins the next one; returns what was paid. */
export function collect(chain: Chain, provider: string): bigint {
  const { ledger, terms } = chain;
  const waiting = chain.batches.get(provider) ?? { amount: 0n, readyAt: 0 };
  if (waiting.amount !== 0n && chain.now() < waiting.readyAt) return 0n;
  const vault = vaultOf(provider);
  const rest = balanceOf(ledger, 'token', vault) - waiting.amount;
  const { staked, requested } = stakeOf(chain, provider);
  const free = staked - requested;
  const amount = terms.exposureCap && rest > free ? free : rest;
  chain.batches.set(provider, { amount, readyAt: chain.now() + terms.vaultWindow });
  pay(ledger, { kind: 'token', from: vault, to: provider, amount: waiting.amount });
  return waiting.amount;
}

export function confiscate(chain: Chain, provider: string): bigint {
  const vault = vaultOf(provider);
  const amount = balanceOf(chain.ledger, 'token', vault);
  chain.batches.delete(provider);
  pay(chain.ledger, { kind: 'token', from: vault, to: COURT, amount });
  return amount;
}
