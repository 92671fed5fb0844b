/**
 * What every implementation of the arithmetic offers: sessions that turn token ids into logits, with the same bits
 * whichever backend, chunk sizes, order of calls or company in a pass. Synchronous; nothing here knows text, sampling
 * or whose request it is.
 */
import { EngineError } from './engine-error.js';
import type { EngineModel } from './engine-model.js';

/** Which positions of a call yield logits: its last one, every one, or none (prefill only). */
export type LogitsChoice = 'last' | 'all' | 'none' | number;

export type ForwardOptions = { readonly logits?: LogitsChoice };

/** Normed rows that the logits are computed from, in the format A16: value = mantissa * 2^exponent of its row. */
export type HiddenRows = {
  /** [rows][width]. */
  readonly mantissas: Int16Array;
  /** [rows]. */
  readonly exponents: Int32Array;
};

/** One sequence of token ids and its keys and values. */
export type Session = {
  /** Positions computed so far. */
  readonly length: number;
  readonly vocabularySize: number;
  /** Most positions that fit. */
  readonly contextLength: number;
  /**
   * Residual elements clamped so far in this session, over every position computed. Above 0 the model needs fewer
   * residual bits (`ModelConfig.residualBits`): results are still exact, but the model is damaged.
   */
  readonly saturationCount: number;
  /**
   * Appends tokens. Returns rows of `vocabularySize` logits in Q16, one row (default) for the last token, or one per
   * token, or for so many tokens at the end, or none; valid until the next call on this session.
   */
  forward(tokens: ArrayLike<number>, options?: ForwardOptions): Int32Array;
  /** Appends tokens like {@link forward}, and returns the last normed row, or that of every token, not its logits. */
  forwardHidden(tokens: ArrayLike<number>, rows?: 'last' | 'all'): HiddenRows;
  /**
   * Lets an empty session begin with positions that the backend still knows from other sessions: the longest prefix
   * of `tokens` that it has. Returns how many; the caller appends the rest. The bits are those of computing them. The
   * clamped elements of such positions were counted where they were computed.
   */
  reuse(tokens: ArrayLike<number>): number;
  /** Sets memory aside for every position up to `contextLength`, or throws `memory_exhausted` and takes none. */
  reserve(): void;
  /** Forgets positions from `length` on; appending them again gives the same bits. */
  truncate(length: number): void;
  /** Frees what the session holds; it must not be used afterwards. */
  dispose(): void;
};

export type SessionOptions = {
  /** Positions to make room for; the model's own context length unless given, and never more. */
  readonly contextLength?: number;
};

/** What one session takes part in a batch with. */
export type BatchPart = ForwardOptions & {
  readonly session: Session;
  readonly tokens: ArrayLike<number>;
};

export type Backend = {
  readonly name: string;
  createSession(model: EngineModel, options?: SessionOptions): Session;
  /**
   * Appends tokens to several sessions of one model at once: what `forward` of each would return, in their order, at
   * less cost than one after the other. Nothing is appended if a part is refused; a session takes part once.
   */
  forwardBatch(parts: readonly BatchPart[]): readonly Int32Array[];
};

/** Positions that a session of `model` has room for; throws `context_too_long` beyond the model's own. */
export function sessionContextLength(model: EngineModel, options?: SessionOptions): number {
  const length = options?.contextLength ?? model.config.contextLength;
  if (Number.isInteger(length) && length >= 1 && length <= model.config.contextLength)
    return length;
  throw contextTooLong(length, model.config.contextLength);
}

/** Refuses tokens that do not fit the session or are not in the vocabulary, before anything is computed. */
export function checkAppend(session: Session, tokens: ArrayLike<number>): void {
  const { vocabularySize } = session;
  const length = session.length + tokens.length;
  if (length > session.contextLength) throw contextTooLong(length, session.contextLength);
  for (let i = 0; i < tokens.length; i++) {
    const id = tokens[i]!;
    if (!Number.isInteger(id) || id < 0 || id >= vocabularySize) {
      throw tokenInvalid(id, vocabularySize);
    }
  }
}

/** Refuses a batch that has a session twice or a part that does not fit, before anything is computed. */
export function checkBatch(parts: readonly BatchPart[]): void {
  const seen = new Set<Session>();
  for (const { session, tokens } of parts) {
    if (seen.has(session)) throw batchInvalid('has a session twice');
    seen.add(session);
    checkAppend(session, tokens);
  }
}

/** Rows at the end of `count` tokens that a choice wants. */
export function wantedRows(choice: LogitsChoice | undefined, count: number): number {
  if (choice === 'all') return count;
  if (choice === 'none') return 0;
  return Math.min(typeof choice === 'number' ? choice : 1, count);
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

export const batchInvalid = (reason: string): EngineError =>
  new EngineError({
    code: 'batch_invalid',
    message: `The batch ${reason}.`,
    fault: 'user',
    remedy: 'Batch sessions of one model and one backend, each once.',
  });

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
