/**
 * `assay channel`: the gateway's deposits, and its way out of them without anybody's help, the timed exit: request,
 * wait out the delay in which the receiver may still claim, withdraw.
 */
import { finalizeWithdraw, initiateWithdraw, readChannel } from '@assay/compute';
import { AssayError, type ChannelConfig, formatAmount, type Hex, isHexOf } from '@assay/protocol';
import type { ChainAccess } from '../chain-access.js';
import { openedChannels } from '../channels-on-chain.js';
import { print, table } from './output.js';
import {
  amountUnfit,
  nothingToWithdraw,
  openRole,
  type RoleOptions,
  readClock,
  whenReady,
  withdrawalEarly,
  withdrawalPending,
} from './role-access.js';

export type ChannelRequestOptions = RoleOptions & { readonly amount?: bigint };

/** A channel of ours; amounts in atomic units, `readyAt` in Unix seconds. */
type OwnChannel = {
  readonly channelId: Hex;
  readonly config: ChannelConfig;
  readonly balance: bigint;
  readonly totalClaimed: bigint;
  /** What vouchers can still claim, and so what an exit brings back at most. */
  readonly available: bigint;
  readonly withdrawal: { readonly amount: bigint; readonly readyAt: number } | null;
};

export async function listChannels(options: RoleOptions): Promise<void> {
  const access = await openRole(options, 'gateway');
  const channels = await readOwnChannels(access);
  const now = await readClock(access);
  const payer = access.write.account.address;
  const text = channels.length === 0 ? `${payer} has no channel` : channelTable(channels, now);
  print(options, { payer, channels: channels.map(documentOf) }, text);
}

/** Starts the exit of one channel, or of every one that holds money and is not on its way out. */
export async function requestChannelWithdrawal(
  options: ChannelRequestOptions,
  id?: string,
): Promise<void> {
  const access = await openRole(options, 'gateway');
  const now = await readClock(access);
  const channels = (await select(access, id)).filter(({ available }) => available > 0n);
  if (channels.length === 0) {
    throw nothingToWithdraw(
      id === undefined ? 'No channel holds money.' : 'The channel holds no money.',
      'See `assay channel list`: what was claimed belongs to the provider.',
    );
  }
  const fresh = channels.filter(({ withdrawal }) => withdrawal === null);
  const pending = channels.find(({ withdrawal }) => withdrawal !== null)?.withdrawal;
  if (fresh.length === 0 && pending)
    throw withdrawalPending(whenReady(pending.readyAt, now), 'channel');
  for (const { available } of fresh) assertAmount(options.amount, available);
  for (const { config, available } of fresh) {
    const amount = options.amount ?? available;
    await initiateWithdraw(access.write, { channels: access.market.channels, config, amount });
  }
  await printChosen(options, access, { chosen: fresh, verb: 'requested', hint: REQUESTED_HINT });
}

/** Takes a request back, so that the channel can be paid from again. */
export async function cancelChannelWithdrawal(options: RoleOptions, id?: string): Promise<void> {
  const access = await openRole(options, 'gateway');
  const chosen = (await select(access, id)).filter(({ withdrawal }) => withdrawal !== null);
  if (chosen.length === 0) throw nothingRequested();
  for (const { config } of chosen)
    await initiateWithdraw(access.write, {
      channels: access.market.channels,
      config,
      amount: 0n,
    });
  await printChosen(options, access, { chosen, verb: 'taken back', hint: CANCELLED_HINT });
}

/** Ends the exit of one channel, or of every one whose delay is over. */
export async function withdrawChannel(options: RoleOptions, id?: string): Promise<void> {
  const access = await openRole(options, 'gateway');
  const now = await readClock(access);
  const requested = (await select(access, id)).filter(({ withdrawal }) => withdrawal !== null);
  if (requested.length === 0) throw nothingRequested();
  const chosen = requested.filter(({ withdrawal }) => withdrawal!.readyAt <= now);
  if (chosen.length === 0) {
    const readyAt = Math.min(...requested.map(({ withdrawal }) => withdrawal!.readyAt));
    throw withdrawalEarly(whenReady(readyAt, now));
  }
  for (const { config } of chosen)
    await finalizeWithdraw(access.write, { channels: access.market.channels, config });
  await printChosen(options, access, { chosen, verb: 'withdrawn', hint: WITHDRAWN_HINT });
}

const REQUESTED_HINT =
  'Then run `assay channel withdraw`. Until then the provider takes no new job from such a channel.';
const CANCELLED_HINT = 'The provider takes jobs from it again.';
const WITHDRAWN_HINT =
  'The money is on the address of the gateway (`assay wallet`). A gateway that runs must be started again.';

/** Every channel that this payer ever opened, as the chain has it now. */
async function readOwnChannels(access: ChainAccess): Promise<readonly OwnChannel[]> {
  const { read, write, market } = access;
  const configs = await openedChannels(access, write.account.address);
  const states = [...configs].map(async ([channelId, config]) => {
    const {
      withdrawal,
      lanes: _,
      ...state
    } = await readChannel(read, {
      channels: market.channels,
      channelId,
    });
    const exit = withdrawal && {
      amount: withdrawal.amount,
      readyAt: withdrawal.initiatedAt + config.withdrawDelay,
    };
    return { channelId, config, ...state, withdrawal: exit ?? null };
  });
  return Promise.all(states);
}

async function select(access: ChainAccess, id?: string): Promise<readonly OwnChannel[]> {
  const channels = await readOwnChannels(access);
  if (id === undefined) return channels;
  if (!isHexOf(id, 32)) throw badId(id);
  const found = channels.filter(({ channelId }) => channelId === id.toLowerCase());
  if (found.length === 0) throw channelUnknown(id);
  return found;
}

function assertAmount(amount: bigint | undefined, available: bigint): void {
  if (amount !== undefined && (amount <= 0n || amount > available))
    throw amountUnfit(amount, available);
}

/** Prints the channels as they are after the transactions. */
async function printChosen(
  options: RoleOptions,
  access: ChainAccess,
  done: {
    readonly chosen: readonly OwnChannel[];
    readonly verb: string;
    readonly hint: string;
  },
): Promise<void> {
  const ids = new Set(done.chosen.map(({ channelId }) => channelId));
  const after = (await readOwnChannels(access)).filter(({ channelId }) => ids.has(channelId));
  const now = await readClock(access);
  const text = `${done.verb}:\n${channelTable(after, now)}\n${done.hint}`;
  const payer = access.write.account.address;
  print(options, { payer, channels: after.map(documentOf) }, text);
}

const documentOf = (channel: OwnChannel) => ({
  channelId: channel.channelId,
  receiver: channel.config.receiver,
  balance: channel.balance,
  claimed: channel.totalClaimed,
  available: channel.available,
  withdrawDelaySeconds: channel.config.withdrawDelay,
  withdrawal: channel.withdrawal,
});

const channelTable = (channels: readonly OwnChannel[], now: number): string =>
  table([
    ['channel', 'to', 'deposited', 'claimed', 'left', 'leaving'],
    ...channels.map(({ channelId, config, balance, totalClaimed, available, withdrawal }) => [
      channelId,
      config.receiver,
      formatAmount(balance),
      formatAmount(totalClaimed),
      formatAmount(available),
      withdrawal === null
        ? '-'
        : `${formatAmount(withdrawal.amount)}, ready ${whenReady(withdrawal.readyAt, now)}`,
    ]),
  ]);

const nothingRequested = (): AssayError =>
  nothingToWithdraw(
    'No withdrawal was requested.',
    'Run `assay channel request` first; the delay begins with it.',
  );

const badId = (value: string): AssayError =>
  new AssayError({
    code: 'invalid_value',
    fault: 'user',
    message: 'A channel id is 0x and 64 hexadecimal digits.',
    value,
    remedy: 'Take it from `assay channel list`, or leave it out to mean every channel.',
  });

const channelUnknown = (value: string): AssayError =>
  new AssayError({
    code: 'channel_unknown',
    fault: 'user',
    message: 'The gateway of this data folder has no such channel.',
    value,
    remedy: 'See `assay channel list`.',
  });
