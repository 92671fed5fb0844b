import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AssayError, type Hex } from '@assay/protocol';
import Database from 'libsql';
import { describe, expect, it } from 'vitest';
import { JOURNAL_PAGE_BLOCKS } from './chain-limits.js';
import { type Journal, type JournalBlock, openJournal } from './journal.js';
import { temporaryHome } from './testing/chain-kit.js';

const GENESIS = { chainId: 31_337, timestamp: 100, hardfork: 'osaka', blockGasMax: 30 };
const OTHER = { ...GENESIS, timestamp: 999 };

const block = (number: number, transactions: readonly Hex[] = []): JournalBlock => ({
  number,
  timestamp: 100 + number,
  hash: `0x${number.toString(16).padStart(64, '0')}`,
  transactions,
});

function fresh(): { file: string; journal: Journal } {
  const file = join(temporaryHome(), 'journal.db');
  return { file, journal: openJournal(file, GENESIS) };
}

function codeOf(work: () => unknown): string | undefined {
  try {
    work();
  } catch (error) {
    return error instanceof AssayError ? error.code : String(error);
  }
  return undefined;
}

describe('openJournal', () => {
  it('gives back what was appended, in order, after it was closed', () => {
    const { file, journal } = fresh();
    const blocks = [block(1, ['0x02aa', '0x02bb']), block(2), block(3, ['0xc0ff'])];
    for (const each of blocks) journal.append(each);
    journal.close();
    const again = openJournal(file, OTHER);
    expect([...again.blocksAbove(0)]).toEqual(blocks);
    expect([...again.blocksAbove(2)]).toEqual([blocks[2]]);
    expect(again.head()).toEqual({ number: 3, timestamp: 103, hash: blocks[2]?.hash });
    expect(again.hashAt(2)).toBe(blocks[1]?.hash);
    expect(again.hashAt(4)).toBeUndefined();
    expect(again.workAbove(1)).toBe(3);
    again.close();
  });

  it('keeps the genesis it began with', () => {
    const { file, journal } = fresh();
    expect(journal.genesisHash()).toBeUndefined();
    journal.setGenesisHash('0x01');
    journal.close();
    const again = openJournal(file, OTHER);
    expect(again.genesis).toEqual(GENESIS);
    expect(again.genesisHash()).toBe('0x01');
    expect(again.head()).toBeUndefined();
    again.close();
  });

  it('reads more blocks than one page holds', () => {
    const { journal } = fresh();
    for (let number = 1; number <= JOURNAL_PAGE_BLOCKS + 1; number++) journal.append(block(number));
    expect([...journal.blocksAbove(0)].map((each) => each.number).at(-1)).toBe(
      JOURNAL_PAGE_BLOCKS + 1,
    );
    journal.close();
  });

  it('takes no block out of order and keeps nothing of one that fails', () => {
    const { journal } = fresh();
    journal.append(block(1));
    expect(() => journal.append(block(3))).toThrow('no gaps');
    expect(() => journal.append(block(1))).toThrow('no gaps');
    expect(codeOf(() => journal.append(block(2, ['0x02', null as unknown as Hex])))).toBe(
      'chain_journal_unwritable',
    );
    expect([...journal.blocksAbove(0)]).toHaveLength(1);
    journal.append(block(2));
    journal.close();
  });

  it('says home_version for a file of another format', () => {
    const { file, journal } = fresh();
    journal.close();
    const database = new Database(file);
    database.exec("UPDATE meta SET value = '7' WHERE name = 'format'");
    database.close();
    expect(codeOf(() => openJournal(file, GENESIS))).toBe('home_version');
  });

  it('says chain_journal_corrupt for a file that is no database, and for a missing block', () => {
    const file = join(temporaryHome(), 'journal.db');
    writeFileSync(file, 'no database at all, '.repeat(1_000));
    expect(codeOf(() => openJournal(file, GENESIS))).toBe('chain_journal_corrupt');
    const { file: gappy, journal } = fresh();
    for (const number of [1, 2, 3]) journal.append(block(number));
    journal.close();
    const database = new Database(gappy);
    database.exec('DELETE FROM block WHERE number = 2');
    database.close();
    const again = openJournal(gappy, GENESIS);
    expect(codeOf(() => [...again.blocksAbove(0)])).toBe('chain_journal_corrupt');
    again.close();
  });
});
