import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sampleToken } from '@assay/compute';
import { createWasmBackend, tauFromTemperature } from '@assay/engine';
import { openModelFile, tinyModelFile } from '@assay/model';
import { NO_CONTROLS, type Sampler } from '@assay/protocol';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { SHIPPED_MODEL_PATH } from '../model-store.js';
import { type EngineHost, type EngineJob, startEngine } from './engine-host.js';

const folder = mkdtempSync(join(tmpdir(), 'assay-engine-'));
const modelPath = join(folder, 'model.gguf');
const draftPath = join(folder, 'draft.gguf');
writeFileSync(modelPath, tinyModelFile({ seed: 1 }));
writeFileSync(draftPath, tinyModelFile({ seed: 2 }));
afterAll(() => rmSync(folder, { recursive: true }));

const { model } = openModelFile(tinyModelFile({ seed: 1 }));
const backend = createWasmBackend();
const engines: EngineHost[] = [];
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.close();
});

async function open(setup: { threads?: number; draft?: string } = {}): Promise<EngineHost> {
  const engine = await startEngine({ modelPath, threads: 1, ...setup });
  engines.push(engine);
  return engine;
}

/** A job of its own seed; every second one is greedy, and prompts begin alike. */
const jobOf = (index: number, change: Partial<EngineJob> = {}): EngineJob => ({
  inputTokens: Array.from({ length: 70 + 9 * index }, (_, i) => (i < 66 ? 7 * i : i * index) % 256),
  outputCountMax: 40,
  sampler: samplerOf(index),
  signal: new AbortController().signal,
  ...change,
});

const samplerOf = (index: number): Sampler => ({
  tau: index % 2 === 0 ? 0 : tauFromTemperature(1),
  ...{ topK: 0, topP: 0, minP: 0, stopIds: [], controls: NO_CONTROLS },
  seed: `0x${index.toString(16).padStart(64, '0')}`,
});

/** The answer of one session alone, token by token. */
function aloneOf({ inputTokens, outputCountMax, sampler }: EngineJob): readonly number[] {
  const session = backend.createSession(model);
  const tokens = [...inputTokens];
  while (tokens.length < inputTokens.length + outputCountMax) {
    const logits = session.forward(tokens.slice(session.length));
    tokens.push(sampleToken(logits, sampler, tokens.length));
  }
  session.dispose();
  return tokens.slice(inputTokens.length);
}

async function answerOf(engine: EngineHost, job: EngineJob): Promise<readonly number[]> {
  const tokens: number[] = [];
  for await (const part of engine.run(job)) tokens.push(...part.tokens);
  return tokens;
}

describe('startEngine', () => {
  it.each([
    ['one thread', {}],
    ['two threads', { threads: 2 }],
    ['prompt lookup', { draft: 'lookup' }],
    ['a drafting model', { draft: draftPath }],
  ])('gives each of ten jobs at once its answer alone, with %s', async (_, setup) => {
    const engine = await open(setup);
    const jobs = Array.from({ length: 10 }, (_, index) => jobOf(index));
    const answers = await Promise.all(jobs.map((job) => answerOf(engine, job)));
    expect(answers).toEqual(jobs.map(aloneOf));
    // Once more, from what the first time left in memory.
    expect(await answerOf(engine, jobs[3]!)).toEqual(answers[3]);
  });

  it('ends a cancelled job soon, and no other', async () => {
    const engine = await open();
    const cancel = new AbortController();
    const endless = jobOf(1, { outputCountMax: 400, signal: cancel.signal });
    const other = answerOf(engine, jobOf(2));
    const tokens: number[] = [];
    for await (const part of engine.run(endless)) {
      tokens.push(...part.tokens);
      if (tokens.length === 3) cancel.abort();
    }
    expect(tokens.length).toBeLessThan(400);
    expect(await other).toEqual(aloneOf(jobOf(2)));
  });

  it('refuses a job that is too long by name, and a drafting model of another vocabulary', async () => {
    const engine = await open();
    const long = jobOf(1, { outputCountMax: 500 });
    await expect(answerOf(engine, long)).rejects.toMatchObject({ code: 'context_too_long' });
    const setup = { draft: SHIPPED_MODEL_PATH };
    await expect(open(setup)).rejects.toMatchObject({ code: 'draft_model_unfit' });
  });
});
