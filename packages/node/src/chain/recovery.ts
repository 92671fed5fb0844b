/**
 * Brings a fresh chain process to the journal's newest block: from the newest good snapshot and the blocks
 * after it, else from an older one, else from block 0. Every block it replays must have the recorded hash.
 */
import type { Hex } from '@assay/protocol';
import type { AnvilProcess } from './anvil-process.js';
import type { ChainHead, ChainLog } from './chain-engine.js';
import { replayMismatch } from './chain-errors.js';
import { REPLAY_BATCH_SIZE } from './chain-limits.js';
import type { Journal, JournalBlock } from './journal.js';
import { type RpcClient, RpcRefusal } from './rpc-client.js';
import type { Snapshot, SnapshotStore } from './snapshot.js';

export type RecoveryOptions = {
  readonly journal: Journal;
  readonly snapshots: SnapshotStore;
  readonly start: (options: { skipBalanceChecks: boolean }) => Promise<AnvilProcess>;
  readonly log: ChainLog;
};

export type Recovered = {
  readonly anvil: AnvilProcess;
  readonly head: ChainHead;
  /** Block of the snapshot that was used; 0 without one. */
  readonly snapshotNumber: number;
};

/** One way back; `undefined` replays everything. */
type Plan = { readonly snapshot: Snapshot | undefined; readonly skipBalanceChecks: boolean };

export async function recoverChain(options: RecoveryOptions): Promise<Recovered> {
  let cause: unknown;
  for (const plan of plansFor(options)) {
    const anvil = await options.start(plan);
    try {
      return await restore(options, plan, anvil);
    } catch (error) {
      await anvil.kill();
      if (!isAboutContent(error)) throw error;
      cause = error;
      const value = { from: plan.snapshot?.number ?? 0, reason: String(error) };
      options.log.warn(value, 'the chain could not be restored this way; trying the next one');
    }
  }
  throw replayMismatch(cause instanceof Error ? cause.message : 'unknown block', cause);
}

/**
 * The last plan is for a transaction that the pool once took and would not take again, because money that it
 * needs came in the same block; the hash comparison keeps it honest.
 */
function plansFor({ journal, snapshots }: RecoveryOptions): Plan[] {
  const last = journal.head()?.number ?? 0;
  const usable = snapshots.newestFirst().filter((snapshot) => snapshot.number <= last);
  const fromSnapshots = usable.map((snapshot) => ({ snapshot, skipBalanceChecks: false }));
  const whole = { snapshot: undefined, skipBalanceChecks: false };
  if (last === 0) return [whole];
  return [...fromSnapshots, whole, { snapshot: undefined, skipBalanceChecks: true }];
}

class WrongContent extends Error {
  override readonly name = 'WrongContent';
}

/** Wrong bytes are a reason to try another way; a process that died is not. */
function isAboutContent(error: unknown): boolean {
  return error instanceof WrongContent || error instanceof RpcRefusal;
}

async function restore(
  options: RecoveryOptions,
  { snapshot }: Plan,
  anvil: AnvilProcess,
): Promise<Recovered> {
  const { journal, log } = options;
  const startedMs = performance.now();
  const snapshotNumber = snapshot ? await loadSnapshot(options, snapshot, anvil.client) : 0;
  await checkGenesis(journal, anvil.client);
  let transactions = 0;
  for (const block of journal.blocksAbove(snapshotNumber)) {
    await replayBlock(anvil.client, block);
    transactions += block.transactions.length;
  }
  const head = journal.head() ?? (await readHead(anvil.client));
  const blocks = head.number - snapshotNumber;
  const ms = Math.round(performance.now() - startedMs);
  log.info({ head: head.number, snapshotNumber, blocks, transactions, ms }, 'chain restored');
  return { anvil, head, snapshotNumber };
}

async function loadSnapshot(
  { journal, snapshots }: RecoveryOptions,
  snapshot: Snapshot,
  client: RpcClient,
): Promise<number> {
  const bytes = await snapshots.read(snapshot).catch((cause) => {
    throw new WrongContent(`snapshot ${snapshot.number}: ${cause.message}`);
  });
  // Also when the process dies of it: then the next plan, with a fresh process, does without.
  await client.callLong('anvil_loadState', [`0x${bytes.toString('hex')}`]).catch((cause) => {
    throw new WrongContent(`snapshot ${snapshot.number} does not load: ${cause.message}`);
  });
  const head = await readHead(client);
  if (head.number !== snapshot.number) throw new WrongContent(`snapshot ends at ${head.number}`);
  await checkServedBlocks(journal, client, head.number);
  return head.number;
}

/** Loading writes the blocks into tables by number; every one must come out as it went into the journal. */
async function checkServedBlocks(journal: Journal, client: RpcClient, last: number): Promise<void> {
  for (let first = 1; first <= last; first += REPLAY_BATCH_SIZE) {
    const count = Math.min(REPLAY_BATCH_SIZE, last - first + 1);
    const numbers = Array.from({ length: count }, (_, index) => first + index);
    const blocks = await client.callAll(
      numbers.map((n) => ({
        method: 'eth_getBlockByNumber',
        params: [`0x${n.toString(16)}`, false],
      })),
    );
    for (const [index, number] of numbers.entries()) {
      const found = (blocks[index] as { hash: Hex } | null)?.hash;
      if (found !== journal.hashAt(number)) throw wrongBlock(number, found);
    }
  }
}

async function checkGenesis(journal: Journal, client: RpcClient): Promise<void> {
  const block = (await client.call('eth_getBlockByNumber', ['0x0', false])) as { hash: Hex };
  const recorded = journal.genesisHash();
  if (recorded === undefined) journal.setGenesisHash(block.hash);
  else if (recorded !== block.hash) throw wrongBlock(0, block.hash);
}

async function replayBlock(client: RpcClient, block: JournalBlock): Promise<void> {
  const raws = block.transactions;
  for (let first = 0; first < raws.length; first += REPLAY_BATCH_SIZE) {
    const part = raws.slice(first, first + REPLAY_BATCH_SIZE);
    await client.callAll(part.map((raw) => ({ method: 'eth_sendRawTransaction', params: [raw] })));
  }
  await client.callLong('evm_mine', [{ timestamp: block.timestamp }]);
  const head = await readHead(client);
  if (head.hash !== block.hash) throw wrongBlock(block.number, head.hash);
}

async function readHead(client: RpcClient): Promise<ChainHead> {
  const block = await client.call('eth_getBlockByNumber', ['latest', false]);
  const { number, timestamp, hash } = block as { number: Hex; timestamp: Hex; hash: Hex };
  return { number: Number(number), timestamp: Number(timestamp), hash };
}

function wrongBlock(number: number, found: Hex | undefined): WrongContent {
  return new WrongContent(`block ${number} came out as ${found ?? 'nothing'}`);
}
