/**
 * How the index moves along the chain: one transaction appends a page of logs, one cuts back to an older block. Both
 * begin by moving the cursor from where the caller saw it; if it stands elsewhere nothing happens, so a page is
 * applied once no matter how often, or by how many processes, it is tried.
 */
import { type Address, assert, type Hex } from '@assay/protocol';
import type { ChainIdentity, ChainLog } from './chain-reader.js';
import type { IndexStore } from './database.js';
import {
  type ChainEvent,
  CONTRACT_NAMES,
  type ContractName,
  decodeEvent,
  type StoredLog,
  subjectOf,
} from './events.js';
import { insertRows, lockRow, type Reader, type Writer } from './rows.js';
import { applyEvent, type History } from './rules.js';
import type { CursorRow, LogRow } from './schema.js';
import {
  copyState,
  emptyState,
  loadState,
  replaceState,
  type State,
  type Subjects,
  saveState,
  subjectsOf,
} from './state.js';

/** A block that the index stands on. */
export type Checkpoint = { readonly number: number; readonly hash: Hex };

/** What is followed; another set is another index. */
export type Followed = {
  readonly contracts: { readonly [C in ContractName]: Address };
  readonly token: Address;
  readonly startBlock: number;
};

export type Cursor = Checkpoint & { readonly identity: ChainIdentity; readonly followed: Followed };

/** Pages remembered for finding a common ancestor; blocks with logs are remembered for ever. */
const CHECKPOINTS_MAX = 256;
/** Logs folded between two reads when a subject is folded again. */
const REFOLD_LOGS = 2_000;
/** Subjects per read; keeps the list below SQLite's 32,766 parameters. */
const REFOLD_SUBJECTS = 500;
/** Tables that are a function of the chain alone. */
export const CHAIN_TABLES = [
  'blocks',
  'logs',
  'claims',
  'epochs',
  'offers',
  'models',
  'channels',
  'lanes',
  'exits',
  'accounts',
  'stakes',
  'seats',
  'draws',
  'audits',
  'reports',
  'money',
  'earnings',
  'audit_sums',
] as const;

/** Where the index stands, or undefined before the first page. */
export async function readCursor(store: Pick<IndexStore, 'db'>): Promise<Cursor | undefined> {
  const row = await store.db
    .selectFrom('cursor')
    .selectAll()
    .where('id', '=', 1)
    .executeTakeFirst();
  return row === undefined ? undefined : cursorOf(row);
}

const cursorOf = (row: CursorRow): Cursor => ({
  number: row.block_number,
  hash: row.block_hash as Hex,
  identity: { chainId: row.chain_id, genesisHash: row.genesis_hash as Hex },
  followed: JSON.parse(row.followed) as Followed,
});

/**
 * Empties everything that came from the chain and stands at `cursor`. Receipts stay. False if somebody else moved the
 * index since `expected` was read.
 */
export async function beginIndex(
  store: IndexStore,
  options: { readonly expected: Cursor | undefined; readonly cursor: Cursor },
): Promise<boolean> {
  const { expected, cursor } = options;
  return store.db.transaction().execute(async (db) => {
    await lockRow(db, 'chain');
    const found = await readCursor({ db });
    if (JSON.stringify(found) !== JSON.stringify(expected)) return false;
    for (const table of ['cursor', 'checkpoints', ...CHAIN_TABLES] as const)
      await db.deleteFrom(table).execute();
    await insertRows(db, 'cursor', [cursorRow(cursor)]);
    return true;
  });
}

const cursorRow = ({ number, hash, identity, followed }: Cursor): CursorRow => ({
  id: 1,
  chain_id: identity.chainId,
  genesis_hash: identity.genesisHash,
  followed: JSON.stringify(followed),
  block_number: number,
  block_hash: hash,
});

export type Page = {
  readonly cursor: Cursor;
  readonly to: Checkpoint;
  readonly logs: readonly ChainLog[];
  /** Seconds by block number. */
  readonly timestamps: ReadonlyMap<number, number>;
};

/** Appends a page. False if the cursor is no longer where the page begins. */
export async function applyPage(store: IndexStore, page: Page): Promise<boolean> {
  const { logs, events } = decodePage(page);
  return store.db.transaction().execute(async (db) => {
    if (!(await moveCursor(db, page.cursor, page.to))) return false;
    if (logs.length > 0) {
      await insertRows(db, 'blocks', blocksOf(page, logs));
      await insertRows(db, 'logs', logs);
      const before = await loadState(db, subjectsOf(logs));
      const after = copyState(before);
      const history = foldEvents(after, events);
      await saveState(db, { before, after });
      await insertRows(db, 'claims', history.claims);
      await insertRows(db, 'epochs', history.epochs);
    }
    await remember(db, page.to);
    return true;
  });
}

/** Cuts the index back to block `to`. False if the cursor is no longer at `cursor`. */
export async function rollBack(
  store: IndexStore,
  options: { readonly cursor: Cursor; readonly to: Checkpoint },
): Promise<boolean> {
  return store.db.transaction().execute(async (db) => {
    if (!(await moveCursor(db, options.cursor, options.to))) return false;
    const cut = options.to.number;
    const found = await db
      .selectFrom('logs')
      .select(['contract', 'subject'])
      .distinct()
      .where('block_number', '>', cut)
      .execute();
    const subjects = subjectsOf(found);
    const before = await loadState(db, subjects);
    for (const table of ['checkpoints', 'blocks', 'logs', 'claims', 'epochs'] as const)
      await db.deleteFrom(table).where('block_number', '>', cut).execute();
    const after = await refold(db, subjects);
    await replaceState(db, { subjects, before, after });
    return true;
  });
}

/** The lock of every change: whoever moves the cursor first wins, the other sees no row. */
async function moveCursor(db: Writer, from: Cursor, to: Checkpoint): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('cursor')
    .set({ block_number: to.number, block_hash: to.hash })
    .where('id', '=', 1)
    .where('block_number', '=', from.number)
    .where('block_hash', '=', from.hash)
    .where('genesis_hash', '=', from.identity.genesisHash)
    .where('followed', '=', JSON.stringify(from.followed))
    .executeTakeFirstOrThrow();
  return numUpdatedRows === 1n;
}

async function remember(db: Writer, { number, hash }: Checkpoint): Promise<void> {
  await insertRows(db, 'checkpoints', [{ block_number: number, block_hash: hash }]);
  const oldest = await db
    .selectFrom('checkpoints')
    .select('block_number')
    .orderBy('block_number', 'desc')
    .offset(CHECKPOINTS_MAX)
    .limit(1)
    .executeTakeFirst();
  if (oldest === undefined) return;
  await db.deleteFrom('checkpoints').where('block_number', '<=', oldest.block_number).execute();
}

/** Blocks that the index remembers, newest first, below a number. */
export async function readCheckpoints(
  store: IndexStore,
  options: { readonly below: number; readonly limit: number },
): Promise<Checkpoint[]> {
  const of = (table: 'blocks' | 'checkpoints') =>
    store.db
      .selectFrom(table)
      .select(['block_number', 'block_hash'])
      .where('block_number', '<', options.below);
  const rows = await of('blocks')
    .union(of('checkpoints'))
    .orderBy('block_number', 'desc')
    .limit(options.limit)
    .execute();
  return rows.map((row) => ({ number: row.block_number, hash: row.block_hash as Hex }));
}

// FOLDING

function decodePage(page: Page): { readonly logs: LogRow[]; readonly events: ChainEvent[] } {
  const { contracts } = page.cursor.followed;
  const names = new Map(CONTRACT_NAMES.map((name) => [contracts[name], name]));
  const logs: LogRow[] = [];
  const events: ChainEvent[] = [];
  for (const log of page.logs) {
    const contract = names.get(log.address)!;
    const event = decodeEvent({ ...log, contract });
    if (event === undefined) continue;
    events.push(event);
    logs.push(logRow(log, event));
  }
  return { logs, events };
}

const logRow = (log: ChainLog, event: ChainEvent): LogRow => ({
  block_number: log.blockNumber,
  log_index: log.logIndex,
  block_hash: log.blockHash,
  transaction_hash: log.transactionHash,
  contract: event.contract,
  event: event.eventName,
  subject: subjectOf(event),
  topics: log.topics.join(','),
  data: log.data,
});

function blocksOf(page: Page, logs: readonly LogRow[]) {
  const hashes = new Map(logs.map((log) => [log.block_number, log.block_hash]));
  return [...hashes].map(([block_number, block_hash]) => ({
    block_number,
    block_hash,
    timestamp_seconds: page.timestamps.get(block_number)!,
  }));
}

function foldEvents(state: State, events: Iterable<ChainEvent>): History {
  const history: History = { claims: [], epochs: [] };
  for (const event of events) applyEvent(state, history, event);
  return history;
}

/** Folds all stored logs of these subjects from nothing. A provider is a subject of more than one contract. */
async function refold(db: Reader, subjects: Subjects): Promise<State> {
  const state = emptyState();
  for (const [contract, some] of subjects)
    for (let start = 0; start < some.length; start += REFOLD_SUBJECTS)
      await refoldLogs(db, state, {
        contract,
        subjects: some.slice(start, start + REFOLD_SUBJECTS),
      });
  return state;
}

/** Folds every stored log from nothing: what the state tables must hold. */
export async function refoldAll(db: Reader): Promise<State> {
  const state = emptyState();
  await refoldLogs(db, state, undefined);
  return state;
}

async function refoldLogs(
  db: Reader,
  state: State,
  of: { readonly contract: ContractName; readonly subjects: readonly string[] } | undefined,
): Promise<void> {
  let query = db.selectFrom('logs').selectAll().orderBy('block_number').orderBy('log_index');
  if (of !== undefined)
    query = query.where('contract', '=', of.contract).where('subject', 'in', of.subjects);
  let after = { block_number: -1, log_index: -1 };
  for (;;) {
    const rows = await query
      .where(({ eb, or, and }) =>
        or([
          eb('block_number', '>', after.block_number),
          and([eb('block_number', '=', after.block_number), eb('log_index', '>', after.log_index)]),
        ]),
      )
      .limit(REFOLD_LOGS)
      .execute();
    foldEvents(state, rows.map(eventOfRow));
    const last = rows.at(-1);
    if (last === undefined || rows.length < REFOLD_LOGS) return;
    after = last;
  }
}

function eventOfRow(row: LogRow): ChainEvent {
  const log: StoredLog = {
    contract: row.contract as ContractName,
    blockNumber: row.block_number,
    logIndex: row.log_index,
    topics: row.topics.split(',') as Hex[],
    data: row.data as Hex,
  };
  const event = decodeEvent(log);
  assert(event !== undefined, 'a stored log is an event that is followed');
  return event;
}
