/**
 * Guesses of the next tokens, made cheaply and checked exactly. A guess never decides a token: the scheduler computes
 * the guessed positions in one pass and keeps what the exact engine chooses itself, so a drafter can only cost or save
 * time. Source: speculative decoding (Leviathan et al. 2023, arXiv 2211.17192) with acceptance by equality, because
 * the choice of a token is a function of logits and tokens here.
 */
import type { Session } from '../backend.js';
import type { EngineModel } from '../engine-model.js';

/** Chooses the token after `tokens` (prompt and answer so far) from the logits of their last position. */
export type Choose = (logits: Int32Array, tokens: readonly number[]) => number;

/** Ids that may follow `tokens`, at most `countMax` of them; ids outside the vocabulary are not used. */
export type Propose = (tokens: readonly number[], countMax: number) => readonly number[];

export type Drafter = {
  readonly propose: Propose;
  /** Time of a guess, in tokens of the exact engine; 0 for what is looked up. */
  readonly cost: number;
  /** Frees what the drafter holds for its request. */
  readonly close: () => void;
};

/** Opens a drafter for a request; `guess` is a function of its arguments and of nothing else. */
export type OpenDrafter = (guess: Choose) => Drafter;

/** Tokens that must repeat before what followed them is guessed; shorter runs repeat by chance. */
const LOOKUP_TOKENS = 3;

/** Tokens that are searched back from the end: bounds the search to some microseconds per step. */
const LOOKUP_TOKENS_MAX = 8192;

/**
 * Guesses that what followed the last tokens at their latest earlier occurrence follows again ("prompt lookup"). It
 * needs no second model and pays where answers repeat their prompt: summaries, edits, code, lists.
 */
export const lookupDraft: Propose = (tokens, countMax) => {
  const { length } = tokens;
  const first = Math.max(0, length - LOOKUP_TOKENS_MAX);
  for (let end = length - 1; end >= first + LOOKUP_TOKENS; end--) {
    if (repeatsAt(tokens, end)) return tokens.slice(end, end + countMax);
  }
  return [];
};

function repeatsAt(tokens: readonly number[], end: number): boolean {
  for (let back = 1; back <= LOOKUP_TOKENS; back++) {
    if (tokens[end - back] !== tokens[tokens.length - back]) return false;
  }
  return true;
}

/** A drafter from a function that keeps nothing: {@link lookupDraft}, or one that asks an engine of another kind. */
export const drafterOf =
  (propose: Propose): OpenDrafter =>
  () => ({ propose, cost: 0, close: () => {} });

/**
 * A drafter for one request that an engine elsewhere feeds, at its own pace: `tell` takes its whole sequence so far,
 * prompt included, and what goes beyond the tokens that are known is guessed.
 */
export function outsideDrafter(): Drafter & { tell(sequence: readonly number[]): void } {
  let told: readonly number[] = [];
  return {
    cost: 0,
    tell(sequence) {
      told = sequence;
    },
    propose(tokens, countMax) {
      const agrees = commonPrefix(told, tokens) === tokens.length;
      return agrees ? told.slice(tokens.length, tokens.length + countMax) : [];
    },
    close: () => {},
  };
}

/**
 * Drafts with another model of the same vocabulary under the request's own sampler: the same noise falls on similar
 * logits, so sampled tokens agree about as often as greedy ones.
 */
export function modelDrafter(options: {
  readonly openSession: () => Session;
  /** See {@link Drafter}; `relativeCost` tells it from two models. */
  readonly cost: number;
}): OpenDrafter {
  return (guess) => {
    const session = options.openSession();
    let known: number[] = [];
    return {
      cost: options.cost,
      propose(tokens, countMax) {
        const count = Math.min(countMax, session.contextLength - tokens.length);
        const kept = commonPrefix(known, tokens.slice(0, -1));
        session.truncate(kept);
        const sequence = [...tokens];
        for (let i = 0; i < count; i++) {
          const logits = session.forward(sequence.slice(session.length));
          sequence.push(guess(logits, sequence));
        }
        known = sequence.slice(0, session.length);
        return sequence.slice(tokens.length);
      },
      close: () => session.dispose(),
    };
  };
}

/** Time of a token of one model, in tokens of the other: both are bound by multiplications with their weights. */
export const relativeCost = (draft: EngineModel, exact: EngineModel): number =>
  weightCount(draft) / weightCount(exact);

function weightCount({ graph }: EngineModel): number {
  const { nodes, weights } = graph;
  let count = 0;
  for (const { op, weights: indices } of nodes) {
    if (op !== 'matmul') continue;
    count += weights[indices[0]!]!.shape.reduce((product, size) => product * size, 1);
  }
  return count;
}

function commonPrefix(a: readonly number[], b: readonly number[]): number {
  const limit = Math.min(a.length, b.length);
  let length = 0;
  while (length < limit && a[length] === b[length]) length++;
  return length;
}
