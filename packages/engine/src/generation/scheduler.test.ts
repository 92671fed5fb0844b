import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Backend } from '../backend.js';
import type { EngineModel } from '../engine-model.js';
import { referenceBackend } from '../reference/session.js';
import { nextToken, tauFromTemperature } from '../sampler.js';
import { mulberry32, randomEngineModel } from '../testing/random-model.js';
import { createWasmBackend } from '../wasm/wasm-backend.js';
import {
  drafterOf,
  lookupDraft,
  modelDrafter,
  type OpenDrafter,
  outsideDrafter,
  relativeCost,
} from './drafter.js';
import { createScheduler, type Scheduler } from './scheduler.js';

const model = randomEngineModel({ seed: 31, config: { vocabularySize: 24 } });
const backend = createWasmBackend();

type Case = {
  readonly seed: number;
  readonly promptCount: number;
  readonly outputCountMax: number;
  /** 0 is greedy, which makes random models repeat themselves. */
  readonly temperature: number;
  readonly stopIds: readonly number[];
};

const promptOf = ({ seed, promptCount }: Case): number[] => {
  const next = mulberry32(seed);
  return Array.from({ length: promptCount }, () => next() % model.config.vocabularySize);
};

const chooserOf =
  ({ seed, temperature }: Case) =>
  (logits: Int32Array, tokens: readonly number[]): number => {
    const settings = { tau: tauFromTemperature(temperature), topK: 0, topP: 0, minP: 0 };
    return nextToken(logits, settings, new Uint8Array(32).fill(seed), tokens.length);
  };

/** The answer that a request gets alone: one session, one token after the other. */
function aloneOf(each: Case, from = backend as Backend): readonly number[] {
  const key = from.name + JSON.stringify(each);
  const known = ALONE.get(key);
  if (known !== undefined) return known;
  const session = from.createSession(model);
  const tokens = promptOf(each);
  const end = tokens.length + each.outputCountMax;
  while (tokens.length < end) {
    tokens.push(chooserOf(each)(session.forward(tokens.slice(session.length)), tokens));
    if (each.stopIds.includes(tokens.at(-1)!)) break;
  }
  const answer = tokens.slice(each.promptCount);
  ALONE.set(key, answer);
  return answer;
}

const ALONE = new Map<string, readonly number[]>();

type Answer = { readonly tokens: number[]; ended: 'no' | 'yes' | string; cancel: () => void };

function ask(scheduler: Scheduler, each: Case): Answer {
  const answer: Answer = { tokens: [], ended: 'no', cancel: () => {} };
  const { cancel } = scheduler.add({
    inputTokens: promptOf(each),
    outputCountMax: each.outputCountMax,
    stopIds: each.stopIds,
    choose: chooserOf(each),
    guess: chooserOf(each),
    onTokens: (tokens) => answer.tokens.push(...tokens),
    onEnd: (error) => {
      answer.ended = error === undefined ? 'yes' : String((error as { code?: string }).code);
    },
  });
  answer.cancel = cancel;
  return answer;
}

const toEnd = (scheduler: Scheduler): number => {
  let steps = 1;
  while (scheduler.step()) steps++;
  return steps;
};

/** Always wrong, out of range, or not a token at all. */
const badDraft: OpenDrafter = drafterOf((tokens, countMax) =>
  Array.from(
    { length: countMax + 3 },
    (_, i) => [(tokens.at(-1)! + 1) % 24, 0, 99, -1, 0.5][i % 5]!,
  ),
);

const other = randomEngineModel({ seed: 32, config: { vocabularySize: 24, layerCount: 1 } });

const drafterFrom = (from: EngineModel): OpenDrafter =>
  modelDrafter({ openSession: () => backend.createSession(from), cost: 0.01 });

const DRAFTERS: Readonly<Record<string, OpenDrafter | undefined>> = {
  nothing: undefined,
  'prompt lookup': drafterOf(lookupDraft),
  'the model itself': drafterFrom(model),
  'another model': drafterFrom(other),
  nonsense: badDraft,
  failure: drafterOf(() => {
    throw new Error('the drafter is gone');
  }),
};

const caseOf = fc.record({
  seed: fc.nat(9),
  promptCount: fc.constantFrom(1, 2, 20, 65, 130),
  outputCountMax: fc.constantFrom(1, 2, 12, 40),
  temperature: fc.constantFrom(0, 0.3, 1),
  stopIds: fc.constantFrom([], [3], [1, 7, 11]),
});

describe('createScheduler', () => {
  it('gives every request the answer that it gets alone, whoever comes, goes and guesses', () => {
    const arrival = fc.record({
      each: caseOf,
      atStep: fc.nat(30),
      cancelAt: fc.option(fc.nat(40)),
    });
    const setting = fc.record({
      drafter: fc.constantFrom(...Object.keys(DRAFTERS)),
      passRows: fc.constantFrom(1, 5, 17, 64),
      runningMax: fc.constantFrom(1, 3, 32),
    });
    fc.assert(
      fc.property(fc.array(arrival, { minLength: 1, maxLength: 9 }), setting, (arrivals, how) => {
        const { drafter, ...limits } = how;
        const openDrafter = DRAFTERS[drafter];
        const scheduler = createScheduler({
          ...{ model, backend, ...limits },
          ...(openDrafter && { openDrafter }),
        });
        const answers = arrivals.map((arrival): Answer | undefined =>
          arrival.atStep === 0 ? ask(scheduler, arrival.each) : undefined,
        );
        for (let step = 1; step <= 40; step++) {
          arrivals.forEach(({ each, atStep, cancelAt }, i) => {
            if (atStep === step) answers[i] = ask(scheduler, each);
            if (cancelAt === step) answers[i]?.cancel();
          });
          scheduler.step();
        }
        toEnd(scheduler);
        arrivals.forEach(({ each }, i) => {
          const { tokens, ended } = answers[i]!;
          const wanted = aloneOf(each);
          if (ended === 'yes') expect(tokens).toEqual(wanted);
          else expect(tokens).toEqual(wanted.slice(0, tokens.length));
        });
        const wronglyOpen = arrivals.filter(
          ({ cancelAt }, i) => cancelAt === null && answers[i]!.ended !== 'yes',
        );
        expect(wronglyOpen).toEqual([]);
      }),
      { numRuns: 80, seed: 20261125 },
    );
  });

  it('gives the answer of the reference', () => {
    const each: Case = {
      seed: 3,
      promptCount: 66,
      outputCountMax: 12,
      temperature: 1,
      stopIds: [],
    };
    const scheduler = createScheduler({ model, backend });
    const answers = [each, { ...each, seed: 4 }].map((one) => [one, ask(scheduler, one)] as const);
    toEnd(scheduler);
    for (const [one, { tokens }] of answers) expect(tokens).toEqual(aloneOf(one, referenceBackend));
  });

  const long: Case = { seed: 1, promptCount: 200, outputCountMax: 2, temperature: 1, stopIds: [] };
  const short: Case = { ...long, seed: 2, promptCount: 4, outputCountMax: 40 };

  it('lets a long prompt delay no token of others', () => {
    const scheduler = createScheduler({ model, backend: createWasmBackend() });
    const answering = ask(scheduler, short);
    scheduler.step();
    const prompting = ask(scheduler, long);
    for (let step = 2; prompting.tokens.length === 0; step++) {
      scheduler.step();
      expect(answering.tokens).toHaveLength(step);
      expect(step).toBeLessThan(30);
    }
    expect(answering.tokens.length).toBeGreaterThan(12);
  });

  it('takes turns among prompts', () => {
    const scheduler = createScheduler({ model, backend: createWasmBackend() });
    const first = ask(scheduler, long);
    const second = ask(scheduler, { ...long, promptCount: 30 });
    scheduler.step();
    scheduler.step();
    expect([first.tokens.length, second.tokens.length]).toEqual([0, 1]);
  });

  it('computes a prefix once that requests of the same moment share', () => {
    let rows = 0;
    const fresh = createWasmBackend();
    const counting: Backend = {
      ...fresh,
      forwardBatch(parts) {
        for (const { tokens } of parts) rows += tokens.length;
        return fresh.forwardBatch(parts);
      },
    };
    const scheduler = createScheduler({ model, backend: counting });
    const alike = [long, long, { ...long, promptCount: 180 }, { ...long, seed: 2 }];
    const answers = alike.map((each) => [each, ask(scheduler, each)] as const);
    toEnd(scheduler);
    for (const [each, { tokens }] of answers) expect(tokens).toEqual(aloneOf(each));
    // 200 of the first and of the last; after 192 and 128 shared ones 8 and 52; one more token each.
    expect(rows).toBe(200 + 8 + 52 + 200 + 4);
  });

  it('cancels before the next token, also from a callback', () => {
    const scheduler = createScheduler({ model, backend });
    const answer = ask(scheduler, short);
    scheduler.step();
    answer.cancel();
    expect(scheduler.step()).toBe(false);
    expect(answer).toMatchObject({ ended: 'no', tokens: aloneOf(short).slice(0, 1) });
    const seen: number[] = [];
    let ended = false;
    const ticket = scheduler.add({
      ...{ inputTokens: [1, 2], outputCountMax: 9, stopIds: [], choose: () => 5, guess: () => 5 },
      onTokens: (tokens) => {
        seen.push(...tokens);
        ticket.cancel();
      },
      onEnd: () => {
        ended = true;
      },
    });
    toEnd(scheduler);
    expect({ seen, ended }).toEqual({ seen: [5], ended: false });
  });

  it('keeps the others going when the choice of one fails', () => {
    const scheduler = createScheduler({ model, backend });
    const healthy = ask(scheduler, short);
    let failure: unknown;
    scheduler.add({
      ...{ inputTokens: [1], outputCountMax: 9, stopIds: [], onTokens: () => {} },
      choose: () => {
        throw new Error('no choice');
      },
      guess: () => 0,
      onEnd: (error) => {
        failure = error;
      },
    });
    toEnd(scheduler);
    expect(String(failure)).toContain('no choice');
    expect(healthy.tokens).toEqual(aloneOf(short));
  });

  it('fails only the request whose part of a pass fails', () => {
    const scheduler = createScheduler({ model, backend: refusing(4) });
    const big = ask(scheduler, { ...long, promptCount: 5 });
    const healthy = ask(scheduler, { ...short, promptCount: 2, outputCountMax: 2 });
    toEnd(scheduler);
    expect(big.ended).toBe('memory_exhausted');
    expect(healthy.ended).toBe('yes');
  });

  it('lets requests wait until there is memory for all of their positions', () => {
    let free = 3;
    const tight: Backend = {
      ...backend,
      createSession(...parameters) {
        const session = backend.createSession(...parameters);
        const { reserve, dispose } = session;
        let held = 0;
        session.reserve = () => {
          if (free === 0) throw Object.assign(new Error('full'), { code: 'memory_exhausted' });
          free -= held = 1;
          reserve.call(session);
        };
        session.dispose = () => {
          free += held;
          held = 0;
          dispose.call(session);
        };
        return session;
      },
    };
    const scheduler = createScheduler({ model, backend: tight });
    const cases = [1, 2, 3, 4, 5].map((seed) => ({ ...short, seed, outputCountMax: 5 + seed }));
    const answers = cases.map((each) => ask(scheduler, each));
    scheduler.step();
    expect([scheduler.runningCount(), scheduler.waitingCount()]).toEqual([3, 2]);
    toEnd(scheduler);
    expect(answers.map(({ tokens }) => tokens)).toEqual(cases.map((each) => aloneOf(each)));
    expect(free).toBe(3);
    free = 0;
    const never = ask(scheduler, short);
    toEnd(scheduler);
    expect(never.ended).toBe('memory_exhausted');
  });

  it('refuses what cannot fit, what is empty, and more than may wait', () => {
    const scheduler = createScheduler({ model, backend, runningMax: 1, waitingMax: 2 });
    const code = (change: Partial<Case>): string => {
      try {
        ask(scheduler, { ...short, ...change });
        return 'none';
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    expect(code({ outputCountMax: 253 })).toBe('context_too_long');
    expect(code({ outputCountMax: 0 })).toBe('request_empty');
    expect(code({ promptCount: 0 })).toBe('request_empty');
    expect([code({}), code({}), code({})]).toEqual(['none', 'none', 'engine_busy']);
    scheduler.step();
    expect([scheduler.runningCount(), scheduler.waitingCount()]).toEqual([1, 1]);
    expect(code({})).toBe('none');
  });
});

/** A backend without memory for sessions that would become longer than that. */
function refusing(lengthMax: number): Backend {
  return {
    ...backend,
    forwardBatch(parts) {
      const tooLong = parts.some(
        ({ session, tokens }) => session.length + tokens.length > lengthMax,
      );
      if (tooLong) throw Object.assign(new Error('full'), { code: 'memory_exhausted' });
      return backend.forwardBatch(parts);
    },
  };
}

describe('speculation', () => {
  /** A prompt that repeats, and a model that repeats itself greedily. */
  const greedy: Case = {
    seed: 5,
    promptCount: 60,
    outputCountMax: 60,
    temperature: 0,
    stopIds: [],
  };

  const stepsWith = (each: Case, openDrafter?: OpenDrafter, of: EngineModel = model): number => {
    const scheduler = createScheduler({ model: of, backend, ...(openDrafter && { openDrafter }) });
    const answer = ask(scheduler, each);
    const steps = toEnd(scheduler);
    expect(answer.tokens).toEqual(aloneOf(each));
    return steps;
  };

  it('takes fewer passes when guesses are right, greedy and sampled', () => {
    const itself = DRAFTERS['the model itself'];
    for (const temperature of [0, 1]) {
      const each = { ...greedy, temperature };
      expect(stepsWith(each)).toBe(60);
      expect(stepsWith(each, itself)).toBeLessThan(15);
    }
  });

  it('takes fewer passes by prompt lookup when an answer repeats itself', () => {
    // Whoever likes to repeat: the token of seven before gets a bonus that mostly decides.
    const choose = (logits: Int32Array, tokens: readonly number[]): number => {
      const liked = Int32Array.from(logits, (x, id) => (id === tokens.at(-7) ? x + 2 ** 20 : x));
      return chooserOf(greedy)(liked, tokens);
    };
    const answers = [undefined, DRAFTERS['prompt lookup']].map((openDrafter) => {
      const made: number[] = [];
      const scheduler = createScheduler({ model, backend, ...(openDrafter && { openDrafter }) });
      const onTokens = (tokens: readonly number[]): void => void made.push(...tokens);
      const limits = { inputTokens: promptOf(greedy), outputCountMax: 60, stopIds: [] };
      scheduler.add({ ...limits, choose, guess: choose, onTokens, onEnd: () => {} });
      return { steps: toEnd(scheduler), made };
    });
    expect(answers[1]!.made).toEqual(answers[0]!.made);
    expect(answers[0]!.steps).toBe(60);
    expect(answers[1]!.steps).toBeLessThan(40);
  });

  it('takes guesses of an engine elsewhere, right ones and wrong ones', () => {
    const wanted = aloneOf(greedy);
    const prompt = promptOf(greedy);
    for (const wrongAt of [60, 20, 0]) {
      const drafter = outsideDrafter();
      const answer = wanted.map((token, i) => (i < wrongAt ? token : (token + 1) % 24));
      const scheduler = createScheduler({ model, backend });
      const made: number[] = [];
      scheduler.add({
        ...{ inputTokens: prompt, outputCountMax: 60, stopIds: [], drafter, onEnd: () => {} },
        ...{ choose: chooserOf(greedy), guess: chooserOf(greedy) },
        onTokens(tokens) {
          made.push(...tokens);
          // It is some tokens ahead of the exact engine.
          drafter.tell([...prompt, ...answer.slice(0, made.length + 5)]);
        },
      });
      const steps = toEnd(scheduler);
      expect(made).toEqual(wanted);
      if (wrongAt === 60) expect(steps).toBeLessThan(20);
    }
  });

  it('gives up guessing when guesses are wrong', () => {
    let rows = 0;
    const counting = drafterOf((tokens, countMax) => {
      const draft = badDraft(() => 0)
        .propose(tokens, countMax)
        .slice(0, countMax);
      rows += draft.length;
      return draft;
    });
    stepsWith(greedy, counting);
    expect(rows).toBeLessThan(10);
  });
});

describe('relativeCost', () => {
  it('compares the multiplications of two models', () => {
    expect(relativeCost(model, model)).toBe(1);
    // A layer has 2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 96 weights, the output 24 * 64.
    expect(relativeCost(other, model)).toBeCloseTo((30_720 + 1_536) / (61_440 + 1_536), 12);
  });
});

describe('lookupDraft', () => {
  it('repeats what followed the last three tokens', () => {
    expect(lookupDraft([1, 2, 3, 4, 5, 9, 1, 2, 3], 2)).toEqual([4, 5]);
    expect(lookupDraft([1, 2, 3, 4, 1, 2, 3, 5, 1, 2, 3], 1)).toEqual([5]);
    expect(lookupDraft([7, 7, 7, 7], 3)).toEqual([7]);
  });
  it('says nothing without a repetition', () => {
    expect(lookupDraft([1, 2, 3, 4, 2, 3], 4)).toEqual([]);
    expect(lookupDraft([], 4)).toEqual([]);
  });
});
