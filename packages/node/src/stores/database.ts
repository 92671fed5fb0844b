/** SQLite as the roles use it: one file, durable commits, a table of named JSON records per noun. */
import { decodeJson, encodeJson } from '@assay/protocol';
import Database from 'libsql';
import { keepSynced } from './group-sync.js';

export type Sqlite = InstanceType<typeof Database>;

/** Opens or makes the file. A returned commit survives `kill -9`; see `group-sync.ts` for power cuts. */
export function openDatabase(path: string): Sqlite {
  const database = new Database(path);
  syncs.set(database, keepSynced(path));
  database.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000;',
  );
  return database;
}

const syncs = new WeakMap<Sqlite, () => Promise<void>>();

/** Closes a database of {@link openDatabase} and syncs what it wrote last. */
export function closeDatabase(database: Sqlite): void {
  void syncs.get(database)?.();
  database.close();
}

/** Runs a change in one transaction; nothing of it stays if it throws. The statements are parsed once. */
export function transactionsOf(database: Sqlite): (change: () => void) => void {
  const begin = database.prepare('BEGIN IMMEDIATE');
  const commit = database.prepare('COMMIT');
  const rollback = database.prepare('ROLLBACK');
  return (change) => {
    begin.run();
    try {
      change();
      commit.run();
    } catch (error) {
      rollback.run();
      throw error;
    }
  };
}

/** Records by text key; values are protocol JSON (`bigint` safe). */
export type RecordTable<T> = {
  readonly get: (key: string) => T | undefined;
  readonly put: (key: string, value: T) => void;
  readonly remove: (key: string) => void;
  readonly all: () => readonly T[];
};

type Row = { readonly value: string };

/** A table of records called `name` (our own constant, never input). */
export function recordTable<T>(database: Sqlite, name: string): RecordTable<T> {
  database.exec(
    `CREATE TABLE IF NOT EXISTS ${name} (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID`,
  );
  const get = database.prepare(`SELECT value FROM ${name} WHERE key = ?`);
  const put = database.prepare(
    `INSERT INTO ${name} (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
  );
  const remove = database.prepare(`DELETE FROM ${name} WHERE key = ?`);
  const all = database.prepare(`SELECT value FROM ${name} ORDER BY key`);
  return {
    get: (key) => {
      const row = get.get(key) as Row | undefined;
      return row === undefined ? undefined : (decodeJson(row.value) as T);
    },
    put: (key, value) => void put.run(key, encodeJson(value)),
    remove: (key) => void remove.run(key),
    all: () => (all.all() as Row[]).map(({ value }) => decodeJson(value) as T),
  };
}
