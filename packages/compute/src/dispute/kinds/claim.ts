/** What kinds have in common: one element's claim, judged with the rule of the lowest witness. */
import { type FactRecord, traceFormulas } from '@assay/engine';
import type { Scene } from '../access.js';

/** A rule for one kind of proof: true if what was signed is wrong. `number` is the same in `Kinds.sol`. */
export type Kind = {
  readonly number: number;
  readonly isGuilty: (scene: Scene) => boolean;
};

/** A row names the lowest index that could be its witness: a lower one that a checker accepts convicts, too. */
export function isWrongClaim(
  index: number,
  witness: number,
  isRight: (asWitness: boolean) => boolean,
): boolean {
  if (index > witness) return !isRight(false);
  if (index === witness) return !isRight(true);
  return isRight(true) || !isRight(false);
}

/** True if a stored element is not what a row with these facts stores for `value` * 2^`base`. */
export function isWrongElement(
  value: bigint,
  row: { readonly base: number; readonly bits: number; readonly limited: boolean },
  claimed: { readonly mantissa: number; readonly index: number; readonly facts: FactRecord },
): boolean {
  const { mantissa, index, facts } = claimed;
  const { exponent, witness } = facts.numbers;
  return isWrongClaim(index, witness!, (asWitness) =>
    traceFormulas.isQuantised(value, row, { mantissa, exponent: exponent!, witness: asWitness }),
  );
}

/** The formats that are quantised, by the bits of their mantissas. */
export const A16 = { bits: traceFormulas.A16_BITS, limited: true } as const;
export const I30 = { bits: traceFormulas.I30_BITS, limited: false } as const;
export const P30 = { bits: traceFormulas.I30_BITS, limited: true } as const;
