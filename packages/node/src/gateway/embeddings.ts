/**
 * `POST /v1/embeddings`: one vector of unit length per input, each a paid job with a receipt of its own (arithmetic.md,
 * section 7.3), in the OpenAI shape.
 */
import {
  AssayError,
  DEFAULT_CONTROLS,
  fromHex,
  POOLING,
  type Pooling,
  type ReceiptEnvelope,
} from '@assay/protocol';
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { readIncomingJson } from '../http-errors.js';
import {
  type Bought,
  type BuyingOptions,
  buy,
  logUnexpected,
  providerStopped,
  queueFull,
  settleBought,
} from './buying.js';
import { receiptField, usageOf } from './chat-response.js';
import type { OpenedModel } from './model-catalog.js';
import { notJson, ParameterError, respondOpenAiError } from './openai-errors.js';
import { type Body, integer, record, tokenIds, wrong } from './request-fields.js';

export type EmbeddingRequest = {
  readonly model: string;
  /** Texts, or their token ids. */
  readonly inputs: readonly (string | readonly number[])[];
  readonly encoding: 'float' | 'base64';
  readonly dimensions: number | undefined;
  readonly pooling: Pooling;
  readonly ignored: readonly string[];
};

const EMBEDDING_BYTES_MAX = 4 * 1024 * 1024;
const EMBEDDING_BODY = { bytesMax: EMBEDDING_BYTES_MAX, parse: JSON.parse, refuse: notJson };

/** Inputs per request: each is a job of its own. */
const INPUTS_MAX = 256;

/** Jobs of one request under way at once: the rest of the lanes is for others. */
const PARALLEL_MAX = 4;

/** Tokens of one input; what a model reads is usually less. */
const INPUT_TOKENS_MAX = 131_072;

/** Vectors are in Q30. */
const ONE = 2 ** 30;

/** Never read: nothing is sampled. */
const NO_SEED = `0x${'00'.repeat(32)}` as const;

const KNOWN = new Set(['model', 'input', 'encoding_format', 'dimensions', 'pooling']);

/** Checks a parsed body; throws {@link ParameterError} naming the parameter. */
export function parseEmbeddingRequest(value: unknown): EmbeddingRequest {
  const body = record(value, 'body');
  if (typeof body['model'] !== 'string' || body['model'] === '')
    throw wrong('model', 'the id of a model', body['model']);
  const encoding = body['encoding_format'] ?? 'float';
  if (encoding !== 'float' && encoding !== 'base64')
    throw wrong('encoding_format', 'float or base64', encoding);
  const pooling = body['pooling'] ?? 'mean';
  if (typeof pooling !== 'string' || !Object.hasOwn(POOLING, pooling))
    throw wrong('pooling', 'mean or last', pooling);
  return {
    model: body['model'],
    inputs: parseInputs(body),
    encoding,
    dimensions: integer(body, 'dimensions', 1, 1_000_000),
    pooling: pooling as Pooling,
    ignored: Object.keys(body).filter((name) => !KNOWN.has(name)),
  };
}

function parseInputs({ input }: Body): EmbeddingRequest['inputs'] {
  const isOne = typeof input === 'string' || (Array.isArray(input) && typeof input[0] === 'number');
  const list: unknown = isOne ? [input] : input;
  if (!Array.isArray(list) || list.length === 0 || list.length > INPUTS_MAX)
    throw wrong(
      'input',
      `a text, a list of token ids, or a list of 1 to ${INPUTS_MAX} of either`,
      input,
    );
  return list.map((item) => {
    if (item === '' || (Array.isArray(item) && item.length === 0))
      throw wrong('input', 'not empty', item);
    return typeof item === 'string' ? item : tokenIds(item, 'input', INPUT_TOKENS_MAX);
  });
}

export type EmbeddingOptions = BuyingOptions & {
  /** Requests under way at once; more are told to come back. */
  readonly parallelMax: number;
};

export function embeddingHandler(
  options: EmbeddingOptions,
): (context: Context) => Promise<Response> {
  let underWay = 0;
  return async (context) => {
    underWay++;
    try {
      if (underWay > options.parallelMax) throw queueFull(underWay);
      const { incoming } = context.env as HttpBindings;
      const request = parseEmbeddingRequest(await readIncomingJson(incoming, EMBEDDING_BODY));
      const envelopes = await embedAll(options, request, context.req.raw.signal);
      const ids = envelopes.map(({ jobId }) => jobId).join(',');
      return context.json(answerOf(request, envelopes), 200, { 'x-assay-receipt': ids });
    } catch (error) {
      logUnexpected(options.log, error);
      return respondOpenAiError(context, error);
    } finally {
      underWay--;
    }
  };
}

/** Receipts of all inputs, in order; some at a time. */
async function embedAll(
  options: EmbeddingOptions,
  request: EmbeddingRequest,
  left: AbortSignal,
): Promise<readonly ReceiptEnvelope[]> {
  const model = await options.catalog.open(request.model);
  const { dimensions, pooling } = request;
  if (dimensions !== undefined && dimensions !== model.width)
    throw wrong(
      'dimensions',
      `${model.width}, or left out: vectors of this model are not cut`,
      dimensions,
    );
  // Every input is looked at before any is paid for.
  const prompts = request.inputs.map((input) => promptOf(model, input));
  const envelopes: ReceiptEnvelope[] = [];
  for (let start = 0; start < prompts.length; start += PARALLEL_MAX) {
    const some = prompts.slice(start, start + PARALLEL_MAX).map((inputTokens) =>
      buy(
        options,
        {
          model,
          inputTokens,
          outputCountMax: 0,
          sampler: { tau: 0, topK: 0, topP: 0, minP: 0, seed: NO_SEED, stopIds: [] },
          controls: { ...DEFAULT_CONTROLS, pooling },
        },
        { left, begin: (bought) => finish(options, bought) },
      ),
    );
    envelopes.push(...(await allOrFirstError(some)));
  }
  return envelopes;
}

/** Like `Promise.all`, but it lets the others end first: none is left without a reader of its outcome. */
async function allOrFirstError<T>(promises: readonly Promise<T>[]): Promise<readonly T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

function promptOf(model: OpenedModel, input: string | readonly number[]): readonly number[] {
  const { contextLength } = model.info;
  const tokens = typeof input === 'string' ? encode(model, input) : input;
  const foreign = tokens.find((id) => id >= model.vocabularySize);
  if (foreign !== undefined) throw wrong('input', `ids below ${model.vocabularySize}`, foreign);
  if (tokens.length <= contextLength) return tokens;
  throw inputTooLong(contextLength, String(tokens.length));
}

/** Text that cannot fit is refused before it is cut into tokens, under the name that clients know. */
function encode(model: OpenedModel, text: string): readonly number[] {
  try {
    return model.encodeText(text);
  } catch (error) {
    if (!(error instanceof AssayError && error.code === 'text_too_long')) throw error;
    throw inputTooLong(model.info.contextLength, error.value);
  }
}

const inputTooLong = (contextLength: number, value: string | undefined): ParameterError =>
  new ParameterError({
    code: 'context_length_exceeded',
    message: `The model reads ${contextLength} tokens; the input has more.`,
    param: 'input',
    ...(value === undefined ? {} : { value }),
    remedy: 'Shorten the input or cut it in parts.',
  });

async function finish(options: BuyingOptions, bought: Bought): Promise<ReceiptEnvelope> {
  for await (const event of bought.events) {
    if (event.type !== 'receipt') continue;
    settleBought(options, bought, event.envelope);
    return event.envelope;
  }
  throw providerStopped();
}

function answerOf(
  { model, encoding, ignored }: EmbeddingRequest,
  envelopes: readonly ReceiptEnvelope[],
): object {
  const { prompt_tokens, total_tokens } = usageOf(...envelopes);
  return {
    object: 'list',
    data: envelopes.map((envelope, index) => ({
      object: 'embedding',
      index,
      embedding: encoding === 'float' ? [...vectorOf(envelope)] : base64Of(vectorOf(envelope)),
    })),
    model,
    usage: { prompt_tokens, total_tokens },
    receipt: receiptField(envelopes[0]!),
    ...(envelopes.length > 1 ? { receipts: envelopes.map(receiptField) } : {}),
    ...(ignored.length === 0 ? {} : { ignored_parameters: ignored }),
  };
}

/** The committed integers as numbers: exact. */
function vectorOf({ detail }: ReceiptEnvelope): Float64Array {
  const bytes = fromHex(detail ?? '0x');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Float64Array.from(
    { length: bytes.length / 4 },
    (_, index) => view.getInt32(4 * index) / ONE,
  );
}

/** 32-bit floats, little-endian, as OpenAI: the nearest to each element. */
function base64Of(vector: Float64Array): string {
  const bytes = Buffer.alloc(4 * vector.length);
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, 4 * index);
  return bytes.toString('base64');
}
