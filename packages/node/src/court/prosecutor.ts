/**
 * From a receipt that does not re-compute to a verdict: asks the provider for its trace, proves the first difference to
 * the court in one transaction, or, if the provider does not answer, makes it answer on chain.
 */
import { randomBytes } from 'node:crypto';
import {
  askAgain,
  belowOf,
  type CourtModel,
  chooseNode,
  claimOf,
  clockEnds,
  commitProof,
  convict,
  convictOpened,
  type Dispute,
  firstDifference,
  NO_MODEL,
  NO_TRACE,
  openDispute,
  type Place,
  phaseOf,
  proofCommitment,
  provableReceiptFraud,
  readAuditTerms,
  readCourtTerms,
  readReceiver,
  releaseVerdict,
  type SignedTrace,
  sweepVault,
  type TraceSource,
  timeOutDispute,
  vaultAddress,
} from '@assay/compute';
import { type Address, AssayError, type Hex, type ReceiptEnvelope, toHex } from '@assay/protocol';
import type { TransactionReceipt } from 'viem';
import { type ChainAccess, tokenBalance } from '../chain-access.js';
import type { Logger } from '../log.js';
import { takeBackBonds } from './bonds.js';
import { followCourt, type OpenDispute, type VerdictRecord } from './court-follower.js';
import { sha256 } from './sha256.js';
import type { TraceHost } from './trace-host.js';
import type { Finding } from './trace-messages.js';
import { type Pause, tracePeer } from './trace-peer.js';

/** A transaction of a case. */
export type CaseStep = {
  readonly move:
    | 'open'
    | 'choose'
    | 'again'
    | 'timeOut'
    | 'commit'
    | 'prove'
    | 'returnBond'
    | 'release'
    | 'sweep';
  readonly transaction: Hex;
  readonly gas: bigint;
};

export type ProsecutorOptions = {
  readonly access: ChainAccess;
  /** Traces of the model that the receipt names. */
  readonly traces: TraceHost;
  readonly endpoint: string;
  /** Goes on chain at once, without asking at the endpoint. */
  readonly force?: boolean;
  readonly log: Logger;
  /** How time passes in which nothing is to be done (default: it does). */
  readonly pause?: Pause;
  /** Called after each transaction. */
  readonly onStep?: (step: CaseStep) => void;
};

export type Outcome =
  /** The provider's trace is right, and it gives these tokens. */
  | { readonly result: 'right' }
  | { readonly result: 'convicted'; readonly finding?: Finding; readonly verdict: VerdictRecord }
  /** The challenger ran out of time or of differences; its bond is the provider's. */
  | { readonly result: 'dismissed' };

/** Between two looks at an open dispute. */
const LOOK_INTERVAL_MS = 250;

/** Longest time without a look at the clock of a chain, which may be ahead of ours. */
const CLOCK_INTERVAL_MS = 60_000;

const letPass: Pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Brings a receipt to court if its provider's trace is wrong or withheld. */
export async function prosecute(
  options: ProsecutorOptions,
  envelope: ReceiptEnvelope,
): Promise<Outcome> {
  if (options.force === true) return force(options, envelope);
  const { read, deployment } = options.access;
  const { commitTime } = await readAuditTerms(read, deployment.addresses.audits);
  const { pause = letPass } = options;
  const peer = tracePeer(options.endpoint, envelope, { auditSeconds: commitTime, pause });
  let finding: Finding | undefined;
  try {
    // Who has to wait for an answer holds no thread meanwhile.
    await peer.signed();
    finding = await options.traces.prosecute(envelope, peer);
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'trace_unanswered') throw error;
    options.log.warn({ jobId: envelope.jobId, error: String(error) }, 'no answer: going on chain');
    return force(options, envelope);
  }
  if (finding === undefined) return { result: 'right' };
  const model = await options.traces.model();
  await prove(options, { envelope, finding, model, trace: await peer.signed() });
  return convicted(options, envelope.jobId, finding);
}

/**
 * Brings a receipt to court that contradicts its own job; undefined if it does not. The proof is in the receipt: nobody
 * is asked, no model is opened, and one transaction convicts.
 */
export async function prosecuteReceipt(
  options: Pick<ProsecutorOptions, 'access' | 'onStep'>,
  envelope: ReceiptEnvelope,
): Promise<Outcome | undefined> {
  const fraud = await provableReceiptFraud(envelope, options.access.market);
  if (fraud === undefined) return undefined;
  const { kind, number, bytes: data } = fraud;
  const finding: Finding = { kind, number, data, place: null, expected: null, found: null };
  await prove(options, { envelope, finding, model: NO_MODEL, trace: NO_TRACE });
  return convicted(options, envelope.jobId, finding);
}

/** Commits to the proof, waits for the next block, and shows it. */
async function prove(
  options: Pick<ProsecutorOptions, 'access' | 'onStep'>,
  found: {
    readonly envelope: ReceiptEnvelope;
    readonly finding: Finding;
    readonly model: CourtModel;
    readonly trace: SignedTrace;
  },
): Promise<void> {
  const { access } = options;
  const { envelope, finding, model, trace } = found;
  const { court } = access.deployment.addresses;
  const salt = toHex(randomBytes(32));
  const { jobId } = envelope;
  const claimant = access.write.account.address;
  const commitment = proofCommitment({ jobId, data: finding.data, claimant, salt });
  step(options, 'commit', await commitProof(access.write, { court, commitment }));
  const proof = { kind: finding.number, data: finding.data };
  const receipt = await convict(access.write, {
    court,
    claim: claimOf(envelope),
    trace,
    model,
    proof,
    salt,
  });
  step(options, 'prove', receipt);
}

/** Opens a dispute, or takes up the one that an earlier try opened, and plays it to its end. */
async function force(options: ProsecutorOptions, envelope: ReceiptEnvelope): Promise<Outcome> {
  const { access } = options;
  const { court } = access.deployment.addresses;
  const { bond } = await readCourtTerms(access.read, court);
  const claim = claimOf(envelope);
  const follower = await followCourt(access);
  if (!follower.disputes().some(({ dispute }) => isOurs(access, envelope, dispute)))
    step(options, 'open', await openDispute(access.write, { court, claim, bond }));
  const own = options.traces.source(envelope);
  const goal: Goal = { leaf: undefined, finding: undefined };
  for (;;) {
    await follower.refresh();
    const verdict = follower.verdicts().find((one) => one.verdict.jobId === envelope.jobId);
    if (verdict !== undefined) {
      // Somebody else was faster: then our dispute is still there, and so is its bond.
      const receipts = await takeBackBonds(access, follower);
      for (const receipt of receipts) step(options, 'returnBond', receipt);
      return convicted(options, envelope.jobId, goal.finding);
    }
    const open = follower.disputes().find(({ dispute }) => isOurs(access, envelope, dispute));
    if (open === undefined) return { result: 'dismissed' };
    try {
      await takeTurn(options, { open, own, envelope, goal });
    } catch (error) {
      // The next look shows the verdict.
      if ((error as { code?: unknown }).code !== 'already_convicted') throw error;
    }
    await (options.pause ?? letPass)(LOOK_INTERVAL_MS);
  }
}

const isOurs = (access: ChainAccess, { jobId }: ReceiptEnvelope, dispute: Dispute): boolean =>
  dispute.jobId === jobId &&
  dispute.challenger.toLowerCase() === access.write.account.address.toLowerCase();

/** What a challenger remembers between its turns. */
type Goal = {
  /** Leaf that the present walk is for; the first walk is for the first difference. */
  leaf: { readonly t: number; readonly node: number; readonly index: number } | undefined;
  finding: Finding | undefined;
};

type Turn = {
  readonly open: OpenDispute;
  readonly own: TraceSource;
  readonly envelope: ReceiptEnvelope;
  readonly goal: Goal;
};

/** Does what the state of the dispute asks of the challenger, if anything. */
async function takeTurn(options: ProsecutorOptions, turn: Turn): Promise<void> {
  const { access } = options;
  const { dispute, children } = turn.open;
  const { court } = access.deployment.addresses;
  const phase = phaseOf(dispute);
  if (phase === 'choosing') {
    const child =
      childTowards(dispute.place, turn.goal.leaf) ??
      (await firstDifference(turn.own, dispute.place, { children, hash: sha256 }));
    // Nothing differs: the provider is right after all, and the bond is the price of having asked.
    if (child === undefined) return;
    const receipt = await chooseNode(access.write, { court, dispute, children, child });
    step(options, 'choose', receipt);
    return;
  }
  if (phase === 'proving') return proveShown(options, turn);
  const ends = clockEnds(dispute);
  if ((await chainTime(access)) <= ends) return;
  const claim = claimOf(turn.envelope);
  const timeOut = () => timeOutDispute(access.write, { court, dispute, claim });
  step(options, 'timeOut', await onceDue(options, ends + 1n, timeOut));
}

/** Proves by what was shown, or asks for one more leaf. */
async function proveShown(options: ProsecutorOptions, turn: Turn): Promise<void> {
  const { access, traces } = options;
  const { dispute, shown, leaves } = turn.open;
  const { court } = access.deployment.addresses;
  const forced = { root: dispute.traceRoot, shown, leaves };
  const { finding, wanted } = await traces.force(turn.envelope, forced);
  if (finding !== undefined) {
    turn.goal.finding = finding;
    const claim = claimOf(turn.envelope);
    const proof = { kind: finding.number, data: finding.data };
    const model = await traces.model();
    const receipt = await convictOpened(access.write, { court, dispute, claim, model, proof });
    step(options, 'prove', receipt);
  } else if (wanted !== undefined && dispute.walks > 0) {
    turn.goal.leaf = wanted;
    step(options, 'again', await askAgain(access.write, { court, dispute }));
  }
}

/** The child on the way to a leaf that a proof wants; undefined if none is wanted. */
function childTowards(place: Place, wanted: Goal['leaf']): number | undefined {
  if (wanted === undefined) return undefined;
  const goal = [wanted.t, wanted.node, wanted.index][place.tree]!;
  const { level, first } = belowOf(place);
  return Math.floor(goal / 2 ** level) - first;
}

/** A chain where nothing happens shows an old time; the next block will have about ours. */
async function chainTime(access: ChainAccess): Promise<bigint> {
  const { timestamp } = await access.read.getBlock();
  const ours = BigInt(Math.floor(Date.now() / 1_000));
  return timestamp > ours ? timestamp : ours;
}

/** Refusals of moves that come too early; clocks of chains are not ours. */
const TOO_EARLY = new Set(['release_not_ready', 'time_not_up']);

/** Waits until a time has come, and makes a move that the chain may still think too early. */
async function onceDue(
  { access, pause = letPass }: Pick<ProsecutorOptions, 'access' | 'pause'>,
  dueAt: bigint,
  make: () => Promise<TransactionReceipt>,
): Promise<TransactionReceipt> {
  for (;;) {
    const leftMs = Number(dueAt - (await chainTime(access))) * 1_000;
    if (leftMs <= 0) {
      try {
        return await make();
      } catch (error) {
        if (!TOO_EARLY.has(String((error as { code?: unknown }).code))) throw error;
      }
    }
    await pause(Math.min(Math.max(leftMs / 2, LOOK_INTERVAL_MS), CLOCK_INTERVAL_MS));
  }
}

/** The verdict of a job, released as soon as its delay is over if that is near. */
async function convicted(
  options: Pick<ProsecutorOptions, 'access'>,
  jobId: Hex,
  finding?: Finding,
): Promise<Outcome> {
  const follower = await followCourt(options.access);
  const verdict = follower.verdicts().find((one) => one.verdict.jobId === jobId);
  if (verdict === undefined) throw verdictMissing(jobId);
  return { result: 'convicted', verdict, ...(finding === undefined ? {} : { finding }) };
}

/**
 * Pays a verdict once its delay is over; if somebody else was faster, that is as good. What came into the provider's
 * vault meanwhile is swept first, so that it refunds, too.
 */
export async function releaseWhenDue(
  options: Pick<ProsecutorOptions, 'access' | 'onStep' | 'pause'>,
  { verdict }: VerdictRecord,
): Promise<VerdictRecord> {
  const { access } = options;
  const { court } = access.deployment.addresses;
  if (await hasVaultMoney(access, verdict.provider)) {
    // Somebody else may be faster with this, too; then there is nothing to sweep.
    const swept = await sweepVault(access.write, { court, verdict }).catch(() => undefined);
    if (swept !== undefined) step(options, 'sweep', swept);
  }
  const release = () => releaseVerdict(access.write, { court, verdict });
  const failed = await onceDue(options, verdict.releaseAt, release).then(
    (receipt) => step(options, 'release', receipt),
    (error: unknown) => ({ error }),
  );
  const follower = await followCourt(access);
  const now = follower.verdicts().find((one) => one.verdict.jobId === verdict.jobId)!;
  if (failed !== undefined && now.released === undefined) throw failed.error;
  return now;
}

/** Whether something waits in a provider's vault, or channels owe it something. */
async function hasVaultMoney(access: ChainAccess, provider: Address): Promise<boolean> {
  const { vaults, channels } = access.deployment.addresses;
  const receiver = vaultAddress({ vaults, provider });
  const { token } = access.market;
  const [held, owed] = await Promise.all([
    tokenBalance(access, receiver),
    readReceiver(access.read, { channels, receiver, token }),
  ]);
  return held > 0n || owed.unsettled !== 0n;
}

function step(
  { onStep }: Pick<ProsecutorOptions, 'onStep'>,
  move: CaseStep['move'],
  receipt: TransactionReceipt,
): void {
  onStep?.({ move, transaction: receipt.transactionHash, gas: receipt.gasUsed });
}

const verdictMissing = (jobId: Hex): AssayError =>
  new AssayError({
    code: 'verdict_missing',
    fault: 'platform',
    message: 'The court took the proof, but no verdict is to be seen.',
    value: jobId,
    remedy: 'The chain may have been reorganised; look with `assay dispute show`.',
  });
