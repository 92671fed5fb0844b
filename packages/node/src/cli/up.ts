/**
 * `assay up`: a whole network on this machine; every role a process of its own, talking to the others as strangers
 * do.
 */
import { type AuditTerms, type DeployContractsParameters, LOCAL_AUDIT_TERMS } from '@assay/compute';
import { AssayError } from '@assay/protocol';
import { privateKeyToAccount } from 'viem/accounts';
import { LOCAL_FAUCET_KEY } from '../chain/index.js';
import { ensureDeployment } from '../chain-access.js';
import { openHome } from '../home.js';
import { createLog } from '../log.js';
import { createSupervisor, type Supervisor } from '../roles/supervisor.js';
import { print } from './output.js';
import { removeRunFile, writeRunFile } from './run-file.js';

export type UpOptions = {
  readonly home: string;
  readonly json: boolean;
  readonly port: number;
  readonly chainPort: number;
  readonly model?: string;
  readonly threads: number;
  readonly checkShare: number;
  readonly seats: number;
  readonly auditTerms?: string;
  readonly database?: string;
};

/** Ports of the roles that nobody has to remember; the next free one is taken when busy. */
const PROVIDER_PORT = 8788;
const VERIFIER_PORT = 8789;

export async function up(options: UpOptions): Promise<void> {
  const home = openHome(options.home);
  const log = createLog('up');
  const supervisor = createSupervisor({ home, log, nowMs: Date.now });
  stopOnSignal(supervisor, home);
  try {
    await startNetwork(options, home, supervisor);
  } catch (error) {
    await supervisor.stop();
    throw error;
  }
  await new Promise<never>(() => {});
}

async function startNetwork(
  options: UpOptions,
  home: string,
  supervisor: Supervisor,
): Promise<void> {
  const startedMs = Date.now();
  const say = (text: string): void => void (options.json || process.stdout.write(text));
  const common = ['--home', home, '--json'];
  say('  chain     ');
  const chain = await supervisor.start({
    name: 'chain',
    args: ['chain', ...common, '--port', String(options.chainPort)],
  });
  const rpc = String(chain.rpcUrl);
  const deployer = privateKeyToAccount(LOCAL_FAUCET_KEY);
  const { fresh } = await ensureDeployment(home, rpc, deployer, auditTerms(options.auditTerms));
  say(`${rpc}${fresh ? '  contracts deployed' : ''}\n  provider  `);
  const model = options.model === undefined ? [] : ['--model', options.model];
  const threads = ['--threads', String(options.threads)];
  const onChain = [...common, '--rpc', rpc];
  const provider = await supervisor.start({
    name: 'provider',
    args: ['provider', ...onChain, '--port', String(PROVIDER_PORT), ...model, ...threads],
  });
  say(`${provider.url}  serves ${provider.name}\n  verifier  `);
  const verifier = await supervisor.start({
    name: 'verifier',
    args: [
      ...['verifier', ...onChain, '--port', String(VERIFIER_PORT), ...threads],
      ...['--seats', String(options.seats)],
    ],
  });
  say(`${verifier.url}\n  gateway   `);
  const database = options.database === undefined ? [] : ['--database', options.database];
  const gateway = await supervisor.start({
    name: 'gateway',
    args: [
      'gateway',
      ...onChain,
      '--port',
      String(options.port),
      '--verifier',
      String(verifier.url),
      '--check-share',
      String(options.checkShare),
      ...database,
    ],
  });
  const url = String(gateway.url);
  writeRunFile(home, {
    gateway: url,
    rpc,
    chainId: Number(chain.chainId),
    pid: process.pid,
    pids: supervisor.pids(),
  });
  say(`${url}\n`);
  const seconds = (Date.now() - startedMs) / 1_000;
  const document = {
    gateway: { url },
    chain: { rpc, id: chain.chainId },
    model: provider.name,
    home,
    seconds,
  };
  print(
    options,
    document,
    greeting(url, seconds, gateway.moved === true ? options.port : undefined),
  );
}

/** Terms of audits that are not the usual ones of a local chain; throws `invalid_value`. */
function auditTerms(text: string | undefined): DeployContractsParameters {
  if (text === undefined) return {};
  const given = parseTerms(text);
  const known = Object.entries(LOCAL_AUDIT_TERMS).map(([name, usual]) => {
    const value = given[name] ?? Number(usual);
    if (!Number.isSafeInteger(value) || Number(value) < 0) throw termsInvalid(`${name}: ${value}`);
    return [name, typeof usual === 'bigint' ? BigInt(Number(value)) : value];
  });
  const unknown = Object.keys(given).find((name) => !(name in LOCAL_AUDIT_TERMS));
  if (unknown !== undefined) throw termsInvalid(unknown);
  return { auditTerms: Object.fromEntries(known) as AuditTerms };
}

function parseTerms(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Told below.
  }
  throw termsInvalid(text);
}

const termsInvalid = (value: string): AssayError =>
  new AssayError({
    code: 'invalid_value',
    fault: 'user',
    message: '--audit-terms is JSON with whole numbers by the names of the terms.',
    value: value.slice(0, 80),
    remedy: `Names: ${Object.keys(LOCAL_AUDIT_TERMS).join(', ')}.`,
  });

const greeting = (url: string, seconds: number, wanted: number | undefined): string => `
Assay is up after ${seconds.toFixed(1)} s.${wanted === undefined ? '' : portMoved(wanted)}

  page      ${url}
  OpenAI    ${url}/v1

Try:  npx assay ask "What is Assay?"
Stop: Ctrl+C`;

const portMoved = (wanted: number): string => ` Port ${wanted} was taken, so it listens elsewhere.`;

function stopOnSignal(supervisor: Supervisor, home: string): void {
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    void supervisor.stop().then(() => {
      removeRunFile(home);
      process.exit(0);
    });
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
}
