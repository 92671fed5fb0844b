/**
 * The demonstration of the court, as a newcomer runs it: a fresh private network, a provider that cheats in one way,
 * and the verdict of the real contracts. `.ci/run` plays every other way, too.
 */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';

const CLI = createRequire(import.meta.url)
  .resolve('@assay/node/package.json')
  .replace(/package\.json$/, 'bin/assay.mjs');

/** A network comes up, a trace is computed twice, a case is played: half a minute on two idle cores. */
const PLAY_TIMEOUT_MS = 240_000;

type Played = {
  readonly fault: string;
  readonly convicted: boolean;
  readonly transactions: number;
  readonly gas: { readonly open: number; readonly prove: number; readonly total: number };
  readonly slashed: string;
  readonly refunded: string;
};

function play(fault: string): { readonly status: number | null; readonly result: Played } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [CLI, 'demo', 'dispute', '--fault', fault, '--json'],
    { encoding: 'utf8', env: { ...process.env, ASSAY_LOG: 'error' } },
  );
  if (stdout === '') throw new Error(stderr);
  return { status, result: JSON.parse(stdout) as Played };
}

describe('assay demo dispute', () => {
  it(
    'convicts one flipped activation in one transaction, though every token is right',
    () => {
      const { status, result } = play('flip-activation');
      expect(status).toBe(0);
      expect(result).toMatchObject({
        fault: 'flip-activation',
        convicted: true,
        slashed: '1000000000',
      });
      expect(BigInt(result.refunded)).toBeGreaterThan(0n);
      expect(result.gas.open).toBe(0);
    },
    PLAY_TIMEOUT_MS,
  );

  it(
    'convicts a provider that keeps silent',
    () => {
      const { status, result } = play('silent');
      expect(status).toBe(0);
      expect(result.convicted).toBe(true);
      expect(result.gas.open).toBeGreaterThan(0);
    },
    PLAY_TIMEOUT_MS,
  );

  it(
    'convicts nobody who is honest',
    () => {
      const { status, result } = play('none');
      expect(status).toBe(0);
      expect(result).toMatchObject({ convicted: false, transactions: 0, slashed: '0' });
    },
    PLAY_TIMEOUT_MS,
  );

  it('refuses a way of cheating that it does not know', () => {
    const { status, stderr } = spawnSync(
      process.execPath,
      [CLI, 'demo', 'dispute', '--fault', 'nonsense'],
      { encoding: 'utf8' },
    );
    expect(status).toBe(2);
    expect(stderr).toContain('flip-activation');
  });
});
