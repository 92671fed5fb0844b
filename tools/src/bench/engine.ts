/**
 * Speed of the engine alone: prefill and decode on random models. The arithmetic does not care what the weights say,
 * so random ones measure the same as trained ones. Peers are compared in a package of its own (issue 3): until then
 * `peer` and `ratio` are null.
 */
import { totalmem } from 'node:os';
import { Worker } from 'node:worker_threads';
import {
  createWasmBackend,
  type ModelConfig,
  RESIDUAL_BITS_DEFAULT,
  randomEngineModel,
  type Session,
  type SpawnWorker,
  type WasmBackend,
} from '@assay/engine';

export type BenchRow = {
  readonly case: string;
  readonly ours: number;
  readonly peer: number | null;
  readonly ratio: number | null;
  readonly unit: string;
};

export type BenchResult = { readonly name: 'engine'; readonly rows: readonly BenchRow[] };

const COMMON = { ropeBase: 10_000, rmsEpsilon: 1e-5, residualBits: RESIDUAL_BITS_DEFAULT } as const;

/** The size that this repository ships. */
const SHIPPED: ModelConfig = {
  ...COMMON,
  layerCount: 6,
  width: 192,
  headCount: 6,
  kvHeadCount: 2,
  headSize: 32,
  feedForwardWidth: 512,
  vocabularySize: 1024,
  contextLength: 512,
};

/** A well-known small model's shape, 135M parameters. */
const MODEL_135M: ModelConfig = {
  ...COMMON,
  layerCount: 30,
  width: 576,
  headCount: 9,
  kvHeadCount: 3,
  headSize: 64,
  feedForwardWidth: 1536,
  vocabularySize: 49_152,
  contextLength: 1024,
};

/** The same with a fifth of the layers and a sixth of the vocabulary, for small machines. */
const SCALED_135M: ModelConfig = { ...MODEL_135M, layerCount: 6, vocabularySize: 8192 };

/** Memory that the full model takes while it is made: floats, blocks, packed weights. */
const FULL_MODEL_BYTES = 6e9;

const DECODE_TOKENS = 64;
const REPEATS = 5;

/** Measures every case; `full` adds the whole 135M model (a minute to make). */
export async function benchEngine(options: { readonly full?: boolean } = {}): Promise<BenchResult> {
  const cases: (readonly [name: string, config: ModelConfig, prefill: number])[] = [
    ['shipped size', SHIPPED, 384],
    ['135M, 6 of 30 layers', SCALED_135M, 512],
  ];
  if (options.full && totalmem() > FULL_MODEL_BYTES) cases.push(['135M', MODEL_135M, 512]);
  const rows: BenchRow[] = [];
  for (const [name, config, prefill] of cases) {
    const model = randomEngineModel({ seed: 1, config });
    for (const threads of [1, 2]) {
      const backend = createWasmBackend({ threads, spawnWorker });
      backend.load(model);
      await allReady(() => backend.threadCount(model) === threads);
      const label = `${name}, ${threads} thread${threads > 1 ? 's' : ''}`;
      rows.push(...measure(backend, model, { label, prefill }));
      backend.unload(model);
    }
  }
  return { name: 'engine', rows };
}

function measure(
  backend: WasmBackend,
  model: ReturnType<typeof randomEngineModel>,
  options: { readonly label: string; readonly prefill: number },
): BenchRow[] {
  const { label, prefill } = options;
  const session = backend.createSession(model);
  const tokens = Array.from({ length: prefill }, (_, i) => (i * 37) % model.config.vocabularySize);
  const seconds = repeat(() => timePass(session, tokens));
  session.dispose();
  const prefillSeconds = median(seconds.map(({ prefill: each }) => each));
  const decodeSeconds = median(seconds.map(({ decode }) => decode));
  const macs = macsPerToken(model.config);
  return [
    row(`prefill ${label}`, prefill / prefillSeconds, 'tokens/s'),
    row(`prefill ${label}, matmul`, (macs.body * prefill) / prefillSeconds / 1e9, 'GMAC/s'),
    row(`decode ${label}`, DECODE_TOKENS / decodeSeconds, 'tokens/s'),
    row(
      `decode ${label}, matmul`,
      ((macs.body + macs.head) * DECODE_TOKENS) / decodeSeconds / 1e9,
      'GMAC/s',
    ),
  ];
}

/** One prompt, then tokens one by one after it. */
function timePass(session: Session, tokens: readonly number[]) {
  session.truncate(0);
  const start = performance.now();
  session.forward(tokens);
  const middle = performance.now();
  for (let i = 0; i < DECODE_TOKENS; i++) session.forward([i]);
  const end = performance.now();
  return { prefill: (middle - start) / 1000, decode: (end - middle) / 1000 };
}

/** Multiplications with weights per token, without and with the output matrix. */
function macsPerToken(config: ModelConfig): { body: number; head: number } {
  const { layerCount, width, headCount, kvHeadCount, headSize, feedForwardWidth } = config;
  const attention = 2 * width * headSize * (headCount + kvHeadCount);
  return {
    body: layerCount * (attention + 3 * width * feedForwardWidth),
    head: width * config.vocabularySize,
  };
}

const row = (name: string, ours: number, unit: string): BenchRow => ({
  case: name,
  ours: Number(ours.toPrecision(3)),
  peer: null,
  ratio: null,
  unit,
});

const repeat = <T>(run: () => T): T[] => Array.from({ length: REPEATS }, run);

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1]!;

/** Node's side of the engine's threads. */
const spawnWorker: SpawnWorker = (start) => {
  const module = import.meta.resolve('@assay/engine/worker');
  const text = `import { workerData } from 'node:worker_threads';
    import { serve } from ${JSON.stringify(module)};
    serve(workerData);`;
  const file = new URL(`data:text/javascript,${encodeURIComponent(text)}`);
  const worker = new Worker(file, { workerData: start });
  worker.unref();
  return worker;
};

/** Waits until the workers have joined. */
async function allReady(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}
