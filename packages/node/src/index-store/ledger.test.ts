import type { Hex } from '@assay/protocol';
import { channelsAbi } from '@assay/protocol/abi';
import * as fc from 'fast-check';
import { encodeAbiParameters, encodeEventTopics } from 'viem';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditIndex, fingerprint } from './audit.js';
import { type ChainLog, readBlock, readIdentity, readLogs } from './chain-reader.js';
import { type IndexStore, openIndexStore } from './database.js';
import { EVENT_SIGNATURES } from './events.js';
import { applyPage, beginIndex, type Checkpoint, type Cursor, rollBack } from './ledger.js';
import { money } from './money.js';
import { channelState } from './queries.js';
import {
  actAtRandom,
  bytes32,
  people,
  seeded,
  startTestChain,
  type TestChain,
} from './testing/test-chain.js';

const SEED = 20;
const RUNS = 25;
let chain: TestChain;
let start: Cursor;
let blocks: Checkpoint[];
let logs: ChainLog[];

beforeAll(async () => {
  chain = await startTestChain();
  const random = seeded(SEED);
  for (let block = 0; block < 14; block++) {
    await actAtRandom(chain, { random, count: 20 });
    await chain.mine();
  }
  const { client } = chain;
  const { testDollar: token, ...contracts } = lowerCased(chain.addresses);
  const head = (await readBlock(client, 'latest'))!;
  const addresses = Object.values(contracts);
  const range = { fromBlock: 0, toBlock: head.number, addresses, signatures: EVENT_SIGNATURES };
  logs = await readLogs(client, range);
  blocks = [];
  for (let number = 0; number <= head.number; number++)
    blocks.push({ number, hash: (await readBlock(client, number))!.hash });
  const identity = await readIdentity(client);
  start = { ...blocks[0]!, identity, followed: { contracts, token, startBlock: 0 } };
});

afterAll(() => chain.stop());

const lowerCased = <T extends object>(addresses: T): T =>
  Object.fromEntries(
    Object.entries(addresses).map(([name, address]) => [name, address.toLowerCase()]),
  ) as T;

async function begin(): Promise<IndexStore> {
  const store = await openIndexStore({ path: ':memory:' });
  await beginIndex(store, { expected: undefined, cursor: start });
  return store;
}

const pageTo = (cursor: Cursor, to: number) => ({
  cursor,
  to: blocks[to]!,
  logs: logs.filter(({ blockNumber: block }) => block > cursor.number && block <= to),
  timestamps: new Map(blocks.map(({ number }) => [number, 1_000 + number])),
});

describe('applyPage and rollBack', () => {
  it('give the same rows for any pages and any cuts', { timeout: 60_000 }, async () => {
    expect(logs.length).toBeGreaterThan(80);
    const whole = await begin();
    await applyPage(whole, pageTo(start, blocks.length - 1));
    const expected = await fingerprint(whole);
    await whole.close();
    const moves = fc.array(fc.integer({ min: -8, max: 5 }), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(moves, async (steps) => {
        const store = await begin();
        let cursor = start;
        for (const step of [...steps, blocks.length]) {
          const to = Math.max(0, Math.min(cursor.number + step, blocks.length - 1));
          if (to > cursor.number) expect(await applyPage(store, pageTo(cursor, to))).toBe(true);
          else expect(await rollBack(store, { cursor, to: blocks[to]! })).toBe(true);
          cursor = { ...cursor, ...blocks[to]! };
        }
        expect(await fingerprint(store)).toEqual(expected);
        expect((await auditIndex(store)).identical).toBe(true);
        await store.close();
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });

  it('leaves an empty index when everything is cut', async () => {
    const store = await begin();
    const empty = await fingerprint(store);
    await applyPage(store, pageTo(start, 9));
    expect((await fingerprint(store)).hash).not.toBe(empty.hash);
    await rollBack(store, { cursor: { ...start, ...blocks[9]! }, to: blocks[0]! });
    expect(await fingerprint(store)).toEqual(empty);
    await store.close();
  });

  it('applies a page once, however often it is tried', async () => {
    const store = await begin();
    const page = pageTo(start, 7);
    const results = await Promise.all([applyPage(store, page), applyPage(store, page)]);
    expect(results.sort()).toEqual([false, true]);
    expect(await applyPage(store, page)).toBe(false);
    expect(await rollBack(store, { cursor: start, to: blocks[0]! })).toBe(false);
    await store.close();
  });

  it('changes nothing if one log of the page cannot be applied', async () => {
    const store = await begin();
    const empty = await fingerprint(store);
    const page = pageTo(start, 7);
    const broken = { ...page, logs: [...page.logs, page.logs[0]!] };
    await expect(applyPage(store, broken)).rejects.toThrow(/UNIQUE/);
    expect(await fingerprint(store)).toEqual(empty);
    expect(await applyPage(store, page)).toBe(true);
    await store.close();
  });

  it('adds the largest amounts exactly', async () => {
    const store = await begin();
    const most = 2n ** 128n - 1n;
    const id = bytes32(5);
    const address = start.followed.contracts.channels;
    const log = (index: number, topics: readonly Hex[], data: Hex): ChainLog => ({
      blockNumber: 1,
      blockHash: blocks[1]!.hash,
      logIndex: index,
      transactionHash: bytes32(1),
      address,
      topics,
      data,
      timestamp: 1,
    });
    const deposit = (index: number): ChainLog =>
      log(
        index,
        [encodeEventTopics({ abi: channelsAbi, eventName: 'Deposited' })[0], id],
        encodeAbiParameters([{ type: 'uint128' }, { type: 'uint128' }], [most, most]),
      );
    const deposits = Array.from({ length: 9 }, (_, index) => deposit(1 + index));
    const page = { ...pageTo(start, 1), logs: [openedLog(log, id), ...deposits] };
    await applyPage(store, page);
    expect(await channelState(store, id)).toMatchObject({ deposited: 9n * most });
    expect((await money(store))[0]).toMatchObject({ deposited: 9n * most, held: 9n * most });
    await store.close();
  });
});

function openedLog(
  log: (index: number, topics: readonly Hex[], data: Hex) => ChainLog,
  channelId: Hex,
): ChainLog {
  const [payer, receiver] = [people[0]!.address, people[1]!.address];
  const args = { channelId, payer, receiver };
  const topics = encodeEventTopics({ abi: channelsAbi, eventName: 'ChannelOpened', args });
  const event = channelsAbi.find(
    (item) => item.type === 'event' && item.name === 'ChannelOpened',
  ) as { readonly inputs: readonly { readonly name: string }[] };
  const config = event.inputs.find(({ name }) => name === 'config')!;
  const terms = {
    payer,
    payerAuthorizer: payer,
    receiver,
    receiverAuthorizer: receiver,
    token: start.followed.token,
    withdrawDelay: 900,
    salt: bytes32(0),
  };
  return log(0, topics as Hex[], encodeAbiParameters([config] as never, [terms] as never));
}
