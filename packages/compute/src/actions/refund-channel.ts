/** The receiver gives unclaimed money back without the payer's delay. */
import type { Address, ChannelConfig } from '@assay/protocol';
import { channelsAbi } from '@assay/protocol/abi';
import type { TransactionReceipt } from 'viem';
import { writeContract } from 'viem/actions';
import { transact, type WriteClient } from './transact.js';

export type RefundChannelParameters = {
  readonly channels: Address;
  readonly config: ChannelConfig;
  /** Atomic units; more than there is gives back all. */
  readonly amount: bigint;
};

/** Refunds up to `amount`; claim first what is earned. The client is the receiver or its authorizer. */
export const refundChannel = (
  client: WriteClient,
  { channels, config, amount }: RefundChannelParameters,
): Promise<TransactionReceipt> =>
  transact(client, () =>
    writeContract(client, {
      address: channels,
      abi: channelsAbi,
      functionName: 'refund',
      args: [config, amount],
      account: client.account,
      chain: client.chain,
    }),
  );
