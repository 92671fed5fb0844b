/** Blocks in pieces, for requests that read events. */
import type { ChainAccess } from './chain-access.js';

/** Blocks of one request for events: public nodes refuse wider ranges, and an answer must stay small. */
export const RANGE_BLOCKS_MAX = 2_000n;

export type BlockRange = { readonly fromBlock: bigint; readonly toBlock: bigint };

/** Cuts the blocks from `first` to `head`, both included, into ranges of at most `blocks`; none if `first` is later. */
export function* blockRanges(
  first: bigint,
  head: bigint,
  blocks: bigint = RANGE_BLOCKS_MAX,
): Generator<BlockRange> {
  for (let fromBlock = first; fromBlock <= head; fromBlock += blocks) {
    const last = fromBlock + blocks - 1n;
    yield { fromBlock, toBlock: last < head ? last : head };
  }
}

/** Ranges from `first` to the newest block, asked for now: viem remembers its number for a while. */
export async function rangesUntilNow(
  read: ChainAccess['read'],
  first: bigint,
  blocks?: bigint,
): Promise<readonly BlockRange[]> {
  const head = await read.getBlockNumber({ cacheTime: 0 });
  return [...blockRanges(first, head, blocks)];
}
