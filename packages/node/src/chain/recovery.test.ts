import { readdirSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Hex } from '@assay/protocol';
import Database from 'libsql';
import { keccak256 } from 'viem';
import { describe, expect, it } from 'vitest';
import {
  type ChainEngine,
  type ChainLog,
  LOCAL_CHAIN_ID,
  localAccount,
  startEmbeddedChain,
} from './index.js';
import { openJournal } from './journal.js';
import {
  anvilsOf,
  COUNTER_CODE,
  callRpc,
  eventually,
  findReceipt,
  range,
  SLOW_MS,
  sendAll,
  signTransfer,
  startChainChild,
  temporaryHome,
  waitForReceipt,
} from './testing/chain-kit.js';

type Note = { readonly message: string; readonly fields: Record<string, unknown> };

/** A log that remembers. */
function noteLog(): ChainLog & { readonly notes: Note[] } {
  const notes: Note[] = [];
  const keep = (fields: object, message: string) => {
    notes.push({ message, fields: { ...fields } });
  };
  return { notes, info: keep, warn: keep, error: keep };
}

const send = async (url: string, raw: Hex) => {
  const { body } = await callRpc(url, 'eth_sendRawTransaction', [raw]);
  if (!body.result) throw new Error(JSON.stringify(body.error));
  return body.result as Hex;
};

/** One transaction after the other, each seen in a block. */
async function sealTransfers(url: string, from: number, nonces: readonly number[]) {
  const seen: { hash: Hex; blockHash: Hex }[] = [];
  for (const nonce of nonces) {
    const hash = await send(url, await signTransfer({ from, nonce }));
    seen.push({ hash, blockHash: (await waitForReceipt(url, hash)).blockHash });
  }
  return seen;
}

async function expectSeen(url: string, seen: readonly { hash: Hex; blockHash: Hex }[]) {
  for (const { hash, blockHash } of seen) {
    const { body } = await callRpc(url, 'eth_getTransactionReceipt', [hash]);
    expect(body.result).toMatchObject({ blockHash, status: '0x1' });
  }
}

/** Compares every block of the chain with the journal on the disk. */
async function expectJournaled(chain: Pick<ChainEngine, 'rpcUrl'>, home: string) {
  const journal = openJournal(join(home, 'chain', 'journal.db'), {
    chainId: 0,
    timestamp: 0,
    hardfork: '',
    blockGasMax: 0,
  });
  const blocks = [...journal.blocksAbove(0)];
  journal.close();
  for (const { number, hash, timestamp } of blocks) {
    const params = [`0x${number.toString(16)}`, false];
    const { body } = await callRpc(chain.rpcUrl, 'eth_getBlockByNumber', params);
    expect(body.result).toMatchObject({ hash, timestamp: `0x${timestamp.toString(16)}` });
  }
  return blocks.length;
}

/** Transactions of several senders until told to stop; what was seen in a block is kept. */
function keepSending(url: string, senders: readonly number[], nonces: number[]) {
  const seen: { hash: Hex; blockHash: Hex }[] = [];
  let isOver = false;
  const loops = senders.map(async (from) => {
    while (!isOver) {
      const raw = await signTransfer({ from, nonce: nonces[from]! });
      const hash = keccak256(raw);
      const isSent = await send(url, raw).then(
        () => true,
        () => false,
      );
      // Refused may mean: sealed just before the role died, so that nobody here saw its receipt.
      const receipt = await (isSent ? waitForReceipt : findReceipt)(url, hash).catch(
        () => undefined,
      );
      if (!receipt) {
        await pause(20); // The role may be dead; the test says when to stop.
        continue;
      }
      nonces[from]!++;
      seen.push({ hash, blockHash: receipt.blockHash });
    }
  });
  return {
    seen,
    async stop() {
      isOver = true;
      await Promise.all(loops);
    },
  };
}

describe('recovery', { timeout: SLOW_MS }, () => {
  it.runIf(process.platform === 'linux')(
    'survives kill -9 of the chain program under load without a caller noticing',
    async () => {
      const home = temporaryHome();
      const chain = await startEmbeddedChain({ home, port: 0 });
      const load = keepSending(chain.rpcUrl, [0, 1, 2], [0, 0, 0]);
      let failures = 0;
      let isOver = false;
      const reader = (async () => {
        while (!isOver) {
          const { body } = await callRpc(chain.rpcUrl, 'eth_blockNumber');
          if (!body.result) failures++;
        }
      })();
      for (const count of [3, 6]) {
        await eventually(() => load.seen.length >= count);
        const [pid] = anvilsOf(home);
        process.kill(pid!, 'SIGKILL');
        await eventually(() => anvilsOf(home).some((other) => other !== pid));
      }
      const before = load.seen.length;
      await eventually(() => load.seen.length > before + 3);
      await load.stop();
      isOver = true;
      await reader;
      expect(failures).toBe(0);
      await expectSeen(chain.rpcUrl, load.seen);
      expect(await expectJournaled(chain, home)).toBeGreaterThan(2);
      await chain.stop();
    },
  );

  it('survives kill -9 of the whole role while transactions flow', async () => {
    const home = temporaryHome();
    const nonces = [0, 0, 0];
    const seen: { hash: Hex; blockHash: Hex }[] = [];
    for (let round = 0; round < 2; round++) {
      const child = await startChainChild(home);
      await expectSeen(child.rpcUrl, seen);
      const load = keepSending(child.rpcUrl, [0, 1, 2], nonces);
      await eventually(() => load.seen.length >= 5);
      await child.kill();
      await load.stop();
      seen.push(...load.seen);
      if (process.platform === 'linux') await eventually(() => anvilsOf(home).length === 0);
    }
    const chain = await startEmbeddedChain({ home, port: 0 });
    await expectSeen(chain.rpcUrl, seen);
    expect((await chain.head()).number).toBe(await expectJournaled(chain, home));
    await chain.stop();
  });

  it('starts from the newest snapshot, from the older one, and without any', async () => {
    const home = temporaryHome();
    const folder = join(home, 'chain', 'snapshots');
    const snapshotTailMin = 6;
    const log = noteLog();
    const first = await startEmbeddedChain({ home, port: 0, snapshotTailMin, log });
    const deploy = { from: 1, nonce: 0, to: undefined, value: 0n, data: COUNTER_CODE };
    const hash = await send(first.rpcUrl, await signTransfer(deploy));
    const { contractAddress } = await waitForReceipt(first.rpcUrl, hash);
    const call = await signTransfer({ from: 1, nonce: 1, to: contractAddress, value: 0n });
    await waitForReceipt(first.rpcUrl, await send(first.rpcUrl, call));
    const seen = await sealTransfers(first.rpcUrl, 0, range(0, 8));
    const written = () => log.notes.filter((note) => note.message.includes('snapshot written'));
    await eventually(() => written().length >= 2);
    seen.push(...(await sealTransfers(first.rpcUrl, 0, range(8, 2))));
    const head = await first.head();
    await first.stop();
    const newest = readdirSync(folder).sort().reverse();
    expect(newest).toHaveLength(2);

    const restartFrom = async () => {
      const restartLog = noteLog();
      const chain = await startEmbeddedChain({ home, port: 0, log: restartLog });
      expect(await chain.head()).toEqual(head);
      await expectSeen(chain.rpcUrl, seen);
      const filter = { address: contractAddress, fromBlock: '0x0', toBlock: 'latest' };
      const { body } = await callRpc(chain.rpcUrl, 'eth_getLogs', [filter]);
      expect(body.result).toHaveLength(1);
      await expectJournaled(chain, home);
      await chain.stop();
      return restartLog.notes.find((note) => note.message === 'chain restored')?.fields
        .snapshotNumber;
    };
    const numberIn = (name: string | undefined) => Number(name?.split('-')[1]);
    expect(await restartFrom()).toBe(numberIn(newest[0]));
    truncateSync(join(folder, newest[0]!), 100);
    expect(await restartFrom()).toBe(numberIn(newest[1]));
    truncateSync(join(folder, newest[1]!), 0);
    expect(await restartFrom()).toBe(0);
  });

  it('replays transactions that came out of order or that a fuller pool had taken', async () => {
    const home = temporaryHome();
    const chain = await startEmbeddedChain({ home, port: 0 });
    const raws = await Promise.all([3, 1, 2].map((nonce) => signTransfer({ from: 4, nonce })));
    const others = await Promise.all(range(0, 5).map((nonce) => signTransfer({ from: 5, nonce })));
    const hashes = await Promise.all([...raws, ...others].map((raw) => send(chain.rpcUrl, raw)));
    await send(chain.rpcUrl, await signTransfer({ from: 4, nonce: 0 }));
    await Promise.all(hashes.map((hash) => waitForReceipt(chain.rpcUrl, hash)));
    const head = await chain.head();
    await chain.stop();
    const again = await startEmbeddedChain({ home, port: 0 });
    expect(await again.head()).toEqual(head);
    await again.stop();
  });

  it('replays a transaction that the pool would not take again', async () => {
    const home = temporaryHome();
    const chain = await startEmbeddedChain({ home, port: 0 });
    const value = 6_000n * 10n ** 18n;
    const poor = localAccount({ chainId: LOCAL_CHAIN_ID, index: 4 }).address;
    const sent = async (raw: Promise<Hex>) => send(chain.rpcUrl, await raw);
    // Taken while its sender is rich; its turn comes in a block that first makes the sender rich again.
    const early = await sent(signTransfer({ from: 4, nonce: 2, value }));
    await waitForReceipt(chain.rpcUrl, await sent(signTransfer({ from: 4, nonce: 0, value })));
    await sendAll(
      chain.rpcUrl,
      await Promise.all([
        signTransfer({ from: 5, nonce: 0, value, to: poor }),
        signTransfer({ from: 4, nonce: 1 }),
      ]),
    );
    const { blockNumber } = await waitForReceipt(chain.rpcUrl, early);
    const head = await chain.head();
    await chain.stop();
    const log = noteLog();
    const again = await startEmbeddedChain({ home, port: 0, log });
    expect(await again.head()).toEqual(head);
    const inOneBlock = Number(blockNumber) === 2;
    expect(log.notes.some((note) => note.message.includes('next one'))).toBe(inOneBlock);
    await again.stop();
  });

  it.each([
    ['a changed hash', "UPDATE block SET hash = '0x00' WHERE number = 2"],
    ['a changed time', 'UPDATE block SET timestamp = timestamp + 1 WHERE number = 3'],
    ['a lost transaction', 'DELETE FROM block_transaction WHERE block = 2'],
    ['another block 0', "UPDATE meta SET value = '0x00' WHERE name = 'genesis_hash'"],
  ])('says chain_replay_mismatch for %s', async (_, change) => {
    const home = temporaryHome();
    const chain = await startEmbeddedChain({ home, port: 0 });
    await sealTransfers(chain.rpcUrl, 0, range(0, 3));
    await chain.stop();
    const database = new Database(join(home, 'chain', 'journal.db'));
    database.exec(change);
    database.close();
    await expect(startEmbeddedChain({ home, port: 0 })).rejects.toMatchObject({
      code: 'chain_replay_mismatch',
      remedy: expect.stringContaining('chain folder'),
    });
    if (process.platform === 'linux') expect(anvilsOf(home)).toEqual([]);
  });
});
