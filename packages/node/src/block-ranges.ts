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
