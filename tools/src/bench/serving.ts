/**
 * What a provider's engine gains by company, memory and guesses, each against the same work without it in the same
 * run: requests together against one after the other, a prompt that is known against one that is not, guessed tokens
 * against none. One thread, measured in processor time, which other work on the machine changes least; the two sides
 * take turns. Random weights cost the same as trained ones.
 */
import {
  type Choose,
  createScheduler,
  createWasmBackend,
  drafterOf,
  type EngineModel,
  lookupDraft,
  type ModelConfig,
  modelDrafter,
  type OpenDrafter,
  RESIDUAL_BITS_DEFAULT,
  randomEngineModel,
  relativeCost,
  type SchedulerOptions,
} from '@assay/engine';
import { type BenchReport, type BenchRow, row } from './report.js';

const VOCABULARY_SIZE = 4096;

/** A 135M model with a third of its layers and a small vocabulary. */
const CONFIG: ModelConfig = {
  layerCount: 10,
  width: 576,
  headCount: 9,
  kvHeadCount: 3,
  headSize: 64,
  feedForwardWidth: 1536,
  vocabularySize: VOCABULARY_SIZE,
  contextLength: 1024,
  ropeBase: 10_000,
  rmsEpsilon: 1e-5,
  residualBits: RESIDUAL_BITS_DEFAULT,
};

/** One layer, an eighth of the work, for drafting: it agrees by chance only, unless its choice is told. */
const DRAFT_CONFIG: ModelConfig = { ...CONFIG, layerCount: 1 };

const PROMPT_TOKENS = 16;
const ANSWER_TOKENS = 32;
const LONG_PROMPT_TOKENS = 512;
const REPEATS = 3;
const CACHE_BYTES = 2 ** 28;

type Work = {
  readonly requests: number;
  readonly promptTokens: number;
  readonly answerTokens: number;
  /** Prompts of other numbers differ from their first token. */
  readonly salt: number;
  readonly choose: Choose;
};

/** Seconds of work on each side, by the salt of its prompts. */
type Side = (salt: number) => number;

export async function benchServing(): Promise<BenchReport> {
  const model = randomEngineModel({ seed: 1, config: CONFIG });
  const rows = [...companyRows(model), ...memoryRows(model), ...guessRows(model)];
  return { name: 'serving', rows };
}

function companyRows(model: EngineModel): BenchRow[] {
  return [8, 16, 32].map((requests) => {
    const side = (runningMax: number): Side => {
      const options = { model, backend: createWasmBackend(), runningMax };
      const sizes = { requests, promptTokens: PROMPT_TOKENS, answerTokens: ANSWER_TOKENS };
      return (salt) => timeWork(options, { ...sizes, salt, choose: greedy });
    };
    return compare(`${requests} requests together, peer: one by one`, {
      ours: side(requests),
      peer: side(1),
      count: requests * ANSWER_TOKENS,
    });
  });
}

function memoryRows(model: EngineModel): BenchRow[] {
  const backend = createWasmBackend({ prefixCacheBytes: CACHE_BYTES });
  const work = { requests: 1, promptTokens: LONG_PROMPT_TOKENS, answerTokens: 1, choose: greedy };
  const side: Side = (salt) => timeWork({ model, backend }, { ...work, salt });
  // The peer goes first, and its prompt is known from then on.
  const name = `first token of ${LONG_PROMPT_TOKENS}, prompt known, peer: unknown`;
  return [compare(name, { ours: side, peer: side, count: LONG_PROMPT_TOKENS })];
}

/** How often a drafter is right decides; so the choice here makes it right as often as the case says. */
function guessRows(model: EngineModel): BenchRow[] {
  const draft = randomEngineModel({ seed: 2, config: DRAFT_CONFIG });
  const backend = createWasmBackend();
  const count = 4 * ANSWER_TOKENS;
  const side = (choose: Choose, openDrafter?: OpenDrafter): Side => {
    const options = { model, backend, ...(openDrafter && { openDrafter }) };
    const sizes = { requests: 1, promptTokens: PROMPT_TOKENS, answerTokens: count };
    return (salt) => timeWork(options, { ...sizes, salt, choose });
  };
  const guessing = (name: string, choose: Choose, openDrafter: OpenDrafter): BenchRow =>
    compare(`${name}, peer: no guesses`, {
      ours: side(choose, openDrafter),
      peer: side(choose),
      count,
    });
  const lookup = drafterOf(lookupDraft);
  const openSession = () => backend.createSession(draft);
  const small = modelDrafter({ openSession, cost: relativeCost(draft, model) });
  return [
    guessing('answer that repeats itself, lookup', periodic, lookup),
    guessing('answer without repetition, lookup', greedy, lookup),
    guessing('small model right 9 of 10 times', mostly, small),
    guessing('small model never right', greedy, small),
  ];
}

function compare(
  name: string,
  { ours, peer, count }: { readonly ours: Side; readonly peer: Side; readonly count: number },
): BenchRow {
  const times = Array.from({ length: REPEATS }, (_, salt) => {
    const peerSeconds = peer(salt);
    return { peer: peerSeconds, ours: ours(salt) };
  });
  const rate = (side: 'ours' | 'peer'): number => {
    const sorted = times.map((each) => each[side]).sort((a, b) => a - b);
    return count / sorted[Math.floor(REPEATS / 2)]!;
  };
  return row(name, rate('ours'), rate('peer'), 'tokens/s');
}

/** Seconds of processor time until every request is answered. */
function timeWork(options: SchedulerOptions, work: Work): number {
  const scheduler = createScheduler(options);
  const start = process.cpuUsage();
  for (let request = 0; request < work.requests; request++) {
    scheduler.add({
      inputTokens: promptOf(work, request),
      outputCountMax: work.answerTokens,
      stopIds: [],
      choose: work.choose,
      guess: work.choose,
      onTokens: () => {},
      onEnd: (error) => {
        if (error !== undefined) throw error;
      },
    });
  }
  while (scheduler.step());
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

const promptOf = ({ promptTokens, salt }: Work, request: number): number[] =>
  Array.from(
    { length: promptTokens },
    (_, i) => (i * 37 + request * 101 + salt * 977) % VOCABULARY_SIZE,
  );

const greedy: Choose = (logits) => {
  let best = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id]! > logits[best]!) best = id;
  return best;
};

/** Repeats the tokens of 16 before, whatever the logits say. */
const periodic: Choose = (_, tokens) => tokens.at(-16)!;

/** Both models agree but on every tenth position. */
const mostly: Choose = (logits, tokens) => (tokens.length % 10 === 0 ? greedy(logits, tokens) : 7);
