/** Threads that each hold the weights of one model; the least recently used one is closed when another is needed. */
import type { Hex } from '@assay/protocol';
import type { ChainAccess } from '../chain-access.js';
import { fetchModel } from '../model-store.js';
import { listOffersOnChain } from '../offers-on-chain.js';

type Closable = { readonly close: () => Promise<void> };

export type ModelCache<T> = {
  readonly get: (modelId: Hex) => Promise<T>;
  readonly close: () => Promise<void>;
};

export type ModelCacheOptions<T> = {
  readonly home: string;
  readonly access: ChainAccess;
  readonly open: (modelPath: string) => Promise<T>;
  /** Models kept open. */
  readonly countMax: number;
};

export function modelCache<T extends Closable>(options: ModelCacheOptions<T>): ModelCache<T> {
  const opened = new Map<Hex, Promise<T>>();
  const start = async (modelId: Hex): Promise<T> => {
    const offers = await listOffersOnChain(options.access, { modelId });
    const endpoints = offers.map(({ endpoint }) => endpoint);
    return options.open(await fetchModel(options.home, modelId, endpoints));
  };
  return {
    get: async (modelId) => {
      const known = opened.get(modelId) ?? start(modelId);
      opened.delete(modelId);
      opened.set(modelId, known);
      known.catch(() => opened.delete(modelId));
      for (const [oldest, one] of opened) {
        if (opened.size <= options.countMax) break;
        opened.delete(oldest);
        void one.then((host) => host.close());
      }
      return known;
    },
    close: async () => {
      for (const one of opened.values()) await (await one).close();
    },
  };
}
