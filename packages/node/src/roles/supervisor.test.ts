import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createLog } from '../log.js';
import { createSupervisor } from './supervisor.js';

const home = mkdtempSync(join(tmpdir(), 'assay-supervisor-'));
afterAll(() => rmSync(home, { recursive: true }));

const start = (...args: readonly string[]): Promise<unknown> => {
  const supervisor = createSupervisor({ home, log: createLog('test'), nowMs: Date.now });
  return supervisor
    .start({ name: 'verifier', args: ['verifier', '--json', '--home', home, ...args] })
    .finally(() => supervisor.stop());
};

describe('a role that does not start', { timeout: 30_000 }, () => {
  it('is the fault of the user where its error says so', async () => {
    await expect(start('--rpc', 'nonsense')).rejects.toMatchObject({
      code: 'invalid_value',
      fault: 'user',
    });
  });

  it('is the fault of the platform where its error says so', async () => {
    await expect(start('--rpc', 'http://127.0.0.1:1')).rejects.toMatchObject({
      code: 'chain_unreachable',
      fault: 'platform',
    });
  });

  it('is the fault of the platform where it says nothing', async () => {
    await expect(start('--no-such-option')).rejects.toMatchObject({
      code: 'role_failed',
      fault: 'platform',
      value: 'ended with 2',
    });
  });
});
