/**
 * The chain with a role's own key, for commands that move that role's money. Makes no key: a new one would own nothing,
 * and the command would only seem to work.
 */
import { AssayError } from '@assay/protocol';
import { privateKeyToAccount } from 'viem/accounts';
import { type ChainAccess, connectRole, resolveRpc } from '../chain-access.js';
import { listKeys, loadKey } from '../home.js';
import type { Output } from './output.js';

export type RoleOptions = Output & { readonly home: string; readonly rpc?: string };

/** Roles that own something on chain: the gateway its channels, the provider its stake and offers, the verifier seats. */
export type OwningRole = 'gateway' | 'provider' | 'verifier';

/** Throws `key_missing`, `network_not_running`, `chain_unreachable` or `not_deployed`. */
export async function openRole({ home, rpc }: RoleOptions, role: OwningRole): Promise<ChainAccess> {
  if (!listKeys(home).includes(role)) throw keyMissing(home, role);
  return connectRole(home, resolveRpc(home, rpc), loadKey(home, role).account);
}

/** Only reads with it: a client wants an account, and a folder may have none. */
export const NOBODY = privateKeyToAccount(`0x${'00'.repeat(31)}01`);

/** Unix seconds by which the next block will be: the chain's clock, or ours where the chain was idle for a while. */
export async function readClock({ read }: ChainAccess): Promise<number> {
  const { timestamp } = await read.getBlock();
  return Math.max(Number(timestamp), Math.floor(Date.now() / 1_000));
}

/** `2026-01-31 12:00:00 UTC, in 15 min`. */
export function whenReady(readyAt: number, now: number): string {
  const stamp = new Date(readyAt * 1_000).toISOString().replace('T', ' ').replace('.000Z', ' UTC');
  return readyAt <= now ? `${stamp}, now` : `${stamp}, in ${duration(readyAt - now)}`;
}

function duration(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.ceil(seconds / 60)} min`;
  return `${Math.ceil(seconds / 3_600)} h`;
}

/** Refuses what would start the clock of an exit anew. */
export const withdrawalPending = (when: string, noun: 'channel' | 'stake'): AssayError =>
  new AssayError({
    code: 'withdrawal_pending',
    fault: 'user',
    message: 'A withdrawal is requested already, and a new request would start its clock anew.',
    value: when,
    remedy: `Wait and run \`assay ${noun} withdraw\`, or take it back with \`assay ${noun} cancel\`.`,
  });

export const withdrawalEarly = (when: string): AssayError =>
  new AssayError({
    code: 'withdraw_not_ready',
    fault: 'user',
    message: 'The delay of the withdrawal is not over.',
    value: when,
    remedy: 'Run the same command again then; nothing else has to be done until then.',
  });

export const nothingToWithdraw = (message: string, remedy: string): AssayError =>
  new AssayError({ code: 'nothing_to_withdraw', fault: 'user', message, remedy });

export const amountUnfit = (amount: bigint, most: bigint, remedy = GIVE_LESS): AssayError =>
  new AssayError({
    code: 'amount_out_of_range',
    fault: 'user',
    message: `The amount must be between 1 and ${most} atomic units.`,
    value: String(amount),
    remedy,
  });

const GIVE_LESS =
  'Give less, or leave the amount out to take all. One dollar is 1000000 atomic units.';

const keyMissing = (home: string, role: OwningRole): AssayError =>
  new AssayError({
    code: 'key_missing',
    fault: 'user',
    message: `There is no key of a ${role} in this data folder, so there is nothing of it to move.`,
    value: home,
    remedy: `Name the folder in which the ${role} ran with --home, or start one: \`assay ${role}\`.`,
  });
