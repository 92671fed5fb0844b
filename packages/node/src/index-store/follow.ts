/**
 * Follows a chain into the index: asks for the head, fetches the logs up to it in pages, and cuts back when the chain
 * was reorganised. It decides when to ask and what to believe; it does not know what an event means.
 *
 * A page is believed only if its last block had the same hash before and after its logs were fetched and the index's
 * own block is below it, so a reorganisation in between costs a second try and never a wrong row.
 *
 * Another chain id or another block 0 is another chain: by default that is refused (`index_wrong_chain`), because the
 * usual cause is a wrong URL. Other contracts or another first block on the same chain are a new question to the same
 * chain: the index is rebuilt. A chain that was restarted from the same block 0 is a deep reorganisation.
 */
import { type Address, AssayError, isHexOf } from '@assay/protocol';
import { findAncestor, isOnChain } from './ancestor.js';
import {
  type BlockHeader,
  type ChainClient,
  type ChainIdentity,
  type ChainLog,
  isTooLarge,
  readBlock,
  readIdentity,
  readLogs,
  readLogsSplit,
  readTimestamps,
} from './chain-reader.js';
import type { IndexStore } from './database.js';
import { indexArgument, indexBehind, indexStopped, indexWrongChain } from './errors.js';
import { CONTRACT_NAMES, type ContractName, EVENT_SIGNATURES, lower } from './events.js';
import {
  applyPage,
  beginIndex,
  type Checkpoint,
  type Cursor,
  type Followed,
  type Page,
  readCursor,
  rollBack,
} from './ledger.js';

/** Delay between two looks at the head; a look is one small request. */
const POLL_INTERVAL_MS = 150;
/** Delay after the first failure; doubles up to the maximum. */
const RETRY_DELAY_MS = 100;
const RETRY_DELAY_MS_MAX = 5_000;
/** Blocks asked for in the first page, and at most. */
const PAGE_BLOCKS_FIRST = 200;
const PAGE_BLOCKS_MAX = 10_000;
/** Logs that a page aims at: about 1.5 MB of JSON, far from the 10 MiB that viem accepts. */
const PAGE_LOGS_AIM = 2_000;
/** Logs in one transaction, which on SQLite holds up the process for about 50 ms. */
const TRANSACTION_LOGS_AIM = 500;
const CAUGHT_UP_TIMEOUT_MS = 60_000;

/** Contracts of one network, as `deployContracts` gives them. */
export type IndexedContracts = { readonly [C in ContractName | 'testDollar']: Address };

export type FollowOptions = {
  readonly client: ChainClient;
  /** Stakes are in the test dollar, and earnings are told in it. */
  readonly addresses: IndexedContracts;
  /** Block in which the first contract was deployed, or any block before it. */
  readonly startBlock?: number;
  readonly pollIntervalMs?: number;
  /** What to do when the index was built from another chain; default `refuse`. */
  readonly onOtherChain?: 'refuse' | 'rebuild';
  /** Called after each page and each cut, when the change is durable. */
  readonly onMove?: (move: ChainMove) => void;
  /** Called for every failure; all but `index_wrong_chain` are tried again. */
  readonly onError?: (error: unknown) => void;
};

export type ChainMove = {
  readonly type: 'page' | 'rollback' | 'rebuild';
  readonly block: number;
  readonly logs: number;
};

export type Follower = {
  /** Resolves at the head as it was when this was called, or later. */
  readonly caughtUp: (options?: { readonly timeoutMs?: number }) => Promise<Checkpoint>;
  /** Resolves when nothing is written any more. */
  readonly stop: () => Promise<void>;
};

/** Starts to follow. It returns at once; failures go to `onError` and to `caughtUp`. */
export function followChain(store: IndexStore, options: FollowOptions): Follower {
  const follow = new Follow(store, options, checkFollowed(options));
  void follow.run();
  return { caughtUp: (wait) => follow.caughtUp(wait), stop: () => follow.stop() };
}

function checkFollowed({ addresses, startBlock = 0 }: FollowOptions): Followed {
  if (!Number.isSafeInteger(startBlock) || startBlock < 0)
    throw indexArgument('startBlock', startBlock, 'a block number');
  for (const name of [...CONTRACT_NAMES, 'testDollar'] as const)
    if (!isHexOf(addresses[name], 20))
      throw indexArgument(`address of ${name}`, addresses[name], '20 bytes as 0x text');
  const contracts = {} as { [C in ContractName]: Address };
  for (const name of CONTRACT_NAMES) contracts[name] = lower(addresses[name]);
  if (new Set(Object.values(contracts)).size !== CONTRACT_NAMES.length)
    throw indexArgument('addresses', contracts, 'a different address for each contract');
  return { contracts, token: lower(addresses.testDollar), startBlock };
}

type Waiter = {
  /** Head when the wait began; set by the next look. */
  target: number | undefined;
  readonly resolve: (at: Checkpoint) => void;
  readonly reject: (error: unknown) => void;
};

class Follow {
  readonly #store: IndexStore;
  readonly #options: FollowOptions;
  readonly #followed: Followed;
  readonly #waiters = new Set<Waiter>();
  #cursor: Cursor | undefined;
  #pageBlocks = PAGE_BLOCKS_FIRST;
  #lastError: unknown;
  /** Set when following ended: by `stop`, or by an error that trying again cannot mend. */
  #end: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(store: IndexStore, options: FollowOptions, followed: Followed) {
    this.#store = store;
    this.#options = options;
    this.#followed = followed;
  }

  /** Waits for the write in progress, not for the network. */
  async stop(): Promise<void> {
    this.#finish(indexStopped());
    await this.#writing;
  }

  caughtUp(wait: { readonly timeoutMs?: number } = {}): Promise<Checkpoint> {
    const { timeoutMs = CAUGHT_UP_TIMEOUT_MS } = wait;
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) return reject(this.#end.error);
      const timer = setTimeout(() => settle(() => reject(indexBehind(this.#lastError))), timeoutMs);
      const settle = (action: () => void): void => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
        action();
      };
      const waiter: Waiter = {
        target: undefined,
        resolve: (at) => settle(() => resolve({ number: at.number, hash: at.hash })),
        reject: (error) => settle(() => reject(error)),
      };
      this.#waiters.add(waiter);
      this.#wake?.();
    });
  }

  async run(): Promise<void> {
    let failures = 0;
    while (this.#end === undefined) {
      try {
        this.#cursor ??= await this.#begin();
        const moved = await this.#step(this.#cursor);
        failures = 0;
        if (!moved && !this.#isAwaited()) await this.#pause(this.#pollIntervalMs());
      } catch (error) {
        if (this.#end !== undefined) return;
        this.#lastError = error;
        this.#cursor = undefined;
        this.#options.onError?.(error);
        if (error instanceof AssayError && error.code === 'index_wrong_chain') this.#finish(error);
        else await this.#pause(Math.min(RETRY_DELAY_MS * 2 ** failures++, RETRY_DELAY_MS_MAX));
      }
    }
  }

  #pollIntervalMs(): number {
    return this.#options.pollIntervalMs ?? POLL_INTERVAL_MS;
  }

  /** True if somebody began to wait after the last look at the head. */
  #isAwaited(): boolean {
    return [...this.#waiters].some(({ target }) => target === undefined);
  }

  #finish(error: unknown): void {
    this.#end ??= { error };
    for (const waiter of this.#waiters) waiter.reject(this.#end.error);
    this.#wake?.();
  }

  /** Sleeps until the time is over, somebody waits for us, or we are stopped. */
  async #pause(delayMs: number): Promise<void> {
    if (this.#end !== undefined) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, delayMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }

  /** Runs a change of the store; after `stop` none begins any more. */
  async #write<T>(change: () => Promise<T>): Promise<T> {
    if (this.#end !== undefined) throw this.#end.error;
    const writing = change();
    this.#writing = writing.catch(() => undefined);
    return writing;
  }

  /** The stored cursor if it belongs to this chain and these contracts; else a fresh one. */
  async #begin(): Promise<Cursor> {
    const identity = await readIdentity(this.#options.client);
    const stored = await readCursor(this.#store);
    if (stored !== undefined) {
      const same = isSameChain(stored.identity, identity);
      if (same && JSON.stringify(stored.followed) === JSON.stringify(this.#followed)) return stored;
      if (!same && this.#options.onOtherChain !== 'rebuild')
        throw indexWrongChain(printChain(identity), printChain(stored.identity));
    }
    const base = await this.#base();
    const cursor = { ...base, identity, followed: this.#followed };
    const begun = await this.#write(() => beginIndex(this.#store, { expected: stored, cursor }));
    if (!begun) return this.#begin();
    if (stored !== undefined) this.#tell({ type: 'rebuild', block: base.number, logs: 0 });
    return cursor;
  }

  /** The block before the first one that is followed. Block 0 holds no logs, so nothing begins before it. */
  async #base(): Promise<Checkpoint> {
    const number = Math.max(this.#followed.startBlock - 1, 0);
    const block = await readBlock(this.#options.client, number);
    if (block === undefined)
      throw indexArgument('startBlock', this.#followed.startBlock, 'a block that exists');
    return { number, hash: block.hash };
  }

  /** One look at the head and at most one page. True if there may be more to do at once. */
  async #step(cursor: Cursor): Promise<boolean> {
    const head = await readBlock(this.#options.client, 'latest');
    if (head === undefined) throw indexBehind(undefined);
    for (const waiter of this.#waiters) waiter.target ??= head.number;
    if (head.number > cursor.number) return this.#advance(cursor, head);
    if (head.hash !== cursor.hash) return this.#cutBack(cursor);
    for (const waiter of this.#waiters) waiter.resolve(cursor);
    return false;
  }

  async #advance(cursor: Cursor, head: BlockHeader): Promise<boolean> {
    const { client } = this.#options;
    const last = Math.min(head.number, cursor.number + this.#pageBlocks);
    const to = last === head.number ? head : await readBlock(client, last);
    if (to === undefined) return false;
    const logs = await this.#fetch(cursor.number + 1, last);
    if (logs === undefined) return true;
    const timestamps = await readTimestamps(client, logs);
    const again = await readBlock(client, last);
    if (again?.hash !== to.hash) return true;
    const isNext = last === cursor.number + 1;
    const linked = isNext ? to.parentHash === cursor.hash : await isOnChain(client, cursor);
    if (!linked) return this.#cutBack(cursor);
    const pages = cutPages({ cursor, to: { number: to.number, hash: to.hash }, logs, timestamps });
    for (const page of pages) {
      if (!(await this.#append(page))) return true;
      // A transaction on SQLite runs without a pause; others get a turn between two.
      await new Promise(setImmediate);
    }
    return true;
  }

  /** False if somebody else moved the index. */
  async #append(page: Page): Promise<boolean> {
    const { to } = page;
    const applied = await this.#write(() => applyPage(this.#store, page));
    this.#cursor = applied ? { ...page.cursor, ...to } : undefined;
    if (!applied) return false;
    this.#tell({ type: 'page', block: to.number, logs: page.logs.length });
    for (const waiter of this.#waiters)
      if (waiter.target !== undefined && waiter.target <= to.number) waiter.resolve(to);
    return true;
  }

  /** Logs of a range, or undefined if it was too large; the next one is smaller. */
  async #fetch(fromBlock: number, toBlock: number): Promise<ChainLog[] | undefined> {
    const { client } = this.#options;
    const addresses = Object.values(this.#followed.contracts);
    const range = { fromBlock, toBlock, addresses, signatures: EVENT_SIGNATURES };
    const blocks = toBlock - fromBlock + 1;
    try {
      const logs = await (blocks === 1 ? readLogsSplit(client, range) : readLogs(client, range));
      this.#aim(blocks, logs.length);
      return logs;
    } catch (cause) {
      if (blocks === 1 || !isTooLarge(cause)) throw cause;
      this.#pageBlocks = blocks >> 1;
      return undefined;
    }
  }

  /** Sizes the next page so that it holds about {@link PAGE_LOGS_AIM} logs; grows by steps of two. */
  #aim(blocks: number, logs: number): void {
    if (blocks < this.#pageBlocks && logs < PAGE_LOGS_AIM) return;
    const wanted = logs === 0 ? PAGE_BLOCKS_MAX : Math.floor((blocks * PAGE_LOGS_AIM) / logs);
    this.#pageBlocks = Math.max(1, Math.min(wanted, 2 * blocks, PAGE_BLOCKS_MAX));
  }

  /** Returns to the newest block that is still on the chain. */
  async #cutBack(cursor: Cursor): Promise<boolean> {
    const { client } = this.#options;
    if (!isSameChain(cursor.identity, await readIdentity(client))) {
      this.#cursor = undefined;
      return true;
    }
    const to = (await findAncestor(client, this.#store, cursor.number + 1)) ?? (await this.#base());
    if (to.number === cursor.number && to.hash === cursor.hash) return false;
    const cut = await this.#write(() => rollBack(this.#store, { cursor, to }));
    this.#cursor = cut ? { ...cursor, ...to } : undefined;
    if (cut) this.#tell({ type: 'rollback', block: to.number, logs: 0 });
    return true;
  }

  #tell(move: ChainMove): void {
    this.#options.onMove?.(move);
  }
}

/** Cuts a page between blocks so that no transaction has many more logs than it should. */
function* cutPages(page: Page): Generator<Page> {
  let { cursor } = page;
  let first = 0;
  for (const [index, log] of page.logs.entries()) {
    const next = page.logs[index + 1];
    const isBlockEnd = next === undefined || next.blockNumber !== log.blockNumber;
    if (!isBlockEnd || index + 1 - first < TRANSACTION_LOGS_AIM) continue;
    const to = { number: log.blockNumber, hash: log.blockHash };
    if (to.number === page.to.number) break;
    yield { ...page, cursor, to, logs: page.logs.slice(first, index + 1) };
    cursor = { ...cursor, ...to };
    first = index + 1;
  }
  yield { ...page, cursor, logs: page.logs.slice(first) };
}

const isSameChain = (a: ChainIdentity, b: ChainIdentity): boolean =>
  a.chainId === b.chainId && a.genesisHash === b.genesisHash;

const printChain = ({ chainId, genesisHash }: ChainIdentity): string =>
  `chain ${chainId} with block 0 ${genesisHash}`;
