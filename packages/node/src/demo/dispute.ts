/**
 * A dispute from beginning to end on a fresh private network: a provider that cheats in a chosen way sells an answer, a
 * verifier re-computes it, and the court convicts by itself. Everything is real but the provider's honesty.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CourtTerms, decodeEnvelope, reexecute, type Verdict } from '@assay/compute';
import { createWasmBackend } from '@assay/engine';
import { openModelFile } from '@assay/model';
import { decodeJson, type Hex, type ReceiptEnvelope } from '@assay/protocol';
import { privateKeyToAccount } from 'viem/accounts';
import { LOCAL_FAUCET_KEY } from '../chain/index.js';
import { connectRole, ensureDeployment, fundLocalRole } from '../chain-access.js';
import { followCourt, type VerdictRecord } from '../court/court-follower.js';
import { type CaseStep, type Outcome, prosecute, releaseWhenDue } from '../court/prosecutor.js';
import { startTraceHost } from '../court/trace-host.js';
import { loadKey, openHome } from '../home.js';
import { createLog } from '../log.js';
import { openModelSource, SHIPPED_MODEL_PATH } from '../model-store.js';
import { startProvider } from '../roles/provider.js';
import { createSupervisor } from '../roles/supervisor.js';
import type { DemoFault } from './fault-kinds.js';
import { disguiseAs } from './faults.js';

/** Terms of a network that lives for a minute. */
const DEMO_TERMS: CourtTerms = { clock: 120, window: 3_600, releaseDelay: 1, bond: 10n ** 16n };

/** After so many seconds of silence a provider has lost: enough to see that nothing comes. */
const SILENCE_SECONDS = 8;

/** Ports of a private network, tried upwards. */
const DEMO_PORT = 18_787;

/** Atomic units: what the demonstrated provider has at risk. */
const DEMO_STAKE = 1_000_000_000;

const QUESTION = 'What is Assay?';
const MAX_TOKENS = 24;

export type DemoEvent =
  | { readonly step: 'network'; readonly seconds: number }
  | { readonly step: 'answer'; readonly text: string; readonly jobId: Hex; readonly price: bigint }
  | { readonly step: 'check'; readonly verdict: Verdict }
  | {
      readonly step: 'transaction';
      readonly made: CaseStep | ProviderStep;
      readonly seconds: number;
    }
  | { readonly step: 'outcome'; readonly outcome: Outcome };

/** A transaction that the provider made to defend itself. */
export type ProviderStep = {
  readonly move: 'answer' | 'reveal' | 'show';
  readonly transaction: Hex;
  readonly gas: bigint;
};

export type DemoResult = {
  readonly fault: DemoFault;
  readonly convicted: boolean;
  readonly transactions: number;
  readonly gas: {
    readonly open: bigint;
    readonly reveal: bigint;
    readonly prove: bigint;
    readonly total: bigint;
  };
  readonly slashed: bigint;
  readonly refunded: bigint;
  readonly seconds: number;
};

/** Plays a fault to its verdict. */
export async function playDispute(
  fault: DemoFault,
  tell: (event: DemoEvent) => void,
): Promise<DemoResult> {
  const home = openHome(mkdtempSync(join(tmpdir(), 'assay-demo-')));
  const log = createLog('demo', 'error');
  const supervisor = createSupervisor({ home, log, nowMs: Date.now });
  const closers: (() => Promise<void>)[] = [];
  const startedMs = Date.now();
  try {
    const network = await startPrivateNetwork({ fault, home, supervisor, log, closers });
    tell({ step: 'network', seconds: secondsSince(startedMs) });
    const envelope = await buyAnswer(network.gatewayUrl, fault, tell);
    return await tryCase({ fault, home, network, envelope, tell, log, closers, startedMs });
  } finally {
    for (const close of closers.reverse()) await close().catch(() => undefined);
    await supervisor.stop();
    rmSync(home, { recursive: true, force: true });
  }
}

const secondsSince = (startedMs: number): number => (Date.now() - startedMs) / 1_000;

type Network = { readonly rpc: string; readonly gatewayUrl: string; readonly endpoint: string };

async function startPrivateNetwork(options: {
  readonly fault: DemoFault;
  readonly home: string;
  readonly supervisor: ReturnType<typeof createSupervisor>;
  readonly log: ReturnType<typeof createLog>;
  readonly closers: (() => Promise<void>)[];
}): Promise<Network> {
  const { fault, home, supervisor, log, closers } = options;
  const common = ['--home', home, '--json'];
  const chain = await supervisor.start({
    name: 'chain',
    args: ['chain', ...common, '--port', String(DEMO_PORT + 1)],
  });
  const rpc = String(chain.rpcUrl);
  await ensureDeployment(home, rpc, privateKeyToAccount(LOCAL_FAUCET_KEY), {
    courtTerms: { ...DEMO_TERMS, clock: fault === 'silent' ? SILENCE_SECONDS : DEMO_TERMS.clock },
  });
  const { disguise, close } = await disguiseAs(fault, {
    modelPath: SHIPPED_MODEL_PATH,
    folder: home,
  });
  closers.push(close);
  const provider = await startProvider(
    {
      home,
      rpc,
      host: '127.0.0.1',
      port: 0,
      inputPrice: 10_000,
      outputPrice: 20_000,
      stake: DEMO_STAKE,
      queue: 4,
      threads: 1,
      claimSeconds: 3_600,
    },
    log,
    disguise,
  );
  closers.push(provider.close);
  const gateway = await supervisor.start({
    name: 'gateway',
    args: ['gateway', ...common, '--rpc', rpc, '--port', String(DEMO_PORT), '--check-share', '0'],
  });
  const endpoint = String(provider.ready.endpoint);
  return { rpc, gatewayUrl: String(gateway.url), endpoint };
}

/** Asks the question through the gateway, as any client does, and fetches the receipt. */
async function buyAnswer(
  gatewayUrl: string,
  fault: DemoFault,
  tell: (event: DemoEvent) => void,
): Promise<ReceiptEnvelope> {
  const { data } = (await (await fetch(`${gatewayUrl}/v1/models`)).json()) as {
    data: { id: string }[];
  };
  const response = await fetch(`${gatewayUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: data[0]!.id,
      messages: [{ role: 'user', content: QUESTION }],
      max_tokens: MAX_TOKENS,
      // A seed matters only where tokens are drawn.
      ...(fault === 'wrong-seed' ? { temperature: 1.5, seed: 7 } : { temperature: 0 }),
    }),
  });
  const body = (await response.json()) as {
    choices: { message: { content: string } }[];
    receipt: { id: Hex; price: string };
  };
  const { id } = body.receipt;
  tell({
    step: 'answer',
    text: body.choices[0]!.message.content,
    jobId: id,
    price: BigInt(body.receipt.price),
  });
  const kept = decodeJson(await (await fetch(`${gatewayUrl}/v1/receipts/${id}`)).text()) as {
    envelope: unknown;
  };
  return decodeEnvelope(kept.envelope);
}

type Case = {
  readonly fault: DemoFault;
  readonly home: string;
  readonly network: Network;
  readonly envelope: ReceiptEnvelope;
  readonly tell: (event: DemoEvent) => void;
  readonly log: ReturnType<typeof createLog>;
  readonly closers: (() => Promise<void>)[];
  readonly startedMs: number;
};

/** Re-computes the receipt, and goes to court whatever comes of it: what is wrong only inside must be found, too. */
async function tryCase(options: Case): Promise<DemoResult> {
  const { fault, home, network, envelope, tell, log, closers } = options;
  const { account } = loadKey(home, 'verifier');
  const access = await connectRole(home, network.rpc, account);
  await fundLocalRole(access, 0n);
  const file = openModelFile(openModelSource(SHIPPED_MODEL_PATH));
  const session = createWasmBackend().createSession(file.model);
  tell({ step: 'check', verdict: reexecute({ envelope, session }) });
  session.dispose();
  const traces = await startTraceHost({ modelPath: SHIPPED_MODEL_PATH });
  closers.push(traces.close);
  const made: CaseStep[] = [];
  const onStep = (step: CaseStep): void => {
    made.push(step);
    tell({ step: 'transaction', made: step, seconds: secondsSince(options.startedMs) });
  };
  const { endpoint } = network;
  const outcome = await prosecute({ access, traces, endpoint, log, onStep }, envelope);
  let record: VerdictRecord | undefined;
  if (outcome.result === 'convicted')
    record = await releaseWhenDue({ access, onStep }, outcome.verdict);
  tell({
    step: 'outcome',
    outcome: record && outcome.result === 'convicted' ? { ...outcome, verdict: record } : outcome,
  });
  const answers = await providerSteps(access, envelope.jobId);
  return resultOf({ fault, made, answers, record, seconds: secondsSince(options.startedMs) });
}

/** What the provider did in court, from the chain. */
async function providerSteps(
  access: Awaited<ReturnType<typeof connectRole>>,
  jobId: Hex,
): Promise<readonly ProviderStep[]> {
  const moves = { Answered: 'answer', Revealed: 'reveal', Shown: 'show' } as const;
  const steps = (await followCourt(access)).steps(jobId);
  return Promise.all(
    steps.flatMap(({ name, transaction }) =>
      name in moves
        ? [
            access.read.getTransactionReceipt({ hash: transaction }).then(({ gasUsed }) => ({
              move: moves[name as keyof typeof moves],
              transaction,
              gas: gasUsed,
            })),
          ]
        : [],
    ),
  );
}

function resultOf(played: {
  readonly fault: DemoFault;
  readonly made: readonly CaseStep[];
  readonly answers: readonly ProviderStep[];
  readonly record: VerdictRecord | undefined;
  readonly seconds: number;
}): DemoResult {
  const { fault, made, answers, record, seconds } = played;
  const all = [...made, ...answers];
  const gasOf = (...moves: readonly string[]): bigint =>
    all.reduce((sum, { move, gas }) => (moves.includes(move) ? sum + gas : sum), 0n);
  const open = gasOf('open');
  const reveal = gasOf('answer', 'reveal', 'show', 'choose', 'again');
  const prove = gasOf('commit', 'prove', 'timeOut');
  return {
    fault,
    convicted: record !== undefined,
    transactions: all.length,
    gas: { open, reveal, prove, total: gasOf(...all.map(({ move }) => move)) },
    slashed: record?.verdict.taken ?? 0n,
    refunded: record?.released?.refund ?? 0n,
    seconds,
  };
}
