/**
 * The gateway's money: one channel per provider, its lanes, and the decision when to open or top up. All answers on the
 * hot path come from memory; the chain is asked only when money moves.
 */

import { type Lane, type Market, newLane, vaultAddress } from '@assay/compute';
import {
  AssayError,
  type ChannelConfig,
  channelId,
  type Hex,
  LANES_MAX,
  settlementDomain,
  WITHDRAW_DELAY_MIN_SECONDS,
} from '@assay/protocol';
import type { RequesterLedger } from '../stores/requester-store.js';

/** What the wallet needs of the chain. */
export type Bank = {
  readonly payer: Hex;
  /** Atomic units in the channel over its whole life, claimed ones included. */
  readonly channelBalance: (config: ChannelConfig) => Promise<bigint>;
  /** Opens or tops up; throws `funds_missing` if the payer has not enough. */
  readonly deposit: (config: ChannelConfig, amount: bigint) => Promise<void>;
};

export type WalletOptions = {
  readonly bank: Bank;
  readonly market: Market;
  readonly ledger: RequesterLedger;
  /** Atomic units put into a channel at once; fewer deposits against more money at rest. */
  readonly depositAmount: bigint;
};

/** A lane held for one job, with money reserved on it. */
export type HeldLane = {
  readonly channel: ChannelConfig;
  readonly lane: Lane;
  /** Gives lane and reservation back; calling it again does nothing. */
  readonly release: () => void;
};

export type Wallet = {
  /** Holds an idle lane of the channel to `provider` with at least `cost` behind it. */
  readonly acquire: (provider: Hex, cost: bigint) => Promise<HeldLane>;
  readonly channelTo: (provider: Hex) => {
    readonly config: ChannelConfig;
    readonly channelId: Hex;
  };
};

type Account = {
  readonly config: ChannelConfig;
  readonly channelId: Hex;
  readonly held: Set<number>;
  balance: bigint;
  reserved: bigint;
  /** The deposit under way, if any: callers share it. */
  deposit: Promise<void> | undefined;
};

const ZERO_ADDRESS: Hex = `0x${'00'.repeat(20)}`;

const lanesBusy = (provider: Hex): AssayError =>
  new AssayError({
    code: 'queue_full',
    fault: 'platform',
    message: 'All payment lanes to the provider are in use.',
    value: provider,
    remedy: 'Try again in a moment.',
  });

export function createWallet(options: WalletOptions): Wallet {
  const accounts = new Map<Hex, Promise<Account>>();
  const configOf = (provider: Hex): ChannelConfig => ({
    payer: options.bank.payer,
    payerAuthorizer: ZERO_ADDRESS,
    receiver: vaultAddress({ vaults: options.market.vaults, provider }),
    // The vault can sign nothing: giving money back at once is the provider's to agree to.
    receiverAuthorizer: provider,
    token: options.market.token,
    withdrawDelay: WITHDRAW_DELAY_MIN_SECONDS,
    salt: `0x${'00'.repeat(32)}`,
  });
  const idOf = (config: ChannelConfig): Hex =>
    channelId(settlementDomain(options.market.chainId, options.market.channels), config);

  async function openAccount(provider: Hex): Promise<Account> {
    const config = configOf(provider);
    const balance = await options.bank.channelBalance(config);
    return {
      config,
      channelId: idOf(config),
      held: new Set(),
      balance,
      reserved: 0n,
      deposit: undefined,
    };
  }

  function accountOf(provider: Hex): Promise<Account> {
    const known = accounts.get(provider) ?? openAccount(provider);
    accounts.set(provider, known);
    known.catch(() => accounts.delete(provider));
    return known;
  }

  async function acquire(provider: Hex, cost: bigint): Promise<HeldLane> {
    const account = await accountOf(provider);
    const lane = idleLane(options.ledger, account);
    if (lane === undefined) throw lanesBusy(provider);
    account.held.add(lane.lane);
    account.reserved += cost;
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      account.held.delete(lane.lane);
      account.reserved -= cost;
    };
    try {
      await cover(options, account);
    } catch (error) {
      release();
      throw error;
    }
    return { channel: account.config, lane, release };
  }

  return {
    acquire,
    channelTo: (provider) => {
      const config = configOf(provider);
      return { config, channelId: idOf(config) };
    },
  };
}

function idleLane(ledger: RequesterLedger, account: Account): Lane | undefined {
  for (let number = 0; number < LANES_MAX; number++) {
    if (account.held.has(number)) continue;
    const lane = ledger.loadLane(account.channelId, number) ?? newLane(account.channelId, number);
    if (lane.status === 'idle') return lane;
  }
  return undefined;
}

/** Deposits until everything reserved is behind the channel. */
async function cover(
  { bank, ledger, depositAmount }: WalletOptions,
  account: Account,
): Promise<void> {
  for (;;) {
    const missing = ledger.committed(account.channelId) + account.reserved - account.balance;
    if (missing <= 0n) return;
    account.deposit ??= (async () => {
      await bank.deposit(account.config, missing > depositAmount ? missing : depositAmount);
      account.balance = await bank.channelBalance(account.config);
    })().finally(() => {
      account.deposit = undefined;
    });
    await account.deposit;
  }
}
