import { describe, expect, it } from 'vitest';
import { exponential, naturalLog, sineCosine } from './numbers.js';

describe('naturalLog', () => {
  it('agrees with the host to twelve digits', () => {
    for (const value of [1e-3, 0.5, 1, 1.4, 2, 10_000]) {
      expect(naturalLog(value)).toBeCloseTo(Math.log(value), 12);
    }
  });
});

describe('exponential', () => {
  it('agrees with the host to twelve digits', () => {
    for (const value of [-9.3, -1, -0.2, 0, 0.7, 3]) {
      expect(exponential(value) / Math.exp(value)).toBeCloseTo(1, 12);
    }
  });
});

describe('sineCosine', () => {
  it('agrees with the host over the angles of the rotary table', () => {
    for (const angle of [0, 0.001, 1, 3, 100.5, 511]) {
      const { sine, cosine } = sineCosine(angle);
      expect(sine).toBeCloseTo(Math.sin(angle), 11);
      expect(cosine).toBeCloseTo(Math.cos(angle), 11);
    }
  });
});
