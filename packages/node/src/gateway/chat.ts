/** `POST /v1/chat/completions`: text in, tokens bought from a provider, text out as it arrives, receipts with it. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tauFromTemperature } from '@assay/engine';
import {
  AssayError,
  bigEndian,
  concat,
  fromHex,
  keccak,
  type ReceiptEnvelope,
  type Sampler,
  toHex,
} from '@assay/protocol';
import { gatherWrites } from '../gathered-writes.js';
import { readIncomingJson } from '../http-errors.js';
import { randomBytes32 } from '../random.js';
import {
  type Bought,
  type BuyingOptions,
  buy,
  giveUp,
  logUnexpected,
  providerStopped,
  queueFull,
  settleBought,
  type Wanted,
} from './buying.js';
import { readLogprob, type TokenLogprob } from './chat-logprobs.js';
import { ANSWER_TOKENS_DEFAULT, type ChatRequest, parseChatRequest } from './chat-request.js';
import * as shape from './chat-response.js';
import { checkWanted } from './check-wanted.js';
import type { OpenedModel } from './model-catalog.js';
import { notJson, openAiError, ParameterError, sendOpenAiError } from './openai-errors.js';
import { type StopFilter, stopFilter } from './stop-strings.js';

/** A conversation of text; far above any context length here, far below what hurts to parse. */
export const CHAT_BYTES_MAX = 4 * 1024 * 1024;

const CHAT_BODY = { bytesMax: CHAT_BYTES_MAX, parse: JSON.parse, refuse: notJson };

/** Q30 one. */
const Q30 = 2 ** 30;

export type ChatOptions = BuyingOptions & {
  /** Answers under way at once; more are told to come back. */
  readonly parallelMax: number;
};

/** Text that may be shown, and what its tokens are worth. */
type Piece = { readonly text: string; readonly logprobs: readonly TokenLogprob[] };

/** One answer on its way; its first piece has arrived, so that refusals still get a status of their own. */
type Answer = {
  readonly bought: Bought;
  readonly pieces: AsyncGenerator<Piece, ReceiptEnvelope>;
  readonly first: IteratorResult<Piece, ReceiptEnvelope>;
};

/** All answers to one request. */
type Answers = {
  readonly request: ChatRequest;
  readonly head: shape.AnswerHead;
  readonly answers: readonly Answer[];
};

/** Answers a request on Node's own objects; never throws. */
export type ChatHandler = (incoming: IncomingMessage, outgoing: ServerResponse) => Promise<void>;

export function chatHandler(options: ChatOptions): ChatHandler {
  let underWay = 0;
  return async (incoming, outgoing) => {
    let taken = 0;
    const take = (count: number): void => {
      if (underWay + count > options.parallelMax) throw queueFull(underWay);
      underWay += count;
      taken += count;
    };
    const done = (): void => {
      underWay -= taken;
      taken = 0;
    };
    try {
      take(1);
      const request = parseChatRequest(await readIncomingJson(incoming, CHAT_BODY));
      take(request.choiceCount - 1);
      const answers = await startAnswers(options, request, signalOfLeaving(outgoing));
      if (request.stream) void streamAnswers(options, outgoing, answers).finally(done);
      else await plainAnswers(options, outgoing, answers).finally(done);
    } catch (error) {
      done();
      logUnexpected(options.log, error);
      incoming.resume();
      sendOpenAiError(outgoing, error);
    }
  };
}

/** Fires when the client goes before its answer is complete. */
function signalOfLeaving(outgoing: ServerResponse): AbortSignal {
  const left = new AbortController();
  outgoing.once('close', () => {
    if (!outgoing.writableFinished) left.abort();
  });
  return left.signal;
}

/** Buys every answer; if one cannot begin, the others end, and nothing is shown. */
async function startAnswers(
  options: ChatOptions,
  request: ChatRequest,
  left: AbortSignal,
): Promise<Answers> {
  const wanted = await wantedOf(options, request);
  const starts = Array.from({ length: request.choiceCount }, (_, index) =>
    buy(options, withSeedOf(wanted, index), {
      left,
      begin: (bought) => awaitFirst(bought, wanted.model, request),
    }),
  );
  const results = await Promise.allSettled(starts);
  const answers = results.flatMap((result) =>
    result.status === 'fulfilled' ? [result.value] : [],
  );
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) {
    for (const answer of answers) abandon(options, answer);
    throw failed.reason;
  }
  const head = {
    id: `chatcmpl-${answers[0]!.bought.signed.jobId.slice(2, 34)}`,
    created: Math.floor(options.nowMs() / 1000),
    model: request.model,
  };
  return { request, head, answers };
}

/** Ends an answer that nobody will read; what arrived is still settled. */
function abandon(options: ChatOptions, answer: Answer): void {
  answer.bought.stop.abort();
  collect(options, answer, () => {}).catch((error) => logUnexpected(options.log, error));
}

async function wantedOf(options: ChatOptions, request: ChatRequest): Promise<Wanted> {
  const model = await options.catalog.open(request.model);
  const inputTokens = renderPrompt(model, request);
  const outputCountMax = answerTokens(request, inputTokens.length, model.info.contextLength);
  const { controls } = request;
  const wanted = {
    model,
    inputTokens,
    outputCountMax,
    sampler: samplerOf(request, model),
    controls,
  };
  checkWanted(wanted);
  return wanted;
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

function samplerOf(request: ChatRequest, model: OpenedModel): Omit<Sampler, 'controls'> {
  const seed =
    request.seed === undefined
      ? randomBytes32()
      : keccak(new TextEncoder().encode(`assay seed ${request.seed}`));
  return {
    tau: tauFromTemperature(request.temperature),
    topK: request.topK,
    topP: request.topP >= 1 ? 0 : Math.max(1, Math.round(request.topP * Q30)),
    minP: Math.round(request.minP * Q30),
    seed: toHex(seed),
    stopIds: [...new Set([...model.stopIds, ...request.stopTokenIds])],
  };
}

/** The first answer has the request's own seed; answer `index` has keccak(seed ‖ uint32 index). */
function withSeedOf(wanted: Wanted, index: number): Wanted {
  if (index === 0) return wanted;
  const { sampler } = wanted;
  const seed = toHex(keccak(concat([fromHex(sampler.seed), bigEndian(index, 4)])));
  return { ...wanted, sampler: { ...sampler, seed } };
}

async function awaitFirst(
  bought: Bought,
  model: OpenedModel,
  request: ChatRequest,
): Promise<Answer> {
  const pieces = piecesOf(bought, { model, filter: stopFilter(request.stop) });
  return { bought, pieces, first: await pieces.next() };
}

/** Pieces of text that may be shown, then the receipt. Stops the job when a stop string appears. */
async function* piecesOf(
  { events, stop }: Bought,
  { model, filter }: { readonly model: OpenedModel; readonly filter: StopFilter },
): AsyncGenerator<Piece, ReceiptEnvelope> {
  const decoder = model.decodeStream();
  let stopped = false;
  for await (const event of events) {
    if (event.type === 'receipt') {
      const rest = stopped ? '' : filter.push(decoder.end()).text + filter.flush();
      if (rest !== '') yield { text: rest, logprobs: [] };
      return event.envelope;
    }
    let text = '';
    const logprobs: TokenLogprob[] = [];
    for (const [index, token] of event.tokens.entries()) {
      if (stopped) break;
      const shown = filter.push(decoder.push(token));
      text += shown.text;
      stopped = shown.stopped;
      const detail = detailOf(event, index);
      if (detail.length > 0 && !stopped && !model.stopIds.includes(token))
        logprobs.push(readLogprob(model, token, detail));
    }
    if (text !== '' || logprobs.length > 0) yield { text, logprobs };
    if (stopped) stop.abort();
  }
  throw providerStopped();
}

/** What a provider reported about one of some tokens. */
function detailOf(
  { tokens, detail = NO_DETAIL }: { tokens: readonly number[]; detail?: Uint8Array },
  index: number,
): Uint8Array {
  const size = detail.length / tokens.length;
  return detail.subarray(size * index, size * (index + 1));
}

const NO_DETAIL = new Uint8Array(0);

async function collect(
  options: ChatOptions,
  { bought, pieces, first }: Answer,
  onPiece: (piece: Piece) => void,
): Promise<ReceiptEnvelope> {
  try {
    for (let piece = first; ; piece = await pieces.next()) {
      if (piece.done) {
        settleBought(options, bought, piece.value);
        return piece.value;
      }
      onPiece(piece.value);
    }
  } catch (error) {
    giveUp(options, bought, error);
    throw error;
  }
}

/** Headers known before the first byte. */
function answerHeaders({ head, request, answers }: Answers): Record<string, string> {
  const { ignored } = request;
  return {
    'x-request-id': head.id,
    'x-assay-receipt': answers.map(({ bought }) => bought.signed.jobId).join(','),
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

async function plainAnswers(
  options: ChatOptions,
  outgoing: ServerResponse,
  all: Answers,
): Promise<void> {
  const { head, request } = all;
  const choices = await Promise.all(
    all.answers.map(async (answer): Promise<shape.Choice> => {
      let text = '';
      const logprobs: TokenLogprob[] = [];
      const envelope = await collect(options, answer, (piece) => {
        text += piece.text;
        logprobs.push(...piece.logprobs);
      });
      return { text, envelope, ...(hasLogprobs(request) ? { logprobs } : {}) };
    }),
  );
  const body = JSON.stringify(shape.completion({ head, choices, ignored: request.ignored }));
  outgoing.writeHead(200, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...answerHeaders(all),
  });
  outgoing.end(body);
}

const hasLogprobs = ({ controls }: ChatRequest): boolean => controls.topLogprobs !== undefined;

/** Never throws: after the first byte a failure is a frame of its own. */
async function streamAnswers(
  options: ChatOptions,
  outgoing: ServerResponse,
  all: Answers,
): Promise<void> {
  const { head, request, answers } = all;
  const { includeUsage, ignored } = request;
  const frames = gatherWrites(outgoing, { ...STREAM_HEADERS, ...answerHeaders(all) });
  const send = (data: object): void => frames.add(`data: ${JSON.stringify(data)}\n\n`);
  const streamOne = async (answer: Answer, index: number): Promise<ReceiptEnvelope> => {
    const common = { head, index, includeUsage };
    send(shape.chunk({ ...common, delta: { role: 'assistant', content: '' } }));
    const envelope = await collect(options, answer, ({ text, logprobs }) => {
      const rated = hasLogprobs(request) ? { logprobs } : {};
      send(shape.chunk({ ...common, delta: { content: text }, ...rated }));
    });
    const extra = shape.lastExtra([envelope], ignored);
    send(shape.chunk({ ...common, delta: {}, finish: shape.finishReason(envelope), extra }));
    return envelope;
  };
  try {
    const envelopes = await Promise.all(answers.map(streamOne));
    if (includeUsage) send(shape.usageChunk(head, envelopes));
    frames.add('data: [DONE]\n\n');
  } catch (error) {
    logUnexpected(options.log, error);
    for (const { bought } of answers) bought.stop.abort();
    send(openAiError(error));
  } finally {
    frames.end();
  }
}

const STREAM_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
} as const;
