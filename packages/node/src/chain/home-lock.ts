/**
 * One process per data folder. The lock is an open exclusive SQLite transaction: the operating system lets go
 * of it when the process ends in any way, so no stale lock can keep a person out.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { homeInUse, homeUnwritable } from './chain-errors.js';

export type HomeLock = { release(): void };

/** Makes the folder if need be and takes its lock, or says `home_in_use` or `home_unwritable`. */
export function lockHome(folder: string): HomeLock {
  let database: InstanceType<typeof Database> | undefined;
  try {
    mkdirSync(folder, { recursive: true });
    database = new Database(join(folder, 'lock'));
    database.exec('PRAGMA busy_timeout = 0');
    database.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    database?.close();
    const isBusy = /BUSY|LOCKED/.test(String((cause as { code?: unknown }).code));
    throw isBusy ? homeInUse(folder, cause) : homeUnwritable(folder, cause);
  }
  const held = database;
  return {
    release() {
      held.close();
    },
  };
}
