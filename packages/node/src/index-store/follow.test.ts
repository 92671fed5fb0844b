import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { auditIndex, fingerprint } from './audit.js';
import type { ChainClient } from './chain-reader.js';
import { type IndexStore, openIndexStore } from './database.js';
import { type ChainMove, type Follower, followChain } from './follow.js';
import { readCursor } from './ledger.js';
import { listChannels } from './queries.js';
import {
  actAtRandom,
  freePort,
  seeded,
  startTestChain,
  type TestChain,
} from './testing/test-chain.js';

const BUILT_INDEX = new URL('../../dist/index-store/index.js', import.meta.url).href;
const folder = mkdtempSync(join(tmpdir(), 'assay-follow-'));
const opened = new Set<IndexStore>();
const followers = new Set<Follower>();
const chains = new Set<TestChain>();
let chain: TestChain;

beforeAll(async () => {
  chain = await startTestChain();
  await live(chain, 11, 8);
});

afterEach(async () => {
  for (const follower of followers) await follower.stop();
  for (const store of opened) await store.close();
  for (const other of chains) await other.stop();
  for (const set of [followers, opened, chains]) set.clear();
});

afterAll(async () => {
  await chain.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function live(on: TestChain, seed: number, blocks: number): Promise<void> {
  const random = seeded(seed);
  for (let block = 0; block < blocks; block++) {
    await actAtRandom(on, { random, count: 15 });
    await on.mine();
  }
}

async function newStore(path = ':memory:'): Promise<IndexStore> {
  const store = await openIndexStore({ path });
  opened.add(store);
  return store;
}

type Options = Partial<Parameters<typeof followChain>[1]>;

function follow(store: IndexStore, options: Options = {}, on = chain): Follower {
  const { client, addresses } = on;
  const follower = followChain(store, { client, addresses, pollIntervalMs: 20, ...options });
  followers.add(follower);
  return follower;
}

/** What an index of the chain must look like. */
async function expected(on = chain) {
  const store = await newStore();
  await follow(store, {}, on).caughtUp();
  return fingerprint(store);
}

type Call = { readonly method: string; readonly params?: unknown };

/** A node that lies or fails: `change` sees each call and may answer instead of the chain. */
const clientThat = (
  change: (call: Call, answer: () => Promise<unknown>) => Promise<unknown> | unknown,
): ChainClient => ({
  request: async (call) => change(call, () => chain.client.request(call as never)),
});

const code = (name: string) => expect.objectContaining({ code: name });

describe('followChain', () => {
  it('sees a new block within two polls', async () => {
    const store = await newStore();
    const blocks: number[] = [];
    const follower = follow(store, { onMove: ({ block }) => blocks.push(block) });
    const { number } = await follower.caughtUp();
    await chain.mine();
    await expect.poll(() => blocks.at(-1), { timeout: 2_000, interval: 5 }).toBe(number + 1);
  });

  it('asks one question per poll while nothing happens', async () => {
    const methods: string[] = [];
    const client = clientThat((call, answer) => {
      methods.push(call.method);
      return answer();
    });
    const follower = follow(await newStore(), { client });
    await follower.caughtUp();
    methods.length = 0;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(new Set(methods)).toEqual(new Set(['eth_getBlockByNumber']));
    expect(methods.length).toBeLessThan(14);
  });

  it('halves pages and then splits contracts until the answers fit', async () => {
    let refused = 0;
    const client = clientThat(async (call, answer) => {
      const [filter] = (call.params ?? []) as [{ address: unknown[] }];
      const logs = await answer();
      if (call.method !== 'eth_getLogs') return logs;
      if ((logs as unknown[]).length <= 5 || filter.address.length === 1) return logs;
      refused++;
      throw Object.assign(new Error('body exceeds 10485760 bytes'), {
        name: 'ResponseBodyTooLargeError',
      });
    });
    const store = await newStore();
    await follow(store, { client }).caughtUp();
    expect(refused).toBeGreaterThan(3);
    expect(await fingerprint(store)).toEqual(await expected());
  });

  it('names a block whose logs fit into no answer, and keeps trying', async () => {
    const errors: unknown[] = [];
    const client = clientThat((call, answer) => {
      if (call.method === 'eth_getLogs') throw new Error('query returned more than 10000 results');
      return answer();
    });
    const follower = follow(await newStore(), { client, onError: (error) => errors.push(error) });
    await expect(follower.caughtUp({ timeoutMs: 700 })).rejects.toEqual(code('index_behind'));
    expect(errors.length).toBeGreaterThan(1);
    expect(errors[0]).toEqual(code('index_page_too_large'));
  });

  it('asks for the time of blocks if the node sends none with its logs', async () => {
    const client = clientThat(async (call, answer) => {
      const value = await answer();
      if (call.method !== 'eth_getLogs') return value;
      return (value as object[]).map((log) => ({ ...log, blockTimestamp: undefined }));
    });
    const store = await newStore();
    await follow(store, { client }).caughtUp();
    expect(await fingerprint(store)).toEqual(await expected());
  });

  it('counts a log that the node repeats once', async () => {
    const client = clientThat(async (call, answer) => {
      const value = await answer();
      return call.method === 'eth_getLogs'
        ? [...(value as object[]), ...(value as object[])].reverse()
        : value;
    });
    const store = await newStore();
    await follow(store, { client }).caughtUp();
    expect(await fingerprint(store)).toEqual(await expected());
  });

  it.each([
    ['of another contract', { address: `0x${'99'.repeat(20)}` }],
    ['of another block', { blockNumber: '0xffffff' }],
    ['that was removed', { removed: true }],
    ['without a block', { blockHash: null }],
    ['with broken data', { data: '0x123' }],
    ['with data that does not decode', { data: '0x' }],
  ])('refuses a log %s and recovers when the node does', async (_, change) => {
    let lies = 2;
    const errors: unknown[] = [];
    const client = clientThat(async (call, answer) => {
      const value = await answer();
      if (call.method !== 'eth_getLogs' || lies-- <= 0) return value;
      return (value as object[]).map((log) => ({ ...log, ...change }));
    });
    const store = await newStore();
    await follow(store, { client, onError: (error) => errors.push(error) }).caughtUp();
    expect(errors).toHaveLength(2);
    expect(errors[0]).toEqual(code('index_log_invalid'));
    expect(await fingerprint(store)).toEqual(await expected());
  });

  it('believes no page if the chain was reorganised while it was fetched', async () => {
    const other = await startTestChain();
    chains.add(other);
    await live(other, 12, 4);
    const snapshot = await other.request('evm_snapshot');
    await live(other, 13, 3);
    let reorganised = false;
    const client: ChainClient = {
      request: async (call) => {
        const value = await other.client.request(call as never);
        if (call.method === 'eth_getLogs' && !reorganised) {
          reorganised = true;
          await other.request('evm_revert', [snapshot]);
          await live(other, 14, 4);
        }
        return value;
      },
    };
    const store = await newStore();
    await follow(store, { client }, other).caughtUp();
    expect(await fingerprint(store)).toEqual(await expected(other));
  });

  it.each([
    ['one block', 1],
    ['several blocks', 4],
  ])('notices a longer branch that is %s ahead', async (_, ahead) => {
    const other = await startTestChain();
    chains.add(other);
    await live(other, 18, 2);
    const snapshot = await other.request('evm_snapshot');
    await live(other, 19, 3);
    const store = await newStore();
    const follower = follow(store, {}, other);
    await follower.caughtUp();
    await follower.stop();
    await other.request('evm_revert', [snapshot]);
    await live(other, 20, 3 + ahead);
    await follow(store, {}, other).caughtUp();
    expect(await fingerprint(store)).toEqual(await expected(other));
  });

  it('waits for a node that is away and goes on when it is back', async () => {
    let away = true;
    const errors: unknown[] = [];
    const client = clientThat((_, answer) => {
      if (away) throw new Error('connection refused');
      return answer();
    });
    const store = await newStore();
    const follower = follow(store, { client, onError: (error) => errors.push(error) });
    await expect(follower.caughtUp({ timeoutMs: 300 })).rejects.toEqual(code('index_behind'));
    away = false;
    await follower.caughtUp();
    expect(errors.length).toBeLessThan(6);
    expect(await fingerprint(store)).toEqual(await expected());
  });

  it('refuses another chain by default, keeps its rows, and rebuilds when allowed to', async () => {
    const path = join(folder, 'other-chain.db');
    const store = await newStore(path);
    await follow(store).caughtUp();
    const before = await fingerprint(store);
    const other = await startTestChain({ chainId: 1_337 });
    chains.add(other);
    const refused = follow(store, {}, other);
    await expect(refused.caughtUp()).rejects.toEqual(code('index_wrong_chain'));
    await expect(refused.caughtUp()).rejects.toEqual(code('index_wrong_chain'));
    expect(await fingerprint(store)).toEqual(before);
    const moves: ChainMove[] = [];
    const onMove = (move: ChainMove): void => void moves.push(move);
    await follow(store, { onOtherChain: 'rebuild', onMove }, other).caughtUp();
    expect(moves[0]!.type).toBe('rebuild');
    expect(await fingerprint(store)).toEqual(await expected(other));
    expect((await readCursor(store))!.identity.chainId).toBe(1_337);
  });

  it.each([
    ['same block 0', 1_900_000_000, 'rollback'],
    ['another block 0', 1_900_000_001, 'rebuild'],
  ])('notices a chain that restarted under it with %s', async (_, genesisTime, expectedMove) => {
    const port = await freePort();
    const first = await startTestChain({ port, genesisTime: 1_900_000_000 });
    await live(first, 15, 3);
    const store = await newStore();
    const moves: string[] = [];
    const follower = follow(
      store,
      { onOtherChain: 'rebuild', onMove: ({ type }) => moves.push(type) },
      first,
    );
    await follower.caughtUp();
    await first.stop();
    const second = await startTestChain({ port, genesisTime });
    chains.add(second);
    await live(second, 16, 2);
    await follower.caughtUp();
    expect(moves).toContain(expectedMove);
    expect(await fingerprint(store)).toEqual(await expected(second));
  });

  it('rebuilds when other contracts or another first block are to be followed', async () => {
    const store = await newStore();
    await follow(store).caughtUp();
    const moves: string[] = [];
    const onMove = ({ type }: ChainMove): void => void moves.push(type);
    await follow(store, { startBlock: 2, onMove }).caughtUp();
    expect(moves[0]).toBe('rebuild');
    expect(await fingerprint(store)).toEqual(await expected());
    const { channels, stake } = chain.addresses;
    const addresses = { ...chain.addresses, channels: stake, stake: channels };
    await follow(store, { addresses }).caughtUp();
    expect(await listChannels(store)).toEqual([]);
  });

  it('says what is missing when it began too late', async () => {
    const errors: unknown[] = [];
    const startBlock = Number(await chain.client.getBlockNumber({ cacheTime: 0 })) - 1;
    const onError = (error: unknown): void => void errors.push(error);
    const follower = follow(await newStore(), { startBlock, onError });
    await follower.caughtUp({ timeoutMs: 400 }).catch(() => undefined);
    expect(errors[0]).toEqual(code('index_history_missing'));
  });

  it('writes nothing after stop, and stop does not wait for a silent node', async () => {
    const store = await newStore();
    const client = clientThat((call, answer) =>
      call.method === 'eth_getLogs' ? new Promise(() => undefined) : answer(),
    );
    const follower = follow(store, { client });
    const waiting = expect(follower.caughtUp()).rejects.toEqual(code('index_stopped'));
    await new Promise((resolve) => setTimeout(resolve, 100));
    await follower.stop();
    await waiting;
    await expect(follower.caughtUp()).rejects.toEqual(code('index_stopped'));
  });

  it.each([
    ['address', { addresses: { channels: '0x12' } }],
    ['start block', { startBlock: -1 }],
    ['start block', { startBlock: 1.5 }],
  ])('refuses a wrong %s', async (_, options) => {
    const store = await newStore();
    expect(() => follow(store, options as never)).toThrow(code('index_argument'));
  });

  it('survives kill -9 in the middle of pages', { timeout: 90_000 }, async () => {
    const path = join(folder, 'killed.db');
    const random = seeded(17);
    const head = Number(await chain.client.getBlockNumber({ cacheTime: 0 }));
    for (let kill = 0; kill < 4; kill++) {
      await killAfterPages(followInProcess(path), { count: 1 + random(2), delayMs: random(4) });
      const store = await openIndexStore({ path });
      expect((await auditIndex(store)).identical).toBe(true);
      const cursor = await readCursor(store);
      if (kill === 0) expect(cursor!.number).toBeGreaterThan(0);
      if (kill === 0) expect(cursor!.number).toBeLessThan(head);
      await store.close();
    }
    const store = await newStore(path);
    await follow(store).caughtUp();
    expect(await fingerprint(store)).toEqual(await expected());
  });
});

/** A process of its own that follows in pages of one block and prints a line after each. */
function followInProcess(path: string): ChildProcess {
  const script = join(folder, 'follow.mjs');
  const text = `
    import { followChain, openIndexStore } from ${JSON.stringify(BUILT_INDEX)};
    const { path, url, addresses } = JSON.parse(process.argv[2]);
    const request = async ({ method, params = [] }) => {
      if (method === 'eth_getLogs' && params[0].fromBlock !== params[0].toBlock)
        throw new Error('block range too large');
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
      const headers = { 'content-type': 'application/json' };
      return (await (await fetch(url, { method: 'POST', headers, body })).json()).result;
    };
    const store = await openIndexStore({ path });
    const onMove = () => process.stdout.write('page\\n');
    const client = { request };
    await followChain(store, { client, addresses, onMove, onError: console.error }).caughtUp();
    process.stdout.write('page\\n'.repeat(9));
  `;
  writeFileSync(script, text);
  const { url, addresses } = chain;
  const argument = JSON.stringify({ path, url, addresses });
  return spawn(process.execPath, [script, argument], { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** Kills the process `delayMs` after its `count`-th page, or when it has no more to do. */
async function killAfterPages(
  child: ChildProcess,
  options: { readonly count: number; readonly delayMs: number },
): Promise<void> {
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await new Promise<void>((resolve) => {
    let pages = 0;
    const timer = setTimeout(resolve, 60_000);
    child.stdout!.on('data', (chunk: Buffer) => {
      pages += chunk.toString().split('\n').length - 1;
      if (pages < options.count) return;
      clearTimeout(timer);
      resolve();
    });
  });
  await new Promise((resolve) => setTimeout(resolve, options.delayMs));
  child.kill('SIGKILL');
  await exited;
}
