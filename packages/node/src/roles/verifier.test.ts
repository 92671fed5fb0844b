import { describe, expect, it } from 'vitest';
import { createLog } from '../log.js';
import { verifierApp } from './verifier.js';

const app = verifierApp(() => {
  throw new Error('no receipt should come this far');
}, createLog('verifier'));

const verify = (body: string) => app.request('/v1/verify', { method: 'POST', body });

describe('POST /v1/verify', () => {
  it.each(['', '{', 'receipt', '[]', 'null', '{"jobId":"0x00"}'])(
    'refuses %j as malformed',
    async (body) => {
      const answer = await verify(body);
      expect(answer.status).toBe(400);
      expect(await answer.json()).toMatchObject({ error: { code: 'malformed_message' } });
    },
  );

  it('refuses more than a receipt can be', async () => {
    expect((await verify('x'.repeat(4 * 1024 * 1024 + 1))).status).toBe(413);
  });
});
