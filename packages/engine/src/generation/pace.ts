/**
 * How many tokens are worth guessing, from how often guesses were right. A guess costs a row of the pass and saves a
 * token if it and all before it are right, so the k-th pays while share^k is above the cost of a row. It changes time
 * only.
 */

/** Most tokens guessed at once; longer runs of luck gain little more. */
export const GUESSES_MAX = 8;

/**
 * Cost of one more row in a pass, in tokens computed alone: 0.4 to 0.5 for the second and 0.55 to 0.65 for each after
 * it, on one thread and a shape of 135M parameters. It is high because the kernels are bound by multiplications more
 * than by memory.
 */
const ROW_COST = 0.6;

/** Share of right guesses that a request begins with, and the least that it is taken for. */
const SHARE_FIRST = 0.8;
const SHARE_MIN = 0.4;

/** Weight of the latest guess in the share. */
const SHARE_STEP = 1 / 8;

/** Most steps between guesses while they do not pay; one is tried then, which costs a few hundredths of the time. */
const REST_STEPS_MAX = 16;

export type Pace = {
  /** Tokens to guess in this step; call once per step. */
  readonly next: () => number;
  readonly record: (outcome: { readonly guessed: number; readonly right: number }) => void;
};

/** `guessCost` is what making a guess costs, in tokens of the exact engine. */
export function createPace(guessCost: number): Pace {
  let share = SHARE_FIRST;
  let rest = 0;
  let wait = 0;
  const learn = (isRight: number): void => {
    share = Math.max(SHARE_MIN, share + (isRight - share) * SHARE_STEP);
  };
  return {
    next() {
      const size = paying(share, ROW_COST + guessCost);
      if (size > 0) return size;
      if (wait === 0) return 1;
      wait--;
      return 0;
    },
    record({ guessed, right }) {
      for (let i = 0; i < right; i++) learn(1);
      // Guesses after the first wrong one say nothing.
      if (right < guessed) learn(0);
      rest = right > 0 ? 0 : Math.min(2 * rest + 1, REST_STEPS_MAX);
      wait = rest;
    },
  };
}

/** Guesses that pay at that share of right ones and that price. */
function paying(share: number, cost: number): number {
  let size = 0;
  for (let chance = share; chance > cost && size < GUESSES_MAX; chance *= share) size++;
  return size;
}
