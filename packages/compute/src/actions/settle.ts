/** Pays out what a receiver has claimed. */
import type { Address } from '@assay/protocol';
import { channelsAbi } from '@assay/protocol/abi';
import type { TransactionReceipt } from 'viem';
import { writeContract } from 'viem/actions';
import { transact, type WriteClient } from './transact.js';

export type SettleParameters = {
  readonly channels: Address;
  readonly receiver: Address;
  readonly token: Address;
};

/** Sends all claimed and unpaid money to its receiver; anyone may call it. */
export const settle = (
  client: WriteClient,
  { channels, receiver, token }: SettleParameters,
): Promise<TransactionReceipt> =>
  transact(client, () =>
    writeContract(client, {
      address: channels,
      abi: channelsAbi,
      functionName: 'settle',
      args: [receiver, token],
      account: client.account,
      chain: client.chain,
    }),
  );
