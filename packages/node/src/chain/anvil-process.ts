/**
 * One anvil process on a private loopback port: it only mines when told to, lives under a memory limit, and
 * dies with us however we die. Knows nothing of journals or of who calls.
 *
 * A small shell stands between: it sets the limit and waits on a pipe whose other end we hold. The kernel
 * closes our end even after `kill -9`, and the shell then kills anvil.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findAnvil } from './anvil-binary.js';
import type { ChainLog } from './chain-engine.js';
import { anvilUnstartable } from './chain-errors.js';
import { ANVIL_MEMORY_KIB_MAX, ANVIL_PORT_TRIES_MAX, ANVIL_START_MS_MAX } from './chain-limits.js';
import { createRpcClient, type RpcClient } from './rpc-client.js';

/** What makes two chains equal block by block; kept in the journal, never changed afterwards. */
export type Genesis = {
  readonly chainId: number;
  readonly timestamp: number;
  readonly hardfork: string;
  readonly blockGasMax: number;
};

export type AnvilOptions = {
  readonly genesis: Genesis;
  /** Home folder for anvil's own files, so that it leaves nothing in the user's. */
  readonly folder: string;
  readonly log: ChainLog;
  readonly program?: string | undefined;
  readonly memoryKibMax?: number | undefined;
  /** Replay accepts what was once accepted, though the balance came later; see `recovery`. */
  readonly skipBalanceChecks?: boolean | undefined;
};

export type AnvilProcess = {
  readonly client: RpcClient;
  readonly pid: number;
  /** Resolves when the process is gone, with what it said last. */
  readonly exited: Promise<string>;
  kill(): Promise<void>;
};

const LIMITER = `
ulimit -v "$1" 2>/dev/null || echo 'assay: no memory limit on this system' >&2
shift
exec 3<&0
"$@" </dev/null 3<&- &
anvil=$!
( read -r _ <&3; kill -9 $anvil ) 2>/dev/null &
watcher=$!
exec 3<&- </dev/null 2>/dev/null
wait $anvil
code=$?
kill $watcher 2>/dev/null
exit $code
`;

export async function startAnvil(options: AnvilOptions): Promise<AnvilProcess> {
  mkdirSync(options.folder, { recursive: true });
  let detail = '';
  for (let attempt = 0; attempt < ANVIL_PORT_TRIES_MAX; attempt++) {
    const port = await findFreePort();
    const anvil = superviseChild(spawnAnvil(options, port), port, options.log);
    const obstacle = await waitUntilReady(anvil, options.genesis);
    if (obstacle === undefined) return anvil;
    await anvil.kill();
    detail = obstacle;
    if (!obstacle.includes('in use')) break;
  }
  throw anvilUnstartable(detail);
}

function spawnAnvil(options: AnvilOptions, port: number): ChildProcess {
  const program = options.program ?? findAnvil();
  const args = anvilArguments(options, port);
  const cwd = resolve(options.folder);
  const stdio: ['pipe', 'ignore', 'pipe'] = ['pipe', 'ignore', 'pipe'];
  if (process.platform === 'win32') return spawn(program, args, { cwd, stdio });
  // Nothing else of our surroundings: settings of other tools would change the chain.
  const env = { PATH: process.env.PATH, HOME: cwd };
  const memory = String(options.memoryKibMax ?? ANVIL_MEMORY_KIB_MAX);
  return spawn('sh', ['-c', LIMITER, 'sh', memory, program, ...args], { cwd, env, stdio });
}

/** Without `--no-mining` anvil livelocks under concurrency; `--order fifo` lets a replay keep the order. */
function anvilArguments({ genesis, skipBalanceChecks }: AnvilOptions, port: number): string[] {
  return [
    ...['--host', '127.0.0.1', '--port', String(port), '--no-cors', '--no-request-size-limit'],
    ...['--no-mining', '--order', 'fifo', '--prune-history', '--silent'],
    ...['--chain-id', String(genesis.chainId), '--timestamp', String(genesis.timestamp)],
    ...['--hardfork', genesis.hardfork, '--gas-limit', String(genesis.blockGasMax)],
    ...(skipBalanceChecks ? ['--disable-pool-balance-checks'] : []),
  ];
}

function superviseChild(child: ChildProcess, port: number, log: ChainLog): AnvilProcess {
  const client = createRpcClient(port);
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-SAID_LENGTH_MAX);
    log.warn({ text: text.trim() }, 'anvil wrote to its error output');
  });
  child.stdin?.on('error', () => {});
  const exited = new Promise<string>((done) => {
    child.once('error', (error) => done(error.message));
    child.once('close', (code, signal) => done(`exit ${code ?? signal} ${said.trim()}`));
  });
  exited.then(() => client.close());
  return {
    client,
    pid: child.pid ?? 0,
    exited,
    async kill() {
      child.stdin?.destroy();
      if (process.platform === 'win32') child.kill('SIGKILL');
      await exited;
    },
  };
}

const SAID_LENGTH_MAX = 400;

/** Resolves to nothing when our anvil answers, or to the reason why it never will. */
async function waitUntilReady(anvil: AnvilProcess, genesis: Genesis): Promise<string | undefined> {
  const deadlineMs = performance.now() + ANVIL_START_MS_MAX;
  while (performance.now() < deadlineMs) {
    const block = await anvil.client.call('eth_getBlockByNumber', ['0x0', false]).catch(() => {});
    if (block) return sameGenesis(block, genesis) ? undefined : 'port in use by another chain';
    const last = await Promise.race([anvil.exited, sleep(READY_POLL_MS)]);
    if (last !== undefined) return last;
  }
  return `no answer within ${ANVIL_START_MS_MAX} ms`;
}

const READY_POLL_MS = 10;

function sameGenesis(block: unknown, genesis: Genesis): boolean {
  return Number((block as { timestamp: string }).timestamp) === genesis.timestamp;
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
