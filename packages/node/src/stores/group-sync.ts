/**
 * Group commit for SQLite: a commit returns once the operating system has it (so `kill -9` of the process loses
 * nothing), and all commits of a short time reach the disk together, off the main thread. A power cut can lose the
 * last {@link SYNC_INTERVAL_MS}: for a provider the vouchers of that moment, for a payer nothing that it could not
 * sign again. One commit per write would cost some milliseconds of the event loop each, ten times per answer (see
 * docs/decisions).
 */
import { type FileHandle, open } from 'node:fs/promises';

export const SYNC_INTERVAL_MS = 100;

/** Keeps the write-ahead log of a database synced; returns a function that syncs once more and stops. */
export function keepSynced(path: string): () => Promise<void> {
  let log: FileHandle | undefined;
  let seenMs = 0;
  let running: Promise<void> = Promise.resolve();
  const round = async (): Promise<void> => {
    // SQLite keeps the file until its last connection closes, and so do we.
    log ??= await open(`${path}-wal`, 'r+');
    const { mtimeMs } = await log.stat();
    if (mtimeMs === seenMs) return;
    await log.sync();
    seenMs = mtimeMs;
  };
  const sync = (): Promise<void> => {
    running = running.then(round).catch(() => undefined);
    return running;
  };
  const timer = setInterval(() => void sync(), SYNC_INTERVAL_MS);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await sync();
    await log?.close();
  };
}
