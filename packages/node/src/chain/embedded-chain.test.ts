import { join } from 'node:path';
import type { Hex } from '@assay/protocol';
import { describe, expect, it } from 'vitest';
import { startAnvil } from './anvil-process.js';
import { createChainClock, SYSTEM_CLOCK } from './chain-clock.js';
import { SILENT_LOG } from './chain-engine.js';
import { journalUnwritable } from './chain-errors.js';
import { BLOCK_GAS_MAX } from './chain-limits.js';
import { type EmbeddedChain, startChain } from './embedded-chain.js';
import { type Journal, openJournal } from './journal.js';
import { openSnapshots } from './snapshot.js';
import { anvilsOf, eventually, SLOW_MS, signTransfer, temporaryHome } from './testing/chain-kit.js';

const GENESIS = {
  chainId: 31_337,
  timestamp: 1_700_000_000,
  hardfork: 'osaka',
  blockGasMax: BLOCK_GAS_MAX,
};

type Setup = {
  readonly home: string;
  readonly append?: (journal: Journal, ...args: Parameters<Journal['append']>) => void;
  readonly onStart?: () => void;
};

/** A chain whose journal can be told to fail. */
async function startOn({ home, append, onStart }: Setup) {
  const journal = openJournal(join(home, 'journal.db'), GENESIS);
  const failing: Journal = append
    ? { ...journal, append: (block) => append(journal, block) }
    : journal;
  const chain = await startChain({
    journal: failing,
    snapshots: openSnapshots(join(home, 'snapshots')),
    clock: createChainClock({ source: SYSTEM_CLOCK, startSeconds: GENESIS.timestamp }),
    log: SILENT_LOG,
    snapshotTailMin: 1_000,
    startAnvil: ({ skipBalanceChecks }) => {
      onStart?.();
      return startAnvil({
        genesis: GENESIS,
        folder: join(home, 'anvil'),
        log: SILENT_LOG,
        skipBalanceChecks,
      });
    },
  });
  return { chain, journal };
}

async function readNumber(chain: EmbeddedChain): Promise<number> {
  const text = '{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}';
  const answer = JSON.parse(String(await chain.read(text, 'eth_blockNumber')));
  return Number(answer.result as Hex);
}

describe('startChain', { timeout: SLOW_MS }, () => {
  it('shows no block before it is in the journal', async () => {
    const home = temporaryHome();
    const { chain, journal } = await startOn({ home });
    let isOver = false;
    const readers = Array.from({ length: 4 }, async () => {
      while (!isOver) {
        const number = await readNumber(chain);
        expect(journal.head()?.number ?? 0).toBeGreaterThanOrEqual(number);
      }
    });
    for (let nonce = 0; nonce < 20; nonce++) {
      await chain.submit(await signTransfer({ from: 0, nonce }));
      await eventually(() => (journal.head()?.number ?? 0) > nonce);
    }
    isOver = true;
    await Promise.all(readers);
    await chain.stop();
    journal.close();
  });

  it('forgets transactions that the chain process drops or replaces', async () => {
    const { chain, journal } = await startOn({ home: temporaryHome() });
    const value = 6_000n * 10n ** 18n; // Either of the two can be paid, not both.
    await chain.submit(await signTransfer({ from: 0, nonce: 1, value }));
    expect(chain.waitingCount()).toBe(1);
    await chain.submit(await signTransfer({ from: 0, nonce: 0, value }));
    await eventually(() => chain.waitingCount() === 0);
    expect(chain.head().number).toBe(1);
    await chain.stop();
    journal.close();
  });

  it('gives the same bytes, sent by many at once, one hash', async () => {
    const { chain, journal } = await startOn({ home: temporaryHome() });
    const raw = await signTransfer({ from: 0, nonce: 0 });
    const hashes = await Promise.all(Array.from({ length: 10 }, () => chain.submit(raw)));
    expect(new Set(hashes).size).toBe(1);
    await eventually(() => chain.head().number === 1);
    await expect(chain.submit(raw)).rejects.toMatchObject({ name: 'RpcRefusal', code: -32003 });
    await chain.stop();
    journal.close();
  });

  it('stops for good when the journal cannot be written, and shows nothing of that block', async () => {
    const home = temporaryHome();
    const { chain, journal } = await startOn({
      home,
      append: (real, block) => {
        if (block.number === 3) throw journalUnwritable('full disk');
        real.append(block);
      },
    });
    let highest = 0;
    const readers = Array.from({ length: 4 }, async () => {
      for (;;) highest = Math.max(highest, await readNumber(chain));
    });
    for (let nonce = 0; nonce < 3; nonce++) {
      await chain.submit(await signTransfer({ from: 0, nonce }));
      await eventually(() => chain.waitingCount() === 0 || nonce === 2);
    }
    expect(await chain.failed).toMatchObject({ code: 'chain_journal_unwritable' });
    for (const reader of readers) {
      await expect(reader).rejects.toMatchObject({ code: 'chain_journal_unwritable' });
    }
    expect(highest).toBe(2);
    const refused = chain.submit(await signTransfer({ from: 1, nonce: 0 }));
    await expect(refused).rejects.toMatchObject({ code: 'chain_journal_unwritable' });
    await chain.stop();
    journal.close();
    const again = await startOn({ home });
    expect(again.chain.head().number).toBe(2);
    await again.chain.stop();
    again.journal.close();
  });

  it.runIf(process.platform === 'linux')(
    'gives up after many crashes in a short time',
    async () => {
      const home = temporaryHome();
      let starts = 0;
      const { chain, journal } = await startOn({ home, onStart: () => starts++ });
      let isOver = false;
      void chain.failed.then(() => {
        isOver = true;
      });
      await eventually(() => {
        for (const pid of anvilsOf(home)) process.kill(pid, 'SIGKILL');
        return isOver;
      });
      expect(await chain.failed).toMatchObject({ code: 'chain_keeps_crashing' });
      expect(starts).toBeLessThanOrEqual(6);
      await chain.stop();
      journal.close();
    },
  );

  it('can be stopped while it restarts', async () => {
    const home = temporaryHome();
    const { chain, journal } = await startOn({ home });
    if (process.platform === 'linux') process.kill(anvilsOf(home)[0]!, 'SIGKILL');
    await chain.stop();
    await expect(readNumber(chain)).rejects.toMatchObject({ code: 'chain_stopped' });
    if (process.platform === 'linux') expect(anvilsOf(home)).toEqual([]);
    journal.close();
  });
});
