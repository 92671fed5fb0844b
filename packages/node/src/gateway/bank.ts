/** The gateway's chain transactions: deposits one after another, so that nonces and permits never collide. */
import { openChannel, readChannel } from '@assay/compute';
import { AssayError, type ChannelConfig, channelId, settlementDomain } from '@assay/protocol';
import { LOCAL_CHAIN_ID } from '../chain/index.js';
import { type ChainAccess, fundLocalRole, tokenBalance } from '../chain-access.js';
import type { Bank } from './wallet.js';

const fundsMissing = (held: bigint, amount: bigint): AssayError =>
  new AssayError({
    code: 'funds_missing',
    fault: 'platform',
    message: 'The gateway has not enough of the payment token to open or top up a channel.',
    value: `${held} of ${amount}`,
    remedy: 'Send the missing amount (atomic units) to the address of the gateway.',
  });

export type BankOptions = {
  readonly access: ChainAccess;
  /** On the local chain: take test dollars from the faucet when they run out. */
  readonly useFaucet: boolean;
};

export function createBank({ access, useFaucet }: BankOptions): Bank {
  const { market, read, write } = access;
  let last: Promise<void> = Promise.resolve();

  async function deposit(config: ChannelConfig, amount: bigint): Promise<void> {
    const payer = write.account.address;
    if (useFaucet && market.chainId === LOCAL_CHAIN_ID) await fundLocalRole(access, amount);
    const held = await tokenBalance(access, payer);
    if (held < amount) throw fundsMissing(held, amount);
    await openChannel(write, { channels: market.channels, config, amount });
  }

  return {
    payer: write.account.address,
    channelBalance: async (config) => {
      const id = channelId(settlementDomain(market.chainId, market.channels), config);
      return (await readChannel(read, { channels: market.channels, channelId: id })).balance;
    },
    deposit: (config, amount) => {
      const next = last.then(() => deposit(config, amount));
      last = next.catch(() => undefined);
      return next;
    },
  };
}
