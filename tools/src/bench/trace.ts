/**
 * What it costs to be disputed: the whole trace of a job against the plain pass over the same tokens (aim: at most 4
 * times), and an audit, which re-executes a receipt, against one prefill (aim: at most 1.2 times). Processor time of
 * one thread, in turns; figures are medians of rounds, so that other work on the machine hits both sides.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { reexecute } from '@assay/compute';
import {
  createWasmBackend,
  type EngineModel,
  loadGgufModel,
  randomEngineModel,
  type Session,
  type TraceJob,
  traceOf,
  tracePositions,
  wasmPass,
} from '@assay/engine';
import type { Hex, ReceiptEnvelope } from '@assay/protocol';
import { MODEL_135M } from './random-file.js';
import { type BenchReport, type BenchRow, row } from './report.js';

const ROUNDS = 5;
const INPUT_TOKENS = 113;
const OUTPUT_TOKENS = 16;
/** As many layers as make a run of seconds; each costs the same. */
const LAYERS = 6;

const TRACE_SAMPLER = { tau: 90_000, topK: 40, topP: 966_367_641, minP: 0 };
const SHIPPED = new URL('../../../models/assay-mini.gguf', import.meta.url);

/** Rows are milliseconds per position, ours first: a trace or an audit, beside the plain pass. */
export async function benchTrace(options: readonly string[] = []): Promise<BenchReport> {
  const layers = layersOf(options);
  const large = randomEngineModel({ seed: 1, config: { ...MODEL_135M, layerCount: layers } });
  const { model: shipped } = loadGgufModel(readFileSync(fileURLToPath(SHIPPED)));
  const rows = [
    ...measureModel(`135M shape, ${layers} layers`, large),
    ...measureModel('shipped model', shipped),
  ];
  return { name: 'trace', rows };
}

/** `--layers N` measures another depth than {@link LAYERS}: the whole model has 30. */
function layersOf(options: readonly string[]): number {
  const at = options.indexOf('--layers');
  return at < 0 ? LAYERS : Number(options[at + 1]);
}

function measureModel(name: string, model: EngineModel): BenchRow[] {
  const session = createWasmBackend().createSession(model);
  const envelope = answer(session, model.config.vocabularySize);
  const tokens = [...envelope.inputTokens, ...envelope.outputTokens.slice(0, -1)];
  const sides = {
    trace: () => runTrace(model, tokens),
    pass: () => runPass(session, tokens),
    audit: () => runAudit(session, envelope),
    prefill: () => runPrefill(session, tokens),
  };
  const times = medianTimes(sides);
  const each = (ms: number): number => ms / tokens.length;
  const unit = 'CPU ms/position (less is better)';
  return [
    row(`trace : plain pass, ${name}`, each(times.trace), each(times.pass), unit),
    row(`audit : prefill, ${name}`, each(times.audit), each(times.prefill), unit),
  ];
}

/** Median processor time of each side; the first round only warms up. */
function medianTimes<Name extends string>(
  sides: Readonly<Record<Name, () => void>>,
): Record<Name, number> {
  const names = Object.keys(sides) as Name[];
  const samples = new Map(names.map((name) => [name, [] as number[]]));
  for (let round = 0; round <= ROUNDS; round++) {
    for (const name of names) {
      const from = process.cpuUsage();
      sides[name]();
      const { user, system } = process.cpuUsage(from);
      if (round > 0) samples.get(name)!.push((user + system) / 1_000);
    }
  }
  const median = (name: Name) => samples.get(name)!.sort((a, b) => a - b)[ROUNDS >> 1]!;
  return Object.fromEntries(names.map((name) => [name, median(name)])) as Record<Name, number>;
}

function runTrace(model: EngineModel, tokens: readonly number[]): void {
  const job: TraceJob = {
    inputCount: INPUT_TOKENS,
    outputCount: OUTPUT_TOKENS,
    sampler: TRACE_SAMPLER,
    controlled: false,
  };
  if (tracePositions(job) !== tokens.length) throw new Error('the job is not that of the tokens');
  const pass = wasmPass(model, tokens);
  const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();
  traceOf({ model, job, pass, traceKey: new Uint8Array(32), hash });
  pass.dispose?.();
}

/** Teacher-forced: logits where a token was sampled. */
function runPass(session: Session, tokens: readonly number[]): void {
  session.truncate(0);
  session.forward(tokens.slice(0, INPUT_TOKENS - 1), { logits: 'none' });
  session.forward(tokens.slice(INPUT_TOKENS - 1), { logits: 'all' });
}

function runPrefill(session: Session, tokens: readonly number[]): void {
  session.truncate(0);
  session.forward(tokens);
}

function runAudit(session: Session, envelope: ReceiptEnvelope): void {
  session.truncate(0);
  const { result } = reexecute({ envelope, session });
  if (result !== 'identical') throw new Error('an honest answer was found different');
}

/** A receipt of a greedy answer, as far as an audit reads it. */
function answer(session: Session, vocabularySize: number): ReceiptEnvelope {
  const inputTokens = Array.from({ length: INPUT_TOKENS }, (_, i) => (i * 31 + 7) % vocabularySize);
  const outputTokens: number[] = [];
  let logits = session.forward(inputTokens);
  for (let i = 0; i < OUTPUT_TOKENS; i++) {
    outputTokens.push(logits.indexOf(logits.reduce((most, logit) => Math.max(most, logit))));
    logits = session.forward(outputTokens.slice(-1));
  }
  return envelopeOf(inputTokens, outputTokens);
}

function envelopeOf(inputTokens: number[], outputTokens: number[]): ReceiptEnvelope {
  const word: Hex = `0x${'00'.repeat(32)}`;
  const address: Hex = `0x${'00'.repeat(20)}`;
  const signature: Hex = `0x${'00'.repeat(65)}`;
  const [inputCount, outputCount] = [inputTokens.length, outputTokens.length];
  const sampler = { tau: 0, topK: 0, topP: 0, minP: 0, seed: word, stopIds: [], controls: word };
  return {
    ...{ jobId: word, chainId: 1, contract: address, inputTokens, outputTokens, salt: word },
    job: {
      ...{ modelId: word, provider: address, requester: address, channelId: word, lane: 0 },
      ...{ tier: 3, inputRoot: word, traceKeyHash: word, inputCount, sampler },
      ...{ outputCountMax: outputCount, inputPrice: 1n, outputPrice: 1n, expiresAt: 1n },
      nonce: word,
    },
    receipt: {
      ...{ jobId: word, outputRoot: word, outputCount, finish: 1, streamHead: word },
      ...{ price: 1n, completedAt: 1n },
    },
    jobSignature: signature,
    receiptSignature: signature,
  };
}
