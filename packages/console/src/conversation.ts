/**
 * A conversation as data: questions and answers, and one pure transition per thing that can happen
 * to them. It knows neither network nor clock; times arrive inside the events.
 */
import type { ReceiptSummary, Usage } from './completion.js';
import type { Check } from './gateway.js';

type AnswerState = 'waiting' | 'streaming' | 'done' | 'stopped' | 'failed';

export type Failure = {
  readonly code: string;
  readonly message: string;
  readonly remedy?: string | undefined;
};

export type Exchange = {
  readonly key: string;
  readonly question: string;
  readonly answer: string;
  readonly state: AnswerState;
  readonly model: string;
  readonly startedAtMs: number;
  readonly firstTextAtMs?: number;
  readonly endedAtMs?: number;
  /** Known from the response header before the first text. */
  readonly jobId?: string;
  readonly finish?: string;
  readonly usage?: Usage;
  readonly receipt?: ReceiptSummary;
  readonly check?: Check;
  readonly failure?: Failure;
  /** Earlier exchanges that did not fit into the model's context and were left out. */
  readonly omitted?: number;
};

export type Conversation = readonly Exchange[];

export type ConversationEvent =
  | {
      readonly type: 'asked';
      readonly key: string;
      readonly question: string;
      readonly model: string;
      readonly nowMs: number;
    }
  | { readonly type: 'accepted'; readonly key: string; readonly jobId: string }
  | { readonly type: 'text'; readonly key: string; readonly text: string; readonly nowMs: number }
  | { readonly type: 'finish'; readonly key: string; readonly reason: string }
  | { readonly type: 'usage'; readonly key: string; readonly usage: Usage }
  | { readonly type: 'receipt'; readonly key: string; readonly receipt: ReceiptSummary }
  | { readonly type: 'done'; readonly key: string; readonly nowMs: number }
  | { readonly type: 'stopped'; readonly key: string; readonly nowMs: number }
  | {
      readonly type: 'failed';
      readonly key: string;
      readonly failure: Failure;
      readonly nowMs: number;
    }
  | { readonly type: 'omitted'; readonly key: string; readonly count: number }
  | { readonly type: 'checked'; readonly jobId: string; readonly check: Check }
  | { readonly type: 'cleared' };

/** Exchanges kept; older ones leave the page, their receipts stay on the gateway. */
export const EXCHANGES_MAX = 100;

export function applyEvent(conversation: Conversation, event: ConversationEvent): Conversation {
  if (event.type === 'cleared') return [];
  if (event.type === 'asked') return [...conversation, opened(event)].slice(-EXCHANGES_MAX);
  return conversation.map((exchange) =>
    concerns(exchange, event) ? changed(exchange, event) : exchange,
  );
}

type ChangeEvent = Exclude<ConversationEvent, { type: 'asked' | 'cleared' }>;

const concerns = (exchange: Exchange, event: ChangeEvent): boolean =>
  event.type === 'checked' ? jobOf(exchange) === event.jobId : exchange.key === event.key;

/** Id of the job that made this answer, once known. */
export const jobOf = (exchange: Exchange): string | undefined =>
  exchange.receipt?.id ?? exchange.jobId;

export const isRunning = (exchange: Exchange | undefined): boolean =>
  exchange?.state === 'waiting' || exchange?.state === 'streaming';

const opened = (event: Extract<ConversationEvent, { type: 'asked' }>): Exchange => ({
  key: event.key,
  question: event.question,
  answer: '',
  state: 'waiting',
  model: event.model,
  startedAtMs: event.nowMs,
});

function changed(exchange: Exchange, event: ChangeEvent): Exchange {
  switch (event.type) {
    case 'accepted':
      return { ...exchange, jobId: event.jobId };
    case 'text':
      return appended(exchange, event.text, event.nowMs);
    case 'finish':
      return { ...exchange, finish: event.reason };
    case 'usage':
      return { ...exchange, usage: event.usage };
    case 'receipt':
      return { ...exchange, receipt: event.receipt };
    case 'checked':
      return { ...exchange, check: mergeCheck(exchange.check, event.check) };
    case 'omitted':
      return { ...exchange, omitted: event.count };
    default:
      return closed(exchange, event);
  }
}

/** A found fault stays found, and "unavailable" says nothing about what was already checked. */
export function mergeCheck(old: Check | null | undefined, next: Check): Check {
  if (old?.result === 'different' || old?.result === 'invalid') return old;
  return next.result === 'unavailable' && old?.result === 'identical' ? old : next;
}

/**
 * Text that arrives after the end (a stop that crossed it on the way) is not shown: it was not
 * bought.
 */
function appended(exchange: Exchange, text: string, nowMs: number): Exchange {
  if (!isRunning(exchange)) return exchange;
  const firstTextAtMs = exchange.firstTextAtMs ?? nowMs;
  return { ...exchange, state: 'streaming', answer: exchange.answer + text, firstTextAtMs };
}

function closed(
  exchange: Exchange,
  event: Extract<ChangeEvent, { type: 'done' | 'stopped' | 'failed' }>,
): Exchange {
  if (!isRunning(exchange)) return exchange;
  const failure = event.type === 'failed' ? { failure: event.failure } : {};
  return { ...exchange, state: event.type, endedAtMs: event.nowMs, ...failure };
}

/** Messages for the next request: every exchange that has an answer, then the new question. */
export function toMessages(
  conversation: Conversation,
  question: string,
): readonly { readonly role: string; readonly content: string }[] {
  const past = conversation
    .filter((exchange) => exchange.answer !== '')
    .flatMap((exchange) => [
      { role: 'user', content: exchange.question },
      { role: 'assistant', content: exchange.answer },
    ]);
  return [...past, { role: 'user', content: question }];
}

/** The newer half of the exchanges that have answers, for a model whose context is full. */
export function newerHalf(conversation: Conversation): Conversation {
  const answered = conversation.filter((exchange) => exchange.answer !== '');
  return answered.slice(Math.ceil(answered.length / 2));
}

/**
 * Reads a kept conversation; anything that is not one reads as none. Running answers did not
 * survive.
 */
export function restore(text: string | null): Conversation {
  try {
    const value: unknown = JSON.parse(text ?? '[]');
    return Array.isArray(value) ? value.filter(isFinishedExchange) : [];
  } catch {
    return [];
  }
}

function isFinishedExchange(value: unknown): value is Exchange {
  if (typeof value !== 'object' || value === null) return false;
  const { key, question, answer, model, state } = value as Partial<Exchange>;
  const texts = [key, question, answer, model].every((text) => typeof text === 'string');
  return texts && (state === 'done' || state === 'stopped' || state === 'failed');
}

/** What the conversation cost so far, in atomic units. */
export const spentSoFar = (conversation: Conversation): bigint =>
  conversation.reduce((sum, { receipt }) => {
    const price = receipt?.price ?? '';
    return /^\d+$/.test(price) ? sum + BigInt(price) : sum;
  }, 0n);
