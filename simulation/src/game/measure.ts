/**
 * What an attack gains over honesty, on average over seeds: with today's rules, with one broken, and with a gap
 * closed.
 */
import type { Plan, Scenario } from './plans.js';
import { type Outcome, play } from './play.js';
import { DEFAULT_TERMS, type Terms } from './terms.js';

/** Atomic units, averages over the seeds, rounded down. */
export type Measured = {
  readonly name: string;
  /** What the attackers gain together, and what the same people gain without the attack. */
  readonly gain: bigint;
  readonly honestGain: bigint;
  readonly excess: bigint;
  /** Share of games in which some attacker, or his victim, was convicted. */
  readonly convicted: number;
  readonly burned: bigint;
  readonly excessBroken: bigint;
  readonly excessFixed?: bigint;
};

type Games = { readonly seeds: readonly number[]; readonly terms: Terms };

export function measure(scenario: Scenario, seeds: readonly number[]): Measured {
  const { name, attackers, broken, gap, plan, honest } = scenario;
  const games = { seeds, terms: DEFAULT_TERMS };
  const outcomes = playAll(plan, games);
  const gain = meanGain(outcomes, attackers);
  const honestGain = meanGain(playAll(honest, games), attackers);
  const under = (terms: Terms, how: Plan): bigint =>
    meanGain(playAll(how, { seeds, terms }), attackers) - honestGain;
  return {
    ...{ name, gain, honestGain, excess: gain - honestGain },
    convicted: outcomes.filter(({ convicted }) => convicted.size > 0).length / outcomes.length,
    burned: mean(outcomes.map(({ burned }) => burned)),
    excessBroken: under(broken.terms, broken.plan ?? plan),
    ...(gap === undefined ? {} : { excessFixed: under(gap.fixed, plan) }),
  };
}

const playAll = (plan: Plan, { seeds, terms }: Games): readonly Outcome[] =>
  seeds.map((seed) => play(plan, { seed, terms }));

/** Somebody who does not take part gains nothing. */
export const gainOfAll = ({ gains }: Outcome, names: readonly string[]): bigint =>
  names.reduce((sum, name) => sum + (gains.get(name) ?? 0n), 0n);

const meanGain = (outcomes: readonly Outcome[], names: readonly string[]): bigint =>
  mean(outcomes.map((outcome) => gainOfAll(outcome, names)));

const mean = (values: readonly bigint[]): bigint =>
  values.reduce((sum, value) => sum + value, 0n) / BigInt(values.length);
