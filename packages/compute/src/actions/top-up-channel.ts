/** More money for an open channel; unlike {@link openChannel} it refuses to start one by a mistake in the config. */
import { AssayError, channelId, settlementDomain } from '@assay/protocol';
import { type OpenChannelParameters, type OpenChannelResult, openChannel } from './open-channel.js';
import { readChannel } from './read-channel.js';
import type { WriteClient } from './transact.js';

export type TopUpChannelParameters = OpenChannelParameters;

const channelUnknown = (id: string): AssayError =>
  new AssayError({
    code: 'channel_unknown',
    message: 'No money was ever put into this channel.',
    fault: 'user',
    value: id,
    remedy: 'Check the config of the channel, or open it.',
  });

/** Adds to a channel that holds or held money. */
export async function topUpChannel(
  client: WriteClient,
  parameters: TopUpChannelParameters,
): Promise<OpenChannelResult> {
  const { channels, config } = parameters;
  const id = channelId(settlementDomain(client.chain.id, channels), config);
  const { balance } = await readChannel(client, { channels, channelId: id });
  if (balance === 0n) throw channelUnknown(id);
  return openChannel(client, parameters);
}
