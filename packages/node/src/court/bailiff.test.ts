/** Cases side by side, against the embedded chain: who waits holds up nobody, and what failed is tried again. */

import { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Listening, listen } from '../listen.js';
import { cacheModel, SHIPPED_MODEL_PATH } from '../model-store.js';
import { type Bailiff, createBailiff } from './bailiff.js';
import { type CaseBook, type CaseRecord, openCaseBook } from './case-book.js';
import { followCourt } from './court-follower.js';
import {
  answered,
  type CourtKit,
  MODEL_ID,
  offerAt,
  quiet,
  startCourtKit,
} from './testing/court-kit.js';

/** Longer than the tests: who waits for an audit to close waits to their end. */
const AUDIT_SECONDS = 3_600;

let kit: CourtKit;
let server: Listening;
let book: CaseBook;
let bailiff: Bailiff;
const asked = new Set<string>();

beforeAll(async () => {
  kit = await startCourtKit({ commitTime: AUDIT_SECONDS });
  const app = new Hono();
  app.post('/v1/jobs/:jobId/trace', (context) => {
    asked.add(context.req.param('jobId'));
    context.header('retry-after', String(AUDIT_SECONDS));
    return context.json({ error: { code: 'audit_open' } }, 409);
  });
  server = await listen({ app, port: 0 });
  await offerAt(kit.provider, server.url);
  book = openCaseBook(`${kit.home}/cases`);
  const { home, challenger: access } = kit;
  bailiff = createBailiff({ home, access, log: quiet, book, retrySeconds: [1, 1, 1, 1, 1] });
}, 120_000);
afterAll(async () => {
  bailiff.close();
  await server.close();
  await kit.chain.stop();
});

const until = async (isReached: () => boolean): Promise<void> => {
  while (!isReached()) await new Promise((resolve) => setTimeout(resolve, 50));
};

const recordOf = (jobId: `0x${string}`) => book.read(jobId) as CaseRecord | undefined;

describe('createBailiff', { timeout: 60_000 }, () => {
  it('tries a case again that failed, once its model can be had', async () => {
    const waiting = await answered(kit);
    expect(bailiff.take(waiting)).toBe(true);
    await until(() => recordOf(waiting.jobId)?.state === 'failed');
    expect(asked.size).toBe(0);
    cacheModel(kit.home, MODEL_ID, SHIPPED_MODEL_PATH);
    await until(() => asked.has(waiting.jobId));
    expect(recordOf(waiting.jobId)?.state).toBe('open');
  });

  it('convicts and is paid while many other cases wait for their audits to close', async () => {
    const others = await Promise.all(Array.from({ length: 8 }, () => answered(kit)));
    for (const other of others) expect(bailiff.take(other)).toBe(true);
    await until(() => others.every(({ jobId }) => asked.has(jobId)));
    const lies = [await answered(kit, { price: 1n }), await answered(kit, { price: 2n })];
    for (const lie of lies) expect(bailiff.take(lie)).toBe(true);
    expect(bailiff.take(lies[0]!)).toBe(false);
    await until(() => lies.every(({ jobId }) => recordOf(jobId)?.money !== undefined));
    const { steps } = recordOf(lies[0]!.jobId)!;
    expect(steps.map(({ move }) => move)).toEqual(['commit', 'prove', 'release']);
    expect(others.map(({ jobId }) => recordOf(jobId)?.state)).toEqual(others.map(() => 'open'));
    const verdicts = (await followCourt(kit.challenger)).verdicts();
    expect(verdicts.map(({ verdict }) => verdict.jobId).sort()).toEqual(
      lies.map(({ jobId }) => jobId).sort(),
    );
  });
});
