/**
 * The rules of audits as contracts/dispute/IAudits.sol has them, where each is explained: who is drawn, what a
 * commitment holds, when what may be done, and how a report ends. Pure functions; the table of outcomes is
 * `vectors/court/audits.json`, which the contract is held to as well.
 */
import { type Address, concat, fromHex, type Hex, keccak, toHex } from '@assay/protocol';
import { auditsAbi } from '@assay/protocol/abi';
import { encodeAbiParameters, keccak256, type Log, parseEventLogs } from 'viem';

/** Fixed terms of audits; times in seconds, money in atomic units. */
export type AuditTerms = {
  /** Of 2^32: probability that a receipt is audited. */
  readonly rate: number;
  /** Seats drawn for one audit. */
  readonly places: number;
  /** Fee of a place in 1/10,000 of the receipt's price. */
  readonly feeShare: number;
  readonly feeMin: bigint;
  /** Of one seat. */
  readonly bond: bigint;
  readonly absencePenalty: bigint;
  readonly drawTime: number;
  readonly commitTime: number;
  readonly revealTime: number;
  readonly disputeTime: number;
};

/** A drawn epoch. */
export type AuditDraw = {
  readonly beacon: Hex;
  /** Receipts in the epoch. */
  readonly count: bigint;
  readonly postedBlock: bigint;
  /** Unix seconds. */
  readonly drawnAt: bigint;
  /** Slots that can be drawn. */
  readonly seatCount: number;
};

/** One seat of one audit: receipt `index` of an epoch, place below `places`. */
export type AuditPlace = {
  readonly provider: Address;
  readonly epoch: bigint;
  readonly index: bigint;
  readonly place: number;
};

/** In the order of the contract's enums. */
export const FINDINGS = ['none', 'right', 'wrong', 'abstained'] as const;
export type Finding = (typeof FINDINGS)[number];
export const OUTCOMES = ['none', 'paid', 'unpaid', 'absent', 'forfeited'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** What became of the audited receipt: what the provider or a planted fault says, and whether the court convicted. */
export const AUDIT_STATES = [
  'answered',
  'unanswered',
  'convicted',
  'convictedUnanswered',
  'planted',
] as const;
export type AuditState = (typeof AUDIT_STATES)[number];

/** What a seat said; `same` and `other` are Right with the root of the answer or the planted fault, or another one. */
export const AUDIT_REPORTS = ['same', 'other', 'wrong', 'abstained', 'silent'] as const;
export type AuditReport = (typeof AUDIT_REPORTS)[number];

/** What may be done with a draw: commit; reveal, answer, open plants; settle what agrees; settle everything. */
export type AuditPhase = 'committing' | 'revealing' | 'disputing' | 'over';

/** keccak256(abi.encode(beacon, numbers)), as a number: by hand, because a draw asks for every receipt of an epoch. */
function drawnNumber(beacon: Hex, ...numbers: readonly bigint[]): bigint {
  const words = numbers.map((number) => fromHex(`0x${number.toString(16).padStart(64, '0')}`));
  return BigInt(toHex(keccak(concat([fromHex(beacon), ...words]))));
}

/** What decides everything about an epoch: the hash of a block after the one in which it was posted. */
export const beaconOf = (options: {
  readonly blockHash: Hex;
  readonly provider: Address;
  readonly epoch: bigint;
}): Hex =>
  keccak256(
    encodeAbiParameters(
      [{ type: 'bytes32' }, { type: 'address' }, { type: 'uint64' }],
      [options.blockHash, options.provider, options.epoch],
    ),
  );

/** True if receipt `index` of the epoch with this beacon is audited, given that there were seats. */
export const isAudited = (beacon: Hex, index: bigint, rate: number): boolean =>
  BigInt.asUintN(32, drawnNumber(beacon, index)) < rate;

/** Indices of an epoch that are audited, ascending; none where there were no seats. */
export function auditedIndices(draw: AuditDraw, rate: number): readonly bigint[] {
  if (draw.seatCount === 0) return [];
  const indices: bigint[] = [];
  for (let index = 0n; index < draw.count; index++)
    if (isAudited(draw.beacon, index, rate)) indices.push(index);
  return indices;
}

/** Slot that a place belongs to, below `seatCount`, which is not 0. */
export const seatDrawn = (beacon: Hex, index: bigint, place: number, seatCount: number): number =>
  Number(drawnNumber(beacon, index, BigInt(place)) % BigInt(seatCount));

const PLACE_TYPE = {
  type: 'tuple',
  components: [
    { name: 'provider', type: 'address' },
    { name: 'epoch', type: 'uint64' },
    { name: 'index', type: 'uint64' },
    { name: 'place', type: 'uint8' },
  ],
} as const;

/** What a verifier commits itself to; `salt` is 32 random bytes, without which a finding could be guessed. */
export const reportCommitment = (options: {
  readonly beacon: Hex;
  readonly place: AuditPlace;
  readonly finding: Finding;
  readonly root: Hex;
  readonly holder: Address;
  readonly salt: Hex;
}): Hex =>
  keccak256(
    encodeAbiParameters(
      [
        { type: 'bytes32' },
        PLACE_TYPE,
        { type: 'uint8' },
        { type: 'bytes32' },
        { type: 'address' },
        { type: 'bytes32' },
      ],
      [
        options.beacon,
        options.place,
        FINDINGS.indexOf(options.finding),
        options.root,
        options.holder,
        options.salt,
      ],
    ),
  );

/** What a planter announces before the epoch is posted. */
export const plantCommitment = (options: {
  readonly jobId: Hex;
  readonly root: Hex;
  readonly planter: Address;
  readonly salt: Hex;
}): Hex =>
  keccak256(
    encodeAbiParameters(
      [{ type: 'bytes32' }, { type: 'bytes32' }, { type: 'address' }, { type: 'bytes32' }],
      [options.jobId, options.root, options.planter, options.salt],
    ),
  );

/** Last second, Unix, of each phase of a draw but the last. */
export function auditDeadlines(
  draw: Pick<AuditDraw, 'drawnAt'>,
  terms: Pick<AuditTerms, 'commitTime' | 'revealTime' | 'disputeTime'>,
): { readonly commit: bigint; readonly reveal: bigint; readonly dispute: bigint } {
  const commit = draw.drawnAt + BigInt(terms.commitTime);
  const reveal = commit + BigInt(terms.revealTime);
  return { commit, reveal, dispute: reveal + BigInt(terms.disputeTime) };
}

/** Phase of a draw in a block whose time is `now`, Unix seconds. */
export function auditPhase(
  draw: Pick<AuditDraw, 'drawnAt'>,
  terms: Pick<AuditTerms, 'commitTime' | 'revealTime' | 'disputeTime'>,
  now: bigint,
): AuditPhase {
  const ends = auditDeadlines(draw, terms);
  if (now <= ends.commit) return 'committing';
  if (now <= ends.reveal) return 'revealing';
  return now <= ends.dispute ? 'disputing' : 'over';
}

/** State of an audit from what is known of it. */
export function auditState(facts: {
  readonly answered: boolean;
  readonly convicted: boolean;
  readonly planted: boolean;
}): AuditState {
  if (facts.planted) return 'planted';
  if (facts.convicted) return facts.answered ? 'convicted' : 'convictedUnanswered';
  return facts.answered ? 'answered' : 'unanswered';
}

/** How a report ends; `none` is pending. `late` says that the time for the court is over. */
export function auditOutcome(options: {
  readonly state: AuditState;
  readonly report: AuditReport;
  readonly late: boolean;
}): Outcome {
  const { state, report, late } = options;
  if (report === 'silent') return 'absent';
  if (report === 'abstained') return 'unpaid';
  const right = report !== 'wrong';
  if (state === 'planted') return right ? (report === 'same' ? 'forfeited' : 'unpaid') : 'paid';
  const isUndisputed = right && (report === 'same' || !isAnswered(state));
  if (state === 'convicted' || state === 'convictedUnanswered')
    return isUndisputed ? 'unpaid' : 'paid';
  if (isUndisputed) return 'paid';
  return late ? 'forfeited' : 'none';
}

const isAnswered = (state: AuditState): boolean => state === 'answered' || state === 'convicted';

/** Fee of one place for a receipt, before it is bounded by the stake; atomic units, rounded down. */
export function auditFee(price: bigint, terms: Pick<AuditTerms, 'feeShare' | 'feeMin'>): bigint {
  const share = (price * BigInt(terms.feeShare)) / 10_000n;
  return share > terms.feeMin ? share : terms.feeMin;
}

/** One event of audits: its name, its arguments, and where it stands. */
export type AuditEvent = ReturnType<typeof readAuditEvents>[number];

/** Events of audits among logs, in their order. */
export const readAuditEvents = (logs: Log[]) => parseEventLogs({ abi: auditsAbi, logs });
