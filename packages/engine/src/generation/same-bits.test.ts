/** One prompt, every way to compute it: the hash of its answer, logits included, is the same. */
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { referenceBackend } from '../reference/session.js';
import { nextToken, tauFromTemperature } from '../sampler.js';
import { mulberry32, randomEngineModel } from '../testing/random-model.js';
import { fingerprint } from '../wasm/self-test.js';
import { createWasmBackend, type WasmBackend } from '../wasm/wasm-backend.js';
import { type Choose, drafterOf, lookupDraft, modelDrafter, type OpenDrafter } from './drafter.js';
import { createScheduler } from './scheduler.js';

const config = { contextLength: 1024, vocabularySize: 64 };
const model = randomEngineModel({ seed: 51, config });
const other = randomEngineModel({ seed: 52, config: { ...config, layerCount: 1 } });

const PROMPT_TOKENS = 540;
const ANSWER_TOKENS = 24;

const tokensOf = (seed: number, count: number): number[] => {
  const next = mulberry32(seed);
  return Array.from({ length: count }, () => next() % config.vocabularySize);
};

/** Half random, half repeating itself, so that there is something to look up. */
const PROMPT = [...tokensOf(1, PROMPT_TOKENS - 60), ...tokensOf(2, 30), ...tokensOf(2, 30)];

const sampler = { tau: tauFromTemperature(0.9), topK: 20, topP: 0, minP: 0 };
const choose: Choose = (logits, tokens) =>
  nextToken(logits, sampler, new Uint8Array(32).fill(9), tokens.length);

/** Hash of an answer and of every row of logits that it was chosen from. */
class AnswerHash {
  readonly #seen: string[] = [];
  readonly choose: Choose = (logits, tokens) => {
    const token = choose(logits, tokens);
    this.#seen.push(fingerprint(Int32Array.from([token, ...logits])));
    return token;
  };
  value(): string {
    return `${this.#seen.length} tokens, ${this.#seen.join('')}`;
  }
}

/** The answer of the reference, position by position. */
function referenceHash(): string {
  const session = referenceBackend.createSession(model);
  const hash = new AnswerHash();
  const tokens = [...PROMPT];
  for (let i = 0; i < ANSWER_TOKENS; i++) {
    tokens.push(hash.choose(session.forward(tokens.slice(session.length)), tokens));
  }
  return hash.value();
}

const backends = new Map<string, WasmBackend>();
let wanted = '';

beforeAll(async () => {
  wanted = referenceHash();
  for (const threads of [1, 2, 4]) {
    for (const cache of [false, true]) {
      const options = { threads, spawnWorker, prefixCacheBytes: cache ? 2 ** 24 : 0 };
      const backend = createWasmBackend(options);
      backend.load(model);
      while (backend.threadCount(model) < threads) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      backends.set(`${threads} ${cache}`, backend);
      // What a cache may know: the first half, and something that only begins alike.
      if (cache) answerIn({ backend, batch: 1, chunk: 64, prompt: [...PROMPT.slice(0, 300), 1] });
    }
  }
});

afterAll(() => {
  for (const backend of backends.values()) backend.dispose();
});

function spawnWorker(start: unknown): Worker {
  const code = `import { workerData } from 'node:worker_threads';
    import { serve } from '${new URL('../../dist/wasm/worker.js', import.meta.url)}';
    serve(workerData);`;
  const url = new URL(`data:text/javascript,${encodeURIComponent(code)}`);
  const worker = new Worker(url, { workerData: start });
  worker.unref();
  return worker;
}

type Way = {
  readonly backend: WasmBackend;
  /** Requests at once; all but one have other prompts. */
  readonly batch: number;
  /** Rows of a pass, and so the largest chunk of a prompt. */
  readonly chunk: number;
  readonly prompt?: readonly number[];
  readonly openDrafter?: OpenDrafter | undefined;
};

function answerIn({ backend, batch, chunk, prompt = PROMPT, openDrafter }: Way): string {
  const options = { model, backend, passRows: chunk };
  const scheduler = createScheduler({ ...options, ...(openDrafter && { openDrafter }) });
  const hash = new AnswerHash();
  const common = { outputCountMax: ANSWER_TOKENS, stopIds: [], onTokens: () => {} };
  for (let i = 0; i < batch; i++) {
    const mine = i === batch - 1;
    scheduler.add({
      ...common,
      inputTokens: mine ? prompt : tokensOf(100 + i, 20 + i),
      choose: mine ? hash.choose : choose,
      guess: choose,
      onEnd: (error) => {
        if (error !== undefined) throw error;
      },
    });
  }
  while (scheduler.step());
  return hash.value();
}

const drafting = createWasmBackend();

const DRAFTERS: readonly (readonly [string, OpenDrafter | undefined])[] = [
  ['no guesses', undefined],
  ['lookup', drafterOf(lookupDraft)],
  ['a drafting model', modelDrafter({ openSession: () => drafting.createSession(other), cost: 0 })],
];

const WAYS = [1, 2, 4].flatMap((threads) =>
  [1, 8].flatMap((batch) =>
    [1, 17, 512].flatMap((chunk) =>
      [false, true].flatMap((cache) =>
        DRAFTERS.map(([guesses, openDrafter]) => ({
          name: `${threads} threads, batch ${batch}, chunk ${chunk}, cache ${cache}, ${guesses}`,
          ...{ threads, batch, chunk, cache, openDrafter },
        })),
      ),
    ),
  ),
);

describe('the answer to one prompt', () => {
  it.each(WAYS)('is the reference answer: $name', ({ threads, cache, ...way }) => {
    const backend = backends.get(`${threads} ${cache}`)!;
    expect(answerIn({ backend, ...way })).toBe(wanted);
  });
});
