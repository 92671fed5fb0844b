/**
 * The thread in which the exact engine runs. It serves many jobs in turns of one step each (a prompt chunk or one
 * token), so that a long job delays no short one by more than a step and a cancel takes effect within one.
 */
import { readFileSync } from 'node:fs';
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { decodeEnvelope, sampleToken, verifyReceipt } from '@assay/compute';
import {
  type Backend,
  createWasmBackend,
  type EngineModel,
  type Session,
  type SpawnWorker,
  type WasmOptions,
} from '@assay/engine';
import { openModelFile } from '@assay/model';
import { AssayError, decodeJson, type Sampler } from '@assay/protocol';
import type { EngineOrder, EngineReport, EngineSetup } from './engine-messages.js';

/** Prompt tokens per turn: enough to use every weight many times, small enough to keep turns short. */
const PREFILL_CHUNK_TOKENS = 32;

/** A job in the engine. */
type Run = {
  readonly id: number;
  readonly sampler: Sampler;
  readonly session: Session;
  /** Position at which the answer must end. */
  readonly end: number;
  /** Tokens not yet fed to the session. */
  pending: readonly number[];
};

type Engine = { readonly model: EngineModel; readonly backend: Backend };

const port = parentPort!;
const runs = new Map<number, Run>();
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

function startRun({ model, backend }: Engine, order: EngineOrder & { kind: 'run' }): void {
  const end = order.inputTokens.length + order.outputCountMax;
  const session = backend.createSession(model, { contextLength: end });
  runs.set(order.id, {
    id: order.id,
    sampler: order.sampler,
    session,
    end,
    pending: order.inputTokens,
  });
  scheduleTurn();
}

function endRun(run: Run): void {
  run.session.dispose();
  runs.delete(run.id);
  report({ kind: 'end', id: run.id });
}

/** One step of one job: a chunk of its prompt, or its next token. */
function step(run: Run): void {
  if (run.pending.length > 1) {
    const size = Math.min(PREFILL_CHUNK_TOKENS, run.pending.length - 1);
    run.session.forward(run.pending.slice(0, size), { logits: 'none' });
    run.pending = run.pending.slice(size);
    return;
  }
  const logits = run.session.forward(run.pending, { logits: 'last' });
  const position = run.session.length;
  const token = sampleToken(logits, run.sampler, position);
  run.pending = [token];
  report({ kind: 'tokens', id: run.id, tokens: [token] });
  if (run.sampler.stopIds.includes(token) || position + 1 >= run.end) endRun(run);
}

let scheduled = false;

/** Gives every job one step, then lets messages in before the next turn. */
function scheduleTurn(): void {
  if (scheduled) return;
  scheduled = true;
  setImmediate(() => {
    scheduled = false;
    for (const run of [...runs.values()]) stepSafely(run);
    if (runs.size > 0) scheduleTurn();
  });
}

function stepSafely(run: Run): void {
  try {
    step(run);
  } catch (error) {
    runs.delete(run.id);
    run.session.dispose();
    fail(run.id, error);
  }
}

async function verify(
  { model, backend }: Engine,
  order: EngineOrder & { kind: 'verify' },
): Promise<void> {
  const envelope = decodeEnvelope(decodeJson(order.envelope));
  const contextLength = envelope.inputTokens.length + envelope.outputTokens.length;
  if (contextLength > model.config.contextLength) throw tooLong(contextLength);
  const session = backend.createSession(model, { contextLength });
  try {
    report({ kind: 'verdict', id: order.id, verdict: await verifyReceipt({ envelope, session }) });
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
    const run = runs.get(order.id);
    if (run) endRun(run);
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
const threadsOf = (threads: number): WasmOptions =>
  threads > 1 ? { threads, spawnWorker: spawnHelper } : {};

const spawnHelper: SpawnWorker = (start) =>
  new Worker(new URL('./engine-helper.js', import.meta.url), { workerData: start });

function main({ modelPath, threads }: EngineSetup): void {
  const file = openModelFile(readFileSync(modelPath));
  const engine: Engine = { model: file.model, backend: createWasmBackend(threadsOf(threads)) };
  port.on('message', (order: EngineOrder) => obey(engine, order));
  report({ kind: 'ready', modelId: file.identity.modelId });
}

try {
  main(workerData as EngineSetup);
} catch (error) {
  fail(undefined, error);
}
