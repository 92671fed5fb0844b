/** What a receiver has earned through all its channels in one token. */
import type { Address } from '@assay/protocol';
import { channelsAbi } from '@assay/protocol/abi';
import { readContract } from 'viem/actions';
import { call, type ReadClient } from './transact.js';

export type ReadReceiverParameters = {
  readonly channels: Address;
  readonly receiver: Address;
  readonly token: Address;
};

/** Amounts in atomic units, over all time. */
export type ReceiverState = {
  readonly totalClaimed: bigint;
  readonly totalSettled: bigint;
  /** What `settle` would pay now. */
  readonly unsettled: bigint;
};

export async function readReceiver(
  client: ReadClient,
  { channels, receiver, token }: ReadReceiverParameters,
): Promise<ReceiverState> {
  const [totalClaimed, totalSettled] = await call(() =>
    readContract(client, {
      address: channels,
      abi: channelsAbi,
      functionName: 'receivers',
      args: [receiver, token],
    }),
  );
  return { totalClaimed, totalSettled, unsettled: totalClaimed - totalSettled };
}
