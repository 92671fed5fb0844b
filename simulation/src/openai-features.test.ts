/**
 * Everything that OpenAI clients expect of sampling, asked for with the unmodified npm package `openai` on a real
 * network. What changes an answer is in its receipt, and the verifier finds every answer here identical.
 */
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Network, removeHome, startNetwork } from './network.js';

const MODEL = 'assay-mini';
const ask = (content: string) => [{ role: 'user' as const, content }];
const QUESTION = { model: MODEL, messages: ask('What is Assay?') };

let network: Network;
let client: OpenAI;

beforeAll(async () => {
  network = await startNetwork();
  client = new OpenAI({ baseURL: `${network.url}/v1`, apiKey: 'none', maxRetries: 0 });
}, 120_000);

afterAll(async () => {
  await network?.stop();
  if (network) removeHome(network.home);
});

type Extra = {
  readonly receipt: { readonly id: string };
  readonly receipts?: readonly { readonly id: string }[];
};

/** A request with fields that the package's types do not know. */
const create = async (body: object): Promise<OpenAI.ChatCompletion & Extra> =>
  (await client.chat.completions.create({
    ...QUESTION,
    ...body,
  } as OpenAI.ChatCompletionCreateParamsNonStreaming)) as OpenAI.ChatCompletion & Extra;

const textOf = (completion: OpenAI.ChatCompletion): string =>
  completion.choices[0]!.message.content!;

type Envelope = {
  readonly job: {
    readonly sampler: {
      readonly controls: string;
      readonly stopIds: number[];
      readonly seed: string;
    };
  };
  readonly receipt: {
    readonly finish: number;
    readonly outputCount: number;
    readonly price: string;
  };
  readonly outputTokens: readonly number[];
  readonly inputTokens: readonly number[];
  readonly controls?: string;
  readonly detail?: string;
};

async function envelopeOf(id: string): Promise<Envelope> {
  const response = await fetch(`${network.url}/v1/receipts/${id}`);
  expect(response.status).toBe(200);
  return ((await response.json()) as { envelope: Envelope }).envelope;
}

/** The verifier's word on a receipt. */
async function checkOf(id: string): Promise<string> {
  const response = await fetch(`${network.url}/v1/receipts/${id}/check`, { method: 'POST' });
  return ((await response.json()) as { result: string }).result;
}

async function expectIdentical(completion: Extra): Promise<Envelope> {
  for (const { id } of completion.receipts ?? [completion.receipt])
    expect(await checkOf(id)).toBe('identical');
  return envelopeOf(completion.receipt.id);
}

const NO_CONTROLS = `0x${'00'.repeat(32)}`;

describe('penalties and biases', () => {
  it('change the answer, are in the receipt, and are re-computed', async () => {
    const plain = await create({});
    const before = await expectIdentical(plain);
    expect(before.job.sampler.controls).toBe(NO_CONTROLS);
    expect(before.controls).toBeUndefined();
    const favourite = mostFrequent(before.outputTokens);
    for (const body of [
      { repetition_penalty: 3 },
      { frequency_penalty: 2, presence_penalty: 2, temperature: 0.7, seed: 4 },
      { logit_bias: { [favourite]: -100 } },
    ]) {
      const changed = await create(body);
      expect(textOf(changed)).not.toBe(textOf(plain));
      const envelope = await expectIdentical(changed);
      expect(envelope.job.sampler.controls).not.toBe(NO_CONTROLS);
      expect(envelope.controls).toMatch(/^0x01/);
      if ('logit_bias' in body) expect(envelope.outputTokens).not.toContain(favourite);
    }
  });

  it('with a bias of 100 nothing else is said', async () => {
    const { outputTokens } = await envelopeOf((await create({})).receipt.id);
    const id = outputTokens[3]!;
    const changed = await create({ logit_bias: { [id]: 100 }, max_tokens: 5 });
    const envelope = await expectIdentical(changed);
    expect(envelope.outputTokens).toEqual([id, id, id, id, id]);
    expect(changed.choices[0]!.finish_reason).toBe('length');
  });

  it('that change nothing are no controls', async () => {
    const body = {
      presence_penalty: 0,
      frequency_penalty: 0,
      repetition_penalty: 1,
      logit_bias: {},
    };
    const envelope = await expectIdentical(await create(body));
    expect(envelope.job.sampler.controls).toBe(NO_CONTROLS);
  });
});

function mostFrequent(ids: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const id of ids.slice(0, -1)) counts.set(id, (counts.get(id) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0]![0];
}

describe('stop ids', () => {
  it('end the answer', async () => {
    const { outputTokens } = await envelopeOf((await create({})).receipt.id);
    const id = outputTokens[4]!;
    const cut = await create({ stop_token_ids: [id] });
    const envelope = await expectIdentical(cut);
    expect(envelope.job.sampler.stopIds).toContain(id);
    expect(envelope.outputTokens).toEqual(outputTokens.slice(0, outputTokens.indexOf(id) + 1));
    expect(cut.choices[0]!.finish_reason).toBe('stop');
  });
});

describe('n', () => {
  it('gives indexed answers of their own seeds, each with a receipt, and sums the usage', async () => {
    const body = { messages: ask('zebra?'), n: 3, temperature: 2, seed: 11, max_tokens: 40 };
    const many = await create(body);
    expect(many.choices.map(({ index }) => index)).toEqual([0, 1, 2]);
    expect(new Set(many.choices.map(({ message }) => message.content)).size).toBe(3);
    expect(many.receipts).toHaveLength(3);
    expect(many.receipts![0]!.id).toBe(many.receipt.id);
    await expectIdentical(many);
    const envelopes = await Promise.all(many.receipts!.map(({ id }) => envelopeOf(id)));
    expect(new Set(envelopes.map(({ job }) => job.sampler.seed)).size).toBe(3);
    const sum = envelopes.reduce((total, { receipt }) => total + receipt.outputCount, 0);
    expect(many.usage!.completion_tokens).toBe(sum);
    const again = await create(body);
    expect(again.choices.map(({ message }) => message.content)).toEqual(
      many.choices.map(({ message }) => message.content),
    );
    const alone = await create({ ...body, n: 1 });
    expect(textOf(alone)).toBe(textOf(many));
  });

  it('streams them by index', async () => {
    const body = {
      ...QUESTION,
      messages: ask('zebra?'),
      n: 2,
      temperature: 2,
      seed: 3,
      max_tokens: 20,
    };
    const plain = await client.chat.completions.create(body);
    const stream = await client.chat.completions.create({
      ...body,
      stream: true,
      stream_options: { include_usage: true },
    });
    const texts = ['', ''];
    const reasons: unknown[] = [];
    let last: OpenAI.ChatCompletionChunk | undefined;
    for await (const chunk of stream) {
      for (const { index, delta, finish_reason } of chunk.choices) {
        texts[index] += delta.content ?? '';
        if (finish_reason !== null) reasons.push(finish_reason);
      }
      last = chunk;
    }
    expect(texts).toEqual(plain.choices.map(({ message }) => message.content));
    expect(reasons).toHaveLength(2);
    expect(last!.usage).toEqual(plain.usage);
    expect((last as unknown as Extra).receipts).toHaveLength(2);
  });
});

describe('logprobs', () => {
  it('are in the shape of OpenAI, agree with the greedy choice, and are re-computed', async () => {
    const completion = await create({ logprobs: true, top_logprobs: 3 });
    const envelope = await expectIdentical(completion);
    const content = completion.choices[0]!.logprobs!.content!;
    // The stop id is no token of the text.
    expect(content).toHaveLength(envelope.outputTokens.length - 1);
    expect(content.map(({ token }) => token).join('')).toBe(textOf(completion));
    for (const { token, logprob, bytes, top_logprobs } of content) {
      expect(Object.keys(top_logprobs[0]!).sort()).toEqual(['bytes', 'logprob', 'token']);
      expect(new TextDecoder().decode(Uint8Array.from(bytes!))).toBe(token);
      expect(top_logprobs).toHaveLength(3);
      expect(top_logprobs[0]).toMatchObject({ token, logprob });
      expect(top_logprobs[0]!.logprob).toBeGreaterThanOrEqual(top_logprobs[1]!.logprob);
      const share = top_logprobs.reduce((sum, top) => sum + Math.exp(top.logprob), 0);
      expect(share).toBeGreaterThan(0);
      expect(share).toBeLessThan(1.001);
    }
    expect(envelope.detail).toHaveLength(2 + 2 * envelope.outputTokens.length * (4 + 8 * 3));
  });

  it('come with the pieces of a stream, and without the likeliest if none are asked for', async () => {
    const plain = await create({ logprobs: true });
    const stream = await client.chat.completions.create({
      ...QUESTION,
      logprobs: true,
      stream: true,
    });
    const content: unknown[] = [];
    for await (const chunk of stream) content.push(...(chunk.choices[0]?.logprobs?.content ?? []));
    expect(content).toEqual(plain.choices[0]!.logprobs!.content);
    expect(plain.choices[0]!.logprobs!.content![0]!.top_logprobs).toEqual([]);
    expect((await create({})).choices[0]!.logprobs).toBeNull();
  });
});

const CARD = {
  type: 'object',
  properties: {
    title: { type: 'string', maxLength: 30 },
    score: { type: 'integer' },
    tags: { type: 'array', items: { enum: ['fast', 'exact'] }, maxItems: 2 },
    next: { anyOf: [{ $ref: '#' }, { type: 'null' }] },
  },
  required: ['title', 'score', 'tags', 'next'],
  additionalProperties: false,
};

describe('response_format', () => {
  it.each([0, 1, 2])(
    'json_object is JSON whatever the seed (%i) and the temperature',
    async (seed) => {
      const completion = await create({
        response_format: { type: 'json_object' },
        temperature: seed,
        seed,
        max_tokens: 12 + 20 * seed,
      });
      expect(typeof JSON.parse(textOf(completion))).toBe('object');
      expect(completion.choices[0]!.finish_reason).toBe('stop');
      await expectIdentical(completion);
    },
  );

  it.each([0, 1, 2])('json_schema is an instance (seed %i)', async (seed) => {
    const completion = await create({
      response_format: {
        type: 'json_schema',
        json_schema: { name: 'card', strict: true, schema: CARD },
      },
      temperature: seed,
      seed,
      max_tokens: 90,
    });
    const card = JSON.parse(textOf(completion)) as { title: string; score: number; tags: string[] };
    expect(Object.keys(card)).toEqual(['title', 'score', 'tags', 'next']);
    expect(card.title.length).toBeLessThanOrEqual(60);
    expect(Number.isInteger(card.score)).toBe(true);
    for (const tag of card.tags) expect(['fast', 'exact']).toContain(tag);
    await expectIdentical(completion);
  });

  it('works with the parse helper of the package', async () => {
    const completion = await client.chat.completions.parse({
      ...QUESTION,
      max_tokens: 60,
      response_format: { type: 'json_object' },
    });
    expect(completion.choices[0]!.finish_reason).toBe('stop');
  });

  it('text is no restriction', async () => {
    expect(textOf(await create({ response_format: { type: 'text' } }))).toBe(
      textOf(await create({})),
    );
  });

  it('patterns and choices restrict the text', async () => {
    const date = await create({ guided_regex: '\\d{4}-\\d{2}-\\d{2}' });
    expect(textOf(date)).toMatch(/^\d{4}-\d{2}-\d{2}$/);
    await expectIdentical(date);
    const choice = await create({ guided_choice: ['yes', 'no'], temperature: 1 });
    expect(['yes', 'no']).toContain(textOf(choice));
    await expectIdentical(choice);
  });

  it('goes with penalties, log probabilities and several answers', async () => {
    const completion = await create({
      response_format: { type: 'json_object' },
      n: 2,
      temperature: 1,
      seed: 8,
      frequency_penalty: 1,
      logprobs: true,
      max_tokens: 30,
    });
    for (const { message } of completion.choices) JSON.parse(message.content!);
    await expectIdentical(completion);
  });
});

describe('embeddings', () => {
  const embed = async (body: object) =>
    (await client.embeddings.create({
      model: MODEL,
      ...body,
    } as OpenAI.EmbeddingCreateParams)) as OpenAI.CreateEmbeddingResponse & Extra;
  const cosine = (a: readonly number[], b: readonly number[]) =>
    a.reduce((sum, x, i) => sum + x * b[i]!, 0);

  it('are vectors of length one, of one receipt each, and are re-computed', async () => {
    const texts = ['What is Assay?', 'Tell me what Assay is.', 'bananas'];
    const answer = await embed({ input: texts, encoding_format: 'float' });
    expect(answer.data.map(({ index, object }) => [index, object])).toEqual([
      [0, 'embedding'],
      [1, 'embedding'],
      [2, 'embedding'],
    ]);
    const vectors = answer.data.map(({ embedding }) => embedding);
    for (const vector of vectors) expect(cosine(vector, vector)).toBeCloseTo(1, 6);
    expect(cosine(vectors[0]!, vectors[1]!)).toBeGreaterThan(cosine(vectors[0]!, vectors[2]!));
    const { outputTokens, detail, receipt, inputTokens } = await expectIdentical(answer);
    expect(answer.receipts).toHaveLength(3);
    expect(outputTokens).toEqual([]);
    expect(detail).toHaveLength(2 + 8 * vectors[0]!.length);
    expect(Number(receipt.price)).toBeGreaterThan(0);
    expect(answer.usage.prompt_tokens).toBe(answer.usage.total_tokens);
    expect(answer.usage.prompt_tokens).toBeGreaterThan(inputTokens.length);
  });

  it('come as base64, which the package asks for by itself, and from token ids', async () => {
    const float = (await embed({ input: 'Hello', encoding_format: 'float' })).data[0]!.embedding;
    const packed = (await embed({ input: 'Hello' })).data[0]!.embedding;
    expect(packed).toHaveLength(float.length);
    for (const [index, value] of packed.entries()) expect(value).toBeCloseTo(float[index]!, 6);
    const envelope = await envelopeOf((await embed({ input: 'Hello' })).receipt.id);
    const fromIds = await embed({ input: [envelope.inputTokens], encoding_format: 'float' });
    expect(fromIds.data[0]!.embedding).toEqual(float);
    const full = await embed({
      input: 'Hello',
      dimensions: float.length,
      encoding_format: 'float',
    });
    expect(full.data[0]!.embedding).toEqual(float);
  });

  it('of the last token are others than of the mean', async () => {
    const mean = await embed({ input: 'Hello world', encoding_format: 'float' });
    const last = await embed({ input: 'Hello world', encoding_format: 'float', pooling: 'last' });
    expect(last.data[0]!.embedding).not.toEqual(mean.data[0]!.embedding);
    await expectIdentical(last);
  });

  it.each<[string, object, string, string]>([
    ['no input', {}, 'invalid_value', 'input'],
    ['an empty text', { input: '' }, 'invalid_value', 'input'],
    ['an empty list', { input: [] }, 'invalid_value', 'input'],
    ['mixed input', { input: ['a', 5] }, 'invalid_value', 'input'],
    ['foreign ids', { input: [2 ** 31] }, 'invalid_value', 'input'],
    ['a fraction', { input: [1.5] }, 'invalid_value', 'input'],
    ['too many', { input: Array.from({ length: 257 }, () => 'a') }, 'invalid_value', 'input'],
    ['a long text', { input: 'word '.repeat(5_000) }, 'context_length_exceeded', 'input'],
    ['other dimensions', { input: 'a', dimensions: 3 }, 'invalid_value', 'dimensions'],
    [
      'an unknown encoding',
      { input: 'a', encoding_format: 'hex' },
      'invalid_value',
      'encoding_format',
    ],
    ['an unknown pooling', { input: 'a', pooling: 'max' }, 'invalid_value', 'pooling'],
    ['an unknown model', { input: 'a', model: 'nope' }, 'model_not_found', 'model'],
  ])('with %s are refused', async (_, body, code, param) => {
    const status = code === 'model_not_found' ? 404 : 400;
    await expect(embed(body)).rejects.toMatchObject({
      status,
      code,
      param,
      type: 'invalid_request_error',
    });
  });
});

describe('bad input', () => {
  it.each<[string, object, string, string]>([
    ['penalty', { presence_penalty: 3 }, 'invalid_value', 'presence_penalty'],
    ['penalty', { frequency_penalty: '1' }, 'invalid_value', 'frequency_penalty'],
    ['repetition', { repetition_penalty: 0 }, 'invalid_value', 'repetition_penalty'],
    ['bias', { logit_bias: { 5: 101 } }, 'invalid_value', 'logit_bias'],
    ['bias', { logit_bias: { x: 1 } }, 'invalid_value', 'logit_bias'],
    ['bias', { logit_bias: { 4000000000: 1 } }, 'invalid_value', 'logit_bias'],
    ['bias', { logit_bias: [1] }, 'invalid_value', 'logit_bias'],
    ['logprobs', { logprobs: 5 }, 'invalid_value', 'logprobs'],
    ['top_logprobs', { logprobs: true, top_logprobs: 21 }, 'invalid_value', 'top_logprobs'],
    ['top_logprobs alone', { top_logprobs: 2 }, 'invalid_value', 'top_logprobs'],
    ['n', { n: 0 }, 'invalid_value', 'n'],
    ['n', { n: 17 }, 'invalid_value', 'n'],
    ['stop ids', { stop_token_ids: [-1] }, 'invalid_value', 'stop_token_ids'],
    ['stop ids', { stop_token_ids: [2 ** 31] }, 'invalid_value', 'stop_token_ids'],
    ['stop ids', { stop_token_ids: 'x' }, 'invalid_value', 'stop_token_ids'],
    ['format', { response_format: { type: 'xml' } }, 'invalid_value', 'response_format.type'],
    ['format', { response_format: 'json' }, 'invalid_value', 'response_format'],
    [
      'schema',
      {
        response_format: {
          type: 'json_schema',
          json_schema: { name: 'a', schema: { minimum: 1 } },
        },
      },
      'schema_unsupported',
      'response_format',
    ],
    [
      'schema name',
      { response_format: { type: 'json_schema', json_schema: { name: 'a b', schema: {} } } },
      'invalid_value',
      'response_format.json_schema.name',
    ],
    ['pattern', { guided_regex: '(?=x)' }, 'pattern_unsupported', 'guided_regex'],
    ['pattern', { guided_regex: '' }, 'invalid_value', 'guided_regex'],
    ['choices', { guided_choice: [] }, 'invalid_value', 'guided_choice'],
    ['guided JSON', { guided_json: '{' }, 'invalid_value', 'guided_json'],
    ['two grammars', { guided_regex: 'a', guided_choice: ['a'] }, 'invalid_value', 'guided_choice'],
    [
      'a grammar without room',
      { response_format: { type: 'json_object' }, max_tokens: 2 },
      'grammar_unfit',
      'response_format',
    ],
  ])('%s %o', async (_, body, code, param) => {
    await expect(create(body)).rejects.toMatchObject({
      status: 400,
      code,
      param,
      type: 'invalid_request_error',
    });
  });
});

describe('after all this', () => {
  it('money in equals money out', async () => {
    type Status = {
      readonly requests: { count: number; paid: string; verified: number };
      readonly providers: readonly { earned: string }[];
      readonly money: readonly { balanced: boolean }[];
    };
    const status = async (): Promise<Status> =>
      (await (await fetch(`${network.url}/v1/network`)).json()) as Status;
    await expect
      .poll(
        async () => {
          const { requests, providers } = await status();
          return providers[0]!.earned === requests.paid;
        },
        { timeout: 60_000, interval: 500 },
      )
      .toBe(true);
    expect((await status()).money.every(({ balanced }) => balanced)).toBe(true);
  }, 70_000);
});
