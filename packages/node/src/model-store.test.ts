/** Files of models that nobody hands out, or that somebody hands out wrongly, from real servers. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { openModelFile } from '@assay/model';
import type { Hex } from '@assay/protocol';
import { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryHome } from './chain/testing/chain-kit.js';
import { listen } from './listen.js';
import { cachedModel, fetchModel, SHIPPED_MODEL_PATH } from './model-store.js';

const bytes = readFileSync(SHIPPED_MODEL_PATH);
const { modelId } = openModelFile(bytes).identity;
const other: Hex = `0x${'ab'.repeat(32)}`;

let server: Awaited<ReturnType<typeof listen>>;
beforeAll(async () => {
  const app = new Hono();
  // Whatever it is asked for, it gives the shipped model.
  app.get('/v1/models/:id/file', (context) => context.body(new Uint8Array(bytes)));
  server = await listen({ app, host: '127.0.0.1', port: 0 });
});
afterAll(() => server.close());

describe('fetchModel', { timeout: 60_000 }, () => {
  it('says that a model is unavailable if nobody offers it, or nobody answers', async () => {
    const home = temporaryHome();
    const nobody = fetchModel(home, modelId, []);
    await expect(nobody).rejects.toMatchObject({ code: 'model_unavailable', fault: 'peer' });
    const gone = fetchModel(home, modelId, ['http://127.0.0.1:1']);
    await expect(gone).rejects.toMatchObject({ code: 'model_unavailable', value: modelId });
  });

  it('does not take the file of another model, and keeps nothing of it', async () => {
    const home = temporaryHome();
    const fetched = fetchModel(home, other, [server.url]);
    await expect(fetched).rejects.toMatchObject({ code: 'model_unavailable', value: other });
    expect(cachedModel(home, other)).toBeUndefined();
    expect(readdirSync(`${home}/models`)).toEqual([]);
  });

  it('goes on to the next endpoint, and needs none the second time', async () => {
    const home = temporaryHome();
    const path = await fetchModel(home, modelId, ['http://127.0.0.1:1', server.url]);
    expect(existsSync(path)).toBe(true);
    expect(await fetchModel(home, modelId, [])).toBe(path);
  });
});
