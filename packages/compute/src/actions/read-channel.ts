/** What the chain knows of a channel. */
import type { Address, Hex } from '@assay/protocol';
import { channelsAbi } from '@assay/protocol/abi';
import { readContract } from 'viem/actions';
import { call, type ReadClient } from './transact.js';

export type ReadChannelParameters = {
  readonly channels: Address;
  readonly channelId: Hex;
  /** Lanes of interest. */
  readonly lanes?: readonly number[];
};

/** Amounts in atomic units. */
export type ChannelState = {
  /** Deposited and not given back, claimed money included. */
  readonly balance: bigint;
  readonly totalClaimed: bigint;
  /** What vouchers can still claim. */
  readonly available: bigint;
  /** The payer's request to leave; absent while there is none. */
  readonly withdrawal?: { readonly amount: bigint; readonly initiatedAt: number };
  /** Claimed per lane asked for, cumulative. */
  readonly lanes: ReadonlyMap<number, bigint>;
};

export async function readChannel(
  client: ReadClient,
  { channels, channelId, lanes = [] }: ReadChannelParameters,
): Promise<ChannelState> {
  const contract = { address: channels, abi: channelsAbi } as const;
  const args = [channelId] as const;
  const readLane = async (lane: number) =>
    [
      lane,
      await readContract(client, {
        ...contract,
        functionName: 'laneClaimed',
        args: [channelId, lane],
      }),
    ] as const;
  const [[balance, totalClaimed], [amount, initiatedAt], claimed] = await call(() =>
    Promise.all([
      readContract(client, { ...contract, functionName: 'channels', args }),
      readContract(client, { ...contract, functionName: 'pendingWithdrawals', args }),
      Promise.all(lanes.map(readLane)),
    ]),
  );
  return {
    balance,
    totalClaimed,
    available: balance - totalClaimed,
    ...(initiatedAt === 0 ? {} : { withdrawal: { amount, initiatedAt } }),
    lanes: new Map(claimed),
  };
}
