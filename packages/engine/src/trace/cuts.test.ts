/** The rank cut that is counted out against the one that sorting gives. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { cutsOf } from './cuts.js';

const WORD_MAX = 2 ** 31 - 1;

it('keeps the largest logits, lower ids first on ties', () => {
  const logit = fc.oneof(
    fc.integer({ min: -WORD_MAX, max: WORD_MAX }),
    fc.integer({ min: -2, max: 2 }),
    fc.constantFrom(-WORD_MAX, WORD_MAX, -65_536, -65_537, 65_535, 65_536),
  );
  const row = fc.array(logit, { minLength: 2, maxLength: 60 });
  fc.assert(
    fc.property(row, fc.nat(), (values, draw) => {
      const topK = 1 + (draw % values.length);
      const logits = Int32Array.from(values);
      const sampler = { tau: 65_536, topK, topP: 0, minP: 0 };
      const ids = Array.from(values.keys());
      const ranked = ids.sort((a, b) => values[b]! - values[a]! || a - b);
      const { top, rankCut } = cutsOf(logits, sampler, { rank: true, share: false });
      expect([top, rankCut]).toEqual([ranked[0], ranked[topK - 1]]);
    }),
    { seed: 7, numRuns: 300 },
  );
});
