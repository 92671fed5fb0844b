/** Last step of a payer's exit. */
import type { Address, ChannelConfig } from '@assay/protocol';
import { channelsAbi } from '@assay/protocol/abi';
import type { TransactionReceipt } from 'viem';
import { writeContract } from 'viem/actions';
import { transact, type WriteClient } from './transact.js';

export type FinalizeWithdrawParameters = {
  readonly channels: Address;
  readonly config: ChannelConfig;
};

/** Pays the payer what it asked for and nobody claimed meanwhile; anyone may call it. */
export const finalizeWithdraw = (
  client: WriteClient,
  { channels, config }: FinalizeWithdrawParameters,
): Promise<TransactionReceipt> =>
  transact(client, () =>
    writeContract(client, {
      address: channels,
      abi: channelsAbi,
      functionName: 'finalizeWithdraw',
      args: [config],
      account: client.account,
      chain: client.chain,
    }),
  );
