/**
 * A market on a fake clock: the chain's rules, a wire that takes a block or as long as a censor likes, and gas that
 * everybody pays for what he sends. It knows nothing of strategies.
 */
import { type Clock, createClock } from './clock.js';
import { AUDITS, type Chain, createChain, STAKE, stakeOf, vaultOf } from './contracts.js';
import { balanceOf, issue, OUTSIDE, pay, Refused } from './ledger.js';
import type { Plan } from './plans.js';
import { type Random, randomFrom } from './random.js';
import { BLOCK_SECONDS, type Terms } from './terms.js';

/** Gas of a transaction; contracts/snapshots/dispute-gas.json, and `assay demo dispute` for the proof. */
export const GAS = {
  open: 67_585n,
  answer: 60_468n,
  reveal: 67_121n,
  choose: 50_040n,
  // Not in the snapshot by themselves: like a reveal.
  show: 67_121n,
  again: 50_040n,
  timeOut: 117_668n,
  commit: 46_020n,
  convict: 278_277n,
  claimBounty: 50_040n,
} as const;

export type World = {
  readonly clock: Clock;
  readonly chain: Chain;
  readonly random: Random;
  readonly plan: Plan;
  readonly refusals: Map<string, number>;
  /** What draws the receipts of a provider. */
  readonly beacons: Map<string, `0x${string}`>;
  audits: number;
};

/** What everybody begins with: enough for any of these games. */
const PURSE = { token: 10n ** 12n, coin: 1_000n * 10n ** 18n };

export function createWorld(
  plan: Plan,
  { terms, seed }: { readonly terms: Terms; readonly seed: number },
): World {
  const clock = createClock();
  const chain = createChain(terms, clock.now);
  const random = randomFrom(seed);
  return { clock, chain, plan, random, refusals: new Map(), beacons: new Map(), audits: 0 };
}

export const join = ({ chain }: World, name: string): void => issue(chain.ledger, name, PURSE);

export type Sent = {
  readonly by: string;
  readonly gas: keyof typeof GAS;
  readonly run: () => void;
  /** What the sender does when it has happened. */
  readonly after?: () => void;
};

/** Sends a transaction: it is in the next block, or in the first one after its sender is censored no more. */
export function send(world: World, sent: Sent): void {
  const { clock, chain, plan } = world;
  const { censorship } = plan;
  const arrival = clock.now() + BLOCK_SECONDS;
  const censored =
    censorship?.whom.includes(sent.by) === true &&
    arrival >= censorship.from &&
    arrival < censorship.until;
  clock.at(censored ? censorship.until : arrival, () => {
    const amount = GAS[sent.gas] * chain.terms.gasPrice;
    try {
      sent.run();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      // Senders simulate first: what would be refused costs nothing.
      world.refusals.set(error.code, (world.refusals.get(error.code) ?? 0) + 1);
      return;
    }
    pay(chain.ledger, { kind: 'coin', from: sent.by, to: OUTSIDE, amount });
    sent.after?.();
  });
}

/** What somebody has gained, in atomic units; stake, bonds and unpaid earnings count in full, at whatever risk they are. */
export function gainOf({ chain }: World, name: string): bigint {
  const { ledger, terms } = chain;
  const held = balanceOf(ledger, 'token', name) + balanceOf(ledger, 'token', vaultOf(name));
  const coin = balanceOf(ledger, 'coin', name) - PURSE.coin;
  const atRisk = stakeOf(chain, name).staked + (chain.seats.get(name)?.bond ?? 0n);
  return held + atRisk - PURSE.token + coin / terms.weiPerUnit;
}

/** Whether every unit that came in is held by somebody, and every contract holds what it owes. */
export function checkMoney({
  ledger,
  stakes,
  batches,
  seats,
  disputes,
  verdicts,
  remainders,
}: Chain): void {
  const sum = (amounts: Iterable<bigint>): bigint => [...amounts].reduce((a, b) => a + b, 0n);
  for (const kind of ['token', 'coin'] as const)
    mustBe(sum(ledger.held[kind].values()) === ledger.issued[kind], `${kind} in = held + out`);
  const staked = sum([...stakes.values()].map((one) => one.staked));
  mustBe(balanceOf(ledger, 'token', STAKE) === staked, 'stake held = stake owed');
  const sitting = sum([...seats.values()].map(({ bond }) => bond));
  mustBe(balanceOf(ledger, 'token', AUDITS) === sitting, 'bonds held = bonds of seats');
  const unpaid = sum([...verdicts.values()].map((one) => (one.paid ? 0n : one.taken)));
  const kept = sum([...remainders.values()].map(({ amount }) => amount));
  mustBe(balanceOf(ledger, 'token', 'contract:court') === unpaid + kept, 'court holds verdicts');
  const bonds = sum([...disputes.values()].map(({ bond }) => bond));
  mustBe(balanceOf(ledger, 'coin', 'contract:court') === bonds, 'court holds bonds');
  for (const [provider, { amount }] of batches)
    mustBe(amount <= balanceOf(ledger, 'token', vaultOf(provider)), 'batch is in the vault');
}

function mustBe(holds: boolean, invariant: string): void {
  if (!holds) throw new Error(`broken: ${invariant}`);
}
