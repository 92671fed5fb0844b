import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { Backend, Session } from '../backend.js';
import type { EngineModel } from '../engine-model.js';
import { referenceBackend } from '../reference/session.js';
import { mulberry32, randomEngineModel, TINY_CONFIG } from '../testing/random-model.js';
import type { SpawnWorker } from './kernels.js';
import { bytesPerToken } from './pages.js';
import { createWasmBackend, type WasmBackend } from './wasm-backend.js';

const backend = createWasmBackend();

/** Models that differ in everything a kernel could get wrong: heads, sharing, padding, tails, tying. */
const MODELS: readonly (readonly [string, EngineModel])[] = [
  ['tiny', randomEngineModel({ seed: 1 })],
  ['untied output', randomEngineModel({ seed: 2, tied: false })],
  ['odd vocabulary', randomEngineModel({ seed: 3, config: { vocabularySize: 101 } })],
  [
    'heads of 6, not a multiple of a vector',
    randomEngineModel({
      seed: 4,
      config: { width: 96, headCount: 16, kvHeadCount: 4, headSize: 6 },
    }),
  ],
  [
    'one head of 256',
    randomEngineModel({ seed: 5, config: { headCount: 1, kvHeadCount: 1, headSize: 256 } }),
  ],
  [
    'heads of 2',
    randomEngineModel({ seed: 6, config: { headCount: 16, kvHeadCount: 16, headSize: 2 } }),
  ],
  [
    'coarse residual grid',
    randomEngineModel({ seed: 7, config: { residualBits: 12, rmsEpsilon: 1e-2, layerCount: 3 } }),
  ],
  ['biases', randomEngineModel({ seed: 8, config: { family: 'qwen2' } })],
  [
    'norms per head, heads wider than the row',
    randomEngineModel({ seed: 9, config: { family: 'qwen3', headSize: 32 } }),
  ],
  [
    'a layer without rotation',
    randomEngineModel({ seed: 10, config: { family: 'smollm3', layerCount: 4 } }),
  ],
];

const promptOf = (seed: number, count: number, vocabularySize: number): number[] => {
  const next = mulberry32(seed);
  return Array.from({ length: count }, () => next() % vocabularySize);
};

const allLogits = (from: Backend, model: EngineModel, tokens: readonly number[]): Int32Array =>
  from.createSession(model).forward(tokens, { logits: 'all' });

/** The reference's logits of a model's test prompt; computed once, since it is slow. */
function wantedOf(model: EngineModel): { tokens: number[]; wanted: Int32Array } {
  const tokens = promptOf(11, 150, model.config.vocabularySize);
  const wanted = WANTED.get(model) ?? allLogits(referenceBackend, model, tokens);
  WANTED.set(model, wanted);
  return { tokens, wanted };
}

const WANTED = new Map<EngineModel, Int32Array>();

/** Appends in chunks of so many tokens, asking for every row. */
function inChunks(session: Session, tokens: readonly number[], chunk: number): number[] {
  const rows: number[] = [];
  for (let from = 0; from < tokens.length; from += chunk) {
    rows.push(...session.forward(tokens.slice(from, from + chunk), { logits: 'all' }));
  }
  return rows;
}

/** Node's side of `spawnWorker`, as a caller writes it. */
const spawnWorker: SpawnWorker = (start) => {
  const code = `import { workerData } from 'node:worker_threads';
    import { serve } from '${new URL('../../dist/wasm/worker.js', import.meta.url)}';
    serve(workerData);`;
  const url = new URL(`data:text/javascript,${encodeURIComponent(code)}`);
  const worker = new Worker(url, { workerData: start });
  worker.unref();
  return worker;
};

describe.each(MODELS)('createWasmBackend on a model with %s', (_, model) => {
  const { tokens, wanted } = wantedOf(model);
  const { vocabularySize } = model.config;

  it.each([1, 2, 17, 64, 150])('gives the bits of the reference in chunks of %i', (chunk) => {
    const session = backend.createSession(model);
    expect(inChunks(session, tokens, chunk)).toEqual([...wanted]);
    expect(session.length).toBe(tokens.length);
  });

  it('gives the last row by default, and none on request', () => {
    const session = backend.createSession(model);
    expect(session.forward(tokens.slice(0, 70), { logits: 'none' })).toHaveLength(0);
    expect(session.forward(tokens.slice(70))).toEqual(wanted.slice(-vocabularySize));
  });

  it('gives the same bits after truncation, over whatever was there', () => {
    const session = backend.createSession(model);
    session.forward(promptOf(12, 130, vocabularySize));
    session.truncate(0);
    session.forward(tokens.slice(0, 100), { logits: 'none' });
    session.forward(promptOf(13, 40, vocabularySize), { logits: 'none' });
    session.truncate(99);
    expect(session.forward(tokens.slice(99))).toEqual(wanted.slice(-vocabularySize));
  });

  it('keeps sessions apart', () => {
    const other = promptOf(14, 150, vocabularySize);
    const [a, b] = [backend.createSession(model), backend.createSession(model)];
    for (let i = 0; i < 150; i += 30) {
      a.forward(tokens.slice(i, i + 30));
      b.forward(other.slice(i, i + 30));
    }
    a.truncate(149);
    expect(a.forward(tokens.slice(149))).toEqual(wanted.slice(-vocabularySize));
    b.dispose();
    const c = backend.createSession(model);
    expect(c.forward(tokens)).toEqual(wanted.slice(-vocabularySize));
  });
});

describe('random models', () => {
  const config = fc.record({
    layerCount: fc.integer({ min: 1, max: 2 }),
    width: fc.constantFrom(32, 64, 96),
    heads: fc.constantFrom([1, 1, 32], [2, 1, 16], [4, 2, 8], [8, 8, 4], [4, 4, 24]),
    feedForwardWidth: fc.constantFrom(32, 64, 160),
    vocabularySize: fc.integer({ min: 1, max: 40 }),
    residualBits: fc.integer({ min: 12, max: 20 }),
    ropeBase: fc.constantFrom(2, 10_000, 1_000_000),
  });

  it('give the bits of the reference, saturation included', () => {
    fc.assert(
      fc.property(config, fc.integer({ min: 0, max: 2 ** 31 }), (sizes, seed) => {
        const { heads, ...rest } = sizes;
        const [headCount, kvHeadCount, headSize] = heads as [number, number, number];
        const model = randomEngineModel({
          seed,
          config: { ...rest, headCount, kvHeadCount, headSize },
          tied: seed % 2 === 0,
        });
        const tokens = promptOf(seed, 1 + (seed % 20), sizes.vocabularySize);
        const [a, b] = [referenceBackend.createSession(model), backend.createSession(model)];
        expect(b.forward(tokens, { logits: 'all' })).toEqual(a.forward(tokens, { logits: 'all' }));
        expect(b.saturationCount).toBe(a.saturationCount);
        backend.unload(model);
      }),
      { numRuns: 40, seed: 20261123 },
    );
  });

  it('count saturated residual elements like the reference', () => {
    const model = loudModel();
    const tokens = promptOf(15, 20, 128);
    const [a, b] = [referenceBackend.createSession(model), backend.createSession(model)];
    expect(b.forward(tokens)).toEqual(a.forward(tokens));
    expect(a.saturationCount).toBeGreaterThan(0);
    expect(b.saturationCount).toBe(a.saturationCount);
  });
});

/** A model whose token table is so large that the residual stream clamps. */
function loudModel(): EngineModel {
  const model = randomEngineModel({ seed: 8, tied: false });
  const name = 'token_embd.weight';
  const table = model.matrices.get(name)!;
  const loud = { ...table, exponent: table.exponent + 17 };
  return { ...model, matrices: new Map([...model.matrices, [name, loud]]) };
}

describe('threads', () => {
  const opened: WasmBackend[] = [];
  afterAll(() => {
    for (const each of opened) each.dispose();
  });

  it.each([1, 2, 3, 4])('%i give the bits of the reference', async (threads) => {
    const several = createWasmBackend({ threads, spawnWorker });
    opened.push(several);
    for (const [, model] of MODELS.slice(0, 4)) {
      several.load(model);
      await until(() => several.threadCount(model) === threads);
      const { tokens, wanted } = wantedOf(model);
      for (const chunk of [1, 17, 150]) {
        expect(inChunks(several.createSession(model), tokens, chunk)).toEqual([...wanted]);
      }
      several.unload(model);
    }
  });

  it.each([2, 3])('%i give the same hidden rows, batches and pages', async (threads) => {
    const several = createWasmBackend({ threads, spawnWorker, prefixCacheBytes: 2 ** 20 });
    opened.push(several);
    const [, model] = MODELS[1]!;
    several.load(model);
    await until(() => several.threadCount(model) === threads);
    const { tokens, wanted } = wantedOf(model);
    const { vocabularySize } = model.config;
    const row = (index: number): Int32Array =>
      wanted.slice(index * vocabularySize, (index + 1) * vocabularySize);
    const hidden = referenceBackend.createSession(model).forwardHidden(tokens, 'all');
    expect(several.createSession(model).forwardHidden(tokens, 'all')).toEqual(hidden);
    const sessions = [130, 80, 149].map((length) => {
      const session = several.createSession(model);
      session.reuse(tokens.slice(0, length));
      session.forward(tokens.slice(session.length, length), { logits: 'none' });
      return session;
    });
    const parts = sessions.map((session) => ({ session, tokens: [tokens[session.length]!] }));
    expect(several.forwardBatch(parts)).toEqual([row(130), row(80), row(149)]);
  });

  it('does not wait for workers that are still loading', () => {
    const several = createWasmBackend({ threads: 3, spawnWorker });
    opened.push(several);
    const [, model] = MODELS[0]!;
    const tokens = promptOf(16, 40, 128);
    const wanted = allLogits(referenceBackend, model, tokens);
    expect(inChunks(several.createSession(model), tokens, 1)).toEqual([...wanted]);
  });

  it('refuses more threads than it can start', () => {
    expect(() => createWasmBackend({ threads: 2 })).toThrow(
      expect.objectContaining({ code: 'threads_invalid' }),
    );
    for (const threads of [0, 1.5, 65, Number.NaN]) {
      expect(() => createWasmBackend({ threads, spawnWorker })).toThrow(
        expect.objectContaining({ code: 'threads_invalid' }),
      );
    }
  });
});

/** Looks every few milliseconds; the test's own time limit ends it. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('refusals', () => {
  const [, model] = MODELS[0]!;

  it('refuses what does not fit, and stays as it was', () => {
    const session = backend.createSession(model, { contextLength: 10 });
    session.forward([1, 2, 3]);
    expect(() => session.forward(new Array(8).fill(1))).toThrow(
      expect.objectContaining({ code: 'context_too_long' }),
    );
    expect(() => session.forward([128])).toThrow(
      expect.objectContaining({ code: 'token_invalid' }),
    );
    expect(() => session.truncate(4)).toThrow(expect.objectContaining({ code: 'length_invalid' }));
    expect(session.length).toBe(3);
    expect(session.forward([])).toHaveLength(0);
  });

  it('refuses a session that was disposed of', () => {
    const session = backend.createSession(model);
    session.dispose();
    session.dispose();
    expect(() => session.forward([1])).toThrow(
      expect.objectContaining({ code: 'session_disposed' }),
    );
  });
});

describe('memoryBytes', () => {
  const config = { width: 256, feedForwardWidth: 1024, headCount: 8, kvHeadCount: 2, headSize: 32 };
  const model = randomEngineModel({ seed: 9, config: { ...config, layerCount: 4 } });
  let weightBytes = 0;
  for (const { data } of model.matrices.values()) weightBytes += data.length;

  it('holds the weights once, whatever the number of sessions', () => {
    const fresh = createWasmBackend();
    fresh.load(model);
    const before = fresh.memoryBytes(model);
    const sessions = Array.from({ length: 20 }, () => fresh.createSession(model));
    expect(fresh.memoryBytes(model)).toBe(before);
    const tokens = new Array<number>(64).fill(1);
    for (const session of sessions) session.forward(tokens, { logits: 'none' });
    // Alike prompts share their page, others take one each.
    expect(fresh.memoryBytes(model) - before).toBeLessThan(3 * pageBytes + 65_536);
    sessions.forEach((session, i) => {
      session.forward([i, ...tokens.slice(1)], { logits: 'none' });
    });
    const grown = fresh.memoryBytes(model) - before;
    expect(grown).toBeGreaterThan(19 * pageBytes);
    expect(grown).toBeLessThan(23 * pageBytes + 65_536);
  });

  it('holds the weights once, whatever the number of threads', () => {
    const bytes = [1, 4].map((threads) => {
      const some = createWasmBackend({ threads, spawnWorker });
      some.load(model);
      const found = some.memoryBytes(model);
      some.dispose();
      return found;
    });
    expect(bytes[0]!).toBeGreaterThan(weightBytes);
    expect(bytes[1]! - bytes[0]!).toBeLessThan(weightBytes / 4);
  });

  const pageBytes = 64 * bytesPerToken(model.config);
});

describe('bytesPerToken', () => {
  it('counts keys, values and exponents of every layer', () => {
    // 2 layers * (keys + values) * 2 heads * (16 elements of 2 bytes + an exponent of 4)
    expect(bytesPerToken(TINY_CONFIG)).toBe(2 * 2 * 2 * (32 + 4));
  });
});
