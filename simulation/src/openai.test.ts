/** The npm package `openai`, unmodified, against a real network: what app developers do on their first day. */
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Network, removeHome, startNetwork } from './network.js';

const MODEL = 'assay-mini';
const ask = (content: string) => [{ role: 'user' as const, content }];

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

type WithReceipt = { readonly receipt?: { readonly id: string; readonly price: string } };

async function receiptOf(
  id: string,
): Promise<{ envelope: { receipt: { outputCount: number; price: string } } }> {
  const response = await fetch(`${network.url}/v1/receipts/${id}`);
  expect(response.status).toBe(200);
  return (await response.json()) as Awaited<ReturnType<typeof receiptOf>>;
}

describe('models', () => {
  it('are listed and found', async () => {
    const { data } = await client.models.list();
    expect(data.map(({ id }) => id)).toEqual([MODEL]);
    expect(await client.models.retrieve(MODEL)).toMatchObject({ id: MODEL, object: 'model' });
  });

  it('that do not exist are a 404 with code model_not_found', async () => {
    await expect(client.models.retrieve('nope')).rejects.toMatchObject({
      status: 404,
      code: 'model_not_found',
    });
    await expect(
      client.chat.completions.create({ model: 'nope', messages: ask('hi') }),
    ).rejects.toMatchObject({ status: 404, code: 'model_not_found', param: 'model' });
  });
});

describe('a plain completion', () => {
  it('has ids, usage, finish reason and a receipt of the same counts', async () => {
    const { data, response } = await client.chat.completions
      .create({ model: MODEL, messages: ask('What is Assay?') })
      .withResponse();
    expect(data).toMatchObject({ object: 'chat.completion', model: MODEL });
    expect(data.id).toMatch(/^chatcmpl-/);
    expect(data.choices[0]).toMatchObject({
      index: 0,
      finish_reason: 'stop',
      message: { role: 'assistant' },
    });
    expect(data.choices[0]!.message.content!.length).toBeGreaterThan(10);
    const { prompt_tokens, completion_tokens, total_tokens } = data.usage!;
    expect(total_tokens).toBe(prompt_tokens + completion_tokens);
    const { receipt } = data as WithReceipt;
    expect(response.headers.get('x-assay-receipt')).toBe(receipt!.id);
    const stored = await receiptOf(receipt!.id);
    expect(stored.envelope.receipt.outputCount).toBe(completion_tokens);
    expect(stored.envelope.receipt.price).toBe(receipt!.price);
  });

  it('is the same twice, because greedy integers are', async () => {
    const text = async () =>
      (await client.chat.completions.create({ model: MODEL, messages: ask('Who are you?') }))
        .choices[0]!.message.content;
    expect(await text()).toBe(await text());
  });

  it('sampled with one seed is the same twice', async () => {
    const options = { model: MODEL, messages: ask('Tell me a joke'), temperature: 1.5, seed: 7 };
    const text = async () =>
      (await client.chat.completions.create(options)).choices[0]!.message.content;
    expect(await text()).toBe(await text());
  });

  it('stops at max_tokens with finish_reason length', async () => {
    const data = await client.chat.completions.create({
      model: MODEL,
      messages: ask('What is Assay?'),
      max_tokens: 3,
    });
    expect(data.choices[0]!.finish_reason).toBe('length');
    expect(data.usage!.completion_tokens).toBe(3);
  });

  it('stops before a stop string and pays only for what was made', async () => {
    const whole = await client.chat.completions.create({
      model: MODEL,
      messages: ask('What is Assay?'),
    });
    const words = whole.choices[0]!.message.content!;
    const stop = words.split(' ')[4]!;
    const cut = await client.chat.completions.create({
      model: MODEL,
      messages: ask('What is Assay?'),
      stop,
    });
    expect(cut.choices[0]!.finish_reason).toBe('stop');
    expect(words.startsWith(cut.choices[0]!.message.content!)).toBe(true);
    expect(cut.choices[0]!.message.content).not.toContain(stop);
    expect(cut.usage!.completion_tokens).toBeLessThanOrEqual(whole.usage!.completion_tokens);
  });

  it('accepts unknown parameters and lists them', async () => {
    const request = {
      model: MODEL,
      messages: ask('hi'),
      provider: { order: ['x'] },
      metadata: {},
    };
    const data = await client.chat.completions.create(request);
    expect(data).toMatchObject({ ignored_parameters: ['provider', 'metadata'] });
  });
});

describe('a streamed completion', () => {
  it('arrives in pieces that add up to the plain one, then usage and the receipt', async () => {
    const plain = await client.chat.completions.create({
      model: MODEL,
      messages: ask('How do I run it?'),
    });
    const stream = await client.chat.completions.create({
      model: MODEL,
      messages: ask('How do I run it?'),
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = '';
    const reasons: unknown[] = [];
    let last: OpenAI.ChatCompletionChunk | undefined;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? '';
      if (chunk.choices[0]) reasons.push(chunk.choices[0].finish_reason);
      last = chunk;
    }
    expect(text).toBe(plain.choices[0]!.message.content);
    expect(reasons.filter((reason) => reason !== null)).toEqual(['stop']);
    expect(last!.choices).toEqual([]);
    expect(last!.usage).toEqual(plain.usage);
    expect((last as WithReceipt).receipt!.id).toMatch(/^0x[0-9a-f]{64}$/);
  });

  it('works with the stream helper', async () => {
    const runner = client.chat.completions.stream({ model: MODEL, messages: ask('Hello') });
    const completion = await runner.finalChatCompletion();
    expect(completion.choices[0]!.finish_reason).toBe('stop');
  });

  it('that its client leaves costs only what was delivered', async () => {
    const before = await status();
    const stream = await client.chat.completions.create({
      model: MODEL,
      messages: ask('What is Assay?'),
      stream: true,
    });
    let seen = 0;
    for await (const _ of stream) if (++seen === 3) break;
    await expect
      .poll(async () => (await status()).requests.count, { timeout: 10_000 })
      .toBe(before.requests.count + 1);
    const after = await status();
    expect(Number(after.requests.paid) - Number(before.requests.paid)).toBeGreaterThan(0);
    // The lane is free again.
    await client.chat.completions.create({ model: MODEL, messages: ask('Hello') });
  });
});

type Status = {
  readonly requests: { count: number; paid: string; verified: number };
  readonly providers: readonly { earned: string }[];
  readonly money: readonly { balanced: boolean; contract: string; claimed: string }[];
};

const status = async (): Promise<Status> =>
  (await (await fetch(`${network.url}/v1/network`)).json()) as Status;

describe('bad input', () => {
  const post = (body: string, headers: Record<string, string> = {}) =>
    fetch(`${network.url}/v1/chat/completions`, { method: 'POST', body, headers });
  const codeOf = async (response: Response) => {
    const { error } = (await response.json()) as {
      error: { code: string; message: string; type: string; param: unknown };
    };
    expect(Object.keys(error).sort()).toEqual(['code', 'message', 'param', 'type']);
    return `${response.status} ${error.code}`;
  };
  const good = { model: MODEL, messages: ask('hi') };

  it.each([
    ['not JSON', '{"model":', '400 invalid_json'],
    ['not an object', '[]', '400 invalid_value'],
    ['no model', JSON.stringify({ messages: ask('hi') }), '400 invalid_value'],
    ['no messages', JSON.stringify({ model: MODEL }), '400 invalid_value'],
    [
      'a foreign role',
      JSON.stringify({ ...good, messages: [{ role: 'boss', content: 'x' }] }),
      '400 invalid_value',
    ],
    [
      'an image',
      JSON.stringify({ ...good, messages: [{ role: 'user', content: [{ type: 'image_url' }] }] }),
      '400 invalid_value',
    ],
    ['negative max_tokens', JSON.stringify({ ...good, max_tokens: -1 }), '400 invalid_value'],
    ['absurd max_tokens', JSON.stringify({ ...good, max_tokens: 1e12 }), '400 invalid_value'],
    ['a text for temperature', JSON.stringify({ ...good, temperature: '1' }), '400 invalid_value'],
    ['temperature 9', JSON.stringify({ ...good, temperature: 9 }), '400 invalid_value'],
    ['no answers', JSON.stringify({ ...good, n: 0 }), '400 invalid_value'],
    [
      'a long context',
      JSON.stringify({ ...good, messages: ask('word '.repeat(4_000)) }),
      '400 context_length_exceeded',
    ],
  ])('%s', async (_, body, expected) => {
    expect(await codeOf(await post(body))).toBe(expected);
  });

  it('10 MB are refused without being kept', async () => {
    expect(await codeOf(await post('x'.repeat(10 * 1024 * 1024)))).toBe('413 request_too_large');
  });

  it('a foreign host name is refused (DNS rebinding)', async () => {
    const { request } = await import('node:http');
    const statusCode = await new Promise((resolve) => {
      request(`${network.url}/v1/models`, { headers: { host: 'evil.example' } }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      }).end();
    });
    expect(statusCode).toBe(403);
  });

  it('unknown addresses and receipts are 404', async () => {
    expect(await codeOf(await fetch(`${network.url}/v1/nothing`))).toBe('404 not_found');
    expect(await codeOf(await fetch(`${network.url}/v1/receipts/0x${'00'.repeat(32)}`))).toBe(
      '404 receipt_not_found',
    );
    expect(await codeOf(await fetch(`${network.url}/v1/receipts/abc`))).toBe('400 invalid_value');
  });
});

describe('1,000 parallel requests', () => {
  it('are answered or told when to come back, and none is lost', async () => {
    const body = JSON.stringify({ model: MODEL, messages: ask('hi'), max_tokens: 2 });
    const answers = await Promise.all(
      Array.from({ length: 1_000 }, async () => {
        const response = await fetch(`${network.url}/v1/chat/completions`, {
          method: 'POST',
          body,
        });
        await response.arrayBuffer();
        return { status: response.status, retryAfter: response.headers.get('retry-after') };
      }),
    );
    const counts = new Map<number, number>();
    for (const { status: code } of answers) counts.set(code, (counts.get(code) ?? 0) + 1);
    expect([...counts.keys()].sort()).toEqual([200, 429]);
    expect(
      answers
        .filter(({ status: code }) => code === 429)
        .every(({ retryAfter }) => retryAfter === '1'),
    ).toBe(true);
    await client.chat.completions.create({ model: MODEL, messages: ask('Hello') });
  }, 90_000);
});

describe('after all this', () => {
  it('receipts are re-computed identical, the provider claims, and money in equals money out', async () => {
    await expect
      .poll(
        async () => {
          const { requests } = await status();
          return requests.verified === requests.count;
        },
        { timeout: 60_000, interval: 500 },
      )
      .toBe(true);
    await expect
      .poll(
        async () => {
          const { requests, providers } = await status();
          return providers[0]!.earned === requests.paid;
        },
        { timeout: 60_000, interval: 500 },
      )
      .toBe(true);
    const { money } = await status();
    expect(money.length).toBeGreaterThan(0);
    expect(money.every(({ balanced }) => balanced)).toBe(true);
  }, 130_000);

  it('the command line says the same', () => {
    const asked = network.assay('ask', 'What is Assay?', '--json');
    expect(asked.status).toBe(0);
    const { receipt, check, usage, model } = JSON.parse(asked.stdout) as {
      receipt: string;
      check: object;
      usage: object;
      model: string;
    };
    expect({ check, model }).toMatchObject({ check: { result: 'identical' }, model: MODEL });
    expect(usage).toHaveProperty('total_tokens');
    const verified = network.assay('receipt', 'verify', receipt, '--json');
    expect(JSON.parse(verified.stdout)).toMatchObject({ result: 'identical' });
    expect(verified.status).toBe(0);
    const shown = JSON.parse(network.assay('status', '--json').stdout) as Record<string, unknown>;
    expect(Object.keys(shown)).toEqual(
      expect.arrayContaining(['chain', 'gateway', 'contracts', 'providers', 'requests']),
    );
  }, 60_000);
});
