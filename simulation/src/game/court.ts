/**
 * The court's rules about who may move when, and who is paid what (contracts/dispute/Court.sol). Moves are those of the
 * shared table (`MOVES`); a walk down a trace is only counted, since what it shows is a matter of hashes.
 */
import { MOVES, type Phase, sideToMove } from '@assay/compute';
import { type Chain, COURT, confiscate, slashStake } from './contracts.js';
import { BURNED, pay, Refused } from './ledger.js';

export type Job = {
  readonly id: string;
  readonly provider: string;
  readonly requester: string;
  readonly price: bigint;
  /** Whether some number behind the receipt is not what the model gives. */
  readonly wrong: boolean;
  readonly expiresAt: number;
};

export type Dispute = {
  readonly job: Job;
  readonly challenger: string;
  phase: Phase;
  /** Nodes chosen in the present walk. */
  depth: number;
  walks: number;
  challengerTime: number;
  providerTime: number;
  movedAt: number;
  readonly bond: bigint;
};

export type Verdict = {
  readonly job: Job;
  claimant: string;
  committedAt: number;
  readonly releaseAt: number;
  readonly taken: bigint;
  readonly slashed: bigint;
  /** By silence or by an opened trace: the bounty is the challenger's in any case. */
  readonly forced: boolean;
  paid: boolean;
};

type Turn = 'answer' | 'reveal' | 'choose' | 'show' | 'again';

/** Choices from root to leaf in the dispute of contracts/snapshots/dispute-gas.json. */
export const WALK_CHOICES = 7;
/** `Court.WALKS`. */
const WALKS = 4;

export const disputeKey = (chain: Chain, job: Job, challenger: string): string =>
  chain.terms.disputesPer === 'job' ? job.id : `${job.id}/${challenger}`;

export function openDispute(chain: Chain, job: Job, challenger: string): Dispute {
  const { bond, clock, window } = chain.terms.court;
  if (chain.now() > job.expiresAt + window) throw new Refused('window_closed', job.id);
  const key = disputeKey(chain, job, challenger);
  if (chain.disputes.has(key)) throw new Refused('dispute_open', key);
  pay(chain.ledger, { kind: 'coin', from: challenger, to: COURT, amount: bond });
  const dispute: Dispute = {
    ...{ job, challenger, bond, phase: 'answering', depth: 0, walks: WALKS - 1 },
    ...{ challengerTime: clock, providerTime: clock, movedAt: chain.now() },
  };
  chain.disputes.set(key, dispute);
  return dispute;
}

/** A move of the side whose turn it is; stops its clock. */
export function moveDispute(chain: Chain, dispute: Dispute, turn: Turn, by: string): void {
  requireStored(chain, dispute);
  const rule = requireFrom(dispute, turn);
  if (chain.verdicts.has(dispute.job.id)) throw new Refused('already_convicted', dispute.job.id);
  const mover = rule.by === 'provider' ? dispute.job.provider : dispute.challenger;
  if (by !== mover) throw new Refused('caller_not_mover', by);
  if (chain.now() > upAt(dispute)) throw new Refused('time_up', upAt(dispute));
  if (turn === 'again' && dispute.walks === 0) throw new Refused('walks_used_up', dispute.job.id);
  const used = chain.now() - dispute.movedAt;
  if (rule.by === 'provider') dispute.providerTime -= used;
  else dispute.challengerTime -= used;
  dispute.movedAt = chain.now();
  if (turn === 'choose') dispute.depth++;
  if (turn === 'again') [dispute.depth, dispute.walks] = [0, dispute.walks - 1];
  const next = rule.to.length === 1 || dispute.depth < WALK_CHOICES ? rule.to[0] : rule.to[1];
  dispute.phase = next!;
}

/** Last second in which the side to move may move. */
export const upAt = (dispute: Dispute): number =>
  dispute.movedAt +
  (sideToMove(dispute.phase) === 'provider' ? dispute.providerTime : dispute.challengerTime);

export function timeOut(chain: Chain, dispute: Dispute): void {
  requireStored(chain, dispute);
  requireFrom(dispute, 'timeOut');
  if (chain.now() <= upAt(dispute)) throw new Refused('time_not_up', upAt(dispute));
  const { job, challenger, phase } = dispute;
  const challengerLost = sideToMove(phase) === 'challenger';
  close(chain, dispute, challengerLost ? job.provider : challenger);
  if (!challengerLost && chain.terms.silenceLoses)
    condemn(chain, job, { claimant: challenger, forced: true });
}

/** One transaction, by a trace root that the provider signed. */
export function convict(chain: Chain, job: Job, claimant: string): void {
  if (!job.wrong) throw new Refused('claim_right', job.id);
  condemn(chain, job, { claimant, forced: false });
}

/** By the trace that the provider showed in a dispute. */
export function convictOpened(chain: Chain, dispute: Dispute): void {
  requireStored(chain, dispute);
  requireFrom(dispute, 'convictOpened');
  if (!dispute.job.wrong) throw new Refused('claim_right', dispute.job.id);
  close(chain, dispute, dispute.challenger);
  condemn(chain, dispute.job, { claimant: dispute.challenger, forced: true });
}

export const commitmentKey = (job: Job, account: string): string => `${job.id}/${account}`;

export function commit(chain: Chain, job: Job, account: string): void {
  const key = commitmentKey(job, account);
  if (!chain.commitments.has(key)) chain.commitments.set(key, chain.now());
}

/** Moves the bounty to somebody who had committed himself earlier to the same proof. */
export function claimBounty(chain: Chain, job: Job, account: string): void {
  const verdict = requireVerdict(chain, job);
  const committedAt = chain.commitments.get(commitmentKey(job, account)) ?? chain.now();
  if (verdict.forced || committedAt >= verdict.committedAt)
    throw new Refused('commitment_later', committedAt);
  [verdict.claimant, verdict.committedAt] = [account, committedAt];
}

export function release(chain: Chain, job: Job): void {
  const verdict = requireVerdict(chain, job);
  const { provider, requester, price } = job;
  if (chain.now() < verdict.releaseAt) throw new Refused('release_not_ready', verdict.releaseAt);
  verdict.paid = true;
  const { terms, ledger } = chain;
  const available = verdict.taken + (chain.remainders.get(provider)?.amount ?? 0n);
  const refund = least(price, available);
  const base = terms.bountyOf === 'taken' ? verdict.taken : verdict.slashed;
  const bounty = least((base * terms.bountyPercent) / 100n, available - refund);
  const burnAt = chain.now() + terms.court.releaseDelay;
  chain.remainders.set(provider, { amount: available - refund - bounty, burnAt });
  pay(ledger, { kind: 'token', from: COURT, to: requester, amount: refund });
  pay(ledger, { kind: 'token', from: COURT, to: verdict.claimant, amount: bounty });
}

export function burn(chain: Chain, provider: string): void {
  const kept = chain.remainders.get(provider);
  if (kept === undefined || kept.amount === 0n) throw new Refused('nothing_to_burn', provider);
  if (chain.now() < kept.burnAt) throw new Refused('burn_not_ready', kept.burnAt);
  chain.remainders.delete(provider);
  pay(chain.ledger, { kind: 'token', from: COURT, to: BURNED, amount: kept.amount });
}

export function returnBond(chain: Chain, dispute: Dispute): void {
  requireStored(chain, dispute);
  if (!chain.verdicts.has(dispute.job.id)) throw new Refused('not_convicted', dispute.job.id);
  close(chain, dispute, dispute.challenger);
}

function condemn(
  chain: Chain,
  job: Job,
  { claimant, forced }: { readonly claimant: string; readonly forced: boolean },
): void {
  if (chain.verdicts.has(job.id)) throw new Refused('already_convicted', job.id);
  const slashed = slashStake(chain, job.provider);
  const taken = slashed + confiscate(chain, job.provider);
  const committedAt = chain.commitments.get(commitmentKey(job, claimant)) ?? chain.now();
  const releaseAt = chain.now() + chain.terms.court.releaseDelay;
  const verdict = { job, claimant, committedAt, releaseAt, taken, slashed, forced, paid: false };
  chain.verdicts.set(job.id, verdict);
}

function close(chain: Chain, dispute: Dispute, recipient: string): void {
  chain.disputes.delete(disputeKey(chain, dispute.job, dispute.challenger));
  dispute.phase = 'none';
  pay(chain.ledger, { kind: 'coin', from: COURT, to: recipient, amount: dispute.bond });
}

function requireStored(chain: Chain, dispute: Dispute): void {
  const key = disputeKey(chain, dispute.job, dispute.challenger);
  if (chain.disputes.get(key) !== dispute) throw new Refused('dispute_unknown', key);
}

function requireFrom(dispute: Dispute, name: Turn | 'timeOut' | 'convictOpened') {
  const rule = MOVES.find(({ move }) => move === name)!;
  if (!rule.from.includes(dispute.phase)) throw new Refused('phase_wrong', dispute.phase);
  return rule;
}

function requireVerdict(chain: Chain, job: Job): Verdict {
  const verdict = chain.verdicts.get(job.id);
  if (verdict === undefined || verdict.paid) throw new Refused('not_convicted', job.id);
  return verdict;
}

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);
