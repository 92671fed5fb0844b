/** Many transactions of one account at the same moment, on a real chain. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { privateKeyToAccount } from 'viem/accounts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ChainEngine, LOCAL_FAUCET_KEY, startEmbeddedChain } from './chain/index.js';
import { openChain, type ReadChain, type WriteChain } from './chain-access.js';
import { createLog } from './log.js';

const home = mkdtempSync(join(tmpdir(), 'assay-turns-'));
const account = privateKeyToAccount(LOCAL_FAUCET_KEY);
let chain: ChainEngine;
let read: ReadChain;
let write: WriteChain;

beforeAll(async () => {
  chain = await startEmbeddedChain({ home, port: 0, log: createLog('test', 'error') });
  ({ read, write } = await openChain(chain.rpcUrl, account));
}, 60_000);
afterAll(async () => {
  await chain?.stop();
  rmSync(home, { recursive: true, force: true });
});

const send = (value: bigint): Promise<`0x${string}`> =>
  write.sendTransaction({ to: account.address, value });

describe('createSendTurns', () => {
  it('gives every transaction a number of its own', async () => {
    const before = await read.getTransactionCount(account);
    const hashes = await Promise.all(Array.from({ length: 12 }, (_, at) => send(BigInt(at))));
    for (const hash of hashes) await read.waitForTransactionReceipt({ hash });
    expect(await read.getTransactionCount(account)).toBe(before + 12);
  });

  it('goes on after one that could not be sent, and loses no number to it', async () => {
    const before = await read.getTransactionCount(account);
    const all = await Promise.allSettled([send(1n), send(10n ** 40n), send(2n), send(3n)]);
    expect(all.map(({ status }) => status)).toEqual([
      ...['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
    ]);
    for (const sent of all)
      if (sent.status === 'fulfilled') await read.waitForTransactionReceipt({ hash: sent.value });
    expect(await read.getTransactionCount(account)).toBe(before + 3);
  });
});
