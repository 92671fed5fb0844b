/**
 * A provider that ignores a penalty, a bias or a grammar, or that reports a false number, is found out where its answer
 * first differs from the honest one to the same request.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  type Network,
  removeHome,
  startDishonestProvider,
  startNetwork,
  temporaryHome,
} from './network.js';

let network: Network;
const homes: string[] = [];

beforeAll(async () => {
  network = await startNetwork();
}, 120_000);

afterAll(async () => {
  await network?.stop();
  for (const home of [network?.home, ...homes]) if (home) removeHome(home);
});

type Envelope = {
  readonly job: { readonly provider: string };
  readonly outputTokens: readonly number[];
  readonly detail?: string;
};

type Bought = { readonly id: string; readonly envelope: Envelope };

async function buy(path: string, body: object): Promise<Bought> {
  const response = await fetch(`${network.url}${path}`, {
    method: 'POST',
    body: JSON.stringify({ model: 'assay-mini', ...body }),
  });
  expect(response.status).toBe(200);
  const { receipt } = (await response.json()) as { receipt: { id: string } };
  const stored = await fetch(`${network.url}/v1/receipts/${receipt.id}`);
  return { id: receipt.id, envelope: ((await stored.json()) as { envelope: Envelope }).envelope };
}

type Verdict = {
  readonly result: string;
  readonly position: number;
  readonly expected: number;
  readonly found: number;
  readonly part?: string;
};

async function verdictOn({ id }: Bought): Promise<Verdict> {
  const response = await fetch(`${network.url}/v1/receipts/${id}/check`, { method: 'POST' });
  return (await response.json()) as Verdict;
}

const CHAT = '/v1/chat/completions';
const messages = [{ role: 'user', content: 'What is a receipt?' }];
const TOKEN_CASES: readonly (readonly [name: string, body: object])[] = [
  ['penalties', { messages, repetition_penalty: 2, presence_penalty: 1 }],
  [
    'biases',
    {
      messages,
      logit_bias: Object.fromEntries(Array.from({ length: 200 }, (_, id) => [id + 300, -100])),
    },
  ],
  ['a grammar', { messages, response_format: { type: 'json_object' }, max_tokens: 40 }],
];
const RATED = { messages, logprobs: true, top_logprobs: 2 };
const EMBEDDED = { input: 'What is a receipt?' };
const POSITION = 3;

/** Every request, answered by the honest provider and then by the cheat, which is cheaper. */
const honest = new Map<object, Bought>();
const cheated = new Map<object, Bought>();

async function buyAll(into: Map<object, Bought>): Promise<void> {
  for (const [, body] of TOKEN_CASES) into.set(body, await buy(CHAT, body));
  into.set(RATED, await buy(CHAT, RATED));
  into.set(EMBEDDED, await buy('/v1/embeddings', EMBEDDED));
}

beforeAll(async () => {
  await buyAll(honest);
  const home = temporaryHome();
  homes.push(home);
  const options = { network, home, fault: 'ignore-controls', position: POSITION };
  const cheat = await startDishonestProvider(options);
  try {
    await vi.waitUntil(() => isOnline(cheat.address), { timeout: 20_000, interval: 200 });
    await buyAll(cheated);
  } finally {
    await cheat.stop();
  }
  for (const { envelope } of cheated.values())
    expect(envelope.job.provider.toLowerCase()).toBe(cheat.address.toLowerCase());
}, 120_000);

async function isOnline(address: string): Promise<boolean> {
  const { providers } = (await (await fetch(`${network.url}/v1/network`)).json()) as {
    providers: { address: string; online: boolean }[];
  };
  return providers.some((one) => one.online && one.address === address);
}

describe('the honest provider', () => {
  it('is identical, whatever is controlled', async () => {
    for (const bought of honest.values())
      expect((await verdictOn(bought)).result).toBe('identical');
  });
});

describe('a provider that ignores', () => {
  it.each(TOKEN_CASES)(
    '%s is different from the first token that is not the honest one',
    async (_, body) => {
      const right = honest.get(body)!.envelope.outputTokens;
      const wrong = cheated.get(body)!.envelope.outputTokens;
      const position = wrong.findIndex((token, at) => token !== right[at]);
      expect(position).toBeGreaterThanOrEqual(0);
      const verdict = await verdictOn(cheated.get(body)!);
      const [expected, found] = [right[position], wrong[position]];
      expect(verdict).toMatchObject({ result: 'different', position, expected, found });
      expect(verdict.part).toBeUndefined();
    },
  );
});

describe('a provider that reports', () => {
  it('a log probability that is 2^-16 off is found at its token', async () => {
    const { outputTokens } = cheated.get(RATED)!.envelope;
    expect(outputTokens).toEqual(honest.get(RATED)!.envelope.outputTokens);
    const verdict = await verdictOn(cheated.get(RATED)!);
    expect(verdict).toMatchObject({ result: 'different', part: 'logprobs', position: POSITION });
    expect(Math.abs(verdict.expected - verdict.found)).toBe(1);
  });

  it('an element of an embedding that is 2^-30 off is found, also on the command line', async () => {
    const { id } = cheated.get(EMBEDDED)!;
    const verified = network.assay('receipt', 'verify', id, '--json');
    const verdict = JSON.parse(verified.stdout) as Verdict;
    expect(verdict).toMatchObject({ result: 'different', part: 'embedding', position: POSITION });
    expect(Math.abs(verdict.expected - verdict.found)).toBe(1);
    expect(verified.status).toBe(1);
  }, 30_000);
});
