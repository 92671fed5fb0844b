/**
 * The thread that makes traces. Nothing is traced on the honest path: a trace is computed when somebody asks, kept
 * while it may be asked about again, and then forgotten.
 */
import { parentPort, workerData } from 'node:worker_threads';
import {
  decodeEnvelope,
  type Fraud,
  findFraud,
  forcedSource,
  LeafWanted,
  layerOf,
  type ModelTrees,
  modelTrees,
  type TraceSource,
  traceElement,
  traceJob,
} from '@assay/compute';
import {
  assertFit,
  createWasmBackend,
  type EngineModel,
  type Trace,
  traceOf,
  wasmPass,
} from '@assay/engine';
import { openModelFile } from '@assay/model';
import { AssayError, decodeJson, fromHex, type ReceiptEnvelope, traceKey } from '@assay/protocol';
import { openFileSource } from '../file-source.js';
import { sha256 } from './sha256.js';
import type {
  Finding,
  TraceAnswer,
  TraceOrder,
  TraceQuestion,
  TraceReport,
  TraceSetup,
} from './trace-messages.js';

/** Traces kept; each has a hash per position and the keys and values of its sequence. */
const TRACES_MAX = 4;

const port = parentPort!;
const report = (message: TraceReport): void => port.postMessage(message);

type Bench = { readonly model: EngineModel; readonly trees: ModelTrees };

/** A trace and the pass that computes its positions again. */
type Held = { readonly trace: Trace; readonly pass: ReturnType<typeof wasmPass> };

const held = new Map<string, Held>();

/** The honest trace of a receipt, computed once. */
function traceFor({ model }: Bench, envelope: ReceiptEnvelope): Trace {
  const { job, receipt, inputTokens, outputTokens, salt } = envelope;
  const known = held.get(envelope.jobId);
  if (known !== undefined) return known.trace;
  const pass = wasmPass(model, [...inputTokens, ...outputTokens.slice(0, -1)]);
  const trace = traceOf({
    model,
    job: traceJob(job, receipt),
    pass,
    traceKey: fromHex(traceKey(salt)),
    hash: sha256,
  });
  held.set(envelope.jobId, { trace, pass });
  for (const [jobId, { pass: oldest }] of held) {
    if (held.size <= TRACES_MAX) break;
    held.delete(jobId);
    oldest.dispose?.();
  }
  return trace;
}

function answer(trace: Trace, question: TraceQuestion): TraceAnswer {
  if (question.about === 'root') return trace.root;
  if (question.about === 'positions') return trace.positions;
  const { t } = question;
  if (trace.positions[t] === undefined) throw outside(t);
  if (question.about === 'rows') return trace.rows(t);
  const { node } = question;
  if (trace.rows(t)[node] === undefined) throw outside(node);
  return trace.leaves(t, node);
}

const outside = (value: number): AssayError =>
  new AssayError({
    code: 'trace_out_of_range',
    fault: 'user',
    message: 'The trace has no such position or row.',
    value: String(value),
    remedy: 'Ask for the positions first; rows are numbered as the nodes of the graph.',
  });

// QUESTIONS TO THE PROVIDER

type Waiting = {
  readonly resolve: (answer: TraceAnswer) => void;
  readonly reject: (error: Error) => void;
};
const waiting = new Map<number, Waiting>();
let questions = 0;

/** The provider's trace: the role fetches what this thread asks for. */
function askedSource(id: number): TraceSource {
  const ask = (question: TraceQuestion): Promise<TraceAnswer> =>
    new Promise((resolve, reject) => {
      const to = ++questions;
      waiting.set(to, { resolve, reject });
      report({ kind: 'question', id, to, question });
    });
  return {
    root: async () => (await ask({ about: 'root' })) as Uint8Array,
    positions: async () =>
      (await ask({ about: 'positions' })) as Awaited<ReturnType<TraceSource['positions']>>,
    rows: async (t) => (await ask({ about: 'rows', t })) as readonly Uint8Array[],
    leaves: async (t, node) => (await ask({ about: 'leaves', t, node })) as readonly Uint8Array[],
  };
}

/** A proof from what was shown on chain, or the leaf that it still needs. */
async function force(
  bench: Bench,
  order: TraceOrder & { readonly kind: 'force' },
  envelope: ReceiptEnvelope,
): Promise<void> {
  const own = traceFor(bench, envelope);
  const source = forcedSource({ ...order.forced, own, hash: sha256 });
  try {
    await seek(bench, { id: order.id, envelope, own, source });
  } catch (error) {
    if (!(error instanceof LeafWanted)) throw error;
    report({ kind: 'judged', id: order.id, wanted: error.leaf });
  }
}

async function prosecute(bench: Bench, id: number, envelope: ReceiptEnvelope): Promise<void> {
  const own = traceFor(bench, envelope);
  await seek(bench, { id, envelope, own, source: askedSource(id) });
}

async function seek(
  bench: Bench,
  search: {
    readonly id: number;
    readonly envelope: ReceiptEnvelope;
    readonly own: Trace;
    readonly source: TraceSource;
  },
): Promise<void> {
  const { id, envelope, own, source } = search;
  const fraud = await findFraud({ ...bench, envelope, own, source, hash: sha256 });
  if (fraud === undefined) report({ kind: 'judged', id });
  else
    report({
      kind: 'judged',
      id,
      finding: await describe(bench, { fraud, envelope, own, source }),
    });
}

/** Adds to a fraud what people want to see of it. */
async function describe(
  { model }: Bench,
  found: {
    readonly fraud: Fraud;
    readonly envelope: ReceiptEnvelope;
    readonly own: Trace;
    readonly source: TraceSource;
  },
): Promise<Finding> {
  const { fraud, envelope, own, source } = found;
  const { position, node, head, index } = fraud.proof;
  const job = traceJob(envelope.job, envelope.receipt);
  const at = { graph: model.graph, job, t: position, node, head, index };
  const theirs = await source.leaves(position, node).catch(() => undefined);
  return {
    kind: fraud.kind,
    number: fraud.number,
    data: fraud.bytes,
    place: {
      position,
      node,
      op: model.graph.nodes[node]!.op,
      layer: layerOf(model.graph, model.config.layerCount, node) ?? null,
      layerCount: model.config.layerCount,
      head,
      index,
    },
    expected: traceElement(at, own.leaves(position, node)) ?? null,
    found: theirs === undefined ? null : (traceElement(at, theirs) ?? null),
  };
}

// ORDERS

async function obey(bench: Bench, order: TraceOrder): Promise<void> {
  if (order.kind === 'answer') return waiting.get(order.to)?.resolve(order.answer);
  if (order.kind === 'unanswered') {
    const { code, message } = order;
    const remedy = 'Open a dispute: on chain the provider has to answer.';
    const error = new AssayError({ code, fault: 'peer', message, remedy });
    return waiting.get(order.to)?.reject(error);
  }
  const envelope = decodeEnvelope(decodeJson(order.envelope));
  if (order.kind === 'prosecute') return prosecute(bench, order.id, envelope);
  if (order.kind === 'force') return force(bench, order, envelope);
  const trace = traceFor(bench, envelope);
  report({ kind: 'answered', id: order.id, answer: answer(trace, order.question) });
}

function fail(id: number | undefined, error: unknown): void {
  const { code, message } = error as { code?: unknown; message?: unknown };
  report({
    kind: 'failed',
    ...(id === undefined ? {} : { id }),
    code: typeof code === 'string' ? code : 'trace_failed',
    message: typeof message === 'string' ? message : String(error),
  });
}

try {
  const { modelPath } = workerData as TraceSetup;
  const { model, identity } = openModelFile(openFileSource(modelPath));
  assertFit(createWasmBackend());
  const bench = { model, trees: modelTrees(model) };
  port.on('message', (order: TraceOrder) => {
    obey(bench, order).catch((error: unknown) => fail('id' in order ? order.id : undefined, error));
  });
  const { modelId: _, ...parts } = identity;
  report({ kind: 'ready', model: parts });
} catch (error) {
  fail(undefined, error);
}
