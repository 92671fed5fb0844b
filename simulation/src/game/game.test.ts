/**
 * The listed attacks do not pay at the default parameters, except those that are known to; the rules keep every unit.
 */
import { auditFee, MOVES } from '@assay/compute';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Chain,
  COURT,
  collect,
  createChain,
  depositStake,
  requestWithdrawal,
  stakeOf,
  withdrawStake,
} from './contracts.js';
import {
  burn,
  claimBounty,
  commit,
  convict,
  convictOpened,
  type Job,
  moveDispute,
  openDispute,
  release,
  returnBond,
  timeOut,
} from './court.js';
import {
  auditsPay,
  chanceCaught,
  cheatsUnderBountyOnly,
  exposureMax,
  foundDespite,
  gasPriceCovered,
  jackpotMin,
  lossOfMany,
  lossOfOne,
  overhead,
} from './formulas.js';
import { balanceOf, issue, pay, Refused } from './ledger.js';
import { gainOfAll, type Measured, measure } from './measure.js';
import {
  accompliceOf,
  type Plan,
  type ProviderPlan,
  type Scenario,
  type VerifierPlan,
} from './plans.js';
import { play } from './play.js';
import { HONEST_MARKET, SCENARIOS } from './scenarios.js';
import { DAY, DEFAULT_STAKE, DEFAULT_TERMS, type Terms } from './terms.js';
import { checkMoney, GAS } from './world.js';

const SEEDS = [11, 12, 13, 14, 15];

/** Seconds from a receipt to its conviction, if all take as long as they may. */
const longestCase = ({ court, audits }: Terms): number => DAY + 2 * court.clock + audits.latency;

const known = new Map<string, Measured>();
/** Plays each attack once. */
function measured(scenario: Scenario): Measured {
  const found = known.get(scenario.name) ?? measure(scenario, SEEDS);
  known.set(scenario.name, found);
  return found;
}

const named = (name: string): Scenario => SCENARIOS.find((one) => one.name === name)!;
const gaps = SCENARIOS.filter(({ gap }) => gap !== undefined);
const closed = SCENARIOS.filter(({ gap }) => gap === undefined);

describe('an honest market', () => {
  const outcome = play(HONEST_MARKET, { seed: 1 });

  it('pays who computes, convicts nobody and burns nothing', () => {
    const { price, cost, audits } = DEFAULT_TERMS;
    const places = BigInt(outcome.audits * audits.rules.places);
    // Every place of every audit is paid by its provider, and worked for by its verifier.
    const fees = places * auditFee(price, audits.rules);
    const providers = outcome.gains.get('ada')! + outcome.gains.get('ben')!;
    expect(providers).toBe(1_500n * (price - cost) - fees);
    expect(outcome.convicted.size).toBe(0);
    expect(outcome.burned).toBe(0n);
    const { verifiers } = HONEST_MARKET;
    const paid = verifiers.map(({ name }) => outcome.gains.get(name)!);
    expect(paid.reduce((sum, gain) => sum + gain)).toBe(fees - places * audits.cost);
    for (const gain of paid) expect(gain).toBeGreaterThan(0n);
  });

  it('is the same for the same seed, and another for another', () => {
    expect(play(HONEST_MARKET, { seed: 1 })).toEqual(outcome);
    expect(play(HONEST_MARKET, { seed: 2 }).gains).not.toEqual(outcome.gains);
  });
});

describe('attacks', () => {
  it.each(closed)('$name: does not pay', (scenario) => {
    const { excess, gain } = measured(scenario);
    expect(excess).toBeLessThan(0n);
    expect(gain).toBeLessThan(0n);
  });

  it.each(closed)('$name: pays once a rule is broken', (scenario) => {
    expect(measured(scenario).excessBroken).toBeGreaterThan(0n);
  });

  it('that pay today are none', () => {
    expect(gaps).toEqual([]);
  });
});

describe('verifiers', () => {
  const named = (kind: VerifierPlan['kind']): Plan => ({
    ...HONEST_MARKET,
    verifiers: HONEST_MARKET.verifiers.map((one, i) => (i === 0 ? { ...one, kind } : one)),
  });
  const { rules } = DEFAULT_TERMS.audits;
  const gainAs = (kind: VerifierPlan['kind']): bigint =>
    play(named(kind), { seed: 1 }).gains.get('verifier 1')!;

  it('that make up a root lose their bond', () => {
    expect(gainAs('lazy')).toBe(-rules.bond);
  });

  it('that believe what leaks lose it to a planted fault', () => {
    const gain = gainAs('believes');
    expect(gain).toBeLessThan(-rules.bond / 2n);
  });

  it('that keep silent lose what their places cost the provider, eight times at most', () => {
    expect(gainAs('absent')).toBe(-8n * auditFee(DEFAULT_TERMS.price, rules));
  });

  it('that are honest keep their bonds under every attack', () => {
    for (const { plan } of SCENARIOS) {
      const { gains } = play(plan, { seed: 1 });
      for (const { name } of plan.verifiers.filter(({ kind }) => kind === 'honest'))
        expect(gains.get(name)).toBeGreaterThan(-rules.bond / 2n);
    }
  });

  it('that are in league with an honest provider are paid like the others', () => {
    expect(gainAs('inLeague')).toBe(gainAs('honest'));
  });
});

describe('Sybil challengers', () => {
  const { plan } = named('Sybil challengers');
  const { gains, paidAfter, convicted } = play(plan, { seed: 1 });
  const honest = play(HONEST_MARKET, { seed: 1 });

  it('pay more than their victim loses: bonds cover its gas', () => {
    expect(convicted.size).toBe(0);
    expect(gains.get('ada')! > honest.gains.get('ada')!).toBe(true);
    for (const { name } of plan.challengers) expect(gains.get(name)).toBeLessThan(0n);
  });

  it('delay no payment', () => {
    expect(paidAfter.get('ada')).toBe(honest.paidAfter.get('ada'));
  });
});

describe('a provider that keeps silent', () => {
  const { plan } = named('withheld data');

  it('is convicted by its clock before its stake can leave', () => {
    const { convicted } = play(plan, { seed: 1 });
    const leaves = 3 * DAY + DEFAULT_TERMS.stakeWithdrawDelay;
    expect(convicted.get('cheat')).toBeLessThan(leaves);
  });

  it('is convicted within the window of its earnings, though verifiers are censored for a day', () => {
    const { convicted } = play(named('censored verifiers').plan, { seed: 1 });
    expect(convicted.get('cheat')).toBeLessThan(DEFAULT_TERMS.vaultWindow);
  });
});

describe('a provider that convicts itself', () => {
  const { plan } = named('self-challenge of a full vault');
  const cheat = plan.providers.find(({ name }) => name === 'cheat')!;
  /** What provider and accomplice gain with so many jobs unpaid, all sold before the first audit. */
  const gainWith = (change: Partial<ProviderPlan>): bigint => {
    const others = plan.providers.filter(({ name }) => name !== 'cheat');
    const providers = [...others, { ...cheat, spacing: 5, ...change }];
    return gainOfAll(play({ ...plan, providers }, { seed: 1 }), ['cheat', accompliceOf('cheat')]);
  };

  it('loses however much of unpaid earnings there is', () => {
    const stakeInJobs = Number(DEFAULT_STAKE / DEFAULT_TERMS.price);
    expect(gainWith({ jobs: 1.2 * stakeInJobs })).toBeLessThan(0n);
    expect(gainWith({ jobs: 3 * stakeInJobs })).toBeLessThan(0n);
  });

  it('loses without any stake, too', () => {
    expect(gainWith({ jobs: 100, stake: 0n })).toBeLessThan(0n);
  });
});

describe('a commitment in advance', () => {
  it('costs the verifier its bounty, so that only audits pay it', () => {
    const { plan } = named('commitment in advance');
    const { gains, convicted } = play(plan, { seed: 1 });
    expect(convicted.has('cheat')).toBe(true);
    const best = Math.max(...plan.verifiers.map(({ name }) => Number(gains.get(name))));
    // Fees for audits, which are a hundredth of the bounty that the accomplice took.
    expect(best).toBeLessThan(Number(DEFAULT_STAKE) / 100);
    // Half of the stake, less gas.
    expect(gains.get(accompliceOf('cheat'))).toBeGreaterThan((DEFAULT_STAKE * 2n) / 5n);
  });
});

describe('formulas', () => {
  const { audits, price, cheatCost, cost } = DEFAULT_TERMS;
  const saved = Number(cost - cheatCost);
  const kept = Number(DEFAULT_STAKE) / 2;
  const { rules } = audits;
  const audited = rules.rate / 2 ** 32;
  const odds = { audited, found: foundDespite(1 / 3, rules.places), landed: 0.99 };

  it('1 one cheat does not pay, and did without stake', () => {
    expect(lossOfOne(odds, { saved, kept })).toBeGreaterThan(0);
    expect(lossOfOne(odds, { saved, kept: 0 })).toBeLessThan(0);
    // The design's table: 80.8 R at 1 %.
    const one = { audited: 0.01, found: 1, landed: 0.99 };
    expect(lossOfOne(one, { saved: 0.8, kept: 80.9 })).toBeGreaterThan(0);
    expect(lossOfOne(one, { saved: 0.8, kept: 80.7 })).toBeLessThan(0);
  });

  it('2 many cheats pay from a number on unless earnings are frozen with the stake', () => {
    const count = 10_000;
    const many = { count, saved };
    expect(lossOfMany(odds, { ...many, kept })).toBeLessThan(0);
    const frozen = kept + count * Number(price);
    expect(lossOfMany(odds, { ...many, kept: frozen })).toBeGreaterThan(0);
  });

  it('2 share of games in which 1 % of cheats are found: theory and game', () => {
    const { plan } = named('cheat on 1 %');
    const seeds = Array.from({ length: 40 }, (_, i) => 100 + i);
    const terms = {
      ...DEFAULT_TERMS,
      audits: { ...audits, rules: { ...rules, rate: 0.02 * 2 ** 32 } },
    };
    const games = seeds.map((seed) => play(plan, { seed, terms }));
    const caught = games.filter(({ convicted }) => convicted.has('cheat')).length;
    // 2,000 jobs of which 1 % are wrong, each audited with 2 %.
    const expected = 40 * chanceCaught({ audited: 0.01 * 0.02, found: 1, landed: 1 }, 2_000);
    // Three standard deviations of 40 games at one in three.
    expect(Math.abs(caught - expected)).toBeLessThan(9);
  });

  it('3 a batch may be 1.6 times what could be paid at once, and therefore waits', () => {
    const batch = Number(DEFAULT_STAKE);
    expect(batch / exposureMax(kept, saved / Number(price))).toBeCloseTo(1.6);
    expect(longestCase(DEFAULT_TERMS)).toBeLessThan(DEFAULT_TERMS.vaultWindow);
  });

  it('4 bounties alone leave some cheats', () => {
    expect(cheatsUnderBountyOnly(0.02, 5)).toBeCloseTo(0.004);
    expect(cheatsUnderBountyOnly(0.2, 5)).toBeCloseTo(0.04);
    expect(cheatsUnderBountyOnly(Number(audits.cost), kept)).toBeGreaterThan(0);
  });

  it('5 and 6 audits pay their cost, and laziness loses more than it saves', () => {
    const pays = {
      ...{ fee: Number(auditFee(price, rules)), cost: Number(audits.cost), margin: 0.5 },
      ...{ planted: audits.planted, missPenalty: Number(rules.bond) },
    };
    expect(auditsPay(pays)).toBe(true);
    expect(auditsPay({ ...pays, planted: 0 })).toBe(false);
    expect(Number(rules.bond)).toBeGreaterThanOrEqual(jackpotMin(pays.cost, 1, pays.planted));
  });

  it('7 a third in league finds 26 of 27 all the same', () => {
    expect(foundDespite(1 / 3, 3)).toBeCloseTo(26 / 27);
    expect(foundDespite(1, 3)).toBe(0);
  });

  it('10 the bond pays the answers of four walks at 30 times the usual gas price', () => {
    const gas = GAS.answer + 31n * GAS.reveal + 4n * GAS.show;
    const covered = gasPriceCovered(DEFAULT_TERMS.court.bond, gas, 50n);
    expect(covered).toBeGreaterThan(30n * DEFAULT_TERMS.gasPrice);
  });

  it('11 audits cost the network less than a hundredth', () => {
    const ratio = Number(audits.cost) / Number(cost);
    expect(overhead(audited * rules.places, ratio)).toBeLessThan(0.01);
  });
});

const NAMES = ['ada', 'cheat', 'eve', 'mallory'] as const;
const JOBS: readonly Job[] = ['ada', 'cheat'].flatMap((provider) =>
  [0, 1, 2].map((number) => ({
    ...{ id: `${provider}/${number}`, provider, requester: 'eve', price: 700n },
    ...{ wrong: provider === 'cheat' && number > 0, expiresAt: 300 },
  })),
);

/** One random deed of one random person; whatever the rules refuse, they refuse by name. */
type Deed = {
  readonly kind: number;
  readonly who: number;
  readonly job: number;
  readonly wait: number;
};

function doDeed(chain: Chain, { kind, who, job: number, wait }: Deed): void {
  const name = NAMES[who % NAMES.length]!;
  const job = JOBS[number % JOBS.length]!;
  const disputes = [...chain.disputes.values()];
  const open = disputes[number % Math.max(1, disputes.length)];
  const turns = MOVES.flatMap(({ move }) =>
    move === 'open' || move === 'timeOut' || move === 'convictOpened' ? [] : [move],
  );
  const onDispute =
    open === undefined
      ? []
      : [
          () => timeOut(chain, open),
          () => convictOpened(chain, open),
          () => returnBond(chain, open),
          ...turns.flatMap((turn) => [
            () => moveDispute(chain, open, turn, open.job.provider),
            () => moveDispute(chain, open, turn, open.challenger),
          ]),
        ];
  const deeds = [
    () => depositStake(chain, name, BigInt(1 + (wait % 900))),
    () => requestWithdrawal(chain, name, stakeOf(chain, name).staked / 2n),
    () => withdrawStake(chain, name),
    () =>
      pay(chain.ledger, { kind: 'token', from: name, to: `vault:${job.provider}`, amount: 90n }),
    () => collect(chain, job.provider),
    () => void openDispute(chain, job, name),
    () => commit(chain, job, name),
    () => convict(chain, job, name),
    () => claimBounty(chain, job, name),
    () => release(chain, job),
    () => burn(chain, job.provider),
    ...onDispute,
  ];
  deeds[kind % deeds.length]!();
}

describe('rules', () => {
  it('keep money in = held + out + burned over any play, and never convict who answers right', () => {
    const deed = fc.record({
      ...{ kind: fc.nat(200), who: fc.nat(9), job: fc.nat(50) },
      wait: fc.oneof(fc.nat(600), fc.nat(9 * DAY)),
    });
    let convictions = 0;
    fc.assert(
      fc.property(fc.array(deed, { minLength: 50, maxLength: 150 }), (deeds) => {
        let now = 0;
        const chain = createChain(DEFAULT_TERMS, () => now);
        for (const name of NAMES) issue(chain.ledger, name, { token: 10_000n, coin: 10n ** 18n });
        for (const one of deeds) {
          now += one.wait;
          try {
            doDeed(chain, one);
          } catch (error) {
            if (!(error instanceof Refused)) throw error;
          }
          checkMoney(chain);
        }
        for (const { job, forced } of chain.verdicts.values()) {
          convictions++;
          expect(job.wrong || forced).toBe(true);
        }
      }),
      { numRuns: 300, seed: 20_261_123 },
    );
    expect(convictions).toBeGreaterThan(50);
  });

  it('pay no more within a window than the stake that was free when it began', () => {
    let now = 0;
    const chain = createChain(DEFAULT_TERMS, () => now);
    issue(chain.ledger, 'ada', { token: 1_000n, coin: 0n });
    issue(chain.ledger, 'vault:ada', { token: 9_000n, coin: 0n });
    depositStake(chain, 'ada', 1_000n);
    collect(chain, 'ada');
    now += DEFAULT_TERMS.vaultWindow - 1;
    expect(collect(chain, 'ada')).toBe(0n);
    now += 1;
    expect(collect(chain, 'ada')).toBe(1_000n);
    requestWithdrawal(chain, 'ada', 400n);
    now += DEFAULT_TERMS.vaultWindow;
    expect(collect(chain, 'ada')).toBe(1_000n);
    now += DEFAULT_TERMS.vaultWindow;
    expect(collect(chain, 'ada')).toBe(600n);
  });

  it('end every dispute by a time-out, whoever is silent, and pay the bond to the other', () => {
    let now = 0;
    const chain = createChain(DEFAULT_TERMS, () => now);
    for (const name of NAMES) issue(chain.ledger, name, { token: 0n, coin: 10n ** 18n });
    const before = balanceOf(chain.ledger, 'coin', 'ada');
    const open = openDispute(chain, JOBS[0]!, 'eve');
    moveDispute(chain, open, 'answer', 'ada');
    now += DEFAULT_TERMS.court.clock;
    expect(() => timeOut(chain, open)).toThrow('time_not_up');
    now += 1;
    expect(() => moveDispute(chain, open, 'choose', 'eve')).toThrow('time_up');
    timeOut(chain, open);
    expect(balanceOf(chain.ledger, 'coin', 'ada') - before).toBe(DEFAULT_TERMS.court.bond);
    expect(balanceOf(chain.ledger, 'coin', COURT)).toBe(0n);
    expect(chain.verdicts.size).toBe(0);
  });

  it('fit a forced dispute, an audit and a day of censorship into the window of earnings', () => {
    expect(longestCase(DEFAULT_TERMS)).toBeLessThan(DEFAULT_TERMS.vaultWindow);
    expect(DEFAULT_TERMS.vaultWindow).toBeLessThan(DEFAULT_TERMS.stakeWithdrawDelay);
    expect(DEFAULT_TERMS.court.clock).toBeGreaterThan(DAY);
  });
});

/** Plans that name the same account twice would let somebody pay himself. */
describe('plans', () => {
  const all: readonly Plan[] = SCENARIOS.flatMap(({ plan, honest }) => [plan, honest]);
  it('name everybody once', () => {
    for (const { providers, verifiers, challengers } of all) {
      const names = [...providers, ...verifiers, ...challengers].map(({ name }) => name);
      expect(new Set(names).size).toBe(names.length);
    }
  });
});
