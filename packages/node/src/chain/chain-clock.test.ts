import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createChainClock } from './chain-clock.js';

const SEED = 20_261;

type Step = { readonly wallMs: number; readonly steadyMs: number };
const step: fc.Arbitrary<Step> = fc.record({
  wallMs: fc.integer({ min: -1e11, max: 1e11 }),
  steadyMs: fc.integer({ min: 0, max: 1e8 }),
});

function clockAt(wallMs: number, startSeconds: number) {
  const now = { wallMs, steadyMs: 5 };
  const source = { wallMs: () => now.wallMs, steadyMs: () => now.steadyMs };
  return { now, clock: createChainClock({ source, startSeconds }) };
}

describe('createChainClock', () => {
  it('follows the wall clock', () => {
    const { now, clock } = clockAt(1_700_000_000_900, 0);
    expect(clock.nowSeconds()).toBe(1_700_000_000);
    now.wallMs += 100;
    expect(clock.nowSeconds()).toBe(1_700_000_001);
  });

  it('starts no earlier than the newest block', () => {
    expect(clockAt(1_000, 1_700_000_000).clock.nowSeconds()).toBe(1_700_000_000);
  });

  it('goes on at half pace when the wall clock is set back', () => {
    const { now, clock } = clockAt(1_700_000_000_000, 0);
    clock.nowSeconds();
    now.wallMs -= 3_600_000;
    now.steadyMs += 60_000;
    expect(clock.nowSeconds()).toBe(1_700_000_030);
  });

  it('never goes back and is never behind the wall clock', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
        const { now, clock } = clockAt(1_700_000_000_000, 1_700_000_100);
        let last = clock.nowSeconds();
        for (const { wallMs, steadyMs } of steps) {
          now.wallMs += wallMs;
          now.steadyMs += steadyMs;
          const seconds = clock.nowSeconds();
          expect(seconds).toBeGreaterThanOrEqual(last);
          expect(seconds).toBeGreaterThanOrEqual(Math.floor(now.wallMs / 1000));
          last = seconds;
        }
      }),
      { seed: SEED },
    );
  });

  it('does not drift from a wall clock that only wobbles', () => {
    const { now, clock } = clockAt(1_700_000_000_000, 0);
    for (let second = 1; second <= 10_000; second++) {
      now.steadyMs += 1000;
      now.wallMs = 1_700_000_000_000 + second * 1000 + (second % 2 === 0 ? 0 : 40);
      clock.nowSeconds();
    }
    expect(clock.nowSeconds()).toBeLessThanOrEqual(1_700_010_001);
  });
});
