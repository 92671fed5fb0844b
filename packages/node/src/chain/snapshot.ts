/**
 * Snapshots of the chain process, so that a restart need not replay everything. A snapshot is a cache of the
 * journal: its name carries block number and hash of its bytes, and a wrong one is passed over, never trusted.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync } from 'node:fs';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SNAPSHOTS_KEPT } from './chain-limits.js';

export type Snapshot = {
  /** Newest block inside. */
  readonly number: number;
  readonly file: string;
  readonly digest: string;
};

export type SnapshotStore = {
  newestFirst(): readonly Snapshot[];
  /** Bytes as the chain process gave them; throws when they are not what was written. */
  read(snapshot: Snapshot): Promise<Buffer>;
  /** Returns once the bytes are on the disk under their final name; older ones are then removed. */
  write(number: number, bytes: Buffer): Promise<void>;
};

const NAME = /^snapshot-(\d{12})-([0-9a-f]{64})\.gz$/;

export function openSnapshots(folder: string): SnapshotStore {
  mkdirSync(folder, { recursive: true });
  const newestFirst = () => listSnapshots(folder);
  return {
    newestFirst,
    async read({ file, digest }) {
      const bytes = await readFile(file);
      if (digestOf(bytes) !== digest)
        throw new Error('the bytes are not the ones that were written');
      return bytes;
    },
    async write(number, bytes) {
      await writeDurably(folder, nameOf(number, digestOf(bytes)), bytes);
      const kept = newestFirst().slice(0, SNAPSHOTS_KEPT);
      const names = new Set(kept.map((snapshot) => snapshot.file));
      for (const name of readdirSync(folder)) {
        if (!names.has(join(folder, name))) await rm(join(folder, name), { force: true });
      }
    },
  };
}

function listSnapshots(folder: string): Snapshot[] {
  const snapshots = readdirSync(folder).flatMap((name) => {
    const [, number, digest] = NAME.exec(name) ?? [];
    return digest ? [{ number: Number(number), file: join(folder, name), digest }] : [];
  });
  return snapshots.sort((one, other) => other.number - one.number);
}

function nameOf(number: number, digest: string): string {
  return `snapshot-${String(number).padStart(12, '0')}-${digest}.gz`;
}

function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Written aside, synced, renamed, and the folder synced: after a power cut it is whole or not there. */
async function writeDurably(folder: string, name: string, bytes: Buffer): Promise<void> {
  const draft = join(folder, `${name}.draft`);
  const file = await open(draft, 'w');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, join(folder, name));
  await syncFolder(folder);
}

async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return; // Folders cannot be opened there; NTFS journals renames.
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
