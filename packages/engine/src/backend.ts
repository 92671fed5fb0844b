/**
 * What every implementation of the arithmetic offers: sessions that turn token ids into logits, with the same bits
 * whichever backend, chunk sizes or order of calls. Synchronous; nothing here knows text, sampling or other requests.
 */
import { EngineError } from './engine-error.js';
import type { EngineModel } from './engine-model.js';

/** Which positions of a call yield logits: its last one, every one, or none (prefill only). */
export type LogitsChoice = 'last' | 'all' | 'none';

export type ForwardOptions = { readonly logits?: LogitsChoice };

/** One sequence of token ids and its keys and values. */
export type Session = {
  /** Positions computed so far. */
  readonly length: number;
  /** Most positions that fit. */
  readonly contextLength: number;
  /**
   * Residual elements clamped so far in this session, over every position computed. Above 0 the model needs fewer
   * residual bits (`ModelConfig.residualBits`): results are still exact, but the model is damaged.
   */
  readonly saturationCount: number;
  /**
   * Appends tokens. Returns rows of `vocabularySize` logits in Q16, one row (default) for the last token, or one per
   * token, or none; valid until the next call on this session.
   */
  forward(tokens: ArrayLike<number>, options?: ForwardOptions): Int32Array;
  /** Forgets positions from `length` on; appending them again gives the same bits. */
  truncate(length: number): void;
  /** Frees what the session holds; it must not be used afterwards. */
  dispose(): void;
};

export type SessionOptions = {
  /** Positions to make room for; the model's own context length unless given, and never more. */
  readonly contextLength?: number;
};

export type Backend = {
  readonly name: string;
  createSession(model: EngineModel, options?: SessionOptions): Session;
};

/** Positions that a session of `model` has room for; throws `context_too_long` beyond the model's own. */
export function sessionContextLength(model: EngineModel, options?: SessionOptions): number {
  const length = options?.contextLength ?? model.config.contextLength;
  if (Number.isInteger(length) && length >= 1 && length <= model.config.contextLength)
    return length;
  throw contextTooLong(length, model.config.contextLength);
}

/** Refuses tokens that do not fit the session or are not in the vocabulary, before anything is computed. */
export function checkAppend(
  session: Session,
  tokens: ArrayLike<number>,
  vocabularySize: number,
): void {
  const length = session.length + tokens.length;
  if (length > session.contextLength) throw contextTooLong(length, session.contextLength);
  for (let i = 0; i < tokens.length; i++) {
    const id = tokens[i]!;
    if (!Number.isInteger(id) || id < 0 || id >= vocabularySize) {
      throw tokenInvalid(id, vocabularySize);
    }
  }
}

/** Refuses to truncate to anything but a length that the session has had. */
export function checkTruncate(session: Session, length: number): void {
  if (Number.isInteger(length) && length >= 0 && length <= session.length) return;
  throw new EngineError({
    code: 'length_invalid',
    message: `A session of ${session.length} positions cannot be cut to ${length}.`,
    fault: 'user',
    value: length,
    remedy: 'Cut to a whole number from 0 to the present length.',
  });
}

const contextTooLong = (length: number, max: number): EngineError =>
  new EngineError({
    code: 'context_too_long',
    message: `${length} positions were asked for; there is room for ${max}.`,
    fault: 'user',
    value: length,
    remedy: 'Shorten the prompt or the answer.',
  });

const tokenInvalid = (id: number, vocabularySize: number): EngineError =>
  new EngineError({
    code: 'token_invalid',
    message: `Token id ${id} is not in a vocabulary of ${vocabularySize}.`,
    fault: 'user',
    value: id,
    remedy: "Use ids of this model's own tokenizer.",
  });
