import { describe, expect, it } from 'vitest';
import { formatAmount, jobPriceUp } from './price.js';

describe('jobPriceUp', () => {
  it('rounds up once over input and output together', () => {
    const terms = { inputPrice: 100_000n, outputPrice: 400_000n };
    expect(jobPriceUp(terms, 0, 0)).toBe(0n);
    expect(jobPriceUp(terms, 1, 0)).toBe(1n);
    expect(jobPriceUp(terms, 1, 2)).toBe(1n);
    expect(jobPriceUp(terms, 10, 0)).toBe(1n);
    expect(jobPriceUp(terms, 10, 1)).toBe(2n);
    expect(jobPriceUp({ inputPrice: 3n, outputPrice: 5n }, 131_072, 131_072)).toBe(2n);
  });
});

describe('formatAmount', () => {
  it('shows cents and, when there are any, smaller parts', () => {
    expect(formatAmount(0n)).toBe('$0.00');
    expect(formatAmount(1n)).toBe('$0.000001');
    expect(formatAmount(1_500_000n)).toBe('$1.50');
    expect(formatAmount(-20n)).toBe('-$0.00002');
  });
});
