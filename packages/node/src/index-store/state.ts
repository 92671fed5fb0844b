/**
 * State rows: read by subject, folded in memory, written back as differences, with the sums that hang on them.
 * It knows tables and keys; what an event does to a row is in `rules`.
 */
import {
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
  ChannelRow,
  ExitRow,
  LaneRow,
  ModelRow,
  OfferRow,
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
};

/** Key columns of each table; the first holds the subject that its logs are filed under. */
const KEYS: { readonly [T in keyof State]: readonly [string, ...string[]] } = {
  channels: ['channel_id'],
  lanes: ['channel_id', 'lane'],
  exits: ['channel_id'],
  accounts: ['account_id'],
  stakes: ['provider'],
  offers: ['offer_id'],
  models: ['model_id'],
};
export const STATE_TABLES = Object.keys(KEYS) as (keyof State)[];

export const emptyState = (): State => ({
  channels: new Map(),
  lanes: new Map(),
  exits: new Map(),
  accounts: new Map(),
  stakes: new Map(),
  offers: new Map(),
  models: new Map(),
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

/** Reads every row of these subjects. */
export async function loadState(db: Reader, subjects: readonly string[]): Promise<State> {
  const state = emptyState();
  for (const table of STATE_TABLES) {
    const rows = await readRows(db, { table, column: KEYS[table][0], values: subjects });
    for (const row of rows as unknown as Row[])
      rowsOf(state, table).set(rowKey(...KEYS[table].map((name) => row[name]!)), row);
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
    const changed = [...rowsOf(change.after, table)].filter(
      ([key, row]) => before.get(key) !== row,
    );
    const rows = changed.map(([, row]) => row) as never[];
    await upsertRows(db, { table, keys: KEYS[table], rows });
  }
  await moveSums(db, change);
}

/** Replaces every row of these subjects, as a rollback does. */
export async function replaceState(
  db: Writer,
  change: { readonly subjects: readonly string[]; readonly before: State; readonly after: State },
): Promise<void> {
  for (const table of STATE_TABLES) {
    await deleteRows(db, { table, column: KEYS[table][0], values: change.subjects });
    await insertRows(db, table, [...rowsOf(change.after, table).values()] as never[]);
  }
  await moveSums(db, change);
}
