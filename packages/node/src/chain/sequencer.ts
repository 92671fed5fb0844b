/**
 * Seals blocks: only when transactions wait, one at a time, and each is in the journal before any reader may
 * see it. Knows nothing of processes or HTTP; a failure is handed to whoever can restart the chain.
 *
 * Readers are not stopped while a block is sealed. Instead their answers are kept back (`settled`) until the
 * block that they may already show is on the disk.
 */
import type { Hex } from '@assay/protocol';
import { AssayError, assert, fromHex, keccak, toHex } from '@assay/protocol';
import type { ChainClock } from './chain-clock.js';
import type { ChainHead } from './chain-engine.js';
import { SEAL_DELAY_MS, SEAL_RETRIES_MAX, SEAL_RETRY_MS } from './chain-limits.js';
import type { Journal } from './journal.js';
import { type RpcClient, RpcRefusal } from './rpc-client.js';

export type SequencerOptions = {
  readonly journal: Journal;
  readonly clock: ChainClock;
  /** The newest visible block changed. */
  readonly onSealed: (head: ChainHead, included: number) => void;
  /** Sealing stopped: the chain process or the journal failed. */
  readonly onFailed: (cause: unknown) => void;
};

export type Sequencer = {
  /** Begins to seal on this process, after giving it the transactions that still wait. */
  attach(client: RpcClient, head: ChainHead): Promise<void>;
  /** Seals no more; what waits is kept for the next process. */
  detach(): void;
  /** Hands a signed transaction to the chain process and keeps its bytes until it is in a block. */
  submit(client: RpcClient, raw: Hex): Promise<Hex>;
  /** Transactions that are not yet in a block. */
  waitingCount(): number;
  /** Resolves once no block is between mined and journaled; rejects if that block is lost. */
  settled(): Promise<void>;
  head(): ChainHead | undefined;
  /** Runs between two blocks, so that nothing changes meanwhile. */
  betweenBlocks<T>(work: (client: RpcClient) => Promise<T>): Promise<T | undefined>;
};

type Waiting = {
  readonly raw: Hex;
  /** The chain process has it in its pool. */
  isAccepted: boolean;
  /** Settles as the chain process decides; shared by all who sent the same bytes. */
  decision: Promise<void>;
};

type State = {
  readonly options: SequencerOptions;
  /** By hash, in order of arrival. */
  readonly waiting: Map<Hex, Waiting>;
  client: RpcClient | undefined;
  head: ChainHead | undefined;
  timer: NodeJS.Timeout | undefined;
  /** Seals and dumps, one after the other; never rejects. */
  queue: Promise<unknown>;
  /** The block that is mined but not yet on the disk. */
  sealing: Promise<unknown> | undefined;
  /** Transactions on their way into the pool; a block is mined between them, never beside one. */
  readonly entering: Set<Promise<unknown>>;
  /** Closed while a block is mined: transactions wait outside the pool. */
  gate: Promise<void> | undefined;
  retries: number;
};

export function createSequencer(options: SequencerOptions): Sequencer {
  const state: State = {
    options,
    waiting: new Map(),
    client: undefined,
    head: undefined,
    timer: undefined,
    queue: Promise.resolve(),
    sealing: undefined,
    entering: new Set(),
    gate: undefined,
    retries: 0,
  };
  return {
    attach: (client, head) => attach(state, client, head),
    detach: () => detach(state),
    submit: (client, raw) => submit(state, client, raw),
    waitingCount: () => state.waiting.size,
    settled: async () => {
      await state.sealing;
    },
    head: () => state.head,
    betweenBlocks: (work) =>
      enqueue(state, async () => (state.client ? work(state.client) : undefined)),
  };
}

async function attach(state: State, client: RpcClient, head: ChainHead): Promise<void> {
  for (const [hash, entry] of [...state.waiting]) {
    entry.decision = handOver(state, client, hash, entry);
    // A refusal here means that it can never be in a block any more: its nonce or money is gone.
    await entry.decision.catch((cause) => {
      if (!(cause instanceof RpcRefusal)) throw cause;
    });
  }
  state.client = client;
  state.head = head;
  state.sealing = undefined;
  if (state.waiting.size > 0) schedule(state, 0);
}

/** Sending the same bytes twice is the same as sending them once: clients repeat after a timeout. */
async function submit(state: State, client: RpcClient, raw: Hex): Promise<Hex> {
  const hash = toHex(keccak(fromHex(raw)));
  const known = state.waiting.get(hash);
  await (known ? known.decision : handOverFirst(state, client, hash, raw));
  state.retries = 0;
  schedule(state, SEAL_DELAY_MS);
  return hash;
}

function handOverFirst(state: State, client: RpcClient, hash: Hex, raw: Hex): Promise<void> {
  const entry: Waiting = { raw, isAccepted: false, decision: Promise.resolve() };
  state.waiting.set(hash, entry);
  entry.decision = handOver(state, client, hash, entry);
  return entry.decision;
}

/** Bytes whose fate is open because the process died are kept: the next process is given them again. */
async function handOver(state: State, client: RpcClient, hash: Hex, entry: Waiting): Promise<void> {
  entry.isAccepted = false;
  try {
    await enterPool(state, client, entry.raw);
    entry.isAccepted = true;
  } catch (cause) {
    const isOpen = cause instanceof AssayError && cause.code === 'chain_gone';
    if (!isOpen) state.waiting.delete(hash);
    throw cause;
  }
}

/**
 * anvil 1.7.1 can lose a transaction that arrives while a block with the one before it is mined: it is filed as waiting
 * for a nonce that has just been used, and never looked at again. So pool and mining take turns.
 */
async function enterPool(state: State, client: RpcClient, raw: Hex): Promise<void> {
  while (state.gate) await state.gate;
  const entering = client.call('eth_sendRawTransaction', [raw]);
  state.entering.add(entering);
  try {
    await entering;
  } finally {
    state.entering.delete(entering);
  }
}

/** Runs `work` while nothing enters the pool. */
async function whileShut<T>(state: State, work: () => Promise<T>): Promise<T> {
  let open = (): void => {};
  state.gate = new Promise((resolve) => {
    open = resolve;
  });
  try {
    await Promise.allSettled(state.entering);
    return await work();
  } finally {
    state.gate = undefined;
    open();
  }
}

function detach(state: State): void {
  clearTimeout(state.timer);
  state.timer = undefined;
  state.client = undefined;
}

function schedule(state: State, delayMs: number): void {
  if (state.timer || !state.client) return;
  state.timer = setTimeout(() => {
    state.timer = undefined;
    void enqueue(state, () => sealAndLookAgain(state));
  }, delayMs);
}

function enqueue<T>(state: State, work: () => Promise<T>): Promise<T> {
  const done = state.queue.then(work);
  state.queue = done.catch(() => {});
  return done;
}

async function sealAndLookAgain(state: State): Promise<void> {
  const { client, options } = state;
  if (!client) return;
  try {
    const pool = await readPool(client);
    if (pool.pending === 0) return await lookAfterWaiting(state, client, pool);
    const included = await seal(state, client);
    if (state.waiting.size > 0) lookAgain(state, included);
  } catch (cause) {
    if (state.client === client) options.onFailed(cause);
  }
}

/** A block that took nothing although something waits: the fee or the gas may fit a later block. */
function lookAgain(state: State, included: number): void {
  if (included > 0) schedule(state, SEAL_DELAY_MS);
  else if (++state.retries <= SEAL_RETRIES_MAX) schedule(state, SEAL_RETRY_MS);
}

type PoolCounts = { readonly pending: number; readonly queued: number };

async function readPool(client: RpcClient): Promise<PoolCounts> {
  const status = (await client.call('txpool_status')) as { pending: Hex; queued: Hex };
  return { pending: Number(status.pending), queued: Number(status.queued) };
}

/**
 * Mines one block and writes it down; the number of its transactions. If that fails, `sealing` stays rejected
 * until the next process is attached: what the old one answers may show a block that does not exist.
 */
async function seal(state: State, client: RpcClient): Promise<number> {
  const sealing = mineAndJournal(state, client);
  sealing.catch(() => {});
  state.sealing = sealing;
  const { head, included } = await sealing;
  state.sealing = undefined;
  state.options.onSealed(head, included);
  return included;
}

async function mineAndJournal(state: State, client: RpcClient) {
  const { journal, clock } = state.options;
  const last = state.head;
  assert(last !== undefined, 'a sequencer seals only after a block');
  const timestamp = Math.max(clock.nowSeconds(), last.timestamp);
  await whileShut(state, () => client.callLong('evm_mine', [{ timestamp }]));
  const block = (await client.call('eth_getBlockByNumber', ['latest', false])) as SealedBlock;
  assert(Number(block.number) === last.number + 1, 'one block was mined');
  assert(block.parentHash === last.hash, 'a block stands on the block before');
  assert(Number(block.timestamp) === timestamp, 'a block has the time that was asked for');
  const transactions = await Promise.all(block.transactions.map((hash) => rawOf(state, hash)));
  const head = { number: last.number + 1, timestamp, hash: block.hash };
  journal.append({ ...head, transactions });
  for (const hash of block.transactions) state.waiting.delete(hash);
  state.head = head;
  return { head, included: transactions.length };
}

type SealedBlock = {
  readonly number: Hex;
  readonly hash: Hex;
  readonly parentHash: Hex;
  readonly timestamp: Hex;
  readonly transactions: readonly Hex[];
};

/** A second sender of the same bytes may be refused, and we forget them; then anvil still has them. */
async function rawOf(state: State, hash: Hex): Promise<Hex> {
  const entry = state.waiting.get(hash);
  if (entry) return entry.raw;
  const fetched = await state.client?.call('eth_getRawTransactionByHash', [hash]);
  assert(typeof fetched === 'string', 'every transaction of a block has bytes');
  return fetched as Hex;
}

/** Transactions looked at when none is ready; more would only be behind these. */
const RESCUE_MAX = 256;

/** Nothing is ready, but something waits: forget what was dropped, and hand in again what was misfiled. */
async function lookAfterWaiting(state: State, client: RpcClient, pool: PoolCounts): Promise<void> {
  await forgetDropped(state, client, pool);
  if (pool.queued === 0) return;
  const rescued = await whileShut(state, () => rescue(state, client));
  if (rescued > 0) schedule(state, SEAL_DELAY_MS);
}

/** Files misfiled transactions anew; the number of them. The pool is shut, so what is ready was so before. */
async function rescue(state: State, client: RpcClient): Promise<number> {
  if ((await readPool(client)).pending > 0) return 1;
  const entries = [...state.waiting].filter(([, entry]) => entry.isAccepted).slice(0, RESCUE_MAX);
  let rescued = 0;
  for (const [hash] of entries) {
    if (!(await isReady(client, hash))) continue;
    await client.call('anvil_dropTransaction', [hash]);
    rescued++;
  }
  // Dropping one may take those behind it along.
  if (rescued > 0) for (const [hash, entry] of entries) await fileAgain(state, client, hash, entry);
  return rescued;
}

async function fileAgain(
  state: State,
  client: RpcClient,
  hash: Hex,
  entry: Waiting,
): Promise<void> {
  if ((await client.call('eth_getTransactionByHash', [hash])) !== null) return;
  await client.call('eth_sendRawTransaction', [entry.raw]).catch((cause) => {
    if (!(cause instanceof RpcRefusal)) throw cause;
    state.waiting.delete(hash);
  });
}

/** True if the sender's next nonce is that of the transaction. */
async function isReady(client: RpcClient, hash: Hex): Promise<boolean> {
  const found = (await client.call('eth_getTransactionByHash', [hash])) as {
    readonly from: Hex;
    readonly nonce: Hex;
    readonly blockHash: Hex | null;
  } | null;
  if (found === null || found.blockHash !== null) return false;
  const next = (await client.call('eth_getTransactionCount', [found.from, 'latest'])) as Hex;
  return BigInt(next) === BigInt(found.nonce);
}

/** anvil drops what has become impossible (spent nonce, money gone) without a word; so do we. */
async function forgetDropped(state: State, client: RpcClient, pool: PoolCounts): Promise<void> {
  if (state.waiting.size <= pool.queued) return;
  const accepted = [...state.waiting].filter(([, entry]) => entry.isAccepted);
  for (const [hash] of accepted) {
    const known = await client.call('eth_getTransactionByHash', [hash]);
    if (known === null) state.waiting.delete(hash);
  }
}
