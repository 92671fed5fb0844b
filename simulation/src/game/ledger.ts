/**
 * Who holds what, in whole units of two kinds: `token` (atomic units of the payment token) and `coin` (wei). Money
 * comes in by {@link issue} only; what is spent outside the game, or burned, is an account like any other.
 */

export type Kind = 'token' | 'coin';
export type Ledger = {
  readonly held: Readonly<Record<Kind, Map<string, bigint>>>;
  readonly issued: Record<Kind, bigint>;
};
export type Payment = {
  readonly kind: Kind;
  readonly from: string;
  readonly to: string;
  readonly amount: bigint;
};

/** Electricity, gas, rent: money that leaves the game. */
export const OUTSIDE = 'outside';
/** Nobody has the key. */
export const BURNED = 'burned';

export const createLedger = (): Ledger => ({
  held: { token: new Map(), coin: new Map() },
  issued: { token: 0n, coin: 0n },
});

export const balanceOf = (ledger: Ledger, kind: Kind, account: string): bigint =>
  ledger.held[kind].get(account) ?? 0n;

export function issue(ledger: Ledger, to: string, amounts: Readonly<Record<Kind, bigint>>): void {
  for (const kind of ['token', 'coin'] as const) {
    ledger.held[kind].set(to, balanceOf(ledger, kind, to) + amounts[kind]);
    ledger.issued[kind] += amounts[kind];
  }
}

/** Refuses what the payer does not have. */
export function pay(ledger: Ledger, { kind, from, to, amount }: Payment): void {
  const left = balanceOf(ledger, kind, from) - amount;
  if (left < 0n || amount < 0n) throw new Refused('money_short', from);
  ledger.held[kind].set(from, left);
  ledger.held[kind].set(to, balanceOf(ledger, kind, to) + amount);
}

/** What a contract answers to a move that it does not allow; `code` is the name of its custom error. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly code: string;
  constructor(code: string, value: unknown) {
    super(`${code}: ${String(value)}`);
    this.code = code;
  }
}
