/**
 * Chain time: follows the wall clock forwards, never goes back, and never stands still.
 *
 * If the wall clock is set back, chain time goes on at half the pace of the machine's steady clock until the
 * wall clock has caught up: a time lock always ends, and a lead always shrinks. Blocks of the same second
 * share a timestamp.
 */

/** Where time comes from; tests hand in their own. */
export type ClockSource = {
  /** Unix milliseconds; may jump either way. */
  wallMs(): number;
  /** Milliseconds since any fixed moment; never goes back. */
  steadyMs(): number;
};

export const SYSTEM_CLOCK: ClockSource = {
  wallMs: () => Date.now(),
  steadyMs: () => performance.now(),
};

/** Pace of chain time while it is ahead of the wall clock. */
const CATCH_UP_PACE = 0.5;

export type ChainClock = {
  /** Unix seconds for the next block. */
  nowSeconds(): number;
};

export type ChainClockOptions = {
  readonly source: ClockSource;
  /** Timestamp of the newest block; chain time starts no earlier. */
  readonly startSeconds: number;
};

export function createChainClock({ source, startSeconds }: ChainClockOptions): ChainClock {
  let timeMs = startSeconds * 1000;
  let steadyMs = source.steadyMs();
  return {
    nowSeconds() {
      const nowMs = source.steadyMs();
      timeMs = Math.max(source.wallMs(), timeMs + Math.max(0, nowMs - steadyMs) * CATCH_UP_PACE);
      steadyMs = nowMs;
      return Math.floor(timeMs / 1000);
    },
  };
}
