/**
 * The stream of one chat completion in the OpenAI shape (chat.completion.chunk), with the receipt
 * that a gateway of Assay adds to its last chunks. A stream that stops without `[DONE]` is an error
 * here, never a short answer.
 */
import { AssayError } from '@assay/protocol';
import { failureOf } from './gateway.js';
import { createSseParser } from './sse.js';

export type Usage = { readonly inputCount: number; readonly outputCount: number };

/**
 * What the gateway says about the receipt inside the answer; the whole one is at
 * `/v1/receipts/{id}`.
 */
export type ReceiptSummary = {
  readonly id: string;
  /** Atomic units, decimal. */
  readonly price: string;
  readonly provider: string;
  readonly model: string;
};

export type CompletionEvent =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'finish'; readonly reason: string }
  | { readonly type: 'usage'; readonly usage: Usage }
  | { readonly type: 'receipt'; readonly receipt: ReceiptSummary }
  | { readonly type: 'done' };

type Chunk = {
  readonly error?: unknown;
  readonly choices?: readonly {
    readonly delta?: { readonly content?: string | null };
    readonly finish_reason?: string | null;
  }[];
  readonly usage?: { readonly prompt_tokens?: number; readonly completion_tokens?: number } | null;
  readonly receipt?: Partial<ReceiptSummary> | null;
};

/**
 * Calls `onEvent` for everything that arrives; resolves after `[DONE]`, rejects on an error frame
 * or a cut.
 */
export async function readCompletion(
  body: ReadableStream<Uint8Array>,
  onEvent: (event: CompletionEvent) => void,
): Promise<void> {
  const parser = createSseParser();
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) throw cutStream();
      for (const data of parser.push(decoder.decode(value, { stream: true }))) {
        const events = readChunk(data);
        for (const event of events) onEvent(event);
        if (events.some((event) => event.type === 'done')) return;
      }
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

/** Events of one chunk, text first; throws on an error frame and on what is no JSON. */
export function readChunk(data: string): readonly CompletionEvent[] {
  if (data.trim() === '[DONE]') return [{ type: 'done' }];
  const chunk = parseChunk(data);
  if (chunk.error !== undefined && chunk.error !== null) throw failureOf(chunk.error);
  const events: CompletionEvent[] = [];
  const choice = chunk.choices?.[0];
  if (choice?.delta?.content) events.push({ type: 'text', text: choice.delta.content });
  if (choice?.finish_reason) events.push({ type: 'finish', reason: choice.finish_reason });
  if (chunk.usage) events.push({ type: 'usage', usage: readUsage(chunk.usage) });
  if (chunk.receipt?.id) events.push({ type: 'receipt', receipt: readSummary(chunk.receipt) });
  return events;
}

const readUsage = (usage: NonNullable<Chunk['usage']>): Usage => ({
  inputCount: usage.prompt_tokens ?? 0,
  outputCount: usage.completion_tokens ?? 0,
});

const readSummary = (receipt: Partial<ReceiptSummary>): ReceiptSummary => ({
  id: receipt.id ?? '',
  price: receipt.price ?? '',
  provider: receipt.provider ?? '',
  model: receipt.model ?? '',
});

function parseChunk(data: string): Chunk {
  try {
    const value: unknown = JSON.parse(data);
    if (typeof value === 'object' && value !== null) return value as Chunk;
  } catch {
    // Falls through: text that is no JSON and JSON that is no object are the same fault.
  }
  throw new AssayError({
    code: 'stream_broken',
    message: 'The gateway sent a chunk that is not JSON.',
    fault: 'peer',
    value: data.slice(0, 80),
    remedy: 'Ask again.',
  });
}

const cutStream = (): AssayError =>
  new AssayError({
    code: 'stream_cut',
    message: 'The stream broke before its end.',
    fault: 'peer',
    remedy: 'Only what arrived is paid. Ask again; another provider may take the job.',
  });
