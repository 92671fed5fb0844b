/** `assay wallet`: the address of each role in this data folder and what it owns on the chain. Reads, never spends. */
import { readChannel, readReceiver, readStake, vaultAddress } from '@assay/compute';
import { type Address, AssayError, formatAmount } from '@assay/protocol';
import { formatEther } from 'viem';
import type { PrivateKeyAccount } from 'viem/accounts';
import {
  type ChainAccess,
  connectRole,
  openChain,
  resolveRpc,
  tokenBalance,
} from '../chain-access.js';
import { openedChannels } from '../channels-on-chain.js';
import { listKeys, loadKey } from '../home.js';
import { type Output, print, table } from './output.js';

export type WalletOptions = Output & { readonly home: string; readonly rpc?: string };

/** Money of one address in atomic units; `coin` in wei. */
export type Money = { readonly coin: bigint; readonly tokens: TokenMoney | null };

export type TokenMoney = {
  readonly held: bigint;
  /** In the stake contract, also what is on its way out. */
  readonly stake: bigint;
  /** Claimed by vouchers over all time; `unsettled` is the part that has not been paid out. */
  readonly earned: bigint;
  readonly unsettled: bigint;
  /** Deposited by this address in its own channels and claimed by nobody. */
  readonly inChannels: bigint;
};

/** Codes that leave the addresses to be shown without money, or coin without tokens. */
const NO_CHAIN = new Set(['network_not_running', 'chain_unreachable']);

export async function wallet(options: WalletOptions): Promise<void> {
  const { home } = options;
  const accounts = listKeys(home).map((role) => ({ role, account: loadKey(home, role).account }));
  const money: (Money | undefined)[] = [];
  let problem: AssayError | undefined;
  try {
    for (const { account } of accounts)
      money.push(await readMoney(home, resolveRpc(home, options.rpc), account));
  } catch (error) {
    if (!(error instanceof AssayError && NO_CHAIN.has(error.code))) throw error;
    problem = error;
  }
  const roles = accounts.map(({ role, account }, index) => ({
    role,
    address: account.address,
    money: money[index] ?? null,
  }));
  print(options, { roles, problem: problem?.toJSON() ?? null }, walletText(roles, problem));
}

/** What the chain says of one address; without known contracts only its coin. */
export async function readMoney(
  home: string,
  rpcUrl: string,
  account: PrivateKeyAccount,
): Promise<Money> {
  const { address } = account;
  try {
    const access = await connectRole(home, rpcUrl, account);
    const coin = await access.read.getBalance({ address });
    return { coin, tokens: await readTokens(access, address) };
  } catch (error) {
    if (!(error instanceof AssayError && error.code === 'not_deployed')) throw error;
    const { read } = await openChain(rpcUrl, account);
    return { coin: await read.getBalance({ address }), tokens: null };
  }
}

async function readTokens(access: ChainAccess, address: Address): Promise<TokenMoney> {
  const { read, market, deployment } = access;
  const { channels, token } = market;
  const [held, { staked }, receiver, inChannels] = await Promise.all([
    tokenBalance(access, address),
    readStake(read, { stake: deployment.addresses.stake, provider: address }),
    readReceiver(read, {
      channels,
      receiver: vaultAddress({ vaults: market.vaults, provider: address }),
      token,
    }),
    unclaimedDeposits(access, address),
  ]);
  const { totalClaimed, unsettled } = receiver;
  return { held, stake: staked, earned: totalClaimed, unsettled, inChannels };
}

async function unclaimedDeposits(access: ChainAccess, payer: Address): Promise<bigint> {
  const { read, market } = access;
  const { channels } = market;
  const opened = [...(await openedChannels(access, payer)).keys()];
  const states = await Promise.all(
    opened.map((channelId) => readChannel(read, { channels, channelId })),
  );
  return states.reduce((sum, { available }) => sum + available, 0n);
}

type Entry = {
  readonly role: string;
  readonly address: Address;
  readonly money: Money | null;
};

function walletText(roles: readonly Entry[], problem: AssayError | undefined): string {
  if (roles.length === 0) return 'no role has a key in this data folder yet; each makes its own';
  const text = table(roles.map(({ role, address, money }) => [role, address, ...cells(money)]));
  return problem === undefined ? text : `${text}\n\nno money shown: ${problem.message}`;
}

function cells(money: Money | null): readonly string[] {
  if (money === null) return [];
  const coin = `coin ${Number(formatEther(money.coin)).toFixed(4)}`;
  if (money.tokens === null) return [coin, 'contracts not known here'];
  const { held, stake, earned, unsettled, inChannels } = money.tokens;
  return [
    coin,
    `holds ${formatAmount(held)}`,
    `stake ${formatAmount(stake)}`,
    `earned ${formatAmount(earned)} (${formatAmount(unsettled)} not paid out)`,
    `in channels ${formatAmount(inChannels)}`,
  ];
}
