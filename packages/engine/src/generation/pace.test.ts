import { describe, expect, it } from 'vitest';
import { mulberry32 } from '../testing/random-model.js';
import { createPace, GUESSES_MAX } from './pace.js';

/** Guesses and right ones in so many steps, if each guess is right with that chance. */
function play(chance: number, steps: number): { guessed: number; right: number; sizes: number[] } {
  const pace = createPace(0.1);
  const next = mulberry32(7);
  const sizes: number[] = [];
  let right = 0;
  for (let step = 0; step < steps; step++) {
    const guessed = pace.next();
    sizes.push(guessed);
    if (guessed === 0) continue;
    let good = 0;
    while (good < guessed && next() < chance * 2 ** 32) good++;
    pace.record({ guessed, right: good });
    right += good;
  }
  return { guessed: sizes.reduce((a, b) => a + b, 0), right, sizes };
}

describe('createPace', () => {
  it('guesses as much as it may while all is right', () => {
    const { sizes } = play(1, 30);
    expect(sizes[0]).toBeGreaterThan(0);
    expect(sizes.slice(10)).toEqual(new Array(20).fill(GUESSES_MAX));
  });

  it('rests longer and longer while all is wrong, and keeps trying', () => {
    const { guessed, sizes } = play(0, 200);
    expect(guessed).toBeLessThan(20);
    expect(sizes.slice(180).some((size) => size > 0)).toBe(true);
  });

  it('wastes few guesses at any chance', () => {
    for (const chance of [0.1, 0.3, 0.5, 0.7, 0.9, 0.97]) {
      const { guessed, right } = play(chance, 1000);
      // Gains and costs in tokens computed alone, at the price that the rule assumes: at most 8 % of the time is lost.
      expect(right - 0.7 * guessed).toBeGreaterThan(-80);
    }
    expect(play(0.97, 1000).right).toBeGreaterThan(3000);
  });
});
