/** Channels as the chain's events tell them. */
import type { Address, ChannelConfig, Hex } from '@assay/protocol';
import { channelsAbi } from '@assay/protocol/abi';
import { rangesUntilNow } from './block-ranges.js';
import type { ChainAccess } from './chain-access.js';

/** Every channel that a payer ever opened, by id: one that was emptied and funded again is opened twice. */
export async function openedChannels(
  { read, market, deployment }: ChainAccess,
  payer: Address,
): Promise<ReadonlyMap<Hex, ChannelConfig>> {
  const channels = new Map<Hex, ChannelConfig>();
  for (const range of await rangesUntilNow(read, BigInt(deployment.startBlock))) {
    const opened = await read.getContractEvents({
      address: market.channels,
      abi: channelsAbi,
      eventName: 'ChannelOpened',
      args: { payer },
      strict: true,
      ...range,
    });
    for (const { args } of opened) channels.set(args.channelId, args.config);
  }
  return channels;
}
