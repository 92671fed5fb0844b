/**
 * Many requests on one model: each step is one pass over the rows of all that can go on, and requests come and go
 * between steps. Company, chunk sizes, reused prefixes and guesses change when a token is ready, never which one it
 * is. Knows no clock, no thread and no text; whoever calls `step` decides when. Source: iteration-level scheduling
 * (Orca, Yu et al., OSDI 2022) with a budget for prompts (Sarathi, Agrawal et al., arXiv 2308.16369).
 */
import type { Backend, BatchPart, Session } from '../backend.js';
import { EngineError } from '../engine-error.js';
import type { EngineModel } from '../engine-model.js';
import type { Choose, Drafter, OpenDrafter } from './drafter.js';
import { createPace, type Pace } from './pace.js';

/** Positions that a backend shares at once (`PAGE_POSITIONS` of the kernels). */
const PAGE_POSITIONS = 64;

/** Requests computed together: with one row each they leave half of a pass to prompts. */
export const RUNNING_MAX = 32;

/** Requests that may wait for their turn: more than a provider admits; a caller beyond it hears so at once. */
export const WAITING_MAX = 1024;

/** Rows of one pass, which is what the kernels take at once. */
const PASS_ROWS = 64;

/**
 * Least prompt rows in a pass that others await a token from; beyond it prompts get as many rows as there are answers
 * under way, so that neither side gets less than half. A pass of a few rows costs as little per row as a large one.
 */
const PROMPT_ROWS_MIN = 8;

export type GenerationRequest = {
  readonly inputTokens: readonly number[];
  readonly outputCountMax: number;
  readonly stopIds: readonly number[];
  /** Decides the tokens: called once for each, in order, so that it may keep what it needs to know of earlier ones. */
  readonly choose: Choose;
  /** What a drafting model chooses by: like `choose`, but called for any position, and without effect on the answer. */
  readonly guess: Choose;
  /** Guesses for this request alone, instead of those of the scheduler's drafter. */
  readonly drafter?: Drafter;
  /** Called with the tokens of each step, in order; `isLast` says that `onEnd` follows at once. */
  readonly onTokens: (tokens: readonly number[], isLast: boolean) => void;
  /** Called once: after a stop id or the limit, or with what broke. Not after `cancel`. */
  readonly onEnd: (error?: unknown) => void;
};

/** A request in the scheduler. */
export type Ticket = {
  /** Ends the request before its next token. */
  readonly cancel: () => void;
};

export type Scheduler = {
  /** Takes a request in; throws `engine_busy` beyond {@link WAITING_MAX}, `context_too_long` if it cannot fit. */
  readonly add: (request: GenerationRequest) => Ticket;
  /** Runs one pass; false when nothing is left to do. */
  readonly step: () => boolean;
  readonly runningCount: () => number;
  readonly waitingCount: () => number;
};

export type SchedulerOptions = {
  readonly model: EngineModel;
  readonly backend: Backend;
  /** Opens a drafter per request; without it nothing is guessed. */
  readonly openDrafter?: OpenDrafter;
  readonly runningMax?: number;
  readonly waitingMax?: number;
  /** Rows of one pass; fewer make the passes shorter. */
  readonly passRows?: number;
};

type Run = {
  readonly request: GenerationRequest;
  readonly session: Session;
  readonly drafter: Drafter | undefined;
  readonly pace: Pace;
  /** Prompt and answer so far; all but the last ones are in the session. */
  readonly tokens: number[];
  /** Length of `tokens` at which the answer ends. */
  readonly end: number;
  /** False once the request ended or was cancelled, which a callback may do in the middle of a step. */
  open: boolean;
};

/** What one run does in a pass. */
type Turn = { readonly run: Run; readonly part: BatchPart; readonly draft: readonly number[] };

export function createScheduler(options: SchedulerOptions): Scheduler {
  const { waitingMax = WAITING_MAX, passRows = PASS_ROWS } = options;
  const runningMax = Math.min(options.runningMax ?? RUNNING_MAX, passRows);
  const waiting: Run[] = [];
  let running: Run[] = [];

  const drop = (run: Run): void => {
    running = running.filter((each) => each !== run);
    const at = waiting.indexOf(run);
    if (at >= 0) waiting.splice(at, 1);
    closeRun(run);
  };
  const end = (run: Run, ...error: [] | [unknown]): void => {
    drop(run);
    run.request.onEnd(...error);
  };
  const finish = ({ turn, result }: Outcome): void => {
    const { run } = turn;
    if (!run.open) return;
    try {
      if (!(result instanceof Int32Array)) throw result.error;
      const done = takeTokens(turn, result);
      if (done && run.open) end(run);
    } catch (error) {
      if (run.open) end(run, error);
    }
  };
  const admit = (): void => {
    while (running.length < runningMax && waiting.length > 0) {
      const run = waiting[0]!;
      try {
        run.session.reserve();
        running.push(waiting.shift()!);
      } catch (error) {
        // Memory comes back when others end; alone it never will.
        if (running.length > 0) return;
        end(run, error);
      }
    }
  };

  return {
    add(request) {
      if (waiting.length >= waitingMax) throw engineBusy(waitingMax);
      const run = openRun(options, request);
      waiting.push(run);
      return { cancel: () => drop(run) };
    },
    step() {
      admit();
      const outcomes = runPass(options.backend, planPass(running, passRows));
      for (const outcome of outcomes) finish(outcome);
      running = rotate(running);
      return running.length + waiting.length > 0;
    },
    runningCount: () => running.length,
    waitingCount: () => waiting.length,
  };
}

function openRun(
  { backend, model, openDrafter }: SchedulerOptions,
  request: GenerationRequest,
): Run {
  const { inputTokens, outputCountMax } = request;
  if (inputTokens.length === 0 || outputCountMax < 1) throw requestEmpty();
  const end = inputTokens.length + outputCountMax;
  const drafter = request.drafter ?? openDrafter?.(request.guess);
  return {
    request,
    session: backend.createSession(model, { contextLength: end }),
    drafter,
    pace: createPace(drafter?.cost ?? 0),
    tokens: [...inputTokens],
    end,
    open: true,
  };
}

function closeRun(run: Run): void {
  run.open = false;
  run.session.dispose();
  run.drafter?.close();
}

/** Tokens that the session has not seen; one when the prompt is done. */
const pendingCount = ({ tokens, session }: Run): number => tokens.length - session.length;

/** Shares the rows out: one for each answer under way, then prompts up to their budget, then guesses. */
function planPass(running: readonly Run[], passRows: number): Turn[] {
  const answering = running.filter((run) => pendingCount(run) === 1).slice(0, passRows);
  const prompts = running.filter((run) => pendingCount(run) > 1);
  let left = passRows - answering.length;
  const shared = Math.max(PROMPT_ROWS_MIN, answering.length);
  let budget = answering.length > 0 ? Math.min(left, shared) : left;
  const turns: Turn[] = [];
  for (const run of prompts) {
    if (waitsForPrefix(run, running)) continue;
    if (run.session.length === 0) run.session.reuse(run.tokens.slice(0, -1));
    const count = Math.min(budget, pendingCount(run));
    if (count === 0) break;
    turns.push(promptTurn(run, count));
    budget -= count;
    left -= count;
  }
  for (const run of answering) {
    const draft = guessNext(run, left);
    turns.push(answerTurn(run, draft));
    left -= draft.length;
  }
  return turns;
}

/** True while a request before this one, or one under way, still computes pages that both begin with. */
function waitsForPrefix(run: Run, running: readonly Run[]): boolean {
  if (run.session.length > 0) return false;
  const own = running.indexOf(run);
  return running.some((other, index) => {
    if (other === run || (other.session.length === 0 && index > own)) return false;
    const shared = sharedPositions(run.tokens, other.tokens);
    return other.session.length < shared;
  });
}

/** Positions in whole pages that two sequences have in common; the last token of the first one must be computed. */
function sharedPositions(tokens: readonly number[], others: readonly number[]): number {
  const limit = Math.min(tokens.length - 1, others.length);
  let count = 0;
  while (count < limit && tokens[count] === others[count]) count++;
  return count - (count % PAGE_POSITIONS);
}

function promptTurn(run: Run, count: number): Turn {
  const from = run.session.length;
  const tokens = run.tokens.slice(from, from + count);
  const logits = from + count === run.tokens.length ? 'last' : 'none';
  return { run, part: { session: run.session, tokens, logits }, draft: [] };
}

function answerTurn(run: Run, draft: readonly number[]): Turn {
  const tokens = [run.tokens.at(-1)!, ...draft];
  return { run, part: { session: run.session, tokens, logits: 'all' }, draft };
}

/** What the drafter expects next, as far as rows, room and its luck so far allow. */
function guessNext({ drafter, pace, tokens, end, session }: Run, rows: number): readonly number[] {
  if (drafter === undefined) return [];
  const count = Math.min(rows, pace.next(), end - tokens.length - 1);
  if (count <= 0) return [];
  const draft = proposal(drafter, tokens, count);
  const invalid = draft.findIndex((id) => !isId(id, session.vocabularySize));
  return invalid < 0 ? draft : draft.slice(0, invalid);
}

/** A drafter that fails has guessed nothing; its failure is not the request's. */
function proposal(drafter: Drafter, tokens: readonly number[], count: number): readonly number[] {
  try {
    return drafter.propose(tokens, count).slice(0, count);
  } catch {
    return [];
  }
}

const isId = (id: number, count: number): boolean => Number.isInteger(id) && id >= 0 && id < count;

type Outcome = { readonly turn: Turn; readonly result: Int32Array | { readonly error: unknown } };

/** One pass; if it fails, each turn by itself, so that only those fail that have to. */
function runPass(backend: Backend, turns: readonly Turn[]): Outcome[] {
  const before = turns.map(({ run }) => run.session.length);
  const attempt = (list: readonly Turn[]): Outcome[] => {
    const results = backend.forwardBatch(list.map(({ part }) => part));
    return list.map((turn, i) => ({ turn, result: results[i]! }));
  };
  try {
    return attempt(turns);
  } catch (error) {
    return turns.flatMap((turn, i): Outcome[] => {
      if (turn.run.session.length !== before[i]) return [{ turn, result: { error } }];
      try {
        return attempt([turn]);
      } catch (own) {
        return [{ turn, result: { error: own } }];
      }
    });
  }
}

/** Chooses tokens row by row for as long as the guesses were right; true when the request is done. */
function takeTokens({ run, part, draft }: Turn, logits: Int32Array): boolean {
  if (part.logits === 'none') return false;
  const { request, session, tokens } = run;
  const made: number[] = [];
  let done = false;
  for (let row = 0; !done && row <= draft.length; row++) {
    const from = row * session.vocabularySize;
    const token = request.choose(logits.subarray(from, from + session.vocabularySize), tokens);
    tokens.push(token);
    made.push(token);
    done = tokens.length >= run.end || request.stopIds.includes(token);
    if (token !== draft[row]) break;
  }
  if (draft.length > 0) run.pace.record({ guessed: draft.length, right: countRight(made, draft) });
  session.truncate(tokens.length - 1);
  request.onTokens(made, done);
  return done;
}

const countRight = (made: readonly number[], draft: readonly number[]): number =>
  made.filter((token, i) => token === draft[i]).length;

/** The prompt that was served first goes behind the others, so that a long one does not hold up short ones. */
function rotate(running: readonly Run[]): Run[] {
  const first = running.findIndex((run) => pendingCount(run) > 1);
  if (first < 0) return [...running];
  return [...running.slice(0, first), ...running.slice(first + 1), running[first]!];
}

const requestEmpty = (): EngineError =>
  new EngineError({
    code: 'request_empty',
    message: 'A request needs a token of prompt and room for a token of answer.',
    fault: 'user',
    remedy: 'Give at least one of each.',
  });

const engineBusy = (waitingMax: number): EngineError =>
  new EngineError({
    code: 'engine_busy',
    message: `${waitingMax} requests are waiting for the engine already.`,
    fault: 'platform',
    value: waitingMax,
    remedy: 'Try again later, or ask another provider.',
  });
