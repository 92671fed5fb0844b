/**
 * Answers in the OpenAI shape, plain and streaming. The receipt travels as an extra field: stock clients ignore it,
 * ours read it, and no new event type can break a parser.
 */
import { FINISH, type Hex, type ReceiptEnvelope } from '@assay/protocol';

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

export function usageOf(envelope: ReceiptEnvelope): Usage {
  const prompt = envelope.job.inputCount;
  const completion = envelope.receipt.outputCount;
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

export type CompletionOptions = {
  readonly head: AnswerHead;
  readonly text: string;
  readonly envelope: ReceiptEnvelope;
  readonly ignored: readonly string[];
};

const ignoredField = (ignored: readonly string[]): object =>
  ignored.length === 0 ? {} : { ignored_parameters: ignored };

export const completion = ({ head, text, envelope, ignored }: CompletionOptions): object => ({
  id: head.id,
  object: 'chat.completion',
  created: head.created,
  model: head.model,
  choices: [
    {
      index: 0,
      message: { role: 'assistant', content: text, refusal: null },
      logprobs: null,
      finish_reason: finishReason(envelope),
    },
  ],
  usage: usageOf(envelope),
  receipt: receiptField(envelope),
  ...ignoredField(ignored),
});

export type ChunkOptions = {
  readonly head: AnswerHead;
  readonly delta: { readonly role?: 'assistant'; readonly content?: string };
  readonly finish?: FinishReason;
  /** True if a usage chunk follows at the end: then every other chunk says `usage: null`. */
  readonly includeUsage: boolean;
  readonly extra?: object;
};

export const chunk = ({ head, delta, finish, includeUsage, extra }: ChunkOptions): object => ({
  id: head.id,
  object: 'chat.completion.chunk',
  created: head.created,
  model: head.model,
  choices: [{ index: 0, delta, logprobs: null, finish_reason: finish ?? null }],
  ...(includeUsage ? { usage: null } : {}),
  ...extra,
});

export const lastExtra = (envelope: ReceiptEnvelope, ignored: readonly string[]): object => ({
  receipt: receiptField(envelope),
  ...ignoredField(ignored),
});

export const usageChunk = (head: AnswerHead, envelope: ReceiptEnvelope): object => ({
  id: head.id,
  object: 'chat.completion.chunk',
  created: head.created,
  model: head.model,
  choices: [],
  usage: usageOf(envelope),
  receipt: receiptField(envelope),
});
