/** What `assay dispute` says to wrong input, before it needs a network; with one: `simulation/src/dispute-open.test.ts`. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { listDisputes, openDisputeCommand, releaseDispute, showDispute } from './dispute.js';

const parent = mkdtempSync(join(tmpdir(), 'assay-dispute-'));
const home = join(parent, 'none');
afterAll(() => rmSync(parent, { recursive: true, force: true }));

const options = { home, json: true, force: false };
const JOB = `0x${'ab'.repeat(32)}`;
const withId: readonly (readonly [string, (id: string) => Promise<void>])[] = [
  ['show', (id) => showDispute(options, id)],
  ['open', (id) => openDisputeCommand(options, id)],
  ['release', (id) => releaseDispute(options, id)],
];

describe.each(withId)('assay dispute %s', (_, run) => {
  it.each(['', '0x12', 'zzz', `${JOB}00`, JOB.slice(2)])('refuses the id %j', async (id) => {
    await expect(run(id)).rejects.toMatchObject({ code: 'invalid_value', fault: 'user' });
  });

  it('says that no network runs here, and leaves no folder behind', async () => {
    await expect(run(JOB)).rejects.toMatchObject({ code: 'network_not_running', fault: 'user' });
    expect(existsSync(home)).toBe(false);
  });
});

describe('assay dispute list', () => {
  it('tells a wrong address from a chain that does not answer', async () => {
    const ask = (rpc: string) => listDisputes({ ...options, rpc });
    await expect(ask('nonsense')).rejects.toMatchObject({ code: 'invalid_value' });
    await expect(ask('http://127.0.0.1:1')).rejects.toMatchObject({
      code: 'chain_unreachable',
      fault: 'platform',
    });
    expect(existsSync(home)).toBe(false);
  });
});
