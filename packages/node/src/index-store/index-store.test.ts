/** One case file for both databases, on a real chain. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Address, Hex, ReceiptEnvelope } from '@assay/protocol';
import { channelsAbi, stakeAbi } from '@assay/protocol/abi';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { auditIndex, fingerprint } from './audit.js';
import { type IndexStore, openIndexStore } from './database.js';
import { type Follower, followChain } from './follow.js';
import { compareBalances, money } from './money.js';
import {
  channelState,
  getModel,
  listChannels,
  listModels,
  listOffers,
  listProviders,
  networkTotals,
} from './queries.js';
import { addReceipt, addReceipts, getReceipt, recentActivity, setCheck } from './receipts.js';
import {
  findPostgres,
  startTemporaryPostgres,
  type TemporaryPostgres,
} from './testing/temporary-postgres.js';
import {
  actAtRandom,
  bytes32,
  channelConfig,
  channelIdOf,
  people,
  seeded,
  send,
  signLane,
  startTestChain,
  type TestChain,
} from './testing/test-chain.js';

const postgresFolder = findPostgres();
const reason = postgresFolder === undefined ? ' (skipped: PostgreSQL is not installed)' : '';
const folder = mkdtempSync(join(tmpdir(), 'assay-index-'));
const [payer, , , provider] = people.map(({ address }) => address) as [
  Address,
  Address,
  Address,
  Address,
];
let postgres: TemporaryPostgres | undefined;
let storeCount = 0;
const opened = new Set<IndexStore>();
const followers = new Set<Follower>();

beforeAll(async () => {
  if (postgresFolder !== undefined) postgres = await startTemporaryPostgres(postgresFolder);
});

afterEach(async () => {
  for (const follower of followers) await follower.stop();
  for (const store of opened) await store.close();
  followers.clear();
  opened.clear();
});

afterAll(async () => {
  await postgres?.stop();
  rmSync(folder, { recursive: true, force: true });
});

type Kind = IndexStore['kind'];

async function newLocation(kind: Kind) {
  const name = `index_${++storeCount}`;
  return kind === 'sqlite'
    ? { path: join(folder, `${name}.db`) }
    : { url: await postgres!.createDatabase(name) };
}

async function open(location: Parameters<typeof openIndexStore>[0]): Promise<IndexStore> {
  const store = await openIndexStore(location);
  opened.add(store);
  return store;
}

const newStore = async (kind: Kind): Promise<IndexStore> => open(await newLocation(kind));

function follow(
  store: IndexStore,
  chain: TestChain,
  options: Partial<Parameters<typeof followChain>[1]> = {},
): Follower {
  const { client, addresses } = chain;
  const follower = followChain(store, {
    client,
    addresses,
    pollIntervalMs: 20,
    ...options,
  });
  followers.add(follower);
  return follower;
}

/** Random deeds in several blocks. */
async function live(chain: TestChain, seed: number, blocks = 6): Promise<void> {
  const random = seeded(seed);
  for (let block = 0; block < blocks; block++) {
    await actAtRandom(chain, { random, count: 25 });
    await chain.mine();
  }
}

describe.each<[Kind, string]>([
  ['sqlite', ''],
  ['postgres', reason],
])('index on %s%s', (kind, skipped) => {
  const test = skipped === '' ? it : it.skip;
  let chain: TestChain;

  beforeAll(async () => {
    if (skipped === '') chain = await startTestChain();
  });
  afterAll(() => chain?.stop());

  test('agrees with every contract after random deeds, and with the balances of the token', async () => {
    const store = await newStore(kind);
    await live(chain, 1);
    await follow(store, chain).caughtUp();
    const channels = await listChannels(store);
    expect(channels.length).toBeGreaterThan(5);
    let claimed = 0n;
    for (const channel of channels) await agreesWithContract(channel, chain);
    for (const channel of channels) claimed += channel.claimed;
    expect(claimed).toBeGreaterThan(0n);
    for (const { address, stake } of await listProviders(store)) {
      const [staked] = await chain.client.readContract({
        address: chain.addresses.stake,
        abi: stakeAbi,
        functionName: 'stakes',
        args: [address],
      });
      expect(stake).toBe(staked);
    }
    const compared = await compareBalances(store, chain.client);
    expect(compared.map(({ contract }) => contract)).toEqual(['channels', 'stake']);
    for (const one of compared) expect(one).toMatchObject({ surplus: 0n, balanced: true });
    expect(await auditIndex(store)).toEqual({ identical: true, stored: [], derived: [] });
  });

  test('money in is money out and held, to the atomic unit', async () => {
    const store = await newStore(kind);
    const follower = follow(store, chain);
    await follower.caughtUp();
    const before = (await money(store)).find(({ contract }) => contract === 'channels');
    const config = channelConfig(chain, { payer, receiver: provider, salt: 1_000 + storeCount });
    const call = (from: Address, name: string, args: readonly unknown[]) =>
      send(chain, { from, to: 'channels', name, args });
    await call(payer, 'deposit', [config, 1_000_003n]);
    for (const [lane, amount] of [
      [0, 100_001n],
      [5, 50_007n],
      [5, 60_009n],
    ] as const)
      await call(provider, 'claimLanes', [
        config,
        [await signLane(chain, config, { lane, amount })],
      ]);
    await call(provider, 'refund', [config, 7n]);
    await chain.mine();
    await follower.caughtUp();
    const id = channelIdOf(chain, config);
    expect(await channelState(store, id)).toMatchObject({
      config,
      deposited: 1_000_003n,
      claimed: 160_010n,
      refunded: 7n,
      withdrawn: 0n,
      available: 839_986n,
      lanes: [
        { lane: 0, claimed: 100_001n },
        { lane: 5, claimed: 60_009n },
      ],
    });
    const after = (await money(store)).find(({ contract }) => contract === 'channels')!;
    expect(after.deposited - (before?.deposited ?? 0n)).toBe(1_000_003n);
    expect(after.held - (before?.held ?? 0n)).toBe(999_996n);
    expect(after.balanced).toBe(true);
    const other = (await compareBalances(store, chain.client))[0]!;
    expect(other.balance).toBe(after.held);
  });

  test('a reorganisation leaves what the new chain says and nothing else', async () => {
    const store = await newStore(kind);
    const moves: string[] = [];
    const follower = follow(store, chain, { onMove: ({ type }) => moves.push(type) });
    const snapshot = await chain.request('evm_snapshot');
    await live(chain, 2, 5);
    await follower.caughtUp();
    const old = await fingerprint(store);
    await chain.request('evm_revert', [snapshot]);
    await live(chain, 3, 7);
    await follower.caughtUp();
    expect(moves).toContain('rollback');
    const fresh = await newStore(kind);
    await follow(fresh, chain).caughtUp();
    const now = await fingerprint(store);
    expect(now).toEqual(await fingerprint(fresh));
    expect(now.hash).not.toBe(old.hash);
    expect((await auditIndex(store)).identical).toBe(true);
  });

  test('a chain that became shorter is followed back', async () => {
    const store = await newStore(kind);
    const follower = follow(store, chain);
    await follower.caughtUp();
    const before = await fingerprint(store);
    const snapshot = await chain.request('evm_snapshot');
    await live(chain, 4, 3);
    await follower.caughtUp();
    expect((await fingerprint(store)).hash).not.toBe(before.hash);
    await chain.request('evm_revert', [snapshot]);
    await follower.caughtUp();
    expect((await fingerprint(store)).hash).toBe(before.hash);
  });

  test('deleted and rebuilt gives identical tables, in pages of any size', async () => {
    const store = await newStore(kind);
    await follow(store, chain).caughtUp();
    const rebuilt = await newStore(kind);
    const small = new Set<number>();
    const client = limitedClient(chain, { blocksMax: 3, seen: small });
    await follow(rebuilt, chain, { client }).caughtUp();
    expect(await fingerprint(rebuilt)).toEqual(await fingerprint(store));
    expect(Math.max(...small)).toBeLessThanOrEqual(3);
  });

  test('continues after a restart without counting twice', async () => {
    const location = await newLocation(kind);
    const first = await open(location);
    await follow(first, chain).caughtUp();
    for (const follower of followers) await follower.stop();
    await first.close();
    opened.delete(first);
    await live(chain, 5, 2);
    const second = await open(location);
    const pages: number[] = [];
    await follow(second, chain, { onMove: ({ logs }) => pages.push(logs) }).caughtUp();
    expect(pages).toHaveLength(1);
    const fresh = await newStore(kind);
    await follow(fresh, chain).caughtUp();
    expect(await fingerprint(second)).toEqual(await fingerprint(fresh));
  });

  test('two followers of one database apply each page once', async () => {
    const location = await newLocation(kind);
    const [a, b] = [await open(location), await open(location)];
    const client = limitedClient(chain, { blocksMax: 1, seen: new Set() });
    await Promise.all([follow(a, chain, { client }).caughtUp(), follow(b, chain).caughtUp()]);
    const fresh = await newStore(kind);
    await follow(fresh, chain).caughtUp();
    expect(await fingerprint(a)).toEqual(await fingerprint(fresh));
  });

  test('lists offers by price, models and providers', async () => {
    const store = await newStore(kind);
    const model = bytes32(77);
    const publish = (from: Address, outputPrice: bigint, endpoint: string) =>
      send(chain, {
        from,
        to: 'offers',
        name: 'publish',
        args: [model, { inputPrice: 1n, outputPrice, tier: 3 }, endpoint],
      });
    await publish(people[3]!.address, 10n ** 28n, 'http://c');
    await publish(people[4]!.address, 9n, 'http://a');
    await publish(people[5]!.address, 10n, 'http://b\u0000\u0007\u{1f600}');
    await chain.mine();
    const follower = follow(store, chain);
    await follower.caughtUp();
    const offers = await listOffers(store, { modelId: model });
    expect(offers.map(({ outputPrice }) => outputPrice)).toEqual([9n, 10n, 10n ** 28n]);
    expect(offers.map(({ endpoint }) => endpoint)).toEqual(['http://a', 'http://b😀', 'http://c']);
    expect(offers[0]!.provider).toBe(people[4]!.address);
    await send(chain, {
      from: people[4]!.address,
      to: 'offers',
      name: 'withdraw',
      args: [model, 3],
    });
    await chain.mine();
    await follower.caughtUp();
    expect(await listOffers(store, { modelId: model })).toHaveLength(2);
    expect(await listOffers(store, { modelId: model, withWithdrawn: true })).toHaveLength(3);
    const listed = (await listModels(store)).find(({ modelId }) => modelId === model);
    expect(listed).toEqual(await getModel(store, model));
    expect(listed).toMatchObject({ registration: undefined });
    expect(listed!.providers).toHaveLength(2);
    expect(await getModel(store, bytes32(78))).toBeUndefined();
    const own = (await listProviders(store)).find(({ address }) => address === people[5]!.address);
    expect(own!.models).toContain(model);
  });

  test('keeps receipts once, counts them, and records checks', async () => {
    const store = await newStore(kind);
    const first = envelope(1, 120n);
    const added = await addReceipt(store, first, { createdAtMs: 1_000 });
    expect(added.added).toBe(true);
    const reordered = Object.fromEntries(Object.entries(first).reverse()) as ReceiptEnvelope;
    expect(await addReceipt(store, reordered, { createdAtMs: 2_000 })).toEqual({
      ...added,
      added: false,
    });
    await addReceipt(store, envelope(2, 2n ** 127n), { createdAtMs: 3_000 });
    await addReceipt(store, envelope(3, 2n ** 127n), { createdAtMs: 2_500 });
    expect(await networkTotals(store)).toEqual({
      requests: 3,
      inputTokens: 6,
      outputTokens: 9,
      paid: 2n ** 128n + 120n,
      verified: 0,
      different: 0,
    });
    await setCheck(store, first.jobId, { result: 'unavailable' });
    await setCheck(store, first.jobId, { result: 'identical', verifier: payer, seconds: 0.5 });
    await setCheck(store, first.jobId, { result: 'identical', verifier: payer, seconds: 0.5 });
    await setCheck(store, bytes32(3), { result: 'different', position: 1, expected: 4, found: 5 });
    expect(await networkTotals(store)).toMatchObject({ verified: 1, different: 1 });
    expect(await getReceipt(store, first.jobId)).toEqual({
      envelope: first,
      envelopeHash: added.envelopeHash,
      check: { result: 'identical', verifier: payer, seconds: 0.5 },
      createdAtMs: 1_000,
    });
    const activity = await recentActivity(store, { limit: 2 });
    expect(activity.map(({ jobId }) => jobId)).toEqual([bytes32(2), bytes32(3)]);
    expect(activity[1]).toMatchObject({ finish: 'length', price: 2n ** 127n, inputCount: 2 });
    expect((await auditIndex(store)).identical).toBe(true);
  });

  test('keeps why a receipt is invalid, and counts it as neither identical nor different', async () => {
    const store = await newStore(kind);
    const { jobId } = envelope(1, 120n);
    await addReceipt(store, envelope(1, 120n), { createdAtMs: 1_000 });
    await setCheck(store, jobId, { result: 'identical' });
    const reason = 'The receipt does not hold: the provider did not sign it.';
    await setCheck(store, jobId, { result: 'invalid', reason });
    expect((await getReceipt(store, jobId))?.check).toEqual({ result: 'invalid', reason });
    expect((await recentActivity(store))[0]?.check).toEqual({ result: 'invalid', reason });
    expect(await networkTotals(store)).toMatchObject({ verified: 0, different: 0 });
    await setCheck(store, jobId, { result: 'invalid', reason: `a\u0000${'b'.repeat(1_000)}` });
    expect((await getReceipt(store, jobId))?.check?.reason).toBe(`a${'b'.repeat(199)}`);
  });

  test('keeps several receipts together, or none of them', async () => {
    const store = await newStore(kind);
    const at = (id: number, price: bigint) => ({ envelope: envelope(id, price), createdAtMs: id });
    expect(await addReceipts(store, [])).toEqual([]);
    const added = await addReceipts(store, [at(1, 5n), at(2, 6n), at(1, 5n)]);
    expect(added.map((one) => one.added)).toEqual([true, true, false]);
    expect(added[2]!.envelopeHash).toBe(added[0]!.envelopeHash);
    await expect(addReceipts(store, [at(3, 7n), at(2, 8n)])).rejects.toMatchObject({
      code: 'receipt_conflict',
    });
    expect(await getReceipt(store, bytes32(3))).toBeUndefined();
    expect(await networkTotals(store)).toMatchObject({ requests: 2, paid: 11n });
    expect((await auditIndex(store)).identical).toBe(true);
  });

  test('many receipts at once are all counted', async () => {
    const store = await newStore(kind);
    const ids = Array.from({ length: 40 }, (_, index) => index);
    await Promise.all(
      [...ids, ...ids].map((id) => addReceipt(store, envelope(id, 3n), { createdAtMs: id })),
    );
    expect(await networkTotals(store)).toMatchObject({ requests: 40, paid: 120n });
  });

  test('refuses a second receipt for a job, unknown jobs and wrong arguments', async () => {
    const store = await newStore(kind);
    const code = (name: string) => expect.objectContaining({ code: name });
    await addReceipt(store, envelope(1, 1n), { createdAtMs: 1 });
    await expect(addReceipt(store, envelope(1, 2n), { createdAtMs: 1 })).rejects.toEqual(
      code('receipt_conflict'),
    );
    expect(await networkTotals(store)).toMatchObject({ requests: 1, paid: 1n });
    await expect(setCheck(store, bytes32(9), { result: 'identical' })).rejects.toEqual(
      code('receipt_unknown'),
    );
    const wrong = [
      () => addReceipt(store, envelope(4, 1n), { createdAtMs: -1 }),
      () => setCheck(store, bytes32(1), { result: 'fine' as 'identical' }),
      () => setCheck(store, bytes32(1), { result: 'different', position: -1 }),
      () => getReceipt(store, '0x12'),
      () => recentActivity(store, { limit: 0 }),
      () => recentActivity(store, { limit: 1e9 }),
      () => listOffers(store, { modelId: 'x' as Hex }),
      () => channelState(store, "0' or 1=1 --" as Hex),
    ];
    for (const ask of wrong) await expect(ask()).rejects.toEqual(code('index_argument'));
    await expect(
      addReceipt(store, { ...envelope(5, 1n), inputTokens: ['x' as never] }, { createdAtMs: 1 }),
    ).rejects.toEqual(code('malformed_message'));
  });
});

describe.skipIf(postgresFolder === undefined)(`both databases${reason}`, () => {
  it('hold the same rows', async () => {
    const chain = await startTestChain();
    try {
      await live(chain, 6, 8);
      const [sqlite, server] = [await newStore('sqlite'), await newStore('postgres')];
      for (const store of [sqlite, server]) {
        await follow(store, chain).caughtUp();
        await addReceipt(store, envelope(1, 2n ** 100n), { createdAtMs: 5 });
        await setCheck(store, bytes32(1), { result: 'identical' });
      }
      expect(await fingerprint(server)).toEqual(await fingerprint(sqlite));
    } finally {
      await chain.stop();
    }
  });
});

async function agreesWithContract(
  channel: NonNullable<Awaited<ReturnType<typeof channelState>>>,
  { client, addresses }: TestChain,
): Promise<void> {
  const contract = { address: addresses.channels, abi: channelsAbi } as const;
  const [balance, totalClaimed] = await client.readContract({
    ...contract,
    functionName: 'channels',
    args: [channel.channelId],
  });
  expect(channel.deposited - channel.refunded - channel.withdrawn).toBe(balance);
  expect(channel.claimed).toBe(totalClaimed);
  for (const { lane, claimed } of channel.lanes) {
    const functionName = 'laneClaimed';
    const args = [channel.channelId, lane] as const;
    expect(claimed).toBe(await client.readContract({ ...contract, functionName, args }));
  }
  const [amount] = await client.readContract({
    ...contract,
    functionName: 'pendingWithdrawals',
    args: [channel.channelId],
  });
  expect(channel.exit?.amount ?? 0n).toBe(amount);
}

/** A node that refuses ranges above a limit, as public ones do. */
function limitedClient(
  chain: TestChain,
  limit: { readonly blocksMax: number; readonly seen: Set<number> },
) {
  return {
    request: async (call: { readonly method: string; readonly params?: unknown }) => {
      if (call.method === 'eth_getLogs') {
        const [filter] = call.params as [{ fromBlock: Hex; toBlock: Hex }];
        const blocks = Number(filter.toBlock) - Number(filter.fromBlock) + 1;
        if (blocks > limit.blocksMax) throw new Error('query exceeds max block range');
        limit.seen.add(blocks);
      }
      return chain.client.request(call as never);
    },
  };
}

function envelope(id: number, price: bigint): ReceiptEnvelope {
  const jobId = bytes32(id);
  const signature: Hex = `0x${'11'.repeat(65)}`;
  return {
    jobId,
    chainId: 31_337,
    contract: people[0]!.address.toLowerCase() as Address,
    job: {
      modelId: bytes32(50),
      provider: provider.toLowerCase() as Address,
      requester: payer.toLowerCase() as Address,
      channelId: bytes32(60),
      lane: 1,
      tier: 3,
      inputRoot: bytes32(61),
      traceKeyHash: bytes32(64),
      inputCount: 2,
      outputCountMax: 9,
      sampler: {
        tau: 0,
        topK: 0,
        topP: 0,
        minP: 0,
        seed: bytes32(1),
        stopIds: [2],
        controls: bytes32(0),
      },
      inputPrice: 5n,
      outputPrice: 6n,
      expiresAt: 2n ** 64n - 1n,
      nonce: bytes32(id),
    },
    jobSignature: signature,
    receipt: {
      jobId,
      outputRoot: bytes32(62),
      outputCount: 3,
      finish: 1,
      streamHead: bytes32(63),
      price,
      completedAt: 2n ** 64n - 1n,
    },
    receiptSignature: signature,
    inputTokens: [7, 8],
    outputTokens: [1, 2, 3],
    salt: bytes32(64),
  };
}
