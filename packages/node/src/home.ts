/**
 * The data folder: keys, databases, cached model files, logs. One folder holds one network's local memory. Money is in
 * `keys/`, `chain/`, `provider/*.db` and `gateway/payments-*.db`; `deployments/` is copied from who deployed;
 * never delete these. `models/`, `logs/`, `run/` come back. `gateway/index.db` half: see ARCHITECTURE.md,
 * "Processes".
 */
import { randomBytes } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import type { Signer } from '@assay/compute';
import { AssayError, type Hex, isHexOf } from '@assay/protocol';
import { type PrivateKeyAccount, privateKeyToAccount } from 'viem/accounts';
import { createSigner } from './signatures.js';

/** `--home`, else `ASSAY_HOME`, else `.assay` in the working folder. */
export const resolveHome = (option?: string): string =>
  resolve(option ?? process.env.ASSAY_HOME ?? '.assay');

/** Makes the folder (and parents) and proves that it can be written; throws `home_unwritable`. */
export function openHome(path: string): string {
  try {
    mkdirSync(path, { recursive: true });
    accessSync(path, constants.W_OK | constants.X_OK);
    const probe = join(path, `.probe-${process.pid}`);
    writeFileSync(probe, '');
    renameSync(probe, join(path, '.probe'));
    return path;
  } catch (cause) {
    throw new AssayError({
      code: 'home_unwritable',
      fault: 'user',
      message: 'The data folder cannot be written.',
      value: path,
      remedy: 'Choose another with --home, or make this one writable.',
      cause,
    });
  }
}

/** Path of a role's own folder inside the home, made if missing. */
export function roleFolder(home: string, role: string): string {
  const folder = join(home, role);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** A role's key in two forms: for transactions, and for the many messages of its trade. */
export type RoleKey = { readonly account: PrivateKeyAccount; readonly signer: Signer };

/** The role's key, made on first use and readable by its owner only. It is never printed. */
export function loadKey(home: string, role: string): RoleKey {
  const path = join(roleFolder(home, 'keys'), `${role}.key`);
  const key = readKey(path) ?? createKey(path);
  const account = privateKeyToAccount(key);
  return { account, signer: createSigner(key, account.address) };
}

/** Roles that have a key in this folder. */
export function listKeys(home: string): readonly string[] {
  const folder = join(home, 'keys');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith('.key'))
    .map((file) => file.slice(0, -'.key'.length))
    .sort();
}

function readKey(path: string): Hex | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
  if (isHexOf(text, 32)) return text;
  throw new AssayError({
    code: 'key_unreadable',
    fault: 'platform',
    message: 'The key file does not hold a private key.',
    value: path,
    remedy: 'Restore the file from a backup; deleting it gives the role a new address.',
  });
}

function createKey(path: string): Hex {
  const key: Hex = `0x${randomBytes(32).toString('hex')}`;
  writeJsonText(path, key, 0o600);
  return key;
}

/** Writes text so that a reader finds the old or the new content, never a half. */
export function writeJsonText(path: string, text: string, mode = 0o644): void {
  const draft = `${path}.${process.pid}.tmp`;
  writeFileSync(draft, text, { mode, flush: true });
  renameSync(draft, path);
}

/** Parsed JSON file, undefined if it is not there or not JSON. */
export function readJsonFile(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
