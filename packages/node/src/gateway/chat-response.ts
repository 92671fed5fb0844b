/**
 * Answers in the OpenAI shape, plain and streaming. The receipt travels as an extra field: stock clients ignore it,
 * ours read it, and no new event type can break a parser.
 */
import { FINISH, type Hex, type ReceiptEnvelope } from '@assay/protocol';
import type { TokenLogprob } from './chat-logprobs.js';

export type Usage = {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
};

/** What a client sees of its receipt; the whole is at `GET /v1/receipts/{id}`. */
export type ReceiptField = {
  readonly id: Hex;
  /** Atomic units of the payment token (6 decimals). */
  readonly price: string;
  readonly provider: Hex;
  readonly model: Hex;
  readonly usage: Usage;
};

export type FinishReason = 'stop' | 'length';

/** Fields that every part of one answer shares. */
export type AnswerHead = { readonly id: string; readonly created: number; readonly model: string };

/** What was bought, over all answers: each of them read the prompt. */
export function usageOf(...envelopes: readonly ReceiptEnvelope[]): Usage {
  const sum = (countOf: (envelope: ReceiptEnvelope) => number): number =>
    envelopes.reduce((total, envelope) => total + countOf(envelope), 0);
  const prompt = sum(({ job }) => job.inputCount);
  const completion = sum(({ receipt }) => receipt.outputCount);
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
  };
}

export const receiptField = (envelope: ReceiptEnvelope): ReceiptField => ({
  id: envelope.jobId,
  price: envelope.receipt.price.toString(),
  provider: envelope.job.provider,
  model: envelope.job.modelId,
  usage: usageOf(envelope),
});

/** A stop string ends an answer like a stop id does; the engine calls that cancelled. */
export const finishReason = (envelope: ReceiptEnvelope): FinishReason =>
  envelope.receipt.finish === FINISH.length ? 'length' : 'stop';

/** One finished answer. */
export type Choice = {
  readonly text: string;
  readonly envelope: ReceiptEnvelope;
  /** Present if they were asked for. */
  readonly logprobs?: readonly TokenLogprob[];
};

export type CompletionOptions = {
  readonly head: AnswerHead;
  readonly choices: readonly Choice[];
  readonly ignored: readonly string[];
};

const logprobsField = (logprobs: readonly TokenLogprob[] | undefined): object | null =>
  logprobs === undefined ? null : { content: logprobs, refusal: null };

/** The receipt, as all clients of ours read it; with several answers also all of them, in order. */
const receiptFields = (envelopes: readonly ReceiptEnvelope[]): object => ({
  receipt: receiptField(envelopes[0]!),
  ...(envelopes.length > 1 ? { receipts: envelopes.map(receiptField) } : {}),
});

const ignoredField = (ignored: readonly string[]): object =>
  ignored.length === 0 ? {} : { ignored_parameters: ignored };

export const completion = ({ head, choices, ignored }: CompletionOptions): object => ({
  id: head.id,
  object: 'chat.completion',
  created: head.created,
  model: head.model,
  choices: choices.map(({ text, envelope, logprobs }, index) => ({
    index,
    message: { role: 'assistant', content: text, refusal: null },
    logprobs: logprobsField(logprobs),
    finish_reason: finishReason(envelope),
  })),
  usage: usageOf(...choices.map(({ envelope }) => envelope)),
  ...receiptFields(choices.map(({ envelope }) => envelope)),
  ...ignoredField(ignored),
});

export type ChunkOptions = {
  readonly head: AnswerHead;
  /** Which of the answers. */
  readonly index: number;
  readonly delta: { readonly role?: 'assistant'; readonly content?: string };
  readonly finish?: FinishReason;
  readonly logprobs?: readonly TokenLogprob[];
  /** True if a usage chunk follows at the end: then every other chunk says `usage: null`. */
  readonly includeUsage: boolean;
  readonly extra?: object;
};

export const chunk = ({
  head,
  index,
  delta,
  finish,
  logprobs,
  includeUsage,
  extra,
}: ChunkOptions): object => ({
  id: head.id,
  object: 'chat.completion.chunk',
  created: head.created,
  model: head.model,
  choices: [{ index, delta, logprobs: logprobsField(logprobs), finish_reason: finish ?? null }],
  ...(includeUsage ? { usage: null } : {}),
  ...extra,
});

export const lastExtra = (
  envelopes: readonly ReceiptEnvelope[],
  ignored: readonly string[],
): object => ({
  ...receiptFields(envelopes),
  ...ignoredField(ignored),
});

export const usageChunk = (head: AnswerHead, envelopes: readonly ReceiptEnvelope[]): object => ({
  id: head.id,
  object: 'chat.completion.chunk',
  created: head.created,
  model: head.model,
  choices: [],
  usage: usageOf(...envelopes),
  ...receiptFields(envelopes),
});
