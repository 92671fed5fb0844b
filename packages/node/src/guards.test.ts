import { Hono } from 'hono';
import { describe, expect, it } from 'vitest';
import { requireApiKey } from './guards.js';

const app = new Hono().use('*', requireApiKey('correct'));
app.all('*', (context) => context.text('served'));

const ask = (path: string, init: RequestInit = {}) => app.request(path, init);

describe('requireApiKey', () => {
  it('lets the key in, and nothing else', async () => {
    const status = async (authorization?: string) =>
      (await ask('/v1/models', authorization === undefined ? {} : { headers: { authorization } }))
        .status;
    expect(await status('Bearer correct')).toBe(200);
    expect(await status('Bearer wrong')).toBe(401);
    expect(await status()).toBe(401);
  });

  it.each(['/', '/index.html', '/mark.svg', '/assets/index-BCfUO_jq.css'])(
    'serves the page file %s to everybody',
    async (path) => {
      expect((await ask(path)).status).toBe(200);
    },
  );

  it.each([
    '/v1',
    '/v1/receipts/0x00.html',
    '/v1/models/a/file',
    '/v1/network',
    '/assets/../v1/models',
    '/assets/a/b.js',
    '/%76%31/models',
    '//v1/models',
  ])('asks for the key at %s', async (path) => {
    expect((await ask(path)).status).toBe(401);
  });

  it('asks for the key when a page address is written to', async () => {
    expect((await ask('/', { method: 'POST' })).status).toBe(401);
  });

  it('says what to do', async () => {
    const answer = await ask('/v1/network');
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    expect(await answer.json()).toMatchObject({
      error: { code: 'invalid_api_key', message: expect.stringContaining('ASSAY_API_KEY') },
    });
  });
});
