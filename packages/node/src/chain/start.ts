/**
 * Starts the embedded chain on a data folder: lock, journal, process, endpoint, in this order, and undoes what
 * it did when a later step fails. Files: `<home>/chain/{lock,journal.db,snapshots/,anvil/}`.
 */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { assert } from '@assay/protocol';
import { type Genesis, startAnvil } from './anvil-process.js';
import { type ClockSource, createChainClock, SYSTEM_CLOCK } from './chain-clock.js';
import {
  CHAIN_PORT,
  type ChainEngine,
  type ChainLog,
  LOCAL_CHAIN_ID,
  SILENT_LOG,
} from './chain-engine.js';
import { homeUnwritable } from './chain-errors.js';
import { BLOCK_GAS_MAX, SNAPSHOT_TAIL_MIN } from './chain-limits.js';
import { type EmbeddedChain, startChain } from './embedded-chain.js';
import { lockHome } from './home-lock.js';
import { type Journal, openJournal } from './journal.js';
import { startRpcProxy } from './rpc-proxy.js';
import { openSnapshots } from './snapshot.js';

export type EmbeddedChainStart = {
  /** Data folder; the chain uses `chain/` in it. */
  readonly home: string;
  /** {@link CHAIN_PORT} by default, the next free one when it is busy; 0 takes any free port. */
  readonly port?: number | undefined;
  readonly log?: ChainLog | undefined;
  /** Tests jump with it; chain time follows. */
  readonly clock?: ClockSource | undefined;
  readonly allowedOrigins?: readonly string[] | undefined;
  /** Another anvil than the installed one. */
  readonly anvilProgram?: string | undefined;
  /** Blocks and transactions before the first snapshot; `SNAPSHOT_TAIL_MIN` by default. */
  readonly snapshotTailMin?: number | undefined;
};

/** The hardfork is pinned: an unpinned one follows the version of anvil, and old blocks would differ. */
const HARDFORK = 'osaka';

/**
 * @example
 * const chain = await startEmbeddedChain({ home: '.assay', port: 0 });
 * console.log(chain.rpcUrl, chain.chainId);
 * await chain.stop();
 */
export async function startEmbeddedChain(options: EmbeddedChainStart): Promise<ChainEngine> {
  const undo: (() => void | Promise<void>)[] = [];
  const unwind = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    return await startSteps(options, undo, unwind);
  } catch (error) {
    await unwind();
    throw error;
  }
}

type Undo = (() => void | Promise<void>)[];

async function startSteps(
  options: EmbeddedChainStart,
  undo: Undo,
  unwind: () => Promise<void>,
): Promise<ChainEngine> {
  const folder = join(options.home, 'chain');
  const log = options.log ?? SILENT_LOG;
  const lock = lockHome(folder);
  undo.push(() => lock.release());
  requireWritable(folder);
  const source = options.clock ?? SYSTEM_CLOCK;
  const journal = openJournal(join(folder, 'journal.db'), freshGenesis(source));
  undo.push(() => journal.close());
  const chain = await startOn({ options, folder, journal, source, log });
  undo.push(() => chain.stop());
  const { port = CHAIN_PORT, allowedOrigins } = options;
  const proxy = await startRpcProxy({ backend: chain, port, log, allowedOrigins });
  undo.push(() => proxy.close());
  const genesisHash = journal.genesisHash();
  assert(genesisHash !== undefined, 'a started chain has a block 0');
  return {
    kind: 'embedded',
    rpcUrl: proxy.url,
    chainId: journal.genesis.chainId,
    genesisHash,
    head: async () => chain.head(),
    failed: chain.failed,
    stop: unwind,
  };
}

type StartOn = {
  readonly options: EmbeddedChainStart;
  readonly folder: string;
  readonly journal: Journal;
  readonly source: ClockSource;
  readonly log: ChainLog;
};

function startOn({ options, folder, journal, source, log }: StartOn): Promise<EmbeddedChain> {
  const { genesis } = journal;
  const startSeconds = journal.head()?.timestamp ?? genesis.timestamp;
  return startChain({
    journal,
    snapshots: openSnapshots(join(folder, 'snapshots')),
    clock: createChainClock({ source, startSeconds }),
    log,
    snapshotTailMin: options.snapshotTailMin ?? SNAPSHOT_TAIL_MIN,
    startAnvil: ({ skipBalanceChecks }) =>
      startAnvil({
        genesis,
        folder: join(folder, 'anvil'),
        log,
        skipBalanceChecks,
        program: options.anvilProgram,
      }),
  });
}

function freshGenesis(source: ClockSource): Genesis {
  return {
    chainId: LOCAL_CHAIN_ID,
    timestamp: Math.floor(source.wallMs() / 1000),
    hardfork: HARDFORK,
    blockGasMax: BLOCK_GAS_MAX,
  };
}

/** SQLite would open a read-only folder and fail at the first block. */
function requireWritable(folder: string): void {
  try {
    accessSync(folder, constants.W_OK);
  } catch (cause) {
    throw homeUnwritable(folder, cause);
  }
}
