/**
 * Exact sums over state rows: `money` per token, `earnings` per receiver and token, `audit_sums` per provider. A sum is
 * linear in the rows, so a change moves it by the difference of what the rows were worth before and after; a rollback
 * is a change like any other.
 */
import { addAmounts, deleteRows, type Row, readRows, upsertRows, type Writer } from './rows.js';
import type { AuditSumRow, EarningsRow, MoneyRow, ReportRow } from './schema.js';
import type { State } from './state.js';

type Sums = {
  readonly money: Map<string, MoneyRow>;
  readonly earnings: Map<string, EarningsRow>;
  readonly audits: Map<string, AuditSumRow>;
};

const NO_MONEY: Omit<MoneyRow, 'pot'> = {
  rows: 0,
  deposited: '0',
  claimed: '0',
  settled: '0',
  refunded: '0',
  withdrawn: '0',
  slashed: '0',
  charged: '0',
};
const NO_EARNINGS: Omit<EarningsRow, 'account_id'> = { rows: 0, claimed: '0', settled: '0' };

const NO_AUDITS: Omit<AuditSumRow, 'sum_id'> = {
  rows: 0,
  audits: 0,
  found_right: 0,
  found_wrong: 0,
  abstained: 0,
  paid: 0,
  unpaid: 0,
  absent: 0,
  forfeited: 0,
  fees: '0',
  lost: '0',
};

/** Key of the sum over all audits. */
export const NETWORK_AUDITS = 'network';

/** Key of what one receiver has in one token. */
export const accountId = (receiver: string, token: string): string => `${receiver}:${token}`;
/** Key of the money of one token in the channels. */
export const channelsPot = (token: string): string => `channels:${token}`;
export const STAKE_POT = 'stake';

export const emptySums = (): Sums => ({
  money: new Map(),
  earnings: new Map(),
  audits: new Map(),
});

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
  for (const { deposited, withdrawn, slashed, charged } of state.stakes.values())
    addMoney(sums, STAKE_POT, sign, { deposited, withdrawn, slashed, charged });
  for (const { draw_id } of state.audits.values()) addAudits(sums, draw_id, sign, { audits: 1 });
  for (const report of state.reports.values())
    addAudits(sums, report.draw_id, sign, reportAmounts(report));
}

/** What a report adds; a number of the contract that is not known here adds nothing. */
function reportAmounts({ finding, outcome, amount }: ReportRow): AuditAmounts {
  const found = FINDING_COLUMNS[finding];
  const ended = OUTCOME_COLUMNS[outcome];
  const isLost = ended === 'absent' || ended === 'forfeited';
  return {
    ...(found === undefined ? {} : { [found]: 1 }),
    ...(ended === undefined ? {} : { [ended]: 1 }),
    ...(isLost ? { lost: amount } : { fees: amount }),
  };
}

/** By the numbers of `IAudits.Finding` and `IAudits.Outcome`. */
const FINDING_COLUMNS = [undefined, 'found_right', 'found_wrong', 'abstained'] as const;
const OUTCOME_COLUMNS = [undefined, 'paid', 'unpaid', 'absent', 'forfeited'] as const;

type AuditAmounts = Partial<Omit<AuditSumRow, 'sum_id' | 'rows'>>;

function addAudits(sums: Sums, drawId: string, sign: 1 | -1, amounts: AuditAmounts): void {
  const provider = `provider:${drawId.slice(0, drawId.indexOf(':'))}`;
  for (const sum_id of [NETWORK_AUDITS, provider]) {
    const row = sums.audits.get(sum_id) ?? { sum_id, ...NO_AUDITS };
    sums.audits.set(sum_id, addAmounts(row, { ...amounts, rows: 1 }, sign));
  }
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
  await moveTable(db, { table: 'audit_sums', key: 'sum_id', rows: delta.audits });
}

const SUM_COLUMNS = {
  money: Object.keys(NO_MONEY),
  earnings: Object.keys(NO_EARNINGS),
  audit_sums: Object.keys(NO_AUDITS),
};

async function moveTable<T extends keyof typeof SUM_COLUMNS>(
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
  await upsertRows(db, { table, keys: [key], columns: SUM_COLUMNS[table], rows: kept as never });
}
