/**
 * Finds the newest block that the index and the chain still share after a reorganisation. Canonical blocks are a prefix
 * of what is remembered, so whole batches are judged by their oldest block and the right one is searched by halving;
 * a reorganisation of any depth costs a few dozen requests.
 */
import { type ChainClient, readBlock } from './chain-reader.js';
import type { IndexStore } from './database.js';
import { type Checkpoint, readCheckpoints } from './ledger.js';

/** First batch; most reorganisations are one or two blocks deep. */
const BATCH_FIRST = 8;
const BATCH_GROWTH = 4;
const BATCH_MAX = 8_192;

/** The newest remembered block that is on the chain, or undefined if none is. */
export async function findAncestor(
  client: ChainClient,
  store: IndexStore,
  below: number,
): Promise<Checkpoint | undefined> {
  let limit = BATCH_FIRST;
  for (let bound = below; ; limit = Math.min(limit * BATCH_GROWTH, BATCH_MAX)) {
    const batch = await readCheckpoints(store, { below: bound, limit });
    const oldest = batch.at(-1);
    if (oldest === undefined) return undefined;
    if (await isOnChain(client, oldest)) return newestOnChain(client, batch);
    bound = oldest.number;
  }
}

/** True if the node has exactly this block at this height. */
export async function isOnChain(client: ChainClient, block: Checkpoint): Promise<boolean> {
  return (await readBlock(client, block.number))?.hash === block.hash;
}

/** `batch` is newest first and its last block is on the chain. */
async function newestOnChain(
  client: ChainClient,
  batch: readonly Checkpoint[],
): Promise<Checkpoint> {
  let [low, high] = [0, batch.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (await isOnChain(client, batch[middle]!)) high = middle;
    else low = middle + 1;
  }
  return batch[high]!;
}
