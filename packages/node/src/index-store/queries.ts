/**
 * Questions to the index. They read what `ledger` and `receipts` wrote, in one query each where possible, and answer in
 * the words of the network: amounts as `bigint` in atomic units, addresses with their checksum.
 */
import type { Offer } from '@assay/compute';
import type { Address, ChannelConfig, Hex } from '@assay/protocol';
import { type RawBuilder, sql } from 'kysely';
import { getAddress } from 'viem';
import type { IndexStore } from './database.js';
import { indexArgument } from './errors.js';
import { readCursor } from './ledger.js';
import { checkHex, modelUsage, NETWORK_USAGE, providerUsage } from './receipts.js';
import { readRows } from './rows.js';
import type { ChannelRow, ExitRow, LaneRow, ModelRow, OfferRow, UsageRow } from './schema.js';
import { accountId } from './sums.js';

/** Most rows in one answer. */
const LIST_MAX = 1_000;

export type Usage = {
  readonly requests: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Sum of the prices on the receipts. */
  readonly paid: bigint;
  /** Receipts whose newest check said identical, and different. */
  readonly verified: number;
  readonly different: number;
};

export type ListedOffer = Offer & {
  readonly active: boolean;
  /** What the provider has at risk. */
  readonly stake: bigint;
};

export type ListedModel = {
  readonly modelId: Hex;
  /** Absent if it is offered but not registered. */
  readonly registration:
    | { readonly registrant: Address; readonly uri: string; readonly block: number }
    | undefined;
  readonly providers: readonly Address[];
  readonly usage: Usage;
};

export type ListedProvider = {
  readonly address: Address;
  /** Of its newest active offer; absent if it offers nothing now. */
  readonly endpoint: string | undefined;
  readonly models: readonly Hex[];
  readonly stake: bigint;
  /** Claimed from channels in the payment token, and the part that was paid out. */
  readonly earned: bigint;
  readonly settled: bigint;
  readonly usage: Usage;
};

export type ListedChannel = {
  readonly channelId: Hex;
  readonly config: ChannelConfig;
  readonly deposited: bigint;
  readonly claimed: bigint;
  readonly refunded: bigint;
  readonly withdrawn: bigint;
  /** What can still be claimed, refunded or withdrawn. */
  readonly available: bigint;
  /** The payer's pending exit, if any. */
  readonly exit: { readonly amount: bigint; readonly readyAtSeconds: number } | undefined;
  readonly lanes: readonly {
    readonly lane: number;
    readonly claimed: bigint;
    readonly receiptRoot: Hex;
  }[];
};

export type OfferFilter = {
  readonly modelId?: Hex;
  readonly provider?: Address;
  /** Only of providers with at least this at risk, so that free offers cannot crowd out the others. */
  readonly stakeMin?: bigint;
  /** Also those that were withdrawn. */
  readonly withWithdrawn?: boolean;
  readonly limit?: number;
};

/** Offers, the cheapest output first. */
export async function listOffers(
  store: IndexStore,
  filter: OfferFilter = {},
): Promise<ListedOffer[]> {
  const { modelId, provider, stakeMin = 0n, withWithdrawn = false, limit = LIST_MAX } = filter;
  const staked = sql<string>`coalesce(staked, '0')`;
  let query = store.db
    .selectFrom('offers')
    .leftJoin('stakes', 'stakes.provider', 'offers.provider')
    .selectAll('offers')
    .select(staked.as('staked'));
  if (modelId !== undefined) query = query.where('model_id', '=', checkHex(modelId, 32));
  if (provider !== undefined) query = query.where('offers.provider', '=', checkHex(provider, 20));
  if (stakeMin > 0n) query = query.where(isAtLeast(staked, stakeMin));
  if (!withWithdrawn) query = query.where('active', '=', 1);
  const rows = await query
    .orderBy(sql`length(output_price)`)
    .orderBy('output_price')
    .orderBy(sql`length(input_price)`)
    .orderBy('input_price')
    .orderBy('offer_id')
    .limit(checkLimit(limit))
    .execute();
  return rows.map(listedOffer);
}

/** Decimal text without leading zeros is in numeric order when its length is compared first. */
const isAtLeast = (amount: RawBuilder<string>, least: bigint): RawBuilder<boolean> => {
  const text = least.toString();
  return sql`(length(${amount}) > ${text.length}
    or (length(${amount}) = ${text.length} and ${amount} >= ${text}))`;
};

const listedOffer = (row: OfferRow & { readonly staked: string }): ListedOffer => ({
  offerId: row.offer_id as Hex,
  provider: getAddress(row.provider),
  endpoint: row.endpoint,
  modelId: row.model_id as Hex,
  inputPrice: BigInt(row.input_price),
  outputPrice: BigInt(row.output_price),
  tier: row.tier,
  active: row.active === 1,
  stake: BigInt(row.staked),
});

/** Models that are registered or offered. */
export async function listModels(
  store: IndexStore,
  filter: { readonly limit?: number } = {},
): Promise<ListedModel[]> {
  const ids = await store.db
    .selectFrom('models')
    .select('model_id')
    .union(store.db.selectFrom('offers').select('model_id').where('active', '=', 1))
    .orderBy('model_id')
    .limit(checkLimit(filter.limit ?? LIST_MAX))
    .execute();
  return readModels(
    store,
    ids.map(({ model_id }) => model_id),
  );
}

/** One model, or undefined if it is neither registered nor offered. */
export async function getModel(store: IndexStore, modelId: Hex): Promise<ListedModel | undefined> {
  const [model] = await readModels(store, [checkHex(modelId, 32)]);
  const known = model?.registration !== undefined || (model?.providers.length ?? 0) > 0;
  return known ? model : undefined;
}

async function readModels(store: IndexStore, values: readonly string[]): Promise<ListedModel[]> {
  const { db } = store;
  const registered = await readRows(db, { table: 'models', column: 'model_id', values });
  const offers = await readRows(db, { table: 'offers', column: 'model_id', values });
  const usage = await readUsage(store, values.map(modelUsage));
  const byId = new Map(registered.map((row) => [row.model_id, row]));
  return values.map((id) => ({
    modelId: id as Hex,
    registration: registrationOf(byId.get(id)),
    providers: offers
      .filter((row) => row.model_id === id && row.active === 1)
      .map((row) => getAddress(row.provider)),
    usage: usage(modelUsage(id)),
  }));
}

const registrationOf = (row: ModelRow | undefined): ListedModel['registration'] =>
  row && { registrant: getAddress(row.registrant), uri: row.uri, block: row.block_number };

/** Everyone who has offered or staked, the largest stake first, with what it earned. */
export async function listProviders(
  store: IndexStore,
  filter: {
    readonly limit?: number;
    /** Where a provider's channels pay to, if not to itself. */
    readonly vaultOf?: (provider: Address) => Address;
  } = {},
): Promise<ListedProvider[]> {
  const { db } = store;
  const staked = sql<string>`coalesce(staked, '0')`;
  const known = db
    .selectFrom('offers')
    .select('provider')
    .union(db.selectFrom('stakes').select('provider'));
  const found = await db
    .selectFrom(known.as('known'))
    .leftJoin('stakes', 'stakes.provider', 'known.provider')
    .select(['known.provider', staked.as('staked')])
    .orderBy(sql`length(${staked})`, 'desc')
    .orderBy(staked, 'desc')
    .orderBy('known.provider')
    .limit(checkLimit(filter.limit ?? LIST_MAX))
    .execute();
  const values = found.map(({ provider }) => provider);
  const offers = await readRows(db, { table: 'offers', column: 'provider', values });
  const vaultOf = (provider: string): string =>
    filter.vaultOf?.(getAddress(provider)).toLowerCase() ?? provider;
  const earnings = await readEarnings(store, values.map(vaultOf));
  const usage = await readUsage(store, values.map(providerUsage));
  return found.map(({ provider, staked: stake }) => ({
    address: getAddress(provider),
    ...offeredBy(offers.filter((row) => row.provider === provider && row.active === 1)),
    stake: BigInt(stake),
    ...earnings(vaultOf(provider)),
    usage: usage(providerUsage(provider)),
  }));
}

function offeredBy(own: readonly OfferRow[]): Pick<ListedProvider, 'endpoint' | 'models'> {
  const newest = [...own].sort(
    (a, b) => b.block_number - a.block_number || (a.offer_id < b.offer_id ? -1 : 1),
  )[0];
  const models = [...new Set(own.map((row) => row.model_id as Hex))].sort();
  return { endpoint: newest?.endpoint, models };
}

/** Earnings in the payment token; anyone can open channels in tokens of their own making. */
async function readEarnings(store: IndexStore, receivers: readonly string[]) {
  const token = (await readCursor(store))?.followed.token ?? '';
  const values = receivers.map((receiver) => accountId(receiver, token));
  const rows = await readRows(store.db, { table: 'earnings', column: 'account_id', values });
  const byId = new Map(rows.map((row) => [row.account_id, row]));
  return (receiver: string): { readonly earned: bigint; readonly settled: bigint } => {
    const row = byId.get(accountId(receiver, token));
    return { earned: BigInt(row?.claimed ?? 0), settled: BigInt(row?.settled ?? 0) };
  };
}

async function readUsage(store: IndexStore, values: readonly string[]) {
  const rows = await readRows(store.db, { table: 'usage', column: 'usage_id', values });
  const byId = new Map(rows.map((row) => [row.usage_id, row]));
  return (id: string): Usage => usageOf(byId.get(id));
}

const usageOf = (row: UsageRow | undefined): Usage => ({
  requests: row?.requests ?? 0,
  inputTokens: row?.input_tokens ?? 0,
  outputTokens: row?.output_tokens ?? 0,
  paid: BigInt(row?.paid ?? 0),
  verified: row?.verified ?? 0,
  different: row?.different ?? 0,
});

/** Sums over all receipts. */
export async function networkTotals(store: IndexStore): Promise<Usage> {
  return (await readUsage(store, [NETWORK_USAGE]))(NETWORK_USAGE);
}

/** One channel with its lanes, or undefined if it was never opened. */
export async function channelState(
  store: IndexStore,
  channelId: Hex,
): Promise<ListedChannel | undefined> {
  const values = [checkHex(channelId, 32)];
  const rows = await readRows(store.db, { table: 'channels', column: 'channel_id', values });
  return (await withLanes(store, rows))[0];
}

/** Channels of a payer or of a receiver, the newest change first. */
export async function listChannels(
  store: IndexStore,
  filter: { readonly payer?: Address; readonly receiver?: Address; readonly limit?: number } = {},
): Promise<ListedChannel[]> {
  const { payer, receiver, limit = LIST_MAX } = filter;
  let query = store.db.selectFrom('channels').selectAll();
  if (payer !== undefined) query = query.where('payer', '=', checkHex(payer, 20));
  if (receiver !== undefined) query = query.where('receiver', '=', checkHex(receiver, 20));
  const rows = await query
    .orderBy('block_number', 'desc')
    .orderBy('channel_id')
    .limit(checkLimit(limit))
    .execute();
  return withLanes(store, rows);
}

async function withLanes(store: IndexStore, rows: readonly ChannelRow[]): Promise<ListedChannel[]> {
  const values = rows.map((row) => row.channel_id);
  const lanes = await readRows(store.db, { table: 'lanes', column: 'channel_id', values });
  const exits = await readRows(store.db, { table: 'exits', column: 'channel_id', values });
  return rows.map((row) => ({
    ...listedChannel(row),
    exit: exitOf(exits.find(({ channel_id }) => channel_id === row.channel_id)),
    lanes: lanes
      .filter(({ channel_id }) => channel_id === row.channel_id)
      .map(laneOf)
      .sort((a, b) => a.lane - b.lane),
  }));
}

function listedChannel(row: ChannelRow): Omit<ListedChannel, 'exit' | 'lanes'> {
  const [deposited, claimed] = [BigInt(row.deposited), BigInt(row.claimed)];
  const [refunded, withdrawn] = [BigInt(row.refunded), BigInt(row.withdrawn)];
  return {
    channelId: row.channel_id as Hex,
    config: {
      payer: getAddress(row.payer),
      payerAuthorizer: getAddress(row.payer_authorizer),
      receiver: getAddress(row.receiver),
      receiverAuthorizer: getAddress(row.receiver_authorizer),
      token: getAddress(row.token),
      withdrawDelay: row.withdraw_delay_seconds,
      salt: row.salt as Hex,
    },
    deposited,
    claimed,
    refunded,
    withdrawn,
    available: deposited - refunded - withdrawn - claimed,
  };
}

const exitOf = (row: ExitRow | undefined): ListedChannel['exit'] =>
  row === undefined || row.amount === '0'
    ? undefined
    : { amount: BigInt(row.amount), readyAtSeconds: row.ready_at_seconds };

const laneOf = (row: LaneRow): ListedChannel['lanes'][number] => ({
  lane: row.lane,
  claimed: BigInt(row.claimed),
  receiptRoot: row.receipt_root as Hex,
});

function checkLimit(limit: number): number {
  if (!Number.isInteger(limit) || limit < 1 || limit > LIST_MAX)
    throw indexArgument('limit', limit, `1 to ${LIST_MAX}`);
  return limit;
}
