/** The role's side of a trace thread: traces as sources, prosecutions as promises. */
import { Worker } from 'node:worker_threads';
import type { CourtModel, ForcedTrace, LeafWanted, TraceSource } from '@assay/compute';
import { AssayError, encodeJson, type ReceiptEnvelope } from '@assay/protocol';
import type {
  Finding,
  TraceAnswer,
  TraceOrder,
  TraceQuestion,
  TraceReport,
  TraceSetup,
} from './trace-messages.js';

export type TraceHost = {
  /** The committed parts of the model that it traces. */
  readonly model: () => Promise<CourtModel>;
  /** The honest trace of a receipt; computed when the first question comes. */
  readonly source: (envelope: ReceiptEnvelope) => TraceSource;
  /**
   * Compares the provider's trace with an honest one and makes a proof of the first difference, or of a token that the
   * logits do not give; undefined if all is right. Throws `trace_unanswered` if the provider does not answer, or if its
   * answers do not fit what it signed.
   */
  readonly prosecute: (
    envelope: ReceiptEnvelope,
    provider: TraceSource,
  ) => Promise<Finding | undefined>;
  /** A proof from what the provider was made to show on chain, or the leaf that it still needs. */
  readonly force: (envelope: ReceiptEnvelope, forced: ShownTrace) => Promise<Forced>;
  readonly close: () => Promise<void>;
};

export type ShownTrace = Omit<ForcedTrace, 'own' | 'hash'>;
export type Forced = {
  readonly finding: Finding | undefined;
  readonly wanted: LeafWanted['leaf'] | undefined;
};

type Pending = {
  readonly resolve: (report: TraceReport) => void;
  readonly reject: (error: Error) => void;
  readonly provider?: TraceSource;
};

/** The built thread, also when this module runs from source under a test. */
const workerUrl = (): URL =>
  new URL(
    import.meta.url.replace('/src/', '/dist/').replace(/trace-host\.[jt]s$/, 'trace-worker.js'),
  );

/** Starts the thread and opens the model. */
export async function startTraceHost(setup: TraceSetup): Promise<TraceHost> {
  const worker = new Worker(workerUrl(), { workerData: setup });
  const pending = new Map<number, Pending>();
  const model = await new Promise<CourtModel>((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', (report: TraceReport) => {
      if (report.kind === 'ready') resolve(report.model);
      else if (report.kind === 'failed') reject(failure(report));
    });
  });
  const post = (order: TraceOrder): void => worker.postMessage(order);
  worker.on('message', (report: TraceReport) => hear(report, { pending, post }));
  const breakAll = (message: string): void => {
    for (const { reject } of pending.values()) reject(failure({ code: 'trace_failed', message }));
  };
  worker.on('error', (error) => breakAll(error.message));
  worker.on('exit', () => breakAll('the trace thread ended'));
  let last = 0;
  const order = (make: (id: number) => TraceOrder, provider?: TraceSource): Promise<TraceReport> =>
    new Promise((resolve, reject) => {
      const id = ++last;
      pending.set(id, { resolve, reject, ...(provider === undefined ? {} : { provider }) });
      post(make(id));
    });
  const ask = async (envelope: string, question: TraceQuestion): Promise<TraceAnswer> => {
    const report = await order((id) => ({ kind: 'ask', id, envelope, question }));
    return (report as TraceReport & { kind: 'answered' }).answer;
  };
  return {
    model: async () => model,
    source(envelope) {
      const json = encodeJson(envelope);
      return {
        root: async () => (await ask(json, { about: 'root' })) as Uint8Array,
        positions: async () =>
          (await ask(json, { about: 'positions' })) as Awaited<
            ReturnType<TraceSource['positions']>
          >,
        rows: async (t) => (await ask(json, { about: 'rows', t })) as readonly Uint8Array[],
        leaves: async (t, node) =>
          (await ask(json, { about: 'leaves', t, node })) as readonly Uint8Array[],
      };
    },
    async prosecute(envelope, provider) {
      const json = encodeJson(envelope);
      const report = await order((id) => ({ kind: 'prosecute', id, envelope: json }), provider);
      return (report as TraceReport & { kind: 'judged' }).finding;
    },
    async force(envelope, forced) {
      const json = encodeJson(envelope);
      const report = await order((id) => ({ kind: 'force', id, envelope: json, forced }));
      const { finding, wanted } = report as TraceReport & { kind: 'judged' };
      return { finding, wanted };
    },
    close: async () => void (await worker.terminate()),
  };
}

const failure = ({
  code,
  message,
}: {
  readonly code: string;
  readonly message: string;
}): AssayError =>
  new AssayError({
    code,
    fault: code === 'trace_unanswered' ? 'peer' : 'platform',
    message,
    remedy: 'If it is the provider that does not answer, open a dispute on chain.',
  });

function hear(
  report: TraceReport,
  { pending, post }: { pending: Map<number, Pending>; post: (order: TraceOrder) => void },
): void {
  if (report.kind === 'ready' || report.id === undefined) return;
  const { id } = report;
  const order = pending.get(id);
  if (order === undefined) return;
  if (report.kind === 'question') {
    const { to } = report;
    answerFrom(order.provider!, report.question).then(
      (answer) => post({ kind: 'answer', to, answer }),
      (error: unknown) =>
        post({ kind: 'unanswered', to, code: 'trace_unanswered', message: messageOf(error) }),
    );
    return;
  }
  pending.delete(id);
  if (report.kind === 'failed') order.reject(failure(report));
  else order.resolve(report);
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

function answerFrom(source: TraceSource, question: TraceQuestion): Promise<TraceAnswer> {
  if (question.about === 'root') return source.root();
  if (question.about === 'positions') return source.positions();
  if (question.about === 'rows') return source.rows(question.t);
  return source.leaves(question.t, question.node);
}

/** A thread that is started with the first question, since nearly no provider is ever asked. */
export function lazyTraceHost(setup: TraceSetup): TraceHost {
  let started: Promise<TraceHost> | undefined;
  const host = (): Promise<TraceHost> => {
    started ??= startTraceHost(setup);
    return started;
  };
  return {
    model: async () => (await host()).model(),
    source: (envelope) => ({
      root: async () => (await host()).source(envelope).root(),
      positions: async () => (await host()).source(envelope).positions(),
      rows: async (t) => (await host()).source(envelope).rows(t),
      leaves: async (t, node) => (await host()).source(envelope).leaves(t, node),
    }),
    prosecute: async (envelope, provider) => (await host()).prosecute(envelope, provider),
    force: async (envelope, forced) => (await host()).force(envelope, forced),
    close: async () => (await started)?.close(),
  };
}
