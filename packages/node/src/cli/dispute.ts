/** `assay dispute`: what the court of this network has to do, one case with all its steps, bringing one, paying one. */
import { phaseOf } from '@assay/compute';
import { AssayError, formatAmount, type Hex, isHexOf } from '@assay/protocol';
import { LOCAL_CHAIN_ID } from '../chain/index.js';
import { type ChainAccess, connectRole, fundLocalRole, resolveRpc } from '../chain-access.js';
import { openVerifierBook, tryCase } from '../court/case.js';
import { type CourtFollower, followCourt, type VerdictRecord } from '../court/court-follower.js';
import { type CaseStep, type Outcome, releaseWhenDue } from '../court/prosecutor.js';
import { loadKey, openHome } from '../home.js';
import { createLog } from '../log.js';
import { moveLine, outcomeText } from './case-words.js';
import { gatewayHeaders } from './gateway-client.js';
import { EXIT, type Output, print, table } from './output.js';
import { fetchEnvelope } from './receipt.js';
import { NOBODY, readClock, whenReady } from './role-access.js';
import { gatewayUrl } from './run-file.js';

export type DisputeOptions = Output & { readonly home: string; readonly rpc?: string };

/** A delay that is waited for; a longer one is for `assay dispute release`. */
const RELEASE_WAIT_SECONDS = 30;

const UNANSWERED =
  'The provider does not answer. In court silence loses, once its clock has run out.';

/** For commands that only read: they make no key and no folder. */
const connectReader = ({ home, rpc }: DisputeOptions): Promise<ChainAccess> =>
  connectRole(home, resolveRpc(home, rpc), NOBODY);

/** With the key of the verifier, which is made if there is none. */
function connectVerifier({ home: folder, rpc }: DisputeOptions): Promise<ChainAccess> {
  const url = resolveRpc(folder, rpc);
  const home = openHome(folder);
  return connectRole(home, url, loadKey(home, 'verifier').account);
}

/** Open disputes and verdicts, the newest last. */
export async function listDisputes(options: DisputeOptions): Promise<void> {
  const follower = await followCourt(await connectReader(options));
  const disputes = follower.disputes().map(({ dispute }) => ({
    jobId: dispute.jobId,
    state: phaseOf(dispute),
    provider: dispute.provider,
    challenger: dispute.challenger,
  }));
  const verdicts = follower.verdicts().map(verdictDocument);
  const rows = [
    ...disputes.map(({ jobId, state, provider }) => [jobId, state, provider, '']),
    ...verdicts.map(({ jobId, state, provider, taken }) => [
      jobId,
      state,
      provider,
      formatAmount(BigInt(taken)),
    ]),
  ];
  const text =
    rows.length === 0
      ? 'No disputes. `assay dispute open ID` brings a receipt to court.'
      : table([['job', 'state', 'provider', 'taken'], ...rows]);
  print(options, { disputes, verdicts }, text);
}

const verdictDocument = ({
  verdict,
  kind,
  released,
}: ReturnType<CourtFollower['verdicts']>[number]) => ({
  jobId: verdict.jobId,
  state: released === undefined ? ('convicted' as const) : ('paid' as const),
  kind,
  provider: verdict.provider,
  requester: verdict.requester,
  claimant: verdict.claimant,
  taken: String(verdict.taken),
  refunded: String(released?.refund ?? 0n),
  bounty: String(released?.bounty ?? 0n),
});

/** Every step of the cases about one job. */
export async function showDispute(options: DisputeOptions, id: string): Promise<void> {
  const jobId = jobIdOf(id);
  const follower = await followCourt(await connectReader(options));
  const steps = follower.steps(jobId);
  if (steps.length === 0) throw disputeUnknown(jobId);
  const verdict = verdictOf(follower, jobId);
  const document = {
    jobId,
    steps: steps.map(({ name, block, transaction }) => ({
      step: name,
      block: Number(block),
      transaction,
    })),
    ...(verdict === undefined ? {} : { verdict: verdictDocument(verdict) }),
  };
  const rows = document.steps.map(({ step, block, transaction }) => [
    step,
    String(block),
    transaction,
  ]);
  print(options, document, table([['step', 'block', 'transaction'], ...rows]));
}

const verdictOf = (follower: CourtFollower, jobId: Hex): VerdictRecord | undefined =>
  follower.verdicts().find(({ verdict }) => verdict.jobId === jobId);

export type OpenOptions = DisputeOptions & {
  readonly gateway?: string;
  /** Goes on chain without asking the provider first. */
  readonly force: boolean;
};

/** Compares the provider's trace of a receipt with an honest one, and goes to court if it is wrong or withheld. */
export async function openDisputeCommand(options: OpenOptions, id: string): Promise<void> {
  const jobId = jobIdOf(id);
  const access = await connectVerifier(options);
  const envelope = await fetchEnvelope(options, jobId);
  const earlier = verdictOf(await followCourt(access), jobId);
  if (earlier !== undefined) throw alreadyConvicted(jobId);
  const { home, force } = options;
  const startedMs = Date.now();
  const steps: CaseStep[] = [];
  const onStep = (step: CaseStep): void => {
    steps.push(step);
    if (options.json) return;
    if (step.move === 'open' && !force) process.stdout.write(`${UNANSWERED}\n`);
    process.stdout.write(`${moveLine(step, (Date.now() - startedMs) / 1_000)}\n`);
  };
  const book = openVerifierBook(home, access);
  const log = createLog('dispute', 'error');
  const outcome = await tryCase(
    { home, access, log, book, force, onStep, paysOut: isSoon, gateway: gatewayOf(options) },
    envelope,
  );
  print(options, documentOf(jobId, outcome, steps), outcomeText(outcome));
  if (outcome.result === 'dismissed') process.exitCode = EXIT.refused;
}

const gatewayOf = ({ home, gateway }: OpenOptions) => ({
  url: gatewayUrl(home, gateway),
  headers: gatewayHeaders(),
});

const isSoon = (outcome: Outcome): boolean =>
  outcome.result !== 'convicted' ||
  Number(outcome.verdict.verdict.releaseAt) <= Date.now() / 1_000 + RELEASE_WAIT_SECONDS;

function documentOf(jobId: Hex, outcome: Outcome, steps: readonly CaseStep[]) {
  const made = steps.map(({ move, transaction, gas }) => ({ move, transaction, gas: Number(gas) }));
  const { result } = outcome;
  if (result !== 'convicted') return { result, jobId, steps: made };
  const { finding, verdict } = outcome;
  const told = finding && {
    ...{ kind: finding.kind, place: finding.place },
    ...{ expected: finding.expected, found: finding.found },
  };
  return { result, jobId, steps: made, ...told, verdict: verdictDocument(verdict) };
}

/** Pays out a verdict whose delay is over. Anybody may: the money goes where the court says. */
export async function releaseDispute(options: DisputeOptions, id: string): Promise<void> {
  const jobId = jobIdOf(id);
  const access = await connectVerifier(options);
  const found = verdictOf(await followCourt(access), jobId);
  if (found === undefined) throw notConvicted(jobId);
  if (found.released === undefined) {
    const { verdict } = found;
    const readyAt = Number(verdict.releaseAt);
    const now = await readClock(access);
    if (now < readyAt) throw releaseNotReady(whenReady(readyAt, now));
    if (access.market.chainId === LOCAL_CHAIN_ID) await fundLocalRole(access, 0n);
    await releaseWhenDue({ access }, found);
  }
  const paid = verdictOf(await followCourt(access), jobId)!;
  const text = outcomeText({ result: 'convicted', verdict: paid }).split('\n').slice(1).join('\n');
  print(options, verdictDocument(paid), text);
}

function jobIdOf(text: string): Hex {
  if (isHexOf(text, 32)) return text.toLowerCase() as Hex;
  throw new AssayError({
    code: 'invalid_value',
    fault: 'user',
    message: 'A job id is 0x and 64 hexadecimal digits.',
    value: text,
    remedy: 'It is the id of the receipt: the last line of `assay ask` has it, and the page.',
  });
}

const disputeUnknown = (jobId: Hex): AssayError =>
  new AssayError({
    code: 'dispute_unknown',
    fault: 'user',
    message: 'The court has never heard of this job.',
    value: jobId,
    remedy: 'See `assay dispute list`; `assay dispute open ID` brings a receipt to court.',
  });

const alreadyConvicted = (jobId: Hex): AssayError =>
  new AssayError({
    code: 'already_convicted',
    fault: 'user',
    message: 'The provider is convicted for this job already.',
    value: jobId,
    remedy: 'See `assay dispute show ID`.',
  });

const notConvicted = (jobId: Hex): AssayError =>
  new AssayError({
    code: 'not_convicted',
    fault: 'user',
    message: 'The court has convicted nobody for this job, so there is nothing to pay out.',
    value: jobId,
    remedy: 'See `assay dispute list`.',
  });

const releaseNotReady = (when: string): AssayError =>
  new AssayError({
    code: 'release_not_ready',
    fault: 'user',
    message: 'The court’s delay before it pays is not over.',
    value: when,
    remedy: 'Run the same command again then; anybody may, and the money goes to the same places.',
  });
