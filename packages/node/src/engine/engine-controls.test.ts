/** Jobs with controls in the real engine thread: company, guessing and order of jobs change nothing. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jsonObjectGrammar, openModelFile, tinyModelFile } from '@assay/model';
import {
  type Controls,
  DEFAULT_CONTROLS,
  encodeControls,
  type Hex,
  hashControls,
  toHex,
} from '@assay/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EngineHost, type EngineJob, startEngine } from './engine-host.js';

const file = tinyModelFile({ seed: 6 });
const { tokenizer } = openModelFile(file);
const SEED: Hex = `0x${'42'.repeat(32)}`;

let folder: string;
let plain: EngineHost;
let guessing: EngineHost;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'assay-engine-'));
  const modelPath = join(folder, 'tiny.gguf');
  writeFileSync(modelPath, file);
  plain = await startEngine({ modelPath, threads: 1 });
  guessing = await startEngine({ modelPath, threads: 1, draft: 'lookup' });
}, 60_000);

afterAll(async () => {
  await plain?.close();
  await guessing?.close();
  rmSync(folder, { recursive: true, force: true });
});

function jobOf(controls: Partial<Controls>, change: Partial<EngineJob> = {}): EngineJob {
  const bytes = encodeControls({ ...DEFAULT_CONTROLS, ...controls });
  return {
    // Repeats itself, so that looking up finds something to guess.
    inputTokens: tokenizer.encode('Hello world Hello world Hello world Hello'),
    outputCountMax: 40,
    sampler: {
      tau: 30_000,
      topK: 0,
      topP: 0,
      minP: 0,
      seed: SEED,
      stopIds: tokenizer.eosIds,
      controls: hashControls(bytes),
    },
    controls: toHex(bytes),
    signal: new AbortController().signal,
    ...change,
  };
}

async function run(engine: EngineHost, job: EngineJob) {
  const tokens: number[] = [];
  const detail: number[] = [];
  for await (const piece of engine.run(job)) {
    tokens.push(...piece.tokens);
    detail.push(...(piece.detail ?? []));
  }
  return { tokens, detail };
}

const CONTROLS: readonly (readonly [string, Partial<Controls>])[] = [
  ['penalties', { repetition: 80_000, presence: 20_000, frequency: 9_000 }],
  ['log probabilities', { topLogprobs: 4 }],
  ['a grammar', { grammar: jsonObjectGrammar(), topLogprobs: 1 }],
  ['biases that repeat', { bias: [[tokenizer.encode(' world')[0]!, 400_000]], topLogprobs: 0 }],
];

describe('the engine thread', () => {
  it.each(CONTROLS)(
    'gives the same with %s, whether it guesses or not, alone or in company',
    async (_, controls) => {
      const job = jobOf(controls);
      const alone = await run(plain, job);
      expect(alone.tokens.length).toBeGreaterThan(1);
      const size = controls.topLogprobs === undefined ? 0 : 4 + 8 * controls.topLogprobs;
      expect(alone.detail).toHaveLength(size * alone.tokens.length);
      expect(await run(guessing, job)).toEqual(alone);
      const together = await Promise.all(CONTROLS.map(([, other]) => run(guessing, jobOf(other))));
      expect(together[CONTROLS.findIndex(([, other]) => other === controls)]).toEqual(alone);
    },
  );

  it('never repeats a token under a penalty that forbids it', async () => {
    const strict = jobOf({ presence: 2 ** 31 - 1 });
    const { tokens } = await run(guessing, { ...strict, sampler: { ...strict.sampler, tau: 0 } });
    expect(new Set(tokens).size).toBe(tokens.length);
    const free = jobOf({});
    const freely = await run(guessing, { ...free, sampler: { ...free.sampler, tau: 0 } });
    expect(new Set(freely.tokens).size).toBeLessThan(freely.tokens.length);
  });

  it('gives an embedding between answers, and none once it is cancelled', async () => {
    const embedding = jobOf({ pooling: 'mean' }, { outputCountMax: 0 });
    const [first] = await Promise.all([run(plain, embedding), run(plain, jobOf({}))]);
    expect(first.tokens).toEqual([]);
    expect(first.detail).toHaveLength(4 * 64);
    expect(await run(plain, embedding)).toEqual(first);
    const stop = new AbortController();
    const long = { ...embedding, inputTokens: Array(500).fill(5), signal: stop.signal };
    const cancelled = run(plain, long);
    stop.abort();
    expect(await cancelled).toEqual({ tokens: [], detail: [] });
  });

  it('says why it cannot follow a grammar', async () => {
    const job = jobOf({ grammar: jsonObjectGrammar() }, { outputCountMax: 2 });
    await expect(run(plain, job)).rejects.toMatchObject({ code: 'grammar_unfit' });
    const bad = jobOf({ grammar: Uint8Array.of(9) });
    await expect(run(plain, bad)).rejects.toMatchObject({ code: 'grammar_invalid' });
  });
});
