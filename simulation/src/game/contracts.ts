/**
 * Stake and vaults as the contracts keep them (contracts/settlement/Stake.sol, contracts/dispute/Vault.sol), rule by
 * rule, without signatures and hashes. Whether a receipt is wrong is a fact of the game; that courts find it out is
 * shown elsewhere.
 */
import type { Dispute, Job, Verdict } from './court.js';
import { balanceOf, createLedger, type Ledger, pay, Refused } from './ledger.js';
import type { Terms } from './terms.js';

export type StakePosition = { staked: bigint; requested: bigint; readyAt: number };
export type Batch = { amount: bigint; readyAt: number };

export type Chain = {
  readonly terms: Terms;
  readonly ledger: Ledger;
  /** Seconds. */
  readonly now: () => number;
  readonly stakes: Map<string, StakePosition>;
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
export const vaultOf = (provider: string): string => `vault:${provider}`;

export const createChain = (terms: Terms, now: () => number): Chain => ({
  ...{ terms, now, ledger: createLedger(), stakes: new Map(), batches: new Map() },
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
