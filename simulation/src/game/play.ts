/**
 * One market from its first job to the last burned unit: providers sell, verifiers audit and prosecute, challengers and
 * accomplices do what their plan says. Returns who gained what.
 */
import { audit, type Drawn, isDrawn, takeSeats } from './audits.js';
import {
  collect,
  depositStake,
  requestWithdrawal,
  stakeOf,
  vaultOf,
  withdrawStake,
} from './contracts.js';
import {
  burn,
  claimBounty,
  commit,
  convict,
  type Dispute,
  type Job,
  release,
  returnBond,
} from './court.js';
import { dispute } from './dispute-play.js';
import { BURNED, balanceOf, issue, OUTSIDE, pay, Refused } from './ledger.js';
import { accompliceOf, type Plan, type ProviderPlan } from './plans.js';
import { DAY, DEFAULT_TERMS, HOUR, type Terms } from './terms.js';
import { checkMoney, createWorld, gainOf, join, send, type World } from './world.js';

export type Outcome = {
  /** Atomic units, by name. */
  readonly gains: ReadonlyMap<string, bigint>;
  /** Providers that were convicted, and when first. */
  readonly convicted: ReadonlyMap<string, number>;
  readonly jobs: number;
  readonly wrong: number;
  readonly audits: number;
  readonly burned: bigint;
  /** Seconds after its last job at which a provider had all its money, if it did. */
  readonly paidAfter: ReadonlyMap<string, number>;
};

/** Jobs end within days; stake leaves after a week, verdicts are paid after another, the rest burns after a third. */
const HORIZON = 40 * DAY;
/** How often providers collect, and somebody cleans up. */
const COLLECT_INTERVAL = 6 * HOUR;
/** Seconds by which an accomplice is earlier than a verifier. */
const AHEAD = 60;
/** Between a job and its `expiresAt`. */
const JOB_LIFE = 300;

export const requesterOf = (plan: ProviderPlan): string =>
  plan.dealsWithItself === true ? accompliceOf(plan.name) : 'requesters';

export function play(
  plan: Plan,
  { seed, terms = DEFAULT_TERMS }: { readonly seed: number; readonly terms?: Terms },
): Outcome {
  const world = createWorld(plan, { terms, seed });
  const paidAfter = new Map<string, number>();
  for (const name of namesOf(plan)) join(world, name);
  takeSeats(world);
  for (const provider of plan.providers) startProvider(world, provider, paidAfter);
  for (const { name, against } of plan.challengers) startChallenger(world, name, against);
  for (let at = 0; at < HORIZON; at += COLLECT_INTERVAL) world.clock.at(at, () => cleanUp(world));
  world.clock.runUntil(HORIZON);
  checkMoney(world.chain);
  return outcomeOf(world, paidAfter);
}

function namesOf({ providers, verifiers, challengers }: Plan): ReadonlySet<string> {
  return new Set([
    'requesters',
    ...providers.flatMap(({ name }) => [name, accompliceOf(name)]),
    ...[...verifiers, ...challengers].map(({ name }) => name),
  ]);
}

function startProvider(world: World, plan: ProviderPlan, paidAfter: Map<string, number>): void {
  const { clock, chain } = world;
  const { name } = plan;
  if (plan.stake > 0n) depositStake(chain, name, plan.stake);
  for (let number = 0; number < plan.jobs; number++)
    clock.at(number * plan.spacing, () => sell(world, plan, number));
  for (let at = 0; at < HORIZON; at += COLLECT_INTERVAL) {
    clock.at(at, () => {
      collect(chain, name);
      const empty = balanceOf(chain.ledger, 'token', vaultOf(name)) === 0n;
      const end = plan.jobs * plan.spacing;
      if (at > end && empty && !paidAfter.has(name)) paidAfter.set(name, at - end);
    });
  }
  if (plan.leavesAt !== undefined) leave(world, name, plan.leavesAt);
  if (plan.convictsItselfAt !== undefined)
    clock.at(plan.convictsItselfAt, () => convictItself(world, plan));
}

function leave({ clock, chain }: World, name: string, at: number): void {
  clock.at(at, () => requestWithdrawal(chain, name, stakeOf(chain, name).staked));
  clock.at(at + chain.terms.stakeWithdrawDelay, () => attempt(() => withdrawStake(chain, name)));
}

function sell(world: World, plan: ProviderPlan, number: number): void {
  const { chain, clock, random } = world;
  const { price, cost, cheatCost, emission, audits } = chain.terms;
  const { name } = plan;
  // Gateways see a conviction and send no more jobs.
  if ([...chain.verdicts.values()].some(({ job }) => job.provider === name)) return;
  const wrong = random.chance(plan.wrongShare);
  const id = `${name}/${number}`;
  const expiresAt = clock.now() + JOB_LIFE;
  const job: Job = { id, provider: name, requester: requesterOf(plan), price, wrong, expiresAt };
  chain.jobs.set(id, job);
  const spent = wrong ? cheatCost : cost;
  pay(chain.ledger, { kind: 'token', from: name, to: OUTSIDE, amount: spent });
  const payment = { kind: 'token', from: job.requester, to: vaultOf(name), amount: price } as const;
  pay(chain.ledger, payment);
  issue(chain.ledger, name, { token: emission, coin: 0n });
  if (!isDrawn(world, { job, number })) return;
  if (wrong) prepare(world, plan, job);
  clock.at(clock.now() + audits.latency, () => look(world, { job, number }));
}

/** What an accomplice does between the draw of an audit, which all can see, and its verdict. */
function prepare(world: World, plan: ProviderPlan, job: Job): void {
  const { chain, clock } = world;
  const by = accompliceOf(plan.name);
  if (plan.commitsAhead === true)
    send(world, { by, gas: 'commit', run: () => commit(chain, job, by) });
  if (plan.shielded !== true) return;
  const sides = { providerAnswers: true, challenger: 'idles' } as const;
  clock.at(clock.now() + chain.terms.audits.latency - AHEAD, () => dispute(world, job, by, sides));
}

function look(world: World, drawn: Drawn): void {
  const finder = audit(world, drawn);
  if (drawn.job.wrong && finder !== undefined) prosecute(world, drawn.job, finder);
}

// CASES

function prosecute(world: World, job: Job, by: string): void {
  const { chain } = world;
  const { answers } = world.plan.providers.find((one) => one.name === job.provider)!;
  // The second conviction of a provider takes nothing, but its verdict is what the bonds of this audit hang on.
  if (answers === 'signs') {
    const prove = () => send(world, { by, gas: 'convict', run: () => convict(chain, job, by) });
    send(world, { by, gas: 'commit', run: () => commit(chain, job, by), after: prove });
  } else {
    dispute(world, job, by, { providerAnswers: answers === 'chain', challenger: 'proves' });
  }
}

/** The accomplice knows what is wrong before any verifier does. */
function convictItself(world: World, plan: ProviderPlan): void {
  const { chain } = world;
  const by = accompliceOf(plan.name);
  const job = [...chain.jobs.values()].find((one) => one.provider === plan.name && one.wrong);
  if (job === undefined) return;
  const prove = () => send(world, { by, gas: 'convict', run: () => convict(chain, job, by) });
  send(world, { by, gas: 'commit', run: () => commit(chain, job, by), after: prove });
}

/** Disputes the first job of somebody who is right, and plays on as long as the rules allow. */
function startChallenger(world: World, by: string, against: string): void {
  const target = world.plan.providers.find(({ name }) => name === against)!;
  world.clock.at(HOUR, () => {
    const job = world.chain.jobs.get(`${against}/0`);
    if (job === undefined) return;
    const providerAnswers = target.answers !== 'never';
    dispute(world, job, by, { providerAnswers, challenger: 'stalls' });
  });
}

// AFTERWARDS

/** What anybody may call, and somebody always does. */
function cleanUp(world: World): void {
  const { chain, plan } = world;
  for (const { job, paid } of chain.verdicts.values()) {
    const friend = accompliceOf(job.provider);
    if (plan.providers.find(({ name }) => name === job.provider)?.commitsAhead === true && !paid)
      attempt(() => claimBounty(chain, job, friend));
    if (!paid) attempt(() => release(chain, job));
  }
  for (const { name } of plan.providers) attempt(() => burn(chain, name));
  for (const open of [...chain.disputes.values()] as Dispute[])
    attempt(() => returnBond(chain, open));
}

function attempt(run: () => void): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
  }
}

function outcomeOf(world: World, paidAfter: ReadonlyMap<string, number>): Outcome {
  const { chain, plan, audits } = world;
  const jobs = [...chain.jobs.values()];
  const convicted = new Map<string, number>();
  for (const { job, releaseAt } of chain.verdicts.values())
    if (!convicted.has(job.provider))
      convicted.set(job.provider, releaseAt - chain.terms.court.releaseDelay);
  return {
    gains: new Map([...namesOf(plan)].map((name) => [name, gainOf(world, name)])),
    ...{ convicted, paidAfter, jobs: jobs.length, audits },
    wrong: jobs.filter(({ wrong }) => wrong).length,
    burned: balanceOf(chain.ledger, 'token', BURNED),
  };
}
