/**
 * Draws from a named seed: the same seed gives the same market. A 32-bit counter through two multiply-xor rounds; for
 * games, not for keys.
 */

export type Random = {
  /** In [0, 1). */
  readonly next: () => number;
  /** True with probability `share`. */
  readonly chance: (share: number) => boolean;
  /** An integer from 0 to `count - 1`. */
  readonly below: (count: number) => number;
  /** `count` different ones of `items`, or all if there are fewer. */
  readonly draw: <T>(items: readonly T[], count: number) => readonly T[];
};

export function randomFrom(seed: number): Random {
  let state = Math.imul(seed, 0x9e3779b1) >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (count: number): number => Math.floor(next() * count);
  return {
    next,
    below,
    chance: (share) => next() < share,
    draw(items, count) {
      const rest = [...items];
      const drawn = [];
      while (drawn.length < count && rest.length > 0)
        drawn.push(...rest.splice(below(rest.length), 1));
      return drawn;
    },
  };
}
