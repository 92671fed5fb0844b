import { Hono } from 'hono';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { requireApiKey } from '../guards.js';
import { type Listening, listen } from '../listen.js';
import { ask } from './ask.js';
import { listModels } from './model.js';
import { showReceipt } from './receipt.js';
import { status } from './status.js';

const KEY = 'a key of letters';
const ID = `0x${'ab'.repeat(32)}`;
const app = new Hono().use('*', requireApiKey(KEY));
app.get('/v1/models', (context) =>
  context.json({ data: [{ id: 'assay-mini', model_id: ID, owned_by: ID }] }),
);
app.get('/v1/network', (context) =>
  context.json({
    chain: { id: 1, block: 2, rpc: 'http://rpc' },
    gateway: { url: 'http://gateway' },
    requests: { count: 0, tokens: 0, paid: '0', verified: 0, different: 0 },
    providers: [],
    audits: {
      ...{ audits: 0, right: 0, wrong: 0, abstained: 0, absent: 0 },
      ...{ fees: '0', lost: '0', seats: 0, verifiers: 0 },
    },
    money: [],
  }),
);
app.get('/v1/receipts/:id', (context) =>
  context.json({ error: { code: 'receipt_not_found', message: 'No.' } }, 404),
);
app.post('/v1/chat/completions', (context) =>
  context.json({ error: { code: 'no_provider', message: 'The key was right.' } }, 503),
);

let server: Listening;
let options: { home: string; json: boolean; gateway: string };
beforeAll(async () => {
  server = await listen({ app, port: 0 });
  options = { home: 'none', json: true, gateway: server.url };
});
afterAll(() => server.close());

let output: string;
beforeEach(() => {
  output = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    output += text;
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

const question = () => ({
  ...options,
  question: 'Who?',
  model: 'assay-mini',
  maxTokens: undefined,
  temperature: undefined,
  seed: undefined,
  system: undefined,
  check: false,
});

const commands = {
  status: () => status(options),
  'model list': () => listModels(options),
  'receipt show': () => showReceipt(options, ID),
  ask: () => ask(question()),
  'ask without a model': () => ask({ ...question(), model: undefined }),
};

describe('a gateway with a key', () => {
  it.each(Object.entries(commands))('%s is refused without it, by the user', async (_, run) => {
    vi.stubEnv('ASSAY_API_KEY', '');
    await expect(run()).rejects.toMatchObject({ code: 'invalid_api_key', fault: 'user' });
  });

  it.each(Object.entries(commands))('%s is refused with another one', async (_, run) => {
    vi.stubEnv('ASSAY_API_KEY', 'wrong');
    await expect(run()).rejects.toMatchObject({ code: 'invalid_api_key', fault: 'user' });
  });

  it('takes the key of ASSAY_API_KEY', async () => {
    vi.stubEnv('ASSAY_API_KEY', KEY);
    await status(options);
    expect(JSON.parse(output)).toMatchObject({ chain: { block: 2 } });
    output = '';
    await listModels(options);
    expect(JSON.parse(output)).toMatchObject({ models: [{ id: 'assay-mini' }] });
    await expect(showReceipt(options, ID)).rejects.toMatchObject({
      code: 'receipt_not_found',
      fault: 'user',
    });
    await expect(ask(question())).rejects.toMatchObject({ code: 'no_provider' });
  });
});
