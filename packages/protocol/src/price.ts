/** Price of a job in atomic units, rounded up once, so that input and output cannot be rounded apart. */
import { PRICE_TOKENS } from './params.js';

export type PriceTerms = { readonly inputPrice: bigint; readonly outputPrice: bigint };

/** ceil((inputCount·inputPrice + outputCount·outputPrice) / 1,000,000). */
export function jobPriceUp(terms: PriceTerms, inputCount: number, outputCount: number): bigint {
  const total = BigInt(inputCount) * terms.inputPrice + BigInt(outputCount) * terms.outputPrice;
  return (total + PRICE_TOKENS - 1n) / PRICE_TOKENS;
}

/** Atomic units as a decimal amount with `$` for people, without trailing zeros beyond cents. */
export function formatAmount(atomic: bigint): string {
  const sign = atomic < 0n ? '-' : '';
  const value = atomic < 0n ? -atomic : atomic;
  const fraction = (value % 1_000_000n)
    .toString()
    .padStart(6, '0')
    .replace(/0{1,4}$/, '');
  return `${sign}$${value / 1_000_000n}.${fraction}`;
}
