/** Short lane of `npm run challenges`: no random challenge convicts an honest provider, every proved lie does. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { honestCase } from './honest-case.js';
import { challengedCase, drawChallenge, judgeChallenge } from './random-challenge.js';

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

const SEEDS = 160;
/** Two seconds of work; a machine that does much else takes longer. */
const TIMEOUT_MS = 180_000;
const shape = { seed: 6, inputCount: 4, outputCount: 3, hash: sha256 };

describe('drawChallenge', () => {
  it('convicts no honest provider, and every trace with one bit changed', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const of = challengedCase(honestCase(shape), sha256);
    const seen = { opened: 0, changed: 0, lie: 0 };
    let acquitted = 0;
    const kinds = new Set<string>();
    for (let seed = 0; seed < SEEDS; seed++) {
      const challenge = await drawChallenge(of, seed);
      if (challenge === undefined) continue;
      const judged = judgeChallenge(of, challenge);
      const { manner, kind } = challenge;
      seen[manner]++;
      kinds.add(kind);
      if (manner === 'lie') expect(judged, `seed ${seed}`).toBe('convicted');
      else expect(judged, `seed ${seed}`).not.toBe('convicted');
      if (judged === 'acquitted') acquitted++;
    }
    expect(Math.min(seen.opened, seen.changed)).toBeGreaterThan(40);
    expect(acquitted).toBeGreaterThan(40);
    expect(seen.lie).toBeGreaterThan(8);
    expect(kinds.size).toBeGreaterThan(20);
  });
});
