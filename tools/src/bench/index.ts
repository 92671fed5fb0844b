/**
 * How fast the index follows a chain: 20,000 events of a real chain (anvil with our contracts) into an empty index, and
 * the other things that a gateway waits for. SQLite is a file on this machine's disk; PostgreSQL is a cluster of its
 * own in a temporary folder, left out if it is not installed.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  addReceipt,
  followChain,
  type IndexLocation,
  type IndexStore,
  indexTesting,
  openIndexStore,
} from '@assay/node';
import type { Address, Hex, ReceiptEnvelope } from '@assay/protocol';
import type { BenchReport, BenchRow } from './report.js';

type Chain = indexTesting.TestChain;

/** 2,000 channels give 4,000 events, and each other deed gives one: 20,000 together. */
const CHANNELS = 2_000;
const TOP_UPS = 12_000;
const CLAIMS = 2_000;
const OFFERS = 2_000;
const EVENTS = 2 * CHANNELS + TOP_UPS + CLAIMS + OFFERS;
/** Calls per transaction, so that the largest stays below 2^24 gas (EIP-7825). */
const CALLS_PER_TRANSACTION = 120;
const TRANSACTIONS_PER_BLOCK = 8;
const RECEIPTS = 500;
const LIVE_BLOCKS = 40;

/** Runs the benchmark; takes about a minute, most of it for making the chain. */
export async function benchIndex(): Promise<BenchReport> {
  const folder = mkdtempSync(join(tmpdir(), 'assay-bench-index-'));
  const binFolder = indexTesting.findPostgres();
  const chain = await indexTesting.startTestChain();
  const postgres = binFolder && (await indexTesting.startTemporaryPostgres(binFolder));
  try {
    await makeHistory(chain);
    const rows = await benchStore('SQLite', chain, { path: join(folder, 'index.db') });
    if (postgres) {
      const url = await postgres.createDatabase('bench');
      rows.push(...(await benchStore('PostgreSQL', chain, { url })));
    }
    return { name: 'index', rows };
  } finally {
    await chain.stop();
    if (postgres) await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

const row = (name: string, ours: number, unit: string): BenchRow => ({
  case: name,
  ours: Math.round(ours * 100) / 100,
  peer: null,
  ratio: null,
  unit,
});

async function benchStore(
  name: string,
  chain: Chain,
  location: IndexLocation,
): Promise<BenchRow[]> {
  const store = await openIndexStore(location);
  try {
    const eventsPerSecond = await measureFollow(store, chain);
    const latencies = await measureLive(store, chain);
    const receiptsMs = await measureReceipts(store);
    return [
      row(`${name}: follow ${EVENTS} events from nothing`, eventsPerSecond, 'events/s'),
      row(`${name}: new block to index, p50`, percentile(latencies, 0.5), 'ms'),
      row(`${name}: new block to index, p99`, percentile(latencies, 0.99), 'ms'),
      row(`${name}: add a receipt, durably, p50`, percentile(receiptsMs, 0.5), 'ms'),
      row(`${name}: add a receipt, durably, p99`, percentile(receiptsMs, 0.99), 'ms'),
    ];
  } finally {
    await store.close();
  }
}

async function measureFollow(store: IndexStore, chain: Chain): Promise<number> {
  let events = 0;
  const { client, addresses } = chain;
  const start = performance.now();
  const onMove = ({ logs }: { readonly logs: number }): void => {
    events += logs;
  };
  const follower = followChain(store, { client, addresses, onMove });
  await follower.caughtUp({ timeoutMs: 300_000 });
  const seconds = (performance.now() - start) / 1_000;
  await follower.stop();
  if (events < EVENTS) throw new Error(`the chain has ${events} events instead of ${EVENTS}`);
  return events / seconds;
}

/** Milliseconds from asking for a block with an event to the index having it, at the default poll. */
async function measureLive(store: IndexStore, chain: Chain): Promise<number[]> {
  const { client, addresses } = chain;
  let arrived: (() => void) | undefined;
  const onMove = (): void => arrived?.();
  const follower = followChain(store, { client, addresses, onMove });
  await follower.caughtUp();
  const latencies: number[] = [];
  for (let block = 0; block < LIVE_BLOCKS; block++) {
    await publishOffer(chain, 10_000 + block);
    // Not in step with the poll, as blocks are not.
    await new Promise((resolve) => setTimeout(resolve, (block * 37) % 150));
    const arrival = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const start = performance.now();
    await chain.mine();
    await arrival;
    latencies.push(performance.now() - start);
  }
  await follower.stop();
  return latencies;
}

async function measureReceipts(store: IndexStore): Promise<number[]> {
  const durations: number[] = [];
  for (let index = 0; index < RECEIPTS; index++) {
    const envelope = receiptEnvelope(index);
    const start = performance.now();
    await addReceipt(store, envelope, { createdAtMs: index });
    durations.push(performance.now() - start);
  }
  return durations;
}

const percentile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.floor(share * (values.length - 1))]!;

// HISTORY

const payer = indexTesting.people[0]!.address;
const provider = indexTesting.people[3]!.address;
const configOf = (chain: Chain, salt: number) =>
  indexTesting.channelConfig(chain, { payer, receiver: provider, salt });

async function makeHistory(chain: Chain): Promise<void> {
  const deposit = (salt: number): Hex =>
    indexTesting.encodeCall({ to: 'channels', name: 'deposit', args: [configOf(chain, salt), 9n] });
  const deposits = Array.from({ length: CHANNELS + TOP_UPS }, (_, index) =>
    deposit(index % CHANNELS),
  );
  await multicall(chain, payer, deposits);
  const claims: Hex[] = [];
  for (let salt = 0; salt < CLAIMS; salt++) {
    const config = configOf(chain, salt);
    const claim = await indexTesting.signLane(chain, config, { lane: salt % 8, amount: 3n });
    const args = [config, [claim]];
    claims.push(indexTesting.encodeCall({ to: 'channels', name: 'claimLanes', args }));
  }
  await multicall(chain, provider, claims);
  for (let model = 0; model < OFFERS; model++) {
    await publishOffer(chain, model);
    if (model % 200 === 199) await chain.mine();
  }
  await chain.mine();
}

async function multicall(chain: Chain, from: Address, calls: readonly Hex[]): Promise<void> {
  let transactions = 0;
  for (let start = 0; start < calls.length; start += CALLS_PER_TRANSACTION) {
    const args = [calls.slice(start, start + CALLS_PER_TRANSACTION)];
    await indexTesting.send(chain, { from, to: 'channels', name: 'multicall', args });
    if (++transactions % TRANSACTIONS_PER_BLOCK === 0) await chain.mine();
  }
  await chain.mine();
}

async function publishOffer(chain: Chain, model: number): Promise<void> {
  const terms = { inputPrice: 1n, outputPrice: BigInt(model), tier: 3 };
  const args = [indexTesting.bytes32(model), terms, 'http://127.0.0.1:9000'];
  await indexTesting.send(chain, { from: provider, to: 'offers', name: 'publish', args });
}

/** A receipt of a usual size: 300 tokens in, 200 out. */
function receiptEnvelope(index: number): ReceiptEnvelope {
  const word = indexTesting.bytes32(index);
  const signature: Hex = `0x${'11'.repeat(65)}`;
  const [inputTokens, outputTokens] = [300, 200].map((length) => Array(length).fill(31_999));
  return {
    jobId: word,
    chainId: 31_337,
    contract: provider,
    job: {
      modelId: word,
      provider,
      requester: payer,
      channelId: word,
      lane: 1,
      tier: 3,
      inputRoot: word,
      traceKeyHash: word,
      inputCount: 300,
      outputCountMax: 200,
      sampler: { tau: 0, topK: 0, topP: 0, minP: 0, seed: word, stopIds: [2], controls: word },
      inputPrice: 5n,
      outputPrice: 6n,
      expiresAt: 1n,
      nonce: word,
    },
    jobSignature: signature,
    receipt: {
      jobId: word,
      outputRoot: word,
      outputCount: 200,
      finish: 1,
      streamHead: word,
      price: 7n,
      completedAt: 1n,
    },
    receiptSignature: signature,
    inputTokens: inputTokens!,
    outputTokens: outputTokens!,
    salt: word,
  };
}
