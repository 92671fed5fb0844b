/** Power cuts: `kill -9` of everything, or of one role, in the middle of an answer. Nothing paid is lost or locked. */
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { tinyModelFile } from '@assay/model';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Network, removeHome, startNetwork, temporaryHome } from './network.js';

let network: Network | undefined;
afterEach(async () => {
  await network?.stop();
  if (network) removeHome(network.home);
  network = undefined;
});

type Item = {
  readonly jobId: string;
  readonly price: string;
  readonly outputCount: number;
  readonly finish: string;
};
type Status = {
  readonly requests: { count: number; paid: string };
  readonly providers: readonly { endpoint: string; earned: string; online: boolean }[];
  readonly money: readonly { balanced: boolean }[];
};

const get = async <T>(path: string): Promise<T> =>
  (await (await fetch(`${network!.url}${path}`)).json()) as T;
const status = (): Promise<Status> => get<Status>('/v1/network');
const activity = async (): Promise<readonly Item[]> =>
  (await get<{ items: Item[] }>('/v1/network/activity')).items;

/** A model of random weights, which hardly ever ends an answer by itself. */
const folder = temporaryHome();
const LONG_WINDED = ['--model', join(folder, 'tiny.gguf')];
beforeAll(() => writeFileSync(join(folder, 'tiny.gguf'), tinyModelFile({ seed: 1 })));
afterAll(() => removeHome(folder));

/** A long answer, so that it is under way for a while. */
const longRequest = (seed: number): string =>
  JSON.stringify({
    model: 'tiny-random',
    stream: true,
    // Greedy: this model then repeats itself up to the limit.
    temperature: 0,
    max_tokens: 480,
    messages: [{ role: 'user', content: `hi ${seed}` }],
  });

/** Reads a stream until `bytes` have arrived, then calls `then`; resolves with all text seen. */
async function readUntil(
  body: ReadableStream<Uint8Array>,
  bytes: number,
  then: () => Promise<void> | void,
): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let called = false;
  try {
    for await (const part of body as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(part, { stream: true });
      if (!called && text.length > bytes) {
        called = true;
        await then();
      }
    }
  } catch {
    // The connection was cut, as intended.
  }
  return text;
}

/** Starts answers until one of them is long enough to be hit. */
async function duringAnswer(
  hit: () => Promise<void> | void,
): Promise<{ readonly text: string; readonly jobId: string }> {
  for (let seed = 1; seed < 20; seed++) {
    let reached = false;
    const response = await fetch(`${network!.url}/v1/chat/completions`, {
      method: 'POST',
      body: longRequest(seed),
    });
    const text = await readUntil(response.body!, 70 * 230, async () => {
      reached = true;
      await hit();
    });
    if (reached) return { text, jobId: response.headers.get('x-assay-receipt')! };
  }
  throw new Error('no answer was long enough');
}

/** The paid part of the answer that was cut off gets a receipt, and it re-computes identical. */
async function expectReceipt(jobId: string): Promise<void> {
  const found = async () => (await fetch(`${network!.url}/v1/receipts/${jobId}`)).status;
  await expect.poll(found, { timeout: 20_000 }).toBe(200);
  const verified = network!.assay('receipt', 'verify', jobId, '--json');
  expect(JSON.parse(verified.stdout)).toMatchObject({ result: 'identical' });
}

/** Listens on a port as soon as its process has died, unless another network of these tests is there by then. */
async function takePort(port: number): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  for (const end = Date.now() + 5_000; ; await new Promise((wake) => setTimeout(wake, 50))) {
    server.listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
      return server;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      if (Date.now() > end) return server;
    }
  }
}

describe('kill -9 of the whole tree during an answer', () => {
  it('loses no paid receipt and locks no money; the network answers again', async () => {
    network = await startNetwork({ args: LONG_WINDED });
    expect(network.assay('ask', 'What is Assay?', '--json').status).toBe(0);
    const before = await activity();
    const { endpoint } = (await status()).providers[0]!;
    const { home, killAll } = network;
    const { text, jobId } = await duringAnswer(killAll);
    expect(text).not.toContain('[DONE]');
    const killed = network;
    // The provider's port is somebody else's when it comes back: what it owes must be asked for elsewhere.
    const stranger = await takePort(Number(new URL(endpoint).port));
    network = await startNetwork({ home, args: LONG_WINDED });
    const moved = async () => (await status()).providers[0]!.endpoint !== endpoint;
    await expect.poll(moved, { timeout: 20_000 }).toBe(true);
    stranger.close();
    expect(killed.process.signalCode).toBe('SIGKILL');
    expect((await activity()).map(({ jobId }) => jobId)).toEqual(
      expect.arrayContaining(before.map(({ jobId }) => jobId)),
    );
    // The paid part of the answer that was cut off has a receipt, and both sides agree on it.
    await expectReceipt(jobId);
    expect(network.assay('ask', 'What is Assay?', '--json').status).toBe(0);
    await expect
      .poll(
        async () => {
          const { requests, providers } = await status();
          return providers[0]!.earned === requests.paid;
        },
        { timeout: 30_000, interval: 500 },
      )
      .toBe(true);
    expect((await status()).money.every(({ balanced }) => balanced)).toBe(true);
  }, 150_000);
});

describe('kill -9 of the provider during an answer', () => {
  it('gives the client an error frame, never a clean end; it comes back and is paid for what arrived', async () => {
    network = await startNetwork({ args: LONG_WINDED });
    const { pids } = JSON.parse(
      readFileSync(join(network.home, 'run', 'network.json'), 'utf8'),
    ) as { pids: { provider: number } };
    const { text, jobId } = await duringAnswer(() => void process.kill(pids.provider, 'SIGKILL'));
    expect(text).toContain('"error"');
    expect(text).toContain('provider_failed');
    expect(text).not.toContain('[DONE]');
    await expect
      .poll(() => network!.assay('ask', 'What is Assay?', '--json').status, {
        timeout: 40_000,
        interval: 1_000,
      })
      .toBe(0);
    await expectReceipt(jobId);
  }, 120_000);
});

describe('kill -9 of the chain', () => {
  it('is survived: it comes back with the same blocks and the network answers again', async () => {
    network = await startNetwork({ args: LONG_WINDED });
    const { pids } = JSON.parse(
      readFileSync(join(network.home, 'run', 'network.json'), 'utf8'),
    ) as { pids: { chain: number } };
    expect(network.assay('ask', 'Hello', '--json').status).toBe(0);
    const rpc = async (method: string, params: unknown[] = []): Promise<{ hash: string }> => {
      const response = await fetch(network!.rpc, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
      });
      return ((await response.json()) as { result: { hash: string } }).result;
    };
    const block = (await rpc('eth_getBlockByNumber', ['0x5', false])).hash;
    process.kill(pids.chain, 'SIGKILL');
    await expect
      .poll(
        async () =>
          (await rpc('eth_getBlockByNumber', ['0x5', false]).catch(() => undefined))?.hash,
        { timeout: 30_000 },
      )
      .toBe(block);
    expect(network.assay('ask', 'Hello', '--json').status).toBe(0);
  }, 120_000);
});
