/**
 * How many tokens are worth guessing, from how the last guesses went. A guessed row costs nearly as much as a token of
 * its own in this arithmetic (the kernels are bound by multiplications more than by memory), so guessing pays only
 * while most guesses are right. It changes time only.
 */

/** Most tokens guessed at once; longer runs of luck gain little more. */
export const GUESSES_MAX = 8;

/** Most steps without a guess after wrong ones; then one is tried again, which costs a twentieth of the time. */
const REST_STEPS_MAX = 16;

export type Pace = {
  /** Tokens to guess in this step; call once per step. */
  readonly next: () => number;
  readonly record: (outcome: { readonly guessed: number; readonly right: number }) => void;
};

/** Begins with two guesses; doubles while all are right, falls back to what was right, and rests when nothing was. */
export function createPace(): Pace {
  let size = 2;
  let wait = 0;
  let rest = 1;
  return {
    next() {
      if (wait === 0) return size;
      wait--;
      return 0;
    },
    record({ guessed, right }) {
      size = right === guessed ? Math.min(2 * size, GUESSES_MAX) : Math.max(1, right);
      rest = right > 0 ? 1 : Math.min(2 * rest, REST_STEPS_MAX);
      wait = right > 0 ? 0 : rest;
    },
  };
}
