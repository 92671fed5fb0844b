/** Epochs as providers posted them. */
import type { Address, Hex } from '@assay/protocol';
import type { IndexStore } from './database.js';
import { checkHex } from './receipts.js';

/** What a provider committed itself to at once. */
export type Posting = {
  /** Over the digests of the receipts, in the order in which it signed them. */
  readonly root: Hex;
  readonly count: number;
  /** Sum of the prices, atomic units. */
  readonly priceTotal: bigint;
};

/** An epoch of a provider, or undefined if it posted none of that number. */
export async function getPosting(
  store: IndexStore,
  { provider, epoch }: { readonly provider: Address; readonly epoch: bigint },
): Promise<Posting | undefined> {
  const row = await store.db
    .selectFrom('epochs')
    .select(['root', 'receipt_count', 'price_total'])
    .where('provider', '=', checkHex(provider, 20))
    .where('epoch', '=', String(epoch))
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const { root, receipt_count: count, price_total: total } = row;
  return { root: root as Hex, count: Number(count), priceTotal: BigInt(total) };
}
