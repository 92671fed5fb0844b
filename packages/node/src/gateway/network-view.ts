/** What `assay status` and the page show of the network: chain, contracts, providers, requests, money. */
import { type Addresses, vaultAddress } from '@assay/compute';
import type { Hex } from '@assay/protocol';
import {
  type IndexStore,
  listProviders,
  type Money,
  money,
  networkTotals,
  readCursor,
  recentActivity,
} from '../index-store/index.js';
import type { AuditSummary, AuditView } from './audit-view.js';
import type { MarketView } from './market-view.js';

export type NetworkStatus = {
  readonly chain: { readonly id: number; readonly rpc: string; readonly block: number };
  readonly gateway: { readonly url: string; readonly address: Hex };
  readonly verifier: { readonly url: string } | null;
  readonly contracts: Addresses;
  readonly providers: readonly {
    readonly address: Hex;
    readonly endpoint: string | null;
    readonly models: readonly Hex[];
    readonly stake: bigint;
    readonly earned: bigint;
    readonly online: boolean;
  }[];
  readonly requests: {
    readonly count: number;
    readonly tokens: number;
    readonly paid: bigint;
    readonly verified: number;
    readonly different: number;
  };
  /** Sums over all audits, and the seats that are drawn now. */
  readonly audits: AuditSummary;
  /** Money in and out per contract; `balanced` says that in = out + held. */
  readonly money: readonly Money[];
};

export type NetworkView = {
  readonly status: () => Promise<NetworkStatus>;
  readonly activity: (limit: number) => Promise<readonly object[]>;
};

export type NetworkViewOptions = {
  readonly store: IndexStore;
  readonly market: MarketView;
  readonly audits: AuditView;
  readonly chain: { readonly id: number; readonly rpc: string };
  readonly gateway: () => { readonly url: string; readonly address: Hex };
  readonly verifierUrl: string | undefined;
  readonly contracts: Addresses;
};

export function createNetworkView(options: NetworkViewOptions): NetworkView {
  const { store, market, verifierUrl } = options;
  return {
    status: async () => {
      const [cursor, providers, totals, audits, pots] = [
        await readCursor(store),
        await listProviders(store, {
          vaultOf: (provider) => vaultAddress({ vaults: options.contracts.vaults, provider }),
        }),
        await networkTotals(store),
        await options.audits.summary(),
        await money(store),
      ];
      return {
        chain: { ...options.chain, block: cursor?.number ?? 0 },
        gateway: options.gateway(),
        verifier: verifierUrl === undefined ? null : { url: verifierUrl },
        contracts: options.contracts,
        providers: providers.map(({ address, endpoint, models, stake, earned }) => ({
          address,
          endpoint: endpoint ?? null,
          models,
          stake,
          earned,
          online: market.isOnline(address),
        })),
        requests: {
          count: totals.requests,
          tokens: totals.inputTokens + totals.outputTokens,
          paid: totals.paid,
          verified: totals.verified,
          different: totals.different,
        },
        audits,
        money: pots,
      };
    },
    activity: async (limit) => {
      const items = await recentActivity(store, { limit });
      return items.map(({ createdAtMs, check, ...item }) => ({
        ...item,
        createdAt: createdAtMs,
        check: check ?? null,
      }));
    },
  };
}
