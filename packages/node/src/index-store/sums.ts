/**
 * Exact sums over state rows: `money` per token, `earnings` per receiver and token. A sum is linear in the rows, so a
 * change moves it by the difference of what the rows were worth before and after; a rollback is a change like any
 * other.
 */
import { addAmounts, deleteRows, type Row, readRows, upsertRows, type Writer } from './rows.js';
import type { EarningsRow, MoneyRow } from './schema.js';
import type { State } from './state.js';

type Sums = { readonly money: Map<string, MoneyRow>; readonly earnings: Map<string, EarningsRow> };

const NO_MONEY: Omit<MoneyRow, 'pot'> = {
  rows: 0,
  deposited: '0',
  claimed: '0',
  settled: '0',
  refunded: '0',
  withdrawn: '0',
  slashed: '0',
};
const NO_EARNINGS: Omit<EarningsRow, 'account_id'> = { rows: 0, claimed: '0', settled: '0' };

/** Key of what one receiver has in one token. */
export const accountId = (receiver: string, token: string): string => `${receiver}:${token}`;
/** Key of the money of one token in the channels. */
export const channelsPot = (token: string): string => `channels:${token}`;
export const STAKE_POT = 'stake';

export const emptySums = (): Sums => ({ money: new Map(), earnings: new Map() });

/** Adds what `state` is worth to `sums`, or takes it away with `sign` -1. */
export function addState(sums: Sums, state: State, sign: 1 | -1): void {
  for (const row of state.channels.values()) {
    const { deposited, claimed, refunded, withdrawn } = row;
    addMoney(sums, channelsPot(row.token), sign, { deposited, claimed, refunded, withdrawn });
    addEarnings(sums, accountId(row.receiver, row.token), sign, { claimed });
  }
  for (const { account_id, token, settled } of state.accounts.values()) {
    addMoney(sums, channelsPot(token), sign, { settled });
    addEarnings(sums, account_id, sign, { settled });
  }
  for (const { deposited, withdrawn, slashed } of state.stakes.values())
    addMoney(sums, STAKE_POT, sign, { deposited, withdrawn, slashed });
}

function addMoney(
  sums: Sums,
  pot: string,
  sign: 1 | -1,
  amounts: Partial<Omit<MoneyRow, 'pot' | 'rows'>>,
): void {
  const row = sums.money.get(pot) ?? { pot, ...NO_MONEY };
  sums.money.set(pot, addAmounts(row, { ...amounts, rows: 1 }, sign));
}

function addEarnings(
  sums: Sums,
  account: string,
  sign: 1 | -1,
  amounts: Partial<Pick<EarningsRow, 'claimed' | 'settled'>>,
): void {
  const row = sums.earnings.get(account) ?? { account_id: account, ...NO_EARNINGS };
  sums.earnings.set(account, addAmounts(row, { ...amounts, rows: 1 }, sign));
}

/** Moves the stored sums by the worth of a change. */
export async function moveSums(
  db: Writer,
  change: { readonly before: State; readonly after: State },
): Promise<void> {
  const delta = emptySums();
  addState(delta, change.before, -1);
  addState(delta, change.after, 1);
  await moveTable(db, { table: 'money', key: 'pot', rows: delta.money });
  await moveTable(db, { table: 'earnings', key: 'account_id', rows: delta.earnings });
}

async function moveTable<T extends 'money' | 'earnings'>(
  db: Writer,
  delta: { readonly table: T; readonly key: string; readonly rows: Map<string, { rows: number }> },
): Promise<void> {
  const { table, key } = delta;
  const values = [...delta.rows.keys()];
  const stored = await readRows(db, { table, column: key, values });
  const sums = new Map(delta.rows);
  for (const row of stored as unknown as Row[]) {
    const { [key]: id, ...amounts } = row;
    sums.set(String(id), addAmounts(sums.get(String(id))!, amounts, 1));
  }
  const gone = values.filter((value) => sums.get(value)!.rows === 0);
  const kept = values.map((value) => sums.get(value)!).filter(({ rows }) => rows !== 0);
  await deleteRows(db, { table, column: key, values: gone });
  const columns = Object.keys(table === 'money' ? NO_MONEY : NO_EARNINGS);
  await upsertRows(db, { table, keys: [key], columns, rows: kept as never });
}
