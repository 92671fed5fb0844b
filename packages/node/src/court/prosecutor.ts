/**
 * From a receipt that does not re-compute to a verdict: asks the provider for its trace, proves the first difference to
 * the court in one transaction, or, if the provider does not answer, makes it answer on chain.
 */
import { randomBytes } from 'node:crypto';
import {
  type CourtModel,
  chooseNode,
  claimOf,
  clockEnds,
  commitProof,
  convict,
  type Dispute,
  firstDifference,
  openDispute,
  phaseOf,
  proofCommitment,
  readCourtTerms,
  releaseVerdict,
  type TraceSource,
  timeOutDispute,
} from '@assay/compute';
import { AssayError, type Hex, type ReceiptEnvelope, toHex } from '@assay/protocol';
import type { TransactionReceipt } from 'viem';
import type { ChainAccess } from '../chain-access.js';
import type { Logger } from '../log.js';
import { followCourt, type OpenDispute, type VerdictRecord } from './court-follower.js';
import { sha256 } from './defender.js';
import type { TraceHost } from './trace-host.js';
import type { Finding } from './trace-messages.js';
import { tracePeer } from './trace-peer.js';

/** A transaction of a case. */
export type CaseStep = {
  readonly move: 'open' | 'choose' | 'again' | 'timeOut' | 'commit' | 'prove' | 'release';
  readonly transaction: Hex;
  readonly gas: bigint;
};

export type ProsecutorOptions = {
  readonly access: ChainAccess;
  /** Traces of the model that the receipt names. */
  readonly traces: TraceHost;
  readonly model: CourtModel;
  readonly endpoint: string;
  readonly log: Logger;
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

/** Brings a receipt to court if its provider's trace is wrong or withheld. */
export async function prosecute(
  options: ProsecutorOptions,
  envelope: ReceiptEnvelope,
): Promise<Outcome> {
  const peer = tracePeer(options.endpoint, envelope);
  let finding: Finding | undefined;
  try {
    finding = await options.traces.prosecute(envelope, peer);
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'trace_unanswered') throw error;
    options.log.warn({ jobId: envelope.jobId, error: String(error) }, 'no answer: going on chain');
    return force(options, envelope);
  }
  if (finding === undefined) return { result: 'right' };
  await prove(options, { envelope, finding, trace: await peer.signed() });
  return convicted(options, envelope.jobId, finding);
}

/** Commits to the proof, waits for the next block, and shows it. */
async function prove(
  options: ProsecutorOptions,
  found: {
    readonly envelope: ReceiptEnvelope;
    readonly finding: Finding;
    readonly trace: { readonly root: Hex; readonly signature: Hex };
  },
): Promise<void> {
  const { access, model } = options;
  const { envelope, finding, trace } = found;
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

/** Opens a dispute and plays it to its end. */
async function force(options: ProsecutorOptions, envelope: ReceiptEnvelope): Promise<Outcome> {
  const { access } = options;
  const { court } = access.deployment.addresses;
  const { bond } = await readCourtTerms(access.read, court);
  const claim = claimOf(envelope);
  step(options, 'open', await openDispute(access.write, { court, claim, bond }));
  const follower = await followCourt(access);
  const own = options.traces.source(envelope);
  for (;;) {
    await follower.refresh();
    const verdict = follower.verdicts().find((one) => one.verdict.jobId === envelope.jobId);
    if (verdict !== undefined) return convicted(options, envelope.jobId);
    const open = follower.disputes().find(({ dispute }) => isOurs(access, envelope, dispute));
    if (open === undefined) return { result: 'dismissed' };
    await takeTurn(options, { open, own, envelope });
    await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL_MS));
  }
}

const isOurs = (access: ChainAccess, { jobId }: ReceiptEnvelope, dispute: Dispute): boolean =>
  dispute.jobId === jobId &&
  dispute.challenger.toLowerCase() === access.write.account.address.toLowerCase();

/** Does what the state of the dispute asks of the challenger, if anything. */
async function takeTurn(
  options: ProsecutorOptions,
  turn: {
    readonly open: OpenDispute;
    readonly own: TraceSource;
    readonly envelope: ReceiptEnvelope;
  },
): Promise<void> {
  const { access } = options;
  const { dispute, children } = turn.open;
  const { court } = access.deployment.addresses;
  const phase = phaseOf(dispute);
  if (phase === 'choosing') {
    const child = await firstDifference(turn.own, dispute.place, { children, hash: sha256 });
    // Nothing differs: the provider is right after all, and the bond is the price of having asked.
    if (child === undefined) return;
    const receipt = await chooseNode(access.write, { court, dispute, children, child });
    step(options, 'choose', receipt);
    return;
  }
  if (phase === 'proving') return;
  if ((await access.read.getBlock()).timestamp <= clockEnds(dispute)) return;
  const claim = claimOf(turn.envelope);
  step(options, 'timeOut', await timeOutDispute(access.write, { court, dispute, claim }));
}

/** The verdict of a job, released as soon as its delay is over if that is near. */
async function convicted(
  options: ProsecutorOptions,
  jobId: Hex,
  finding?: Finding,
): Promise<Outcome> {
  const follower = await followCourt(options.access);
  const verdict = follower.verdicts().find((one) => one.verdict.jobId === jobId);
  if (verdict === undefined) throw verdictMissing(jobId);
  return { result: 'convicted', verdict, ...(finding === undefined ? {} : { finding }) };
}

/** Pays a verdict once its delay is over. */
export async function releaseWhenDue(
  options: Pick<ProsecutorOptions, 'access' | 'onStep'>,
  { verdict }: VerdictRecord,
): Promise<VerdictRecord> {
  const { access } = options;
  const { court } = access.deployment.addresses;
  while ((await access.read.getBlock()).timestamp < verdict.releaseAt)
    await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL_MS));
  step(options, 'release', await releaseVerdict(access.write, { court, verdict }));
  const follower = await followCourt(access);
  return follower.verdicts().find((one) => one.verdict.jobId === verdict.jobId)!;
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
