/**
 * The attacks of issue 4, as data. Each has the same people without the attack beside it, and one rule that has to be
 * broken for the attack to pay, so that a test can fail. `gap` would mark an attack that pays at today's parameters.
 */
import {
  accompliceOf,
  type ChallengerPlan,
  type Plan,
  type ProviderPlan,
  type Scenario,
  type VerifierPlan,
} from './plans.js';
import { DAY, DEFAULT_STAKE, DEFAULT_TERMS, HOUR, type Terms } from './terms.js';

const CHEAT = 'cheat';
const CHEATS = [CHEAT, accompliceOf(CHEAT)];

/** A job every four minutes: 1,200 in 80 hours. */
const HONEST: ProviderPlan = {
  ...{ name: 'ada', stake: DEFAULT_STAKE, jobs: 1_200, spacing: 240 },
  ...{ wrongShare: 0, answers: 'signs' },
};
const OTHERS: readonly ProviderPlan[] = [HONEST, { ...HONEST, name: 'ben', jobs: 300 }];

const verifiers = (bad: VerifierPlan['kind'], count: number): readonly VerifierPlan[] =>
  Array.from({ length: 9 }, (_, i) => ({
    name: `verifier ${i + 1}`,
    kind: i < count ? bad : 'honest',
  }));

const named = (count: number): readonly string[] =>
  verifiers('honest', 0)
    .slice(0, count)
    .map(({ name }) => name);

const MARKET: Plan = { providers: OTHERS, verifiers: verifiers('honest', 0), challengers: [] };

const withTerms = (change: Partial<Terms>): Terms => ({ ...DEFAULT_TERMS, ...change });
const withAudits = (change: Partial<Terms['audits']>): Terms =>
  withTerms({ audits: { ...DEFAULT_TERMS.audits, ...change } });

/** The market with one provider more, that cheats; and with the same one, honest. */
function cheating(change: Partial<ProviderPlan>): { readonly plan: Plan; readonly honest: Plan } {
  const base: ProviderPlan = { ...HONEST, name: CHEAT };
  const cheat: ProviderPlan = { ...base, wrongShare: 1, ...change };
  const { jobs, spacing, stake } = cheat;
  return {
    plan: { ...MARKET, providers: [...OTHERS, cheat] },
    honest: { ...MARKET, providers: [...OTHERS, { ...base, jobs, spacing, stake }] },
  };
}

const withRules = (change: Partial<Terms['audits']['rules']>): Terms =>
  withAudits({ rules: { ...DEFAULT_TERMS.audits.rules, ...change } });

const challengersOf = (count: number): readonly ChallengerPlan[] =>
  Array.from({ length: count }, (_, i) => ({ name: `challenger ${i + 1}`, against: 'ada' }));

const lazy: Scenario = {
  name: 'lazy auditors',
  about: 'a third of the verifiers say Right without computing',
  items: [49],
  plan: { ...MARKET, verifiers: verifiers('lazy', 3) },
  honest: MARKET,
  attackers: named(3),
  broken: {
    rule: 'a report is paid without a root, and no fault is planted',
    terms: withAudits({ rootRequired: false, planted: 0 }),
  },
};

const believing: Scenario = {
  name: 'believing auditors',
  about: 'a third of the verifiers repeat the roots that leak, and compute nothing',
  items: [49, 51],
  plan: { ...MARKET, verifiers: verifiers('believes', 3) },
  honest: MARKET,
  attackers: named(3),
  broken: { rule: 'no fault is planted', terms: withAudits({ planted: 0 }) },
};

const inLeague = (count: number): Plan => ({
  ...cheating({}).plan,
  verifiers: verifiers('inLeague', count),
});
const colluding: Scenario = {
  name: 'colluding auditors',
  about: 'a third of the verifiers pass what a provider invents, and are told the root',
  items: [50],
  plan: inLeague(3),
  honest: cheating({}).honest,
  attackers: [...CHEATS, ...named(3)],
  broken: {
    rule: 'one verifier is drawn, and all are in league',
    terms: withRules({ places: 1 }),
    plan: inLeague(9),
  },
};

const massCheat: Scenario = {
  name: 'mass cheat, then exit',
  about: '6,000 invented answers in 20 hours, three times the stake, then out',
  items: [36],
  ...cheating({ jobs: 6_000, spacing: 12, leavesAt: 20 * HOUR }),
  attackers: CHEATS,
  broken: {
    rule: 'no cap, and a window of an hour where an audit takes a day',
    terms: withTerms({
      ...{ exposureCap: false, vaultWindow: HOUR },
      audits: { ...DEFAULT_TERMS.audits, latency: DAY },
    }),
  },
};

const sybils: Scenario = {
  name: 'Sybil challengers',
  about: '100 accounts dispute one honest answer, as slowly as they may',
  items: [40],
  plan: { ...MARKET, challengers: challengersOf(100) },
  honest: MARKET,
  attackers: challengersOf(100).map(({ name }) => name),
  broken: {
    rule: 'a clock of ten minutes, which four walks need more than; one account is enough',
    terms: withTerms({ court: { ...DEFAULT_TERMS.court, clock: 600 } }),
    plan: { ...MARKET, challengers: challengersOf(1) },
  },
};

const silent = cheating({ answers: 'never', leavesAt: 3 * DAY });
const withheld: Scenario = {
  name: 'withheld data',
  about: 'a provider invents answers and never opens a trace',
  items: [37],
  ...silent,
  attackers: CHEATS,
  broken: { rule: 'silence does not lose', terms: withTerms({ silenceLoses: false }) },
};

const censored: Scenario = {
  name: 'censored verifiers',
  about: 'the same, and no transaction of a verifier arrives for 24 hours from the first audit on',
  items: [46],
  plan: {
    ...silent.plan,
    censorship: { from: 6 * HOUR, until: 30 * HOUR, whom: named(9) },
  },
  honest: silent.honest,
  attackers: CHEATS,
  broken: {
    rule: 'windows of 12 hours for stake and earnings',
    terms: withTerms({ vaultWindow: 12 * HOUR, stakeWithdrawDelay: 12 * HOUR }),
    plan: {
      ...cheating({ answers: 'never', jobs: 1_800, spacing: 12, leavesAt: 13 * HOUR }).plan,
      censorship: { from: 6 * HOUR, until: 30 * HOUR, whom: named(9) },
    },
  },
};

/** A clock that a day of censorship outlasts. */
const HASTY_COURT = withTerms({
  court: { ...DEFAULT_TERMS.court, clock: 6 * HOUR },
});
const censoredProvider: Scenario = {
  name: 'censored provider',
  about: 'a challenger disputes an honest answer, and nothing of its provider arrives for 24 hours',
  items: [46],
  plan: {
    ...MARKET,
    challengers: challengersOf(1),
    censorship: { from: 0, until: DAY, whom: ['ada'] },
  },
  honest: MARKET,
  attackers: ['challenger 1'],
  broken: { rule: 'a clock of 6 hours, shorter than a day of censorship', terms: HASTY_COURT },
};

const selfChallenge: Scenario = {
  name: 'self-challenge',
  about:
    'a provider convicts itself through an accomplice, with half of its stake in unpaid earnings',
  items: [42],
  ...cheating({ jobs: 1_000, spacing: 12, convictsItselfAt: 5 * HOUR }),
  attackers: CHEATS,
  broken: {
    rule: 'all that is taken is bounty',
    terms: withTerms({ bountyPercent: 100n, bountyOf: 'taken' }),
  },
};

const HASTY = { jobs: 6_000, spacing: 3, convictsItselfAt: 5.5 * HOUR };
const selfChallengeLarge: Scenario = {
  name: 'self-challenge of a full vault',
  about: '6,000 invented answers before the first audit: the vault holds three stakes of earnings',
  items: [36, 42],
  ...cheating(HASTY),
  attackers: CHEATS,
  broken: {
    rule: 'the bounty is half of stake and earnings',
    terms: withTerms({ bountyOf: 'taken' }),
  },
};

const shield: Scenario = {
  name: 'friendly challenger',
  about: 'an accomplice opens an idle dispute about every audited answer just before the verifier',
  items: [40, 42],
  ...cheating({ jobs: 1_200, answers: 'chain', shielded: true, leavesAt: 3 * DAY }),
  attackers: CHEATS,
  broken: {
    rule: 'one dispute per job, whoever opened it, and verifiers try once',
    terms: withTerms({ disputesPer: 'job' }),
  },
};

const ahead: Scenario = {
  name: 'commitment in advance',
  about: 'an accomplice commits to the proofs and claims the bounty that a verifier earned',
  items: [43],
  ...cheating({ jobs: 1_000, spacing: 12, commitsAhead: true }),
  attackers: CHEATS,
  broken: {
    rule: 'all that is taken is bounty',
    terms: withTerms({ bountyPercent: 100n, bountyOf: 'taken' }),
  },
};

const onePercent: Scenario = {
  name: 'cheat on 1 %',
  about: 'one answer in a hundred is invented',
  items: [35],
  ...cheating({ jobs: 2_000, spacing: 120, wrongShare: 0.01 }),
  attackers: CHEATS,
  broken: {
    rule: 'one receipt in 20,000 is audited',
    terms: withRules({ rate: 2 ** 32 / 20_000 }),
  },
};

const farm: Scenario = {
  name: 'self-dealing farm',
  about: 'a provider buys invented answers from itself',
  items: [55],
  plan: cheating({ jobs: 1_000, dealsWithItself: true }).plan,
  honest: MARKET,
  attackers: CHEATS,
  broken: {
    rule: 'new money for every job, and no audits',
    terms: { ...withRules({ rate: 0 }), emission: 5_000n },
  },
};

export const HONEST_MARKET: Plan = MARKET;

export const SCENARIOS: readonly Scenario[] = [
  ...[lazy, believing, colluding, massCheat, sybils, withheld, censored, censoredProvider],
  ...[selfChallenge, selfChallengeLarge, shield, ahead, onePercent, farm],
];
