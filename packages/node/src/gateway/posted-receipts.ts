/**
 * Which of a gateway's receipts stands where in an epoch of its provider. The chain has a root, a count and a sum of
 * prices, and no list: receipts that were bought one after the other are put in order until they give that root. So
 * only a gateway that holds every receipt of an epoch can say; others say that they do not know.
 */
import {
  type Address,
  type AuditRequest,
  computeDomain,
  fromHex,
  type Hex,
  hashReceipt,
  merkleProof,
  merkleRoot,
  toHex,
} from '@assay/protocol';
import type { AuditedReceipt } from '../court/audit-duty.js';
import {
  getPosting,
  getReceipt,
  type IndexStore,
  type Posting,
  recentActivity,
} from '../index-store/index.js';

/** Newest receipts of a provider among which an epoch is looked for; an epoch is some seconds of work. */
const RECEIPTS_MAX = 1_000;

/** Leaves hashed to find an order: some tenths of a second. */
const LEAVES_MAX = 50_000;

/** Epochs whose order is remembered: each is asked for by every place of every audit in it. */
const EPOCHS_MAX = 256;

/** Time after which an epoch that was not found is looked for again: the last receipts may have been on their way. */
const AGAIN_MS = 10_000;

export type PostedReceiptsOptions = {
  readonly store: IndexStore;
  readonly network: { readonly chainId: number; readonly receipts: Address };
  /** Resolves when every receipt so far is in the index. */
  readonly settled: () => Promise<void>;
};

export type PostedReceipts = {
  /** Whether the epoch was posted and something was bought of that provider. */
  readonly mayKnow: (request: AuditRequest) => Promise<boolean>;
  /** The receipt in that place of the epoch, with its proof. */
  readonly find: (request: AuditRequest) => Promise<AuditedReceipt | undefined>;
};

export function createPostedReceipts(options: PostedReceiptsOptions): PostedReceipts {
  const { store, settled } = options;
  const leavesOf = remembering((provider: Address, posting: Posting) =>
    findLeaves(options, provider, posting),
  );
  return {
    async mayKnow({ provider, epoch }) {
      if ((await getPosting(store, { provider, epoch })) === undefined) return false;
      return (await recentActivity(store, { provider, limit: 1 })).length > 0;
    },
    async find({ provider, epoch, index }) {
      await settled();
      const posting = await getPosting(store, { provider, epoch });
      if (posting === undefined || index >= posting.count) return undefined;
      const leaves = await leavesOf(provider, posting);
      const wanted = leaves?.[Number(index)];
      if (leaves === undefined || wanted === undefined) return undefined;
      const { envelope } = (await getReceipt(store, wanted.jobId))!;
      const digests = leaves.map(({ digest }) => digest);
      return { envelope, proof: merkleProof(digests, Number(index)).map(toHex) };
    },
  };
}

type FindLeaves = (provider: Address, posting: Posting) => Promise<readonly Leaf[] | undefined>;

/** What was found stays; what was not is looked for again after a while, however often it is asked for. */
function remembering(find: FindLeaves): FindLeaves {
  const known = new Map<string, ReturnType<FindLeaves>>();
  return (provider, posting) => {
    const key = `${provider.toLowerCase()}:${posting.root}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    const finding = find(provider, posting);
    known.set(key, finding);
    const forget = (): void => void known.delete(key);
    finding.then((leaves) => leaves ?? setTimeout(forget, AGAIN_MS).unref(), forget);
    const [oldest] = known.keys();
    if (known.size > EPOCHS_MAX) known.delete(oldest!);
    return finding;
  };
}

type Bought = { readonly jobId: Hex; readonly price: bigint };

type Leaf = {
  readonly jobId: Hex;
  readonly digest: Uint8Array;
  /** Unix seconds, as the provider signed them. */
  readonly completedAt: bigint;
};

/** The receipts under a root in their order; undefined if no order of what was bought gives it. */
async function findLeaves(
  { store, network }: PostedReceiptsOptions,
  provider: Address,
  posting: Posting,
): Promise<readonly Leaf[] | undefined> {
  const bought = (await recentActivity(store, { provider, limit: RECEIPTS_MAX })).reverse();
  const domain = computeDomain(network.chainId, network.receipts);
  const known = new Map<Hex, Leaf>();
  const leafOf = async (jobId: Hex): Promise<Leaf> => {
    const { receipt } = (await getReceipt(store, jobId))!.envelope;
    const digest = fromHex(hashReceipt(domain, receipt));
    const leaf = { jobId, digest, completedAt: receipt.completedAt };
    known.set(jobId, leaf);
    return leaf;
  };
  let left = LEAVES_MAX;
  for (const run of runsOf(bought, posting)) {
    const leaves: Leaf[] = [];
    for (const { jobId } of run) leaves.push(known.get(jobId) ?? (await leafOf(jobId)));
    for (const order of ordersOf(leaves)) {
      left -= order.length;
      if (left < 0) return undefined;
      if (toHex(merkleRoot(order.map(({ digest }) => digest))) === posting.root) return order;
    }
  }
  return undefined;
}

/** Runs of receipts with the count and the prices of an epoch, the newest first. */
function* runsOf(bought: readonly Bought[], { count, priceTotal }: Posting) {
  for (let start = bought.length - count; start >= 0; start--) {
    const run = bought.slice(start, start + count);
    if (run.reduce((sum, { price }) => sum + price, 0n) === priceTotal) yield run;
  }
}

/**
 * Orders in which these may have been signed, the likeliest first: by the second in the receipt; those of one second as
 * they arrived, then in every other order.
 */
function* ordersOf(leaves: readonly Leaf[]): Generator<readonly Leaf[]> {
  const groups = new Map<bigint, Leaf[]>();
  for (const leaf of leaves)
    groups.set(leaf.completedAt, [...(groups.get(leaf.completedAt) ?? []), leaf]);
  const seconds = [...groups.keys()].sort((a, b) => (a < b ? -1 : 1));
  yield* joined(seconds.map((second) => groups.get(second)!));
}

/** Every order of every group, one group after the other. */
function* joined<T>(groups: readonly (readonly T[])[]): Generator<readonly T[]> {
  const [first, ...rest] = groups;
  if (first === undefined) return yield [];
  for (const some of permutations(first))
    for (const others of joined(rest)) yield [...some, ...others];
}

function* permutations<T>(items: readonly T[]): Generator<readonly T[]> {
  if (items.length <= 1) return yield items;
  for (const [i, item] of items.entries())
    for (const rest of permutations(items.filter((_, other) => other !== i))) yield [item, ...rest];
}
