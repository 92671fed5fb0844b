/**
 * The block journal: what happened, durably, before anybody may see it. One SQLite file in write-ahead mode
 * with a full sync per commit; each block is one transaction. It is the truth of the embedded chain: every
 * other file can be rebuilt from it.
 */
import type { Hex } from '@assay/protocol';
import { assert, fromHex, toHex } from '@assay/protocol';
import Database from 'libsql';
import type { Genesis } from './anvil-process.js';
import type { ChainHead } from './chain-engine.js';
import { homeVersion, journalCorrupt, journalUnwritable } from './chain-errors.js';
import { JOURNAL_PAGE_BLOCKS } from './chain-limits.js';

/** Raised when a program could no longer read the file that an older one wrote. */
export const JOURNAL_FORMAT = 1;

export type JournalBlock = ChainHead & {
  /** Signed bytes of every transaction, in block order. */
  readonly transactions: readonly Hex[];
};

export type Journal = {
  readonly genesis: Genesis;
  /** Hash of block 0; absent until the chain has run once. */
  genesisHash(): Hex | undefined;
  setGenesisHash(hash: Hex): void;
  /** The newest block; absent while there is only block 0. */
  head(): ChainHead | undefined;
  hashAt(number: number): Hex | undefined;
  /** Blocks and transactions above a height: the work of replaying them. */
  workAbove(number: number): number;
  /** Returns once the block is on the disk. */
  append(block: JournalBlock): void;
  /** All blocks above a height in order, read a page at a time. */
  blocksAbove(number: number): Generator<JournalBlock>;
  close(): void;
};

type Connection = InstanceType<typeof Database>;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS block (
    number INTEGER PRIMARY KEY, timestamp INTEGER NOT NULL, hash TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS block_transaction (
    block INTEGER NOT NULL, position INTEGER NOT NULL, raw BLOB NOT NULL,
    PRIMARY KEY (block, position)) WITHOUT ROWID;
`;

/** Opens a journal, or begins one with the given genesis. */
export function openJournal(file: string, freshGenesis: Genesis): Journal {
  let database: Connection | undefined;
  try {
    database = new Database(file);
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    database.exec(SCHEMA);
    const genesis = readGenesis(database) ?? writeGenesis(database, freshGenesis);
    return journalOn(database, file, genesis);
  } catch (cause) {
    database?.close();
    throw cause instanceof Error && cause.name === 'AssayError' ? cause : openError(file, cause);
  }
}

function openError(file: string, cause: unknown): Error {
  const code = String((cause as { code?: unknown }).code ?? '');
  if (/CANTOPEN|READONLY|PERM|IOERR|FULL/.test(code)) return journalUnwritable(file, cause);
  return journalCorrupt(file, code || String(cause), cause);
}

function readMeta(database: Connection, name: string): string | undefined {
  const row = database.prepare('SELECT value FROM meta WHERE name = ?').get(name);
  return (row as { value: string } | undefined)?.value;
}

function readGenesis(database: Connection): Genesis | undefined {
  const format = readMeta(database, 'format');
  if (format === undefined) return undefined;
  if (format !== String(JOURNAL_FORMAT)) throw homeVersion(format, JOURNAL_FORMAT);
  return JSON.parse(readMeta(database, 'genesis') ?? 'null') as Genesis;
}

function writeGenesis(database: Connection, genesis: Genesis): Genesis {
  const insert = database.prepare('INSERT INTO meta (name, value) VALUES (?, ?)');
  inTransaction(database, () => {
    insert.run('format', String(JOURNAL_FORMAT));
    insert.run('genesis', JSON.stringify(genesis));
  });
  return genesis;
}

function inTransaction(database: Connection, work: () => void): void {
  database.exec('BEGIN IMMEDIATE');
  try {
    work();
    database.exec('COMMIT');
  } catch (error) {
    database.exec('ROLLBACK');
    throw error;
  }
}

function journalOn(database: Connection, file: string, genesis: Genesis): Journal {
  const blockAt = database.prepare('SELECT * FROM block WHERE number = ?');
  const insertBlock = database.prepare('INSERT INTO block VALUES (?, ?, ?)');
  const insertRaw = database.prepare('INSERT INTO block_transaction VALUES (?, ?, ?)');
  let head = readHead(database);
  return {
    genesis,
    genesisHash: () => readMeta(database, 'genesis_hash') as Hex | undefined,
    setGenesisHash: (hash) => {
      database.prepare('INSERT INTO meta VALUES (?, ?)').run('genesis_hash', hash);
    },
    head: () => head,
    hashAt: (number) => (blockAt.get(number) as { hash: Hex } | undefined)?.hash,
    workAbove: (number) => countAbove(database, number),
    append({ number, timestamp, hash, transactions }) {
      assert(number === (head?.number ?? 0) + 1, 'the journal has no gaps');
      try {
        inTransaction(database, () => {
          insertBlock.run(number, timestamp, hash);
          for (const [position, raw] of transactions.entries()) {
            insertRaw.run(number, position, Buffer.from(fromHex(raw)));
          }
        });
      } catch (cause) {
        throw journalUnwritable(file, cause);
      }
      head = { number, timestamp, hash };
    },
    blocksAbove: (number) => readBlocks(database, file, number),
    close: () => {
      database.close();
    },
  };
}

function readHead(database: Connection): ChainHead | undefined {
  const row = database.prepare('SELECT * FROM block ORDER BY number DESC LIMIT 1').all()[0];
  const head = row as ChainHead | undefined;
  return head && { number: head.number, timestamp: head.timestamp, hash: head.hash };
}

function countAbove(database: Connection, number: number): number {
  const count = (table: string, column: string) =>
    database.prepare(`SELECT count(*) AS count FROM ${table} WHERE ${column} > ?`).get(number) as {
      count: number;
    };
  return count('block', 'number').count + count('block_transaction', 'block').count;
}

function* readBlocks(database: Connection, file: string, above: number): Generator<JournalBlock> {
  const pages = database.prepare('SELECT * FROM block WHERE number > ? ORDER BY number LIMIT ?');
  const raws = database.prepare(
    'SELECT raw FROM block_transaction WHERE block = ? ORDER BY position',
  );
  let last = above;
  for (;;) {
    const page = pages.all(last, JOURNAL_PAGE_BLOCKS) as ChainHead[];
    for (const { number, timestamp, hash } of page) {
      if (number !== last + 1) throw journalCorrupt(file, `block ${last + 1} is missing`);
      const rows = raws.all(number) as { raw: ArrayBuffer }[];
      const transactions = rows.map((row) => toHex(new Uint8Array(row.raw)));
      yield { number, timestamp, hash, transactions };
      last = number;
    }
    if (page.length < JOURNAL_PAGE_BLOCKS) return;
  }
}
