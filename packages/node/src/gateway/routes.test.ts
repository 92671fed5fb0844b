/** The shortcut past the router, on real sockets: it takes what the router would have let in, and nothing else. */
import { request } from 'node:http';
import { Hono } from 'hono';
import { afterEach, describe, expect, it } from 'vitest';
import { type Guard, guardFor } from '../guards.js';
import { type Listening, listen } from '../listen.js';
import { chatShortcut } from './routes.js';

let server: Listening | undefined;
afterEach(() => server?.close());

/** A server whose shortcut says `short` and whose app, behind the same guard, says `long`. */
async function serve(guard: Guard): Promise<Listening> {
  const app = new Hono().use('*', guard.middleware);
  app.all('*', (context) => context.text('long'));
  const shortcut = chatShortcut({ guard, chat: async (_, outgoing) => void outgoing.end('short') });
  server = await listen({ app, shortcut, port: 0 });
  return server;
}

type Asked = { readonly method?: string; readonly path?: string; readonly headers?: object };

/** The body of an answer, or its status if it is a refusal. */
function ask({ method = 'POST', path = '/v1/chat/completions', headers = {} }: Asked = {}) {
  const { port } = server!;
  return new Promise<string | number>((resolve, reject) => {
    const options = { port, host: '127.0.0.1', method, path, headers: { ...headers } };
    const asking = request(options, (answer) => {
      let text = '';
      answer.on('data', (part: Buffer) => {
        text += part.toString();
      });
      answer.on('end', () => resolve(answer.statusCode === 200 ? text : answer.statusCode!));
    });
    asking.on('error', reject);
    asking.end();
  });
}

describe('chatShortcut', () => {
  it('takes a chat request, and leaves everything else to the app', async () => {
    await serve(guardFor('127.0.0.1', undefined));
    expect(await ask()).toBe('short');
    expect(await ask({ method: 'GET' })).toBe('long');
    expect(await ask({ path: '/v1/chat/completions/' })).toBe('long');
    expect(await ask({ path: '/v1/chat/completions?a=1' })).toBe('long');
    expect(await ask({ path: '/v1/embeddings' })).toBe('long');
  });

  it('lets no foreign page in on loopback', async () => {
    await serve(guardFor('127.0.0.1', undefined));
    expect(await ask({ headers: { host: 'evil.example' } })).toBe(403);
    expect(await ask({ headers: { host: 'localhost:8787' } })).toBe('short');
  });

  it('lets nobody in without the key', async () => {
    await serve(guardFor('0.0.0.0', 'correct'));
    expect(await ask()).toBe(401);
    expect(await ask({ headers: { authorization: 'Bearer wrong' } })).toBe(401);
    expect(await ask({ headers: { authorization: 'Bearer correct' } })).toBe('short');
    expect(await ask({ headers: { host: 'evil.example', authorization: 'Bearer correct' } })).toBe(
      'short',
    );
  });
});
