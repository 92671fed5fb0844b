/**
 * Opens the index: one kysely query layer over SQLite (`libsql`, in a file or in memory) or PostgreSQL (`pg`, by URL).
 * It knows drivers and durability; it does not know a single event, and everything above it is the same code for both.
 *
 * SQLite runs in WAL mode with group commit (`stores/group-sync.ts`): what was written survives the end of the process,
 * and a power cut can lose the last tenth of a second, which the chain and the payment ledger give again.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { AssayError } from '@assay/protocol';
import {
  Kysely,
  PostgresDialect,
  type SqliteDatabase,
  SqliteDialect,
  type SqliteStatement,
  sql,
} from 'kysely';
import Database from 'libsql';
import pg from 'pg';
import { keepSynced } from '../stores/group-sync.js';
import { indexArgument, indexCorrupt, indexSchemaVersion, indexUnavailable } from './errors.js';
import { SCHEMA, SCHEMA_VERSION, type Tables } from './schema.js';

/** Connections to PostgreSQL: one writes pages, the others answer questions. */
const CONNECTIONS_MAX = 8;
/** Longest wait for a lock that another process holds on the SQLite file. */
const LOCK_TIMEOUT_MS = 5_000;
/** Prepared statements kept; a page uses about thirty, the questions together as many. */
const STATEMENTS_MAX = 128;
const CONNECT_TIMEOUT_MS = 5_000;
/** Advisory lock of PostgreSQL under which one process at a time creates the tables. */
const SCHEMA_LOCK = 0x41_73_73_61;
/** `bigint` in PostgreSQL's list of types; block numbers and times stay below 2^53. */
const INT8_TYPE_ID = 20;

export type IndexDatabase = Kysely<Tables>;

export type IndexStore = {
  readonly kind: 'sqlite' | 'postgres';
  readonly db: IndexDatabase;
  /** Waits for running queries; the store must not be used afterwards. */
  readonly close: () => Promise<void>;
};

/** A file (or `:memory:`), or a `postgres://` URL. */
export type IndexLocation =
  | { readonly path: string; readonly url?: undefined }
  | { readonly url: string; readonly path?: undefined };

/** Opens the index and creates its tables if they are absent. */
export async function openIndexStore(location: IndexLocation): Promise<IndexStore> {
  const where = location.url === undefined ? location.path : withoutSecrets(location.url);
  let store: IndexStore | undefined;
  try {
    store = location.url === undefined ? openSqlite(location.path) : openPostgres(location.url);
    await createTables(store);
    return store;
  } catch (cause) {
    await store?.close().catch(() => undefined);
    if (cause instanceof AssayError) throw cause;
    const { code } = cause as { code?: unknown };
    if (code === 'SQLITE_NOTADB' || code === 'SQLITE_CORRUPT') throw indexCorrupt(where, cause);
    throw indexUnavailable(where, cause);
  }
}

function openSqlite(path: string): IndexStore {
  if (typeof path !== 'string' || path === '')
    throw indexArgument('path', path, 'a file name or ":memory:"');
  if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true });
  const database = new Database(path, { timeout: LOCK_TIMEOUT_MS });
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = NORMAL');
  const stopSync = path === ':memory:' ? async () => undefined : keepSynced(path);
  const dialect = new SqliteDialect({ database: withPreparedStatements(database) });
  const db = new Kysely<Tables>({ dialect });
  const close = async (): Promise<void> => {
    await stopSync();
    await closeDatabase(db, () => database.close());
  };
  return { kind: 'sqlite', db, close };
}

/** Keeps the statements used last, since a bulk insert takes longer to parse than to run. */
function withPreparedStatements(database: Database.Database): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>();
  const prepare = (text: string): SqliteStatement => {
    const statement = statements.get(text) ?? (database.prepare(text) as SqliteStatement);
    statements.delete(text);
    statements.set(text, statement);
    const [oldest] = statements.keys();
    if (statements.size > STATEMENTS_MAX) statements.delete(oldest!);
    return statement;
  };
  const close = (): void => {
    statements.clear();
    database.close();
  };
  return { prepare, close };
}

/** `destroy` closes the driver only if a query ran before. */
async function closeDatabase(db: IndexDatabase, close: () => unknown): Promise<void> {
  await sql`select 1`.execute(db).catch(close);
  await db.destroy();
}

function openPostgres(url: string): IndexStore {
  if (!/^postgres(ql)?:\/\//.test(url))
    throw indexArgument('url', withoutSecrets(url), 'a URL that starts with postgres://');
  const pool = new pg.Pool({
    connectionString: url,
    max: CONNECTIONS_MAX,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    types: { getTypeParser: parserOf as typeof pg.types.getTypeParser },
  });
  // A broken idle connection is replaced by the next query, which reports if there is no other.
  pool.on('error', () => undefined);
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  return { kind: 'postgres', db, close: () => closeDatabase(db, () => undefined) };
}

/** Text parsers of `pg`, except that 64-bit integers become numbers, as they are in SQLite. */
function parserOf(typeId: number, format?: 'text' | 'binary'): (value: string) => unknown {
  return typeId === INT8_TYPE_ID ? Number : pg.types.getTypeParser(typeId, format as 'text');
}

/** One process at a time, since `create table if not exists` races in PostgreSQL. */
async function createTables(store: IndexStore): Promise<void> {
  await store.db.transaction().execute(async (transaction) => {
    if (store.kind === 'postgres')
      await sql`select pg_advisory_xact_lock(${SCHEMA_LOCK})`.execute(transaction);
    for (const statement of SCHEMA) await sql.raw(statement).execute(transaction);
    await transaction
      .insertInto('meta')
      .values({ name: 'schema', value: SCHEMA_VERSION })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .execute();
    const { value } = await transaction
      .selectFrom('meta')
      .select('value')
      .where('name', '=', 'schema')
      .executeTakeFirstOrThrow();
    if (value !== SCHEMA_VERSION) throw indexSchemaVersion(value, SCHEMA_VERSION);
  });
}

/** The URL as it may be printed: without user, password and parameters. */
function withoutSecrets(url: string): string {
  try {
    const { protocol, host, pathname } = new URL(url);
    return `${protocol}//${host}${pathname}`;
  } catch {
    return '(not a URL)';
  }
}
