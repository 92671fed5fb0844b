/**
 * Keeps the chain up: starts the process, restores it from snapshot and journal, restarts it when it dies,
 * and gives callers one thing that looks as if it never went away. Knows nothing of HTTP.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { AssayError, assert, type Hex } from '@assay/protocol';
import type { AnvilProcess } from './anvil-process.js';
import type { ChainClock } from './chain-clock.js';
import type { ChainHead, ChainLog } from './chain-engine.js';
import { chainCrashing, chainGone, chainStopped, chainTimeout } from './chain-errors.js';
import {
  CRASH_WINDOW_MS,
  CRASHES_MAX,
  HEALTH_INTERVAL_MS,
  RECOVERY_WAIT_MS_MAX,
  RESTART_PAUSE_MS,
  SNAPSHOT_TAIL_FRACTION,
} from './chain-limits.js';
import type { Journal } from './journal.js';
import { recoverChain } from './recovery.js';
import type { RpcClient } from './rpc-client.js';
import { createSequencer, type Sequencer } from './sequencer.js';
import type { SnapshotStore } from './snapshot.js';

export type EmbeddedChainOptions = {
  readonly journal: Journal;
  readonly snapshots: SnapshotStore;
  readonly clock: ChainClock;
  readonly startAnvil: (options: { skipBalanceChecks: boolean }) => Promise<AnvilProcess>;
  readonly log: ChainLog;
  /** Blocks and transactions before the first snapshot. */
  readonly snapshotTailMin: number;
};

export type EmbeddedChain = {
  /** Passes one JSON-RPC text on and returns the answer, which shows journaled blocks only. */
  read(body: string, label: string): Promise<Buffer>;
  /** Takes a signed transaction; its hash. A refusal is an `RpcRefusal`. */
  submit(raw: Hex): Promise<Hex>;
  waitingCount(): number;
  nowSeconds(): number;
  head(): ChainHead;
  readonly failed: Promise<AssayError>;
  stop(): Promise<void>;
};

type Phase =
  | { readonly name: 'up'; readonly anvil: AnvilProcess }
  | { readonly name: 'recovering'; readonly done: Promise<void> }
  | { readonly name: 'down'; readonly error: AssayError };

type State = {
  readonly options: EmbeddedChainOptions;
  readonly sequencer: Sequencer;
  readonly fail: (error: AssayError) => void;
  phase: Phase;
  /** Times of the crashes within the window. */
  crashesMs: number[];
  /** Blocks and transactions in the last snapshot, and after it. */
  snapshotWork: number;
  tailWork: number;
  snapshotting: Promise<void> | undefined;
  /** The end of a process that was given up. */
  ending: Promise<void>;
  isStopping: boolean;
};

/** Resolves when the chain has the journal's newest block. */
export async function startChain(options: EmbeddedChainOptions): Promise<EmbeddedChain> {
  const { state, failed } = createState(options);
  state.phase = { name: 'recovering', done: recover(state) };
  await waitUntilUp(state);
  const health = setInterval(() => checkHealth(state), HEALTH_INTERVAL_MS);
  return {
    read: (body, label) => withClient(state, (client) => readSettled(state, client, body, label)),
    submit: (raw) => withClient(state, (client) => state.sequencer.submit(client, raw)),
    waitingCount: () => state.sequencer.waitingCount(),
    nowSeconds: () => options.clock.nowSeconds(),
    head: () => headOf(state),
    failed,
    stop: () => {
      clearInterval(health);
      return stopChain(state);
    },
  };
}

function createState(options: EmbeddedChainOptions) {
  let fail: (error: AssayError) => void = () => {};
  const failed = new Promise<AssayError>((resolve) => {
    fail = resolve;
  });
  const state: State = {
    options,
    sequencer: createSequencer({
      journal: options.journal,
      clock: options.clock,
      onSealed: (_, included) => countWork(state, included),
      onFailed: (cause) => handleSealFailure(state, cause),
    }),
    fail,
    phase: { name: 'down', error: chainStopped() },
    crashesMs: [],
    snapshotWork: 0,
    tailWork: 0,
    snapshotting: undefined,
    ending: Promise.resolve(),
    isStopping: false,
  };
  return { state, failed };
}

function headOf(state: State): ChainHead {
  const head = state.sequencer.head();
  assert(head !== undefined, 'a started chain has a head');
  return head;
}

/** A block and a snapshot under way are finished first; afterwards nothing touches journal or disk. */
async function stopChain(state: State): Promise<void> {
  const before = state.phase;
  state.isStopping = true;
  state.phase = { name: 'down', error: chainStopped() };
  if (before.name === 'recovering') await before.done;
  await state.sequencer.betweenBlocks(async () => {});
  state.sequencer.detach();
  await state.snapshotting;
  if (before.name === 'up') await before.anvil.kill();
  await state.ending;
}

/** One silent retry: a call that was lost with the process is made again on the next one. */
async function withClient<T>(state: State, work: (client: RpcClient) => Promise<T>): Promise<T> {
  const client = await waitUntilUp(state);
  try {
    return await work(client);
  } catch (cause) {
    if (!(cause instanceof AssayError && cause.code === 'chain_gone')) throw cause;
    noticeGone(state, client);
    return work(await waitUntilUp(state));
  }
}

/**
 * anvil resolves `latest` to a number before it runs a call; when a block is sealed in between, the state of that
 * number is pruned and the call fails. Nothing was wrong with it, so it is made again.
 */
const OVERTAKEN = 'BlockOutOfRangeError';
const OVERTAKEN_TRIES_MAX = 5;

/** Longest answer that is looked through for {@link OVERTAKEN}. */
const ERROR_BYTES_MAX = 512;

async function postAgainIfOvertaken(
  client: RpcClient,
  body: string,
  label: string,
): Promise<Buffer> {
  for (let tries = 1; ; tries++) {
    const answer = await client.post(body, label);
    const overtaken = answer.length < ERROR_BYTES_MAX && answer.includes(OVERTAKEN);
    if (!overtaken || tries === OVERTAKEN_TRIES_MAX) return answer;
  }
}

async function readSettled(state: State, client: RpcClient, body: string, label: string) {
  const answer = await postAgainIfOvertaken(client, body, label);
  await state.sequencer.settled().catch((cause) => {
    throw chainGone(cause);
  });
  return answer;
}

async function waitUntilUp(state: State): Promise<RpcClient> {
  while (state.phase.name === 'recovering') await withinRecoveryTime(state.phase.done);
  if (state.phase.name === 'down') throw state.phase.error;
  return state.phase.anvil.client;
}

async function withinRecoveryTime(done: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(chainTimeout('recovery')), RECOVERY_WAIT_MS_MAX);
  });
  await Promise.race([done, late]).finally(() => clearTimeout(timer));
}

/** Starts a recovery unless one runs already or the chain is down for good. */
function noticeGone(state: State, client: RpcClient): void {
  if (state.phase.name !== 'up' || state.phase.anvil.client !== client) return;
  const { anvil } = state.phase;
  state.sequencer.detach();
  state.options.log.warn({ pid: anvil.pid }, 'the chain process is gone or silent; restarting it');
  state.phase = { name: 'recovering', done: anvil.kill().then(() => recover(state, true)) };
}

/** Tries until the chain is up or down for good; never rejects. */
async function recover(state: State, afterCrash = false): Promise<void> {
  for (let isCrash = afterCrash; !state.isStopping; isCrash = true) {
    const crashes = isCrash ? countCrash(state) : 0;
    if (crashes > CRASHES_MAX) return bringDown(state, chainCrashing(CRASHES_MAX));
    await sleep(crashes * RESTART_PAUSE_MS);
    try {
      return await recoverOnce(state);
    } catch (cause) {
      if (!isCrashOf(cause, isCrash)) return bringDown(state, cause);
      state.options.log.warn({ err: cause }, 'the chain process died while it was restored');
    }
  }
}

/** A process that never came up is no crash: its program or its arguments are wrong. */
function isCrashOf(cause: unknown, cameUpBefore: boolean): boolean {
  if (!(cause instanceof AssayError)) return false;
  return cause.code === 'chain_gone' || (cameUpBefore && cause.code === 'anvil_unstartable');
}

async function recoverOnce(state: State): Promise<void> {
  const { journal, snapshots, startAnvil, log } = state.options;
  const { anvil, head, snapshotNumber } = await recoverChain({
    journal,
    snapshots,
    start: startAnvil,
    log,
  });
  await state.sequencer.attach(anvil.client, head).catch(async (cause) => {
    await anvil.kill();
    throw cause;
  });
  // Stopped meanwhile: `stop` waits for us and leaves the process to us.
  if (state.isStopping) {
    state.sequencer.detach();
    return anvil.kill();
  }
  state.tailWork = journal.workAbove(snapshotNumber);
  state.snapshotWork = journal.workAbove(0) - state.tailWork;
  state.phase = { name: 'up', anvil };
  void anvil.exited.then(() => noticeGone(state, anvil.client));
  snapshotWhenDue(state);
}

function countCrash(state: State): number {
  const nowMs = performance.now();
  state.crashesMs = [...state.crashesMs.filter((ms) => nowMs - ms < CRASH_WINDOW_MS), nowMs];
  return state.crashesMs.length;
}

function bringDown(state: State, cause: unknown): void {
  if (state.isStopping) return;
  const error = cause instanceof AssayError ? cause : chainCrashing(state.crashesMs.length, cause);
  const before = state.phase;
  state.phase = { name: 'down', error };
  state.sequencer.detach();
  if (before.name === 'up') state.ending = before.anvil.kill();
  state.options.log.error({ code: error.code, value: error.value, err: cause }, error.message);
  state.fail(error);
}

/** A journal that cannot be written ends the chain; everything else is cured by a fresh process. */
function handleSealFailure(state: State, cause: unknown): void {
  if (cause instanceof AssayError && cause.code === 'chain_journal_unwritable') {
    bringDown(state, cause);
  } else if (state.phase.name === 'up') {
    state.options.log.warn({ err: cause }, 'a block could not be sealed');
    noticeGone(state, state.phase.anvil.client);
  }
}

async function checkHealth(state: State): Promise<void> {
  if (state.phase.name !== 'up') return;
  const { client } = state.phase.anvil;
  await client.call('eth_chainId').catch(() => noticeGone(state, client));
}

function countWork(state: State, included: number): void {
  state.tailWork += 1 + included;
  snapshotWhenDue(state);
}

/** After enough work since the last snapshot the next one is taken, in the background. */
function snapshotWhenDue(state: State): void {
  const enough = Math.max(
    state.options.snapshotTailMin,
    state.snapshotWork * SNAPSHOT_TAIL_FRACTION,
  );
  if (state.tailWork < enough || state.snapshotting || state.isStopping) return;
  state.snapshotting = takeSnapshot(state).finally(() => {
    state.snapshotting = undefined;
  });
}

async function takeSnapshot(state: State): Promise<void> {
  const { snapshots, log } = state.options;
  try {
    const startedMs = performance.now();
    const dump = await state.sequencer.betweenBlocks(async (client) => {
      const work = state.tailWork;
      const text = (await client.callLong('anvil_dumpState')) as string;
      return { text, work, number: headOf(state).number };
    });
    if (!dump) return;
    const bytes = Buffer.from(dump.text.slice(2), 'hex');
    await snapshots.write(dump.number, bytes);
    state.snapshotWork += dump.work;
    state.tailWork -= dump.work;
    const ms = Math.round(performance.now() - startedMs);
    log.info({ number: dump.number, bytes: bytes.length, ms }, 'chain snapshot written');
  } catch (cause) {
    log.warn({ err: cause }, 'no chain snapshot this time; the journal has everything');
    state.tailWork = 0;
  }
}
