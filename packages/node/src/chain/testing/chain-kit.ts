/** What the chain tests share: a chain on a temporary folder, a clock that jumps, and a counter contract. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Hex } from '@assay/protocol';
import { createPublicClient, http, type PublicClient } from 'viem';
import { type ClockSource, LOCAL_CHAIN_ID, localAccount } from '../index.js';

/** A folder that is removed at the end of the process. */
export function temporaryHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'assay-chain-'));
  process.once('exit', () => rmSync(home, { recursive: true, force: true }));
  return home;
}

/** A clock whose wall time tests can push either way. */
export function jumpingClock(): ClockSource & { jump(seconds: number): void } {
  let offsetMs = 0;
  return {
    wallMs: () => Date.now() + offsetMs,
    steadyMs: () => performance.now(),
    jump: (seconds) => {
      offsetMs += seconds * 1000;
    },
  };
}

/** Any JSON-RPC answer, with the HTTP status beside it. */
export type RawAnswer = {
  readonly status: number;
  readonly body: {
    readonly result?: unknown;
    readonly error?: { code: number; message: string; data?: { code?: string } };
  };
};

export async function postRpc(url: string, body: string, headers = {}): Promise<RawAnswer> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  });
  return { status: answer.status, body: (await answer.json()) as RawAnswer['body'] };
}

export function callRpc(url: string, method: string, params: unknown[] = []): Promise<RawAnswer> {
  return postRpc(url, JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }));
}

export const publicClient = (rpcUrl: string): PublicClient =>
  createPublicClient({ transport: http(rpcUrl, { retryCount: 0 }), pollingInterval: 20 });

/** The next nonce of a local account, counting what waits. */
export async function nextNonce(rpcUrl: string, from: number): Promise<number> {
  const { address } = localAccount({ chainId: LOCAL_CHAIN_ID, index: from });
  const { body } = await callRpc(rpcUrl, 'eth_getTransactionCount', [address, 'pending']);
  return Number(body.result);
}

export type TransferOptions = {
  readonly from: number;
  readonly nonce: number;
  readonly to?: Hex | undefined;
  readonly value?: bigint;
  readonly data?: Hex;
  readonly gas?: bigint;
};

/** A signed transaction of a local account; to another local account unless told otherwise. */
export function signTransfer(options: TransferOptions): Promise<Hex> {
  const { from, nonce, value = 1n, data, gas = 100_000n } = options;
  const account = localAccount({ chainId: LOCAL_CHAIN_ID, index: from });
  const to =
    'to' in options ? options.to : localAccount({ chainId: LOCAL_CHAIN_ID, index: 9 }).address;
  return account.signTransaction({
    type: 'eip1559',
    chainId: LOCAL_CHAIN_ID,
    nonce,
    value,
    gas,
    maxFeePerGas: 100_000_000_000n,
    maxPriorityFeePerGas: 1n,
    ...(to ? { to } : {}),
    ...(data ? { data } : {}),
  });
}

/** Creation code of a contract that counts its calls and logs each with the caller as topic. */
export const COUNTER_CODE: Hex = '0x60108060095f395ff35f54600101805f555f523360205fa100';

/** Runtime reverts until a moment: `require(block.timestamp > moment)`. */
export function timeLockCode(moment: number): Hex {
  const runtime = `63${moment.toString(16).padStart(8, '0')}4211600d575f5ffd5b00`;
  const size = (runtime.length / 2).toString(16).padStart(2, '0');
  return `0x60${size}8060095f395ff3${runtime}`;
}

/** Ids of the anvil processes that work on a folder (by their `HOME`); Linux only. */
export function anvilsOf(home: string): number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const isAnvil = /\/anvil$/.test(
        readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0')[0]!,
      );
      const isOurs = readFileSync(`/proc/${name}/environ`, 'utf8').includes(`HOME=${home}/`);
      return isAnvil && isOurs ? [Number(name)] : [];
    } catch {
      return []; // It ended while we looked.
    }
  });
}

export type ChainChild = {
  readonly rpcUrl: string;
  readonly pid: number;
  /** Kills the role process alone, with SIGKILL. */
  kill(): Promise<void>;
};

/** The chain role in a process of its own, from the build. */
export async function startChainChild(home: string): Promise<ChainChild> {
  const program = fileURLToPath(new URL('../../../dist/chain/chain-main.js', import.meta.url));
  const child = spawn(process.execPath, [program, home, '0'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const lines = createInterface({ input: child.stdout });
  const exited = once(child, 'exit');
  const line = await Promise.race([once(lines, 'line'), exited.then(() => undefined)]);
  if (!line) throw new Error(`the chain child ended: ${said}`);
  const { rpcUrl } = JSON.parse(String(line[0])) as { rpcUrl: string };
  return {
    rpcUrl,
    pid: child.pid!,
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Test limit for what takes seconds on an idle machine: the suite also runs on loaded ones. */
export const SLOW_MS = 120_000;

/** Waits for something to become true; throws after the given time. */
export async function eventually(check: () => boolean | Promise<boolean>, timeoutMs = 60_000) {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await check())) {
    if (performance.now() > deadlineMs)
      throw new Error(`not true within ${timeoutMs} ms: ${check}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** What the tests read of a receipt. */
export type Receipt = {
  readonly status: Hex;
  readonly blockHash: Hex;
  readonly blockNumber: Hex;
  readonly contractAddress: Hex;
};

export async function waitForReceipt(rpcUrl: string, hash: Hex): Promise<Receipt> {
  let receipt: Receipt | undefined;
  await eventually(async () => {
    receipt = await findReceipt(rpcUrl, hash);
    return receipt !== undefined;
  });
  return receipt!;
}

/** The receipt if the transaction is in a block already. */
export async function findReceipt(rpcUrl: string, hash: Hex): Promise<Receipt | undefined> {
  const { body } = await callRpc(rpcUrl, 'eth_getTransactionReceipt', [hash]);
  return (body.result ?? undefined) as Receipt | undefined;
}

export const range = (first: number, count: number): number[] =>
  Array.from({ length: count }, (_, k) => first + k);

/** One batch: the same method with each of the values as its only parameter. */
export async function callAll(rpcUrl: string, method: string, values: readonly unknown[]) {
  const calls = values.map((value, id) => ({ jsonrpc: '2.0', id, method, params: [value] }));
  const { body } = await postRpc(rpcUrl, JSON.stringify(calls));
  const answers = body as unknown as RawAnswer['body'][];
  return answers.map((answer) => {
    if (answer.error) throw new Error(answer.error.message);
    return answer.result;
  });
}

/** Sends signed transactions in one batch; their hashes. */
export async function sendAll(rpcUrl: string, raws: readonly Hex[]): Promise<Hex[]> {
  return (await callAll(rpcUrl, 'eth_sendRawTransaction', raws)) as Hex[];
}
