/**
 * State rows: read by subject, folded in memory, written back as differences, with the sums that hang on them.
 * It knows tables and keys; what an event does to a row is in `rules`.
 */
import type { ContractName } from './events.js';
import {
  changedColumns,
  deleteRows,
  insertRows,
  type Reader,
  type Row,
  readRows,
  upsertRows,
  type Writer,
} from './rows.js';
import type {
  AccountRow,
  AuditRow,
  ChannelRow,
  DrawRow,
  ExitRow,
  LaneRow,
  ModelRow,
  OfferRow,
  ReportRow,
  SeatRow,
  StakeRow,
} from './schema.js';
import { moveSums } from './sums.js';

/** All state rows that a fold may touch, by key. Rows are never changed, only replaced. */
export type State = {
  readonly channels: Map<string, ChannelRow>;
  readonly lanes: Map<string, LaneRow>;
  readonly exits: Map<string, ExitRow>;
  readonly accounts: Map<string, AccountRow>;
  readonly stakes: Map<string, StakeRow>;
  readonly offers: Map<string, OfferRow>;
  readonly models: Map<string, ModelRow>;
  readonly seats: Map<string, SeatRow>;
  readonly draws: Map<string, DrawRow>;
  readonly audits: Map<string, AuditRow>;
  readonly reports: Map<string, ReportRow>;
};

type TableRule = {
  /** Contract whose events make these rows. */
  readonly contract: ContractName;
  /** Key columns; the first holds the subject that the events are filed under. */
  readonly keys: readonly [string, ...string[]];
};

const RULES: { readonly [T in keyof State]: TableRule } = {
  channels: { contract: 'channels', keys: ['channel_id'] },
  lanes: { contract: 'channels', keys: ['channel_id', 'lane'] },
  exits: { contract: 'channels', keys: ['channel_id'] },
  accounts: { contract: 'channels', keys: ['account_id'] },
  stakes: { contract: 'stake', keys: ['provider'] },
  offers: { contract: 'offers', keys: ['offer_id'] },
  models: { contract: 'modelRegistry', keys: ['model_id'] },
  seats: { contract: 'audits', keys: ['seat_id'] },
  draws: { contract: 'audits', keys: ['draw_id'] },
  audits: { contract: 'audits', keys: ['draw_id', 'receipt_index'] },
  reports: { contract: 'audits', keys: ['draw_id', 'receipt_index', 'place'] },
};
export const STATE_TABLES = Object.keys(RULES) as (keyof State)[];

export const emptyState = (): State => ({
  channels: new Map(),
  lanes: new Map(),
  exits: new Map(),
  accounts: new Map(),
  stakes: new Map(),
  offers: new Map(),
  models: new Map(),
  seats: new Map(),
  draws: new Map(),
  audits: new Map(),
  reports: new Map(),
});

/** Key of a row with several key columns. */
export const rowKey = (...parts: readonly (string | number)[]): string => parts.join(':');

const rowsOf = (state: State, table: keyof State) => state[table] as unknown as Map<string, Row>;

/** A copy for a fold to change. */
export function copyState(state: State): State {
  const copy = emptyState();
  for (const table of STATE_TABLES)
    for (const [key, row] of rowsOf(state, table)) rowsOf(copy, table).set(key, row);
  return copy;
}

/** What rows are wanted of: subjects by the contract that speaks of them. */
export type Subjects = ReadonlyMap<ContractName, readonly string[]>;

/** Groups the subjects of logs, each once. */
export function subjectsOf(
  logs: readonly { readonly contract: string; readonly subject: string }[],
): Subjects {
  const subjects = new Map<ContractName, Set<string>>();
  for (const { contract, subject } of logs) {
    const known = subjects.get(contract as ContractName);
    if (known === undefined) subjects.set(contract as ContractName, new Set([subject]));
    else known.add(subject);
  }
  return new Map([...subjects].map(([contract, some]) => [contract, [...some]]));
}

/** The rows of these subjects in one table. */
const placeOf = (table: keyof State, subjects: Subjects) => {
  const { contract, keys } = RULES[table];
  return { table, column: keys[0], values: subjects.get(contract) ?? [] };
};

/** Reads every row of these subjects. */
export async function loadState(db: Reader, subjects: Subjects): Promise<State> {
  const state = emptyState();
  for (const table of STATE_TABLES) {
    const rows = await readRows(db, placeOf(table, subjects));
    for (const row of rows as unknown as Row[])
      rowsOf(state, table).set(rowKey(...RULES[table].keys.map((name) => row[name]!)), row);
  }
  return state;
}

/** Writes the rows that a page changed. A page never removes a row. */
export async function saveState(
  db: Writer,
  change: { readonly before: State; readonly after: State },
): Promise<void> {
  for (const table of STATE_TABLES) {
    const before = rowsOf(change.before, table);
    const created: Row[] = [];
    const changed: (readonly [Row, Row])[] = [];
    for (const [key, row] of rowsOf(change.after, table)) {
      const old = before.get(key);
      if (old === undefined) created.push(row);
      else if (old !== row) changed.push([old, row]);
    }
    await insertRows(db, table, created as never[]);
    const columns = changedColumns(changed);
    const rows = changed.map(([, row]) => row) as never[];
    if (columns.length > 0) await upsertRows(db, { table, keys: RULES[table].keys, columns, rows });
  }
  await moveSums(db, change);
}

/** Replaces every row of these subjects, as a rollback does. */
export async function replaceState(
  db: Writer,
  change: { readonly subjects: Subjects; readonly before: State; readonly after: State },
): Promise<void> {
  for (const table of STATE_TABLES) {
    await deleteRows(db, placeOf(table, change.subjects));
    await insertRows(db, table, [...rowsOf(change.after, table).values()] as never[]);
  }
  await moveSums(db, change);
}
