/**
 * Proof that the index is a function of its sources: a fingerprint that two indexes of the same chain and receipts
 * share, and an audit that derives every state row and every sum again from the logs and the receipts.
 */
import { createHash } from 'node:crypto';
import type { Hex } from '@assay/protocol';
import type { IndexStore } from './database.js';
import { CHAIN_TABLES, refoldAll } from './ledger.js';
import { countUsage } from './receipts.js';
import type { Row } from './rows.js';
import type { Tables } from './schema.js';
import { STATE_TABLES } from './state.js';
import { addState, emptySums } from './sums.js';

/** Tables whose content is compared: all but the bookkeeping of the follower. */
const CONTENT_TABLES = [...CHAIN_TABLES, 'receipts', 'envelopes', 'usage'] as const;

export type Fingerprint = {
  readonly hash: Hex;
  readonly tables: { readonly [name: string]: { readonly rows: number; readonly hash: Hex } };
};

/** SHA-256 over all rows in the order of their text; the same for SQLite and PostgreSQL. */
export async function fingerprint(store: IndexStore): Promise<Fingerprint> {
  const tables: { [name: string]: { rows: number; hash: Hex } } = {};
  for (const table of CONTENT_TABLES) {
    const lines = (await readAll(store, table)).map(printRow).sort();
    tables[table] = { rows: lines.length, hash: hashText(lines.join('\n')) };
  }
  return { hash: hashText(JSON.stringify(tables)), tables };
}

export type Audit = {
  readonly identical: boolean;
  /** Rows that differ, as `table: row`; those stored and those derived. */
  readonly stored: readonly string[];
  readonly derived: readonly string[];
};

/** Derives state, sums and usage again and names every row that is not as stored. */
export async function auditIndex(store: IndexStore): Promise<Audit> {
  const state = await refoldAll(store.db);
  const sums = emptySums();
  addState(sums, state, 1);
  const derived: { [table in keyof Tables]?: Iterable<object> } = {
    money: sums.money.values(),
    earnings: sums.earnings.values(),
    audit_sums: sums.audits.values(),
    usage: (await countUsage(store)).values(),
  };
  for (const table of STATE_TABLES) derived[table] = state[table].values();
  const lines = { stored: [] as string[], derived: [] as string[] };
  for (const [table, rows] of Object.entries(derived)) {
    const expected = new Set([...rows].map((row) => printRow(row as Row)));
    for (const row of (await readAll(store, table as keyof Tables)).map(printRow))
      if (!expected.delete(row)) lines.stored.push(`${table}: ${row}`);
    for (const row of expected) lines.derived.push(`${table}: ${row}`);
  }
  return { identical: lines.stored.length + lines.derived.length === 0, ...lines };
}

const readAll = async (store: IndexStore, table: keyof Tables): Promise<Row[]> =>
  (await store.db.selectFrom(table).selectAll().execute()) as unknown as Row[];

/** A row as text that does not depend on the order of its columns. */
const printRow = (row: Row): string =>
  JSON.stringify(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)));

const hashText = (text: string): Hex => `0x${createHash('sha256').update(text).digest('hex')}`;
