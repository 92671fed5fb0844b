/** The market as the gateway sees it: models, offers and who answers, kept in memory and refreshed from the index. */
import type { Offer } from '@assay/compute';
import type { Hex } from '@assay/protocol';
import { type IndexStore, listModels, listOffers } from '../index-store/index.js';
import type { Logger } from '../log.js';
import { fetchProviderInfo } from '../peers/provider-peer.js';
import type { ListedModel } from './model-catalog.js';

/** How often providers are asked whether they are there. */
const PROBE_INTERVAL_MS = 5_000;

/** A provider that failed gets no jobs for this long, unless nobody else offers the model. */
const REST_MS = 5_000;

export type MarketView = {
  readonly models: () => readonly ListedModel[];
  readonly offers: (modelId: Hex) => readonly Offer[];
  /** Where a provider answers now that answered at `before`: there, unless it announces only others. */
  readonly endpointOf: (provider: Hex, before: string) => string;
  readonly isOnline: (provider: Hex) => boolean;
  readonly isResting: (provider: Hex) => boolean;
  readonly reportFailure: (provider: Hex) => void;
  /** Reads the index again; call it when the index moved. */
  readonly refresh: () => Promise<void>;
  readonly stop: () => void;
};

export type MarketViewOptions = {
  readonly store: IndexStore;
  /** Unix seconds of a block. */
  readonly blockTime: (block: number) => Promise<number>;
  readonly nowMs: () => number;
  readonly log: Logger;
};

export async function openMarketView(options: MarketViewOptions): Promise<MarketView> {
  let models: readonly ListedModel[] = [];
  let offers: readonly Offer[] = [];
  const online = new Set<string>();
  const failedAtMs = new Map<string, number>();
  const key = (provider: Hex): string => provider.toLowerCase();

  async function refresh(): Promise<void> {
    offers = await listOffers(options.store);
    models = await readModels(options);
  }

  async function probe(): Promise<void> {
    const endpoints = new Map(offers.map(({ provider, endpoint }) => [key(provider), endpoint]));
    for (const known of [...online]) if (!endpoints.has(known)) online.delete(known);
    await Promise.all(
      [...endpoints].map(async ([provider, endpoint]) => {
        const answered = await fetchProviderInfo(endpoint).then(
          ({ address }) => key(address) === provider,
          () => false,
        );
        if (answered) online.add(provider);
        else online.delete(provider);
      }),
    );
  }

  await refresh();
  await probe();
  const timer = setInterval(() => void probe(), PROBE_INTERVAL_MS);
  timer.unref();
  return {
    models: () => models,
    offers: (modelId) => offers.filter((offer) => offer.modelId === modelId),
    endpointOf: (provider, before) => {
      const announced = offers
        .filter((offer) => key(offer.provider) === key(provider))
        .map(({ endpoint }) => endpoint);
      return announced.includes(before) ? before : (announced[0] ?? before);
    },
    isOnline: (provider) => online.has(key(provider)),
    isResting: (provider) =>
      options.nowMs() - (failedAtMs.get(key(provider)) ?? Number.NEGATIVE_INFINITY) < REST_MS,
    reportFailure: (provider) => void failedAtMs.set(key(provider), options.nowMs()),
    refresh: async () => {
      await refresh();
      await probe();
    },
    stop: () => clearInterval(timer),
  };
}

/** Registered models, oldest first; the name is the fragment of the registered address. */
async function readModels({
  store,
  blockTime,
}: MarketViewOptions): Promise<readonly ListedModel[]> {
  const found = await listModels(store);
  const registered = found.flatMap(({ modelId, registration }) =>
    registration === undefined ? [] : [{ modelId, registration }],
  );
  registered.sort(
    (a, b) => a.registration.block - b.registration.block || (a.modelId < b.modelId ? -1 : 1),
  );
  return Promise.all(
    registered.map(async ({ modelId, registration }) => ({
      modelId,
      name: nameOf(registration.uri) ?? modelId,
      createdAt: await blockTime(registration.block),
      owner: registration.registrant,
    })),
  );
}

/** Names are shown and typed, so they are short and plain; anything else is asked by id. */
const NAME = /^[\w.:-]{1,64}$/;

function nameOf(uri: string): string | undefined {
  const fragment = uri.slice(uri.indexOf('#') + 1);
  try {
    const name = decodeURIComponent(fragment);
    return uri.includes('#') && NAME.test(name) ? name : undefined;
  } catch {
    return undefined;
  }
}
