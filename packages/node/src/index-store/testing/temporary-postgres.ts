/**
 * A PostgreSQL cluster of its own in a temporary folder, for tests and benchmarks: real, on a Unix socket and no port,
 * gone afterwards. PostgreSQL refuses to run as root, so root hands it to an ordinary user.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where Debian and its children put the programs of each version. */
const DEBIAN_FOLDER = '/usr/lib/postgresql';
const ORDINARY_USER = 'nobody';
const START_TIMEOUT_MS = 20_000;
const START_POLL_MS = 50;

export type TemporaryPostgres = {
  /** URL of an empty database with this name. */
  readonly createDatabase: (name: string) => Promise<string>;
  readonly stop: () => Promise<void>;
};

/** Folder with `initdb` and `postgres`, or undefined if PostgreSQL is not installed. */
export function findPostgres(): string | undefined {
  const versions = existsSync(DEBIAN_FOLDER) ? readdirSync(DEBIAN_FOLDER) : [];
  const folders = versions.sort((a, b) => Number(b) - Number(a));
  return folders
    .map((version) => join(DEBIAN_FOLDER, version, 'bin'))
    .find((folder) => existsSync(join(folder, 'initdb')));
}

/** Starts a cluster; `binFolder` comes from {@link findPostgres}. */
export async function startTemporaryPostgres(binFolder: string): Promise<TemporaryPostgres> {
  const folder = mkdtempSync(join(tmpdir(), 'assay-postgres-'));
  const identity = ordinaryUser(folder);
  const options = { ...identity, cwd: folder, stdio: 'ignore' } as const;
  const data = join(folder, 'data');
  const setup = ['-D', data, '-U', 'assay', '-A', 'trust', '-E', 'UTF8', '--no-sync', '--locale=C'];
  execFileSync(join(binFolder, 'initdb'), setup, options);
  const settings = ['-D', data, '-k', folder, '-c', 'listen_addresses='];
  const server = spawn(join(binFolder, 'postgres'), settings, options);
  const exited = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  const psql = (statement: string): void =>
    void execFileSync(
      join(binFolder, 'psql'),
      ['-h', folder, '-U', 'assay', '-d', 'postgres', '-qc', statement],
      options,
    );
  const stop = async (): Promise<void> => {
    // SIGQUIT is PostgreSQL's immediate shutdown: nothing here is kept.
    server.kill('SIGQUIT');
    await exited;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await untilReady(() => psql('select 1'));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    createDatabase: async (name) => {
      psql(`create database "${name}"`);
      return `postgres://assay@localhost/${name}?host=${encodeURIComponent(folder)}`;
    },
    stop,
  };
}

/** For root: an ordinary user, after handing it the folder. */
function ordinaryUser(folder: string): { uid: number; gid: number } | object {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string): number =>
    Number(execFileSync('id', [flag, ORDINARY_USER], { encoding: 'utf8' }));
  const user = { uid: id('-u'), gid: id('-g') };
  execFileSync('chown', [`${user.uid}:${user.gid}`, folder]);
  return user;
}

async function untilReady(probe: () => void): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      return probe();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, START_POLL_MS));
    }
  }
}
