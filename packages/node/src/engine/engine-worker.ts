/**
 * The thread in which the exact engine runs. Jobs share every pass (`createScheduler`), so that a long prompt delays no
 * answer by more than its share of a pass; messages are read between passes, so that a cancel takes effect within one
 * token.
 */
import { parentPort, Worker, workerData } from 'node:worker_threads';
import {
  createChooser,
  decodeEnvelope,
  embeddingBytes,
  hiddenRows,
  type OpenMask,
  sampleToken,
  verifyReceipt,
} from '@assay/compute';
import {
  assertFit,
  type Backend,
  createScheduler,
  createWasmBackend,
  type EngineModel,
  type HiddenRow,
  type Scheduler,
  type SpawnWorker,
  type Ticket,
  type WasmOptions,
} from '@assay/engine';
import { openModelFile, tokenMasks } from '@assay/model';
import {
  AssayError,
  concat,
  decodeControls,
  decodeJson,
  fromHex,
  type Pooling,
} from '@assay/protocol';
import { openFileSource } from '../file-source.js';
import { openDraft } from './draft.js';
import type { EngineOrder, EngineReport, EngineSetup } from './engine-messages.js';

type Engine = {
  readonly model: EngineModel;
  readonly backend: Backend;
  readonly scheduler: Scheduler;
  readonly openMask: OpenMask;
};

/**
 * Keys and values kept of ended jobs, so that a next turn of a conversation computes only what is new: some 10,000
 * tokens of a 135M model, and a small part of the 4 GiB that the kernels can address.
 */
const PREFIX_CACHE_BYTES = 256 * 2 ** 20;

const port = parentPort!;
const tickets = new Map<number, Ticket>();
const report = (message: EngineReport): void => port.postMessage(message);

function fail(id: number | undefined, error: unknown): void {
  const code = (error as { code?: unknown }).code;
  report({
    kind: 'failed',
    ...(id === undefined ? {} : { id }),
    code: typeof code === 'string' ? code : 'engine_failed',
    message: error instanceof Error ? error.message : String(error),
  });
}

function startRun(engine: Engine, order: EngineOrder & { kind: 'run' }): void {
  const { id, inputTokens, outputCountMax, sampler } = order;
  const controls = decodeControls(fromHex(order.controls ?? '0x'));
  if (controls.pooling !== undefined) {
    startEmbedding(engine, order, controls.pooling);
    return;
  }
  const { scheduler, openMask } = engine;
  const chooser = createChooser({ sampler, controls, inputTokens, outputCountMax, openMask });
  /** Details of the tokens that were chosen and not yet reported. */
  const details: Uint8Array[] = [];
  let ended = false;
  const ticket = scheduler.add({
    inputTokens,
    outputCountMax,
    stopIds: sampler.stopIds,
    choose: (logits, tokens) => {
      for (let at = inputTokens.length + chooser.count(); at < tokens.length; at++)
        chooser.accept(tokens[at]!);
      const { token, detail } = chooser.choose(logits);
      if (detail.length > 0) details.push(detail);
      return token;
    },
    guess: (logits, tokens) => sampleToken(logits, sampler, tokens.length),
    onTokens: (tokens, isLast) => {
      const detail = concat(details.splice(0, tokens.length));
      ended = isLast;
      report({ kind: 'tokens', id, tokens, ends: isLast, ...(detail.length > 0 && { detail }) });
    },
    onEnd: (error) => {
      tickets.delete(id);
      if (error !== undefined) fail(id, error);
      else if (!ended) report({ kind: 'end', id });
    },
  });
  tickets.set(id, ticket);
  schedulePass(scheduler);
}

/** Positions of an embedding's prompt per turn; other jobs have their passes in between. */
const EMBEDDING_CHUNK_TOKENS = 32;

/** One session of its own, a chunk per turn: nothing is sampled, so there is nothing to share but the weights. */
function startEmbedding(
  engine: Engine,
  { id, inputTokens }: EngineOrder & { kind: 'run' },
  pooling: Pooling,
): void {
  const contextLength = inputTokens.length;
  const session = engine.backend.createSession(engine.model, { contextLength });
  const rows: HiddenRow[] = [];
  const finish = (): void => {
    session.dispose();
    tickets.delete(id);
  };
  const turn = (): void => {
    if (!tickets.has(id)) return;
    try {
      rows.push(
        ...hiddenRows(
          session,
          inputTokens.slice(rows.length, rows.length + EMBEDDING_CHUNK_TOKENS),
        ),
      );
      if (rows.length < inputTokens.length) {
        setImmediate(turn);
        return;
      }
      report({ kind: 'tokens', id, tokens: [], detail: embeddingBytes(rows, pooling) });
      finish();
      report({ kind: 'end', id });
    } catch (error) {
      finish();
      fail(id, error);
    }
  };
  tickets.set(id, { cancel: () => session.dispose() });
  setImmediate(turn);
}

function cancelRun(id: number): void {
  const ticket = tickets.get(id);
  if (ticket === undefined) return;
  tickets.delete(id);
  ticket.cancel();
  report({ kind: 'end', id });
}

let scheduled = false;

/** One pass, then messages, then the next pass. */
function schedulePass(scheduler: Scheduler): void {
  if (scheduled) return;
  scheduled = true;
  setImmediate(() => {
    scheduled = false;
    if (scheduler.step()) schedulePass(scheduler);
  });
}

async function verify(
  { model, backend, openMask }: Engine,
  order: EngineOrder & { kind: 'verify' },
): Promise<void> {
  const envelope = decodeEnvelope(decodeJson(order.envelope));
  const contextLength = envelope.inputTokens.length + envelope.outputTokens.length;
  if (contextLength > model.config.contextLength) throw tooLong(contextLength);
  const session = backend.createSession(model, { contextLength });
  try {
    const verdict = await verifyReceipt({ envelope, session, openMask });
    report({ kind: 'verdict', id: order.id, verdict });
  } finally {
    session.dispose();
  }
}

const tooLong = (tokens: number): AssayError =>
  new AssayError({
    code: 'context_length_exceeded',
    fault: 'user',
    message: 'The receipt is longer than the context of its model.',
    value: String(tokens),
    remedy: 'Such a receipt cannot be honest; dispute it.',
  });

function obey(engine: Engine, order: EngineOrder): void {
  if (order.kind === 'cancel') {
    cancelRun(order.id);
    return;
  }
  if (order.kind === 'verify') {
    verify(engine, order).catch((error) => fail(order.id, error));
    return;
  }
  try {
    startRun(engine, order);
  } catch (error) {
    fail(order.id, error);
  }
}

/** More threads share the work of every step; the bits are the same for any number. */
const threadsOf = (threads: number): WasmOptions => ({
  prefixCacheBytes: PREFIX_CACHE_BYTES,
  ...(threads > 1 ? { threads, spawnWorker: spawnHelper } : {}),
});

const spawnHelper: SpawnWorker = (start) =>
  new Worker(new URL('./engine-helper.js', import.meta.url), { workerData: start });

function main({ modelPath, threads, draft }: EngineSetup): void {
  const file = openModelFile(openFileSource(modelPath));
  const { model } = file;
  const backend = createWasmBackend(threadsOf(threads));
  assertFit(backend);
  const openDrafter = openDraft({ draft, backend, model });
  const scheduler = createScheduler({ model, backend, ...(openDrafter && { openDrafter }) });
  const engine: Engine = { model, backend, scheduler, openMask: tokenMasks(file.tokenizer) };
  port.on('message', (order: EngineOrder) => obey(engine, order));
  // Who starts the thread knows the model's id: hashing all weights here again would double the start.
  report({ kind: 'ready' });
}

try {
  main(workerData as EngineSetup);
} catch (error) {
  fail(undefined, error);
}
