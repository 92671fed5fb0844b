/** `assay dispute`: what the court of this network has to do, one case with all its steps, and bringing one. */
import { claimOf, openDispute, phaseOf, readCourtTerms } from '@assay/compute';
import { AssayError, formatAmount, type Hex, isHexOf } from '@assay/protocol';
import { LOCAL_CHAIN_ID } from '../chain/index.js';
import { type ChainAccess, connectRole, fundLocalRole, resolveRpc } from '../chain-access.js';
import { type CourtFollower, followCourt } from '../court/court-follower.js';
import { prosecute } from '../court/prosecutor.js';
import { startTraceHost } from '../court/trace-host.js';
import { loadKey, openHome } from '../home.js';
import { createLog } from '../log.js';
import { fetchModel } from '../model-store.js';
import { listOffersOnChain } from '../offers-on-chain.js';
import { EXIT, type Output, print, table } from './output.js';
import { fetchEnvelope } from './receipt.js';

export type DisputeOptions = Output & { readonly home: string; readonly rpc?: string };

async function connect(options: DisputeOptions): Promise<ChainAccess> {
  const home = openHome(options.home);
  const { account } = loadKey(home, 'verifier');
  return connectRole(home, resolveRpc(home, options.rpc), account);
}

/** Open disputes and verdicts, the newest last. */
export async function listDisputes(options: DisputeOptions): Promise<void> {
  const follower = await followCourt(await connect(options));
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
  const follower = await followCourt(await connect(options));
  const steps = follower.steps(jobId);
  if (steps.length === 0) throw disputeUnknown(jobId);
  const verdict = follower.verdicts().find((one) => one.verdict.jobId === jobId);
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

/** Compares the provider's trace of a receipt with an honest one, and goes to court if it is wrong or withheld. */
export async function openDisputeCommand(
  options: DisputeOptions & { readonly gateway?: string; readonly force: boolean },
  id: string,
): Promise<void> {
  const home = openHome(options.home);
  const access = await connect(options);
  if (access.market.chainId === LOCAL_CHAIN_ID) await fundLocalRole(access, 0n);
  const envelope = await fetchEnvelope(options, id);
  const { modelId, provider } = envelope.job;
  if (options.force) {
    const { court } = access.deployment.addresses;
    const { bond } = await readCourtTerms(access.read, court);
    const receipt = await openDispute(access.write, { court, claim: claimOf(envelope), bond });
    const transaction = receipt.transactionHash;
    print(options, { result: 'opened', transaction }, `opened ${transaction}`);
    return;
  }
  const offers = await listOffersOnChain(access, { modelId });
  const modelPath = await fetchModel(
    home,
    modelId,
    offers.map(({ endpoint }) => endpoint),
  );
  const endpoint =
    offers.find((one) => one.provider.toLowerCase() === provider.toLowerCase())?.endpoint ?? '';
  const traces = await startTraceHost({ modelPath });
  try {
    const log = createLog('dispute');
    const outcome = await prosecute({ access, traces, endpoint, log }, envelope);
    const { result } = outcome;
    const found = result === 'convicted' ? outcome.finding : undefined;
    const document = {
      result,
      ...(found === undefined ? {} : { kind: found.kind, place: found.place }),
    };
    print(options, document, result === 'right' ? 'right: there is nothing to dispute' : result);
    if (result === 'dismissed') process.exitCode = EXIT.refused;
  } finally {
    await traces.close();
  }
}

function jobIdOf(text: string): Hex {
  if (isHexOf(text, 32)) return text.toLowerCase() as Hex;
  throw new AssayError({
    code: 'invalid_value',
    fault: 'user',
    message: 'A job id is 0x and 64 hexadecimal digits.',
    value: text,
    remedy: 'Copy it from the answer, or from `assay status`.',
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
