import { toHex } from '@assay/protocol';
import { expect, it } from 'vitest';
import { randomBytes32 } from './random.js';

it('gives 32 bytes that never came before, over several fillings of the pool', () => {
  const given = Array.from({ length: 1_000 }, () => randomBytes32());
  expect(new Set(given.map(toHex)).size).toBe(1_000);
  expect(given.every(({ length }) => length === 32)).toBe(true);
  // A byte that is never drawn in 32,000 draws: (255/256)^32000 is 10^-54.
  expect(new Set(given.flatMap((bytes) => [...bytes])).size).toBe(256);
});
