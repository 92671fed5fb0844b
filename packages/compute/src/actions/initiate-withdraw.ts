/** First step of a payer's exit. */
import type { Address, ChannelConfig } from '@assay/protocol';
import { channelsAbi } from '@assay/protocol/abi';
import type { TransactionReceipt } from 'viem';
import { writeContract } from 'viem/actions';
import { transact, type WriteClient } from './transact.js';

export type InitiateWithdrawParameters = {
  readonly channels: Address;
  readonly config: ChannelConfig;
  /** Atomic units; zero takes an earlier request back. */
  readonly amount: bigint;
};

/** Starts the clock of `config.withdrawDelay`; the receiver may claim until it ends. */
export const initiateWithdraw = (
  client: WriteClient,
  { channels, config, amount }: InitiateWithdrawParameters,
): Promise<TransactionReceipt> =>
  transact(client, () =>
    writeContract(client, {
      address: channels,
      abi: channelsAbi,
      functionName: 'initiateWithdraw',
      args: [config, amount],
      account: client.account,
      chain: client.chain,
    }),
  );
