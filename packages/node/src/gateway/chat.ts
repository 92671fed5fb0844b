/** `POST /v1/chat/completions`: text in, tokens bought from a provider, text out as it arrives, receipt with it. */
import { randomBytes } from 'node:crypto';
import {
  type Offer,
  type PurchaseEvent,
  type RequesterContext,
  runPurchase,
  type SignedJob,
  signJob,
} from '@assay/compute';
import { tauFromTemperature } from '@assay/engine';
import {
  AssayError,
  FINISH,
  type Hex,
  jobPriceUp,
  keccak,
  type ReceiptEnvelope,
  type Sampler,
  toHex,
} from '@assay/protocol';
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { readIncomingText } from '../http-errors.js';
import type { Logger } from '../log.js';
import { providerPeer } from '../peers/provider-peer.js';
import { ANSWER_TOKENS_DEFAULT, type ChatRequest, parseChatRequest } from './chat-request.js';
import * as shape from './chat-response.js';
import type { ModelCatalog, OpenedModel } from './model-catalog.js';
import { openAiError, ParameterError, respondOpenAiError } from './openai-errors.js';
import { type StopFilter, stopFilter } from './stop-strings.js';
import type { HeldLane, Wallet } from './wallet.js';

/** A conversation of text; far above any context length here, far below what hurts to parse. */
export const CHAT_BYTES_MAX = 4 * 1024 * 1024;

/** Q30 one. */
const Q30 = 2 ** 30;

export type ChatOptions = {
  readonly requester: RequesterContext;
  readonly wallet: Wallet;
  readonly catalog: ModelCatalog;
  /** Requests under way at once; more are told to come back. */
  readonly parallelMax: number;
  /** Called with every receipt, booked and paid. */
  readonly onReceipt: (envelope: ReceiptEnvelope) => void;
  readonly onProviderFailed: (provider: Hex) => void;
  readonly log: Logger;
  readonly nowMs: () => number;
};

/** One request on its way. */
type Answer = {
  readonly request: ChatRequest;
  readonly head: shape.AnswerHead;
  readonly model: OpenedModel;
  readonly offer: Offer;
  readonly held: HeldLane;
  readonly signed: SignedJob;
  readonly events: AsyncGenerator<PurchaseEvent, void>;
  /** Ends the job after what has arrived. */
  readonly stop: AbortController;
};

export function chatHandler(options: ChatOptions): (context: Context) => Promise<Response> {
  let underWay = 0;
  return async (context) => {
    if (underWay >= options.parallelMax) return respondOpenAiError(context, queueFull(underWay));
    underWay++;
    let finished = false;
    const done = (): void => {
      if (!finished) underWay--;
      finished = true;
    };
    try {
      const text = await readIncomingText((context.env as HttpBindings).incoming, CHAT_BYTES_MAX);
      const request = parseChatRequest(parseJson(text));
      const answer = await firstAnswering(options, request, context.req.raw.signal);
      return request.stream
        ? streamAnswer(options, context, answer, done)
        : await plainAnswer(options, context, answer).finally(done);
    } catch (error) {
      done();
      logUnexpected(options.log, error);
      return respondOpenAiError(context, error);
    }
  };
}

function logUnexpected(log: Logger, error: unknown): void {
  if (error instanceof AssayError) log.debug({ code: error.code }, 'request refused');
  else log.error({ error: String(error), stack: (error as Error).stack }, 'request failed');
}

const queueFull = (count: number): AssayError =>
  new AssayError({
    code: 'queue_full',
    fault: 'platform',
    message: 'Too many requests are under way.',
    value: String(count),
    remedy: 'Try again after the time in Retry-After.',
  });

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ParameterError({
      code: 'invalid_json',
      message: 'The body is not JSON.',
      param: null,
      value: text.slice(0, 40),
      remedy: 'Send one JSON object with content-type application/json.',
    });
  }
}

/** Providers tried before a request is given up. */
const TRIES_MAX = 3;

/** Failures of one provider that another may not have; nothing has been shown or paid when they come. */
const ANOTHER_MAY_SERVE = new Set([
  'peer_unreachable',
  'provider_failed',
  'queue_full',
  'engine_failed',
]);

/** The answer of the first provider that begins one. */
async function firstAnswering(
  options: ChatOptions,
  request: ChatRequest,
  left: AbortSignal,
): Promise<Flowing> {
  const tried: Hex[] = [];
  for (;;) {
    const answer = await begin(options, request, tried);
    left.addEventListener('abort', () => answer.stop.abort(), { once: true });
    try {
      return await awaitFirst(options, answer);
    } catch (error) {
      tried.push(answer.offer.provider);
      const another = error instanceof AssayError && ANOTHER_MAY_SERVE.has(error.code);
      const known = options.catalog.hasOffer(answer.model.info.modelId, tried);
      if (!another || !known || tried.length >= TRIES_MAX) throw error;
    }
  }
}

/** Chooses, prices, reserves and signs; the job is not sent yet. */
async function begin(
  options: ChatOptions,
  request: ChatRequest,
  tried: readonly Hex[],
): Promise<Answer> {
  const model = await options.catalog.open(request.model);
  const inputTokens = renderPrompt(model, request);
  const outputCountMax = answerTokens(request, inputTokens.length, model.info.contextLength);
  const offer = options.catalog.pickOffer(model.info.modelId, tried);
  const cost = jobPriceUp(offer, inputTokens.length, outputCountMax);
  const held = await options.wallet.acquire(offer.provider, cost);
  const stop = new AbortController();
  try {
    const purchase = {
      offer,
      peer: providerPeer(offer.endpoint),
      channel: held.channel,
      lane: held.lane,
      inputTokens,
      outputCountMax,
      sampler: samplerOf(request, model),
      signal: stop.signal,
    };
    const signed = await signJob(options.requester, purchase);
    const head = {
      id: `chatcmpl-${signed.jobId.slice(2, 34)}`,
      created: Math.floor(options.nowMs() / 1000),
      model: request.model,
    };
    const events = runPurchase(options.requester, purchase, signed);
    return { request, head, model, offer, held, signed, events, stop };
  } catch (error) {
    held.release();
    throw error;
  }
}

/** Text that cannot fit is refused before it is cut into tokens, under the name that clients know. */
function renderPrompt(model: OpenedModel, request: ChatRequest): readonly number[] {
  try {
    return model.renderChat(request.messages);
  } catch (error) {
    if (!(error instanceof AssayError && error.code === 'text_too_long')) throw error;
    throw contextExceeded(model.info.contextLength, 'the prompt has more', error.value);
  }
}

const contextExceeded = (
  contextLength: number,
  why: string,
  value: string | undefined,
): ParameterError =>
  new ParameterError({
    code: 'context_length_exceeded',
    message: `The model reads ${contextLength} tokens; ${why}.`,
    param: 'messages',
    ...(value === undefined ? {} : { value }),
    remedy: 'Shorten the conversation or lower max_tokens.',
  });

function answerTokens(request: ChatRequest, inputCount: number, contextLength: number): number {
  const room = contextLength - inputCount;
  const wanted = request.answerTokensMax;
  if (room < 1 || (wanted !== undefined && wanted > room)) {
    const more = wanted === undefined ? '' : ` and ${wanted} more are asked for`;
    const total = String(inputCount + (wanted ?? 1));
    throw contextExceeded(contextLength, `the prompt has ${inputCount}${more}`, total);
  }
  return wanted ?? Math.min(room, ANSWER_TOKENS_DEFAULT);
}

function samplerOf(request: ChatRequest, model: OpenedModel): Sampler {
  const seed =
    request.seed === undefined
      ? randomBytes(32)
      : keccak(new TextEncoder().encode(`assay seed ${request.seed}`));
  return {
    tau: tauFromTemperature(request.temperature),
    topK: request.topK,
    topP: request.topP >= 1 ? 0 : Math.max(1, Math.round(request.topP * Q30)),
    minP: Math.round(request.minP * Q30),
    seed: toHex(seed),
    stopIds: model.stopIds,
  };
}

/** Pieces of text that may be shown, then the receipt. Stops the job when a stop string appears. */
async function* texts(
  { events, model, request, stop }: Answer,
  filter: StopFilter,
): AsyncGenerator<string, ReceiptEnvelope> {
  const decoder = model.decodeStream();
  let stopped = false;
  for await (const event of events) {
    if (event.type === 'receipt') {
      if (!stopped) yield filter.push(decoder.end()).text + filter.flush();
      return event.envelope;
    }
    if (stopped) continue;
    const shown = filter.push(event.tokens.map((token) => decoder.push(token)).join(''));
    stopped = shown.stopped;
    if (shown.text !== '') yield shown.text;
    if (stopped && request.stop.length > 0) stop.abort();
  }
  throw providerStopped();
}

/** Also when it signed a receipt for the part: nobody asked it to stop. */
const providerStopped = (): AssayError =>
  new AssayError({
    code: 'provider_failed',
    fault: 'peer',
    message: 'The provider stopped before the answer was complete.',
    remedy: 'Ask again; only what arrived was paid.',
  });

/** An answer whose first piece has arrived, so that refusals still get a status of their own. */
type Flowing = Answer & {
  readonly pieces: AsyncGenerator<string, ReceiptEnvelope>;
  readonly first: IteratorResult<string, ReceiptEnvelope>;
};

async function awaitFirst(options: ChatOptions, answer: Answer): Promise<Flowing> {
  const pieces = texts(answer, stopFilter(answer.request.stop));
  try {
    return { ...answer, pieces, first: await pieces.next() };
  } catch (error) {
    giveUp(options, answer, error);
    throw error;
  }
}

function giveUp(options: ChatOptions, answer: Answer, error: unknown): void {
  answer.held.release();
  if (error instanceof AssayError && error.fault === 'peer')
    options.onProviderFailed(answer.offer.provider);
}

async function collect(
  options: ChatOptions,
  answer: Flowing,
  onText: (text: string) => void,
): Promise<ReceiptEnvelope> {
  try {
    for (let piece = answer.first; ; piece = await answer.pieces.next()) {
      if (piece.done) {
        answer.held.release();
        options.onReceipt(piece.value);
        if (piece.value.receipt.finish === FINISH.cancelled && !answer.stop.signal.aborted)
          throw providerStopped();
        return piece.value;
      }
      if (piece.value !== '') onText(piece.value);
    }
  } catch (error) {
    giveUp(options, answer, error);
    throw error;
  }
}

/** Headers known before the first byte. */
function answerHeaders(answer: Answer): Record<string, string> {
  const { ignored } = answer.request;
  return {
    'x-request-id': answer.head.id,
    'x-assay-receipt': answer.signed.jobId,
    ...(ignored.length > 0
      ? {
          'x-assay-ignored': ignored
            .join(',')
            .replace(/[^\w,.-]/g, '_')
            .slice(0, 512),
        }
      : {}),
  };
}

async function plainAnswer(
  options: ChatOptions,
  context: Context,
  answer: Flowing,
): Promise<Response> {
  let text = '';
  const envelope = await collect(options, answer, (piece) => {
    text += piece;
  });
  const { head, request } = answer;
  return context.json(
    shape.completion({ head, text, envelope, ignored: request.ignored }),
    200,
    answerHeaders(answer),
  );
}

function streamAnswer(
  options: ChatOptions,
  context: Context,
  answer: Flowing,
  done: () => void,
): Response {
  const encoder = new TextEncoder();
  const { head, request } = answer;
  const { includeUsage } = request;
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      let open = true;
      const send = (data: object | '[DONE]'): void => {
        if (!open) return;
        try {
          const text = data === '[DONE]' ? data : JSON.stringify(data);
          controller.enqueue(encoder.encode(`data: ${text}\n\n`));
        } catch {
          open = false;
        }
      };
      try {
        send(shape.chunk({ head, delta: { role: 'assistant', content: '' }, includeUsage }));
        const envelope = await collect(options, answer, (content) =>
          send(shape.chunk({ head, delta: { content }, includeUsage })),
        );
        const finish = shape.finishReason(envelope);
        const extra = shape.lastExtra(envelope, request.ignored);
        send(shape.chunk({ head, delta: {}, finish, includeUsage, extra }));
        if (includeUsage) send(shape.usageChunk(head, envelope));
        send('[DONE]');
      } catch (error) {
        logUnexpected(options.log, error);
        send(openAiError(error));
      } finally {
        done();
        if (open) controller.close();
      }
    },
    /** The client left: the job ends after what was delivered, and only that is paid. */
    cancel: () => answer.stop.abort(),
  });
  return context.body(body, 200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
    ...answerHeaders(answer),
  });
}
