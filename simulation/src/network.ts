/** A real network in processes of its own, on a data folder and ports of its own, for tests and benchmarks. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** Time a network has to come up on two busy cores. */
const UP_TIMEOUT_MS = 90_000;

const CLI = createRequire(import.meta.url)
  .resolve('@assay/node/package.json')
  .replace(/package\.json$/, 'bin/assay.mjs');

export type Network = {
  readonly home: string;
  readonly url: string;
  readonly rpc: string;
  readonly process: ChildProcess;
  /** Runs `assay ARGS --home …`; never throws, look at `status`. */
  readonly assay: (...args: string[]) => CommandResult;
  /** Ctrl+C and wait. */
  readonly stop: () => Promise<void>;
  /** `kill -9` of every process of the tree at once. */
  readonly killAll: () => Promise<void>;
};

export type CommandResult = {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
};

export type NetworkOptions = {
  /** An existing data folder; a fresh temporary one otherwise. */
  readonly home?: string;
  readonly args?: readonly string[];
};

export const temporaryHome = (): string => mkdtempSync(join(tmpdir(), 'assay-'));

export const removeHome = (home: string): void => rmSync(home, { recursive: true, force: true });

/** `assay up` on free ports; resolves when it answers. */
export async function startNetwork(options: NetworkOptions = {}): Promise<Network> {
  const home = options.home ?? temporaryHome();
  const port = 20_000 + Math.floor(Math.random() * 20_000);
  const ports = ['--port', String(port), '--chain-port', String(port + 100)];
  const child = spawn(
    process.execPath,
    [CLI, 'up', '--json', '--home', home, ...ports, ...(options.args ?? [])],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    },
  );
  const ready = await readLine(child);
  const assay = (...args: string[]): CommandResult => {
    const result = spawnSync(process.execPath, [CLI, ...args, '--home', home], {
      encoding: 'utf8',
    });
    return { status: result.status ?? -1, stdout: result.stdout, stderr: result.stderr };
  };
  return {
    home,
    url: ready.gateway.url,
    rpc: ready.chain.rpc,
    process: child,
    assay,
    stop: () => endProcess(child, () => child.kill('SIGTERM')),
    killAll: () => endProcess(child, () => killTree(child.pid!)),
  };
}

type UpLine = {
  readonly gateway: { readonly url: string };
  readonly chain: { readonly rpc: string };
};

function readLine(child: ChildProcess): Promise<UpLine> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      killTree(child.pid!);
      reject(new Error('the network did not come up in time'));
    }, UP_TIMEOUT_MS);
    child.once('exit', (code) => reject(new Error(`assay up ended with ${code}`)));
    createInterface({ input: child.stdout! }).on('line', (line) => {
      clearTimeout(timer);
      const document = JSON.parse(line) as UpLine & { error?: { code: string; message: string } };
      if (document.error) reject(new Error(`${document.error.code}: ${document.error.message}`));
      else resolve(document);
    });
  });
}

/** The whole process group: `assay up` is its leader, because it was started detached. */
function killTree(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}

function endProcess(child: ChildProcess, end: () => void): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    end();
  });
}

export type DishonestOptions = {
  readonly network: Network;
  readonly home: string;
  readonly fault: string;
  readonly position: number;
  /** Atomic units for a million tokens of input; twice that for output. */
  readonly price?: number;
};

/** Half the price of the providers that `assay up` starts. */
const DISHONEST_PRICE = 10_000;

/** A cheating provider on the same chain, cheaper than the honest one, so that the gateway chooses it. */
export async function startDishonestProvider(
  options: DishonestOptions,
): Promise<{ stop: () => Promise<void>; address: string }> {
  const program = fileURLToPath(
    new URL('./dishonest-provider.js', import.meta.url.replace('/src/', '/dist/')),
  );
  const { network, home, fault, position, price = DISHONEST_PRICE } = options;
  // How a stranger joins a network: with the address file.
  cpSync(join(network.home, 'deployments'), join(home, 'deployments'), { recursive: true });
  const child = spawn(
    process.execPath,
    [program, home, network.rpc, fault, String(position), '0', String(price)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ASSAY_LOG: 'error' },
    },
  );
  const line = (await readLine(child)) as unknown as { address: string };
  return { address: line.address, stop: () => endProcess(child, () => child.kill('SIGKILL')) };
}

/** A verifier on the same chain that takes seats and invents what it should compute. */
export async function startLazyVerifier(options: {
  readonly network: Network;
  readonly home: string;
  readonly seats: number;
}): Promise<{ stop: () => Promise<void>; address: string }> {
  const program = fileURLToPath(
    new URL('./lazy-verifier.js', import.meta.url.replace('/src/', '/dist/')),
  );
  const { network, home, seats } = options;
  cpSync(join(network.home, 'deployments'), join(home, 'deployments'), { recursive: true });
  const child = spawn(process.execPath, [program, home, network.rpc, String(seats)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ASSAY_LOG: 'error' },
  });
  const { address } = (await readLine(child)) as unknown as { address: string };
  return { address, stop: () => endProcess(child, () => child.kill('SIGKILL')) };
}

/** Time for a gateway to notice an offer, and between two looks. */
const ONLINE_TIMEOUT_MS = 60_000;
const ONLINE_INTERVAL_MS = 250;

/** Waits until the gateway of a network buys from a provider, if that is the cheapest. */
export async function untilOnline({ url }: Network, address: string): Promise<void> {
  type Answer = { readonly providers: readonly { address: string; online: boolean }[] };
  const endMs = performance.now() + ONLINE_TIMEOUT_MS;
  for (;;) {
    // A connection of its own: commands block this process for longer than a server keeps one open.
    const answer = await fetch(`${url}/v1/network`, { headers: { connection: 'close' } });
    const { providers } = (await answer.json()) as Answer;
    if (providers.some((one) => one.online && one.address === address)) return;
    if (performance.now() > endMs) throw new Error(`the gateway never found ${address}`);
    await new Promise((resolve) => setTimeout(resolve, ONLINE_INTERVAL_MS));
  }
}
