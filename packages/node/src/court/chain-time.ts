/** The time of the next block, as far as anybody can tell. */
import type { ChainAccess } from '../chain-access.js';

/** Unix seconds: a chain where nothing happens shows an old time; the next block will have about ours. */
export async function chainTime({ read }: Pick<ChainAccess, 'read'>): Promise<bigint> {
  const { timestamp } = await read.getBlock();
  const ours = BigInt(Math.floor(Date.now() / 1_000));
  return timestamp > ours ? timestamp : ours;
}
