/** `assay stake`: the provider's deposit at risk, what is on its way out, and the way out: request, wait, withdraw. */
import {
  depositStake,
  readStake,
  requestStakeWithdrawal,
  type StakeState,
  withdrawStake,
} from '@assay/compute';
import { formatAmount } from '@assay/protocol';
import { type ChainAccess, tokenBalance } from '../chain-access.js';
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

export type StakeRequestOptions = RoleOptions & { readonly amount?: bigint };

export type StakeDepositOptions = RoleOptions & { readonly amount: bigint };

export async function showStake(options: RoleOptions): Promise<void> {
  await printStake(options, await openRole(options, 'provider'));
}

/** Adds to the stake from the money that the provider's address holds. */
export async function depositToStake(options: StakeDepositOptions): Promise<void> {
  const access = await openRole(options, 'provider');
  const held = await tokenBalance(access, access.write.account.address);
  if (options.amount <= 0n || options.amount > held)
    throw amountUnfit(options.amount, held, SEND_MORE);
  await depositStake(access.write, { stake: stakeOf(access), amount: options.amount });
  await printStake(options, access);
}

/** Starts the clock for a part of the stake, or for all of it. */
export async function requestStake(options: StakeRequestOptions): Promise<void> {
  const access = await openRole(options, 'provider');
  const { staked, requested, readyAt } = await readState(access);
  if (staked === 0n) {
    throw nothingToWithdraw('This provider has no stake.', 'See `assay stake show`.');
  }
  if (requested > 0n)
    throw withdrawalPending(whenReady(Number(readyAt), await readClock(access)), 'stake');
  const amount = options.amount ?? staked;
  if (amount <= 0n || amount > staked) throw amountUnfit(amount, staked);
  await requestStakeWithdrawal(access.write, { stake: stakeOf(access), amount });
  await printStake(options, access, REQUESTED_HINT);
}

/** Takes a request back. */
export async function cancelStake(options: RoleOptions): Promise<void> {
  const access = await openRole(options, 'provider');
  if ((await readState(access)).requested === 0n) throw nothingRequested();
  await requestStakeWithdrawal(access.write, { stake: stakeOf(access), amount: 0n });
  await printStake(options, access);
}

/** Pays out what was requested and not slashed meanwhile. */
export async function withdrawOwnStake(options: RoleOptions): Promise<void> {
  const access = await openRole(options, 'provider');
  const { requested, readyAt } = await readState(access);
  if (requested === 0n) throw nothingRequested();
  const now = await readClock(access);
  if (Number(readyAt) > now) throw withdrawalEarly(whenReady(Number(readyAt), now));
  await withdrawStake(access.write, { stake: stakeOf(access) });
  await printStake(options, access);
}

const SEND_MORE =
  'That is all that the address of the provider holds; send it more of the payment token first.';

const REQUESTED_HINT =
  'Then run `assay stake withdraw`. Until then a proven fault still takes it. A provider that starts after the ' +
  'withdrawal deposits its --stake again.';

const stakeOf = ({ deployment }: ChainAccess) => deployment.addresses.stake;

const readState = (access: ChainAccess): Promise<StakeState> =>
  readStake(access.read, { stake: stakeOf(access), provider: access.write.account.address });

async function printStake(options: RoleOptions, access: ChainAccess, hint?: string): Promise<void> {
  const provider = access.write.account.address;
  const { staked, requested, readyAt } = await readState(access);
  const held = await tokenBalance(access, provider);
  const withdrawal = requested === 0n ? null : { amount: requested, readyAt: Number(readyAt) };
  const rows = [
    ['provider', provider],
    ['stake', formatAmount(staked)],
    ['holds', formatAmount(held)],
  ];
  if (withdrawal !== null) {
    const when = whenReady(withdrawal.readyAt, await readClock(access));
    rows.push(['leaving', `${formatAmount(withdrawal.amount)}, ready ${when}`]);
  }
  const text = hint === undefined ? table(rows) : `${table(rows)}\n${hint}`;
  print(options, { provider, staked, held, withdrawal }, text);
}

const nothingRequested = () =>
  nothingToWithdraw(
    'No withdrawal was requested.',
    'Run `assay stake request` first; the delay begins with it.',
  );
