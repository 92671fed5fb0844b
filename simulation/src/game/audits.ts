/**
 * Audits by the contract's own rules: who is drawn, what a report settles to and what it costs are functions and terms
 * of `packages/compute`. Here is what kinds of verifiers say, and where the money goes. That a receipt is wrong is a
 * fact of the game; a verifier that runs the model sees it.
 */
import {
  type AuditReport,
  auditFee,
  auditOutcome,
  auditState,
  isAudited,
  seatDrawn,
} from '@assay/compute';
import { AUDITS, chargeStake, loseSeat, takeSeat } from './contracts.js';
import type { Job } from './court.js';
import { BURNED, OUTSIDE, pay } from './ledger.js';
import type { VerifierPlan } from './plans.js';
import type { World } from './world.js';

/** A receipt that was drawn, and where it stood in its provider's epochs. */
export type Drawn = { readonly job: Job; readonly number: number };

type Said = { readonly verifier: VerifierPlan; readonly report: AuditReport };

/** Silences in a row after which the contract gives a seat up. */
const ABSENCES_MAX = 8;

/** One seat each. */
export function takeSeats({ chain, plan }: World): void {
  for (const { name } of plan.verifiers) takeSeat(chain, name);
}

/** Whether a receipt is audited; the beacon of its provider is drawn by the game, after it has decided to cheat. */
export const isDrawn = (world: World, { job, number }: Drawn): boolean =>
  isAudited(beaconOf(world, job.provider), BigInt(number), world.chain.terms.audits.rules.rate);

function beaconOf({ beacons, random }: World, provider: string): `0x${string}` {
  const known = beacons.get(provider);
  if (known !== undefined) return known;
  const digits = Array.from({ length: 64 }, () => random.below(16).toString(16));
  const beacon = `0x${digits.join('')}` as const;
  beacons.set(provider, beacon);
  return beacon;
}

/**
 * The places of one audit report, and settle as the table says: what agrees at once, what differs when the time for the
 * court is over. Returns who found what is wrong, if anybody did.
 */
export function audit(world: World, drawn: Drawn): string | undefined {
  world.audits++;
  const { chain, clock, random } = world;
  const { job } = drawn;
  const { rules, planted: share } = chain.terms.audits;
  const { wrongShare, answers } = world.plan.providers.find(({ name }) => name === job.provider)!;
  const cheats = wrongShare > 0;
  // Who cheats has no use for a fault that somebody else sees.
  const planted = !cheats && random.chance(share);
  const said = holdersOf(world, drawn).map((verifier) => ({
    verifier,
    report: reportOf(world, { verifier, wrong: job.wrong || planted, cheats }),
  }));
  const settle = (late: boolean, rest: readonly Said[]): readonly Said[] =>
    rest.filter(({ verifier, report }) => {
      const convicted = chain.verdicts.has(job.id);
      const state = auditState({ answered: answers !== 'never', convicted, planted });
      const outcome = auditOutcome({ state, report, late });
      settlePlace(world, { job, outcome, name: verifier.name });
      return outcome === 'none';
    });
  const pending = settle(false, said);
  if (pending.length > 0)
    clock.at(clock.now() + rules.disputeTime, () => void settle(true, pending));
  return said.find(({ verifier, report }) => verifier.kind === 'honest' && report === 'wrong')
    ?.verifier.name;
}

/** Who sits where the draw points; nobody where a seat was lost. */
function holdersOf(world: World, { job, number }: Drawn): readonly VerifierPlan[] {
  const { chain, plan } = world;
  const beacon = beaconOf(world, job.provider);
  const places = Array.from({ length: chain.terms.audits.rules.places }, (_, place) => place);
  return places.flatMap((place) => {
    const slot = seatDrawn(beacon, BigInt(number), place, plan.verifiers.length);
    const verifier = plan.verifiers[slot]!;
    return chain.seats.has(verifier.name) ? [verifier] : [];
  });
}

/** What a seat says, and what it spends to know it. */
function reportOf(
  { chain: { ledger, terms } }: World,
  found: { readonly verifier: VerifierPlan; readonly wrong: boolean; readonly cheats: boolean },
): AuditReport {
  const { kind, name } = found.verifier;
  if (kind === 'absent') return 'silent';
  // It has no root of its own, so it makes one up.
  if (kind === 'lazy') return terms.audits.rootRequired ? 'other' : 'same';
  if (kind === 'believes' || (kind === 'inLeague' && found.cheats)) return 'same';
  pay(ledger, { kind: 'token', from: name, to: OUTSIDE, amount: terms.audits.cost });
  return found.wrong ? 'wrong' : 'same';
}

function settlePlace(
  { chain }: World,
  settled: {
    readonly job: Job;
    readonly outcome: ReturnType<typeof auditOutcome>;
    readonly name: string;
  },
): void {
  const { job, outcome, name } = settled;
  if (outcome === 'none') return;
  if (outcome === 'forfeited') {
    loseSeat(chain, name);
    return;
  }
  const { rules } = chain.terms.audits;
  const to = outcome === 'paid' ? name : BURNED;
  const charged = chargeStake(chain, {
    provider: job.provider,
    to,
    amount: auditFee(job.price, rules),
  });
  const seat = chain.seats.get(name);
  if (outcome !== 'absent' || charged === 0n || seat === undefined) return;
  const lost = charged < rules.absencePenalty ? charged : rules.absencePenalty;
  pay(chain.ledger, { kind: 'token', from: AUDITS, to: BURNED, amount: lost });
  const left = { bond: seat.bond - lost, absences: seat.absences + 1 };
  if (left.absences < ABSENCES_MAX) {
    chain.seats.set(name, left);
    return;
  }
  chain.seats.delete(name);
  pay(chain.ledger, { kind: 'token', from: AUDITS, to: name, amount: left.bond });
}
