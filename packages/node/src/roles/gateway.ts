/**
 * `assay gateway`: finds offers, pays providers, answers OpenAI clients, keeps receipts and the index, serves the
 * page.
 */
import { join } from 'node:path';
import { bookKeptReceipts, type RequesterContext, type Signer } from '@assay/compute';
import { encodePlainText, openTokenizerOnly, tokenMasks } from '@assay/model';
import { type Hex, toHex } from '@assay/protocol';
import { LOCAL_CHAIN_ID } from '../chain/index.js';
import {
  type ChainAccess,
  connectRole,
  fundLocalRole,
  ledgerName,
  resolveRpc,
} from '../chain-access.js';
import { auditAuthorityOf, auditRoutes } from '../court/audit-routes.js';
import { withFileSource } from '../file-source.js';
import { createAuditView } from '../gateway/audit-view.js';
import { createBank } from '../gateway/bank.js';
import { chatHandler } from '../gateway/chat.js';
import { createDisputeView } from '../gateway/dispute-view.js';
import { embeddingHandler } from '../gateway/embeddings.js';
import { createLive, type Live } from '../gateway/live.js';
import { type MarketView, openMarketView } from '../gateway/market-view.js';
import { createCatalog, type ModelCatalog, type OpenedModel } from '../gateway/model-catalog.js';
import { createNetworkView } from '../gateway/network-view.js';
import { createPostedReceipts } from '../gateway/posted-receipts.js';
import { openReceiptBook, type ReceiptBook } from '../gateway/receipt-book.js';
import { chatShortcut, gatewayApp } from '../gateway/routes.js';
import { createWallet } from '../gateway/wallet.js';
import { type Guard, guardFor } from '../guards.js';
import { loadKey, openHome, roleFolder } from '../home.js';
import {
  type Follower,
  followChain,
  type IndexStore,
  openIndexStore,
} from '../index-store/index.js';
import { type ListenOptions, listen } from '../listen.js';
import { createLog, type Logger } from '../log.js';
import { fetchModel } from '../model-store.js';
import { randomBytes32 } from '../random.js';
import { isSignedBy } from '../signatures.js';
import { openRequesterStore, type RequesterLedger } from '../stores/requester-store.js';
import { keepRole, type RunningRole } from './role-process.js';

export type GatewayRoleOptions = {
  readonly home: string;
  readonly rpc?: string;
  readonly port: number;
  readonly host: string;
  readonly verifier?: string;
  readonly checkShare: number;
  readonly deposit: number;
  readonly parallel: number;
  readonly database?: string;
  /** Local chain: take test dollars from the faucet when they run out (default true). */
  readonly faucet?: boolean;
};

export async function runGateway(options: GatewayRoleOptions): Promise<void> {
  const log = createLog('gateway');
  await keepRole(await startGateway(options, log), log);
}

export async function startGateway(options: GatewayRoleOptions, log: Logger): Promise<RunningRole> {
  const guard = guardFor(options.host, process.env.ASSAY_API_KEY);
  const home = openHome(options.home);
  const { account, signer } = loadKey(home, 'gateway');
  const access = await connectRole(home, resolveRpc(home, options.rpc), account);
  const useFaucet = options.faucet ?? true;
  if (useFaucet && access.market.chainId === LOCAL_CHAIN_ID) await fundLocalRole(access, 0n);
  const folder = roleFolder(home, 'gateway');
  const ledger = openRequesterStore(join(folder, ledgerName('payments', access.deployment)));
  const live = createLive();
  const { store, follower, market } = await openIndex({ options, access, folder, log, live });
  const requester = requesterOf(access, signer, ledger);
  await bookKeptReceipts(requester);
  const receipts = openReceiptBook({
    store,
    ledger,
    requester,
    endpointOf: market.endpointOf,
    verifierUrl: options.verifier,
    checkShare: options.checkShare,
    draw: Math.random,
    publish: live.publish,
    log,
  });
  const parts: GatewayParts = {
    options,
    access,
    home,
    log,
    ledger,
    live,
    store,
    market,
    requester,
    receipts,
  };
  const shown = { url: '', address: account.address };
  const served = appOf({ ...parts, guard, shown, useFaucet });
  const server = await listen({ ...served, host: options.host, port: options.port });
  shown.url = server.url;
  return {
    ready: { ready: 'gateway', url: server.url, moved: server.moved, address: account.address },
    close: async () => {
      live.close();
      await server.close();
      await receipts.stop();
      market.stop();
      await follower.stop();
      await store.close();
      ledger.close();
    },
  };
}

type GatewayParts = {
  readonly options: GatewayRoleOptions;
  readonly access: ChainAccess;
  readonly home: string;
  readonly log: Logger;
  readonly ledger: RequesterLedger;
  readonly live: Live;
  readonly store: IndexStore;
  readonly market: MarketView;
  readonly requester: RequesterContext;
  readonly receipts: ReceiptBook;
};

type AppParts = GatewayParts & {
  readonly guard: Guard;
  /** The address is known once the port is bound. */
  readonly shown: { readonly url: string; readonly address: Hex };
  readonly useFaucet: boolean;
};

/**
 * Time a kept receipt waits to be booked. A client that asks again at once is served first, and the booking falls into
 * the time in which the gateway waits for the provider.
 */
const BOOKING_DELAY_MS = 2;

/** Time the last voucher of a job waits for a next job on its lane to carry it. */
const VOUCHER_DELAY_MS = 250;

const requesterOf = (
  access: ChainAccess,
  signer: Signer,
  store: RequesterLedger,
): RequesterContext => ({
  signer,
  isSignedBy,
  market: access.market,
  store,
  nowMs: Date.now,
  randomBytes32: () => toHex(randomBytes32()),
  active: new Set(),
  defer: (task) => void setTimeout(task, VOUCHER_DELAY_MS).unref(),
  soon: (task) => void setTimeout(task, BOOKING_DELAY_MS),
});

/** What the gateway serves. */
function appOf(parts: AppParts): Pick<ListenOptions, 'app' | 'shortcut'> {
  const { options, access, home, log, ledger, live, store, market, requester, receipts } = parts;
  const { chainId } = access.market;
  const catalog = catalogOf(home, market);
  const wallet = createWallet({
    bank: createBank({ access, useFaucet: parts.useFaucet }),
    market: access.market,
    ledger,
    depositAmount: BigInt(options.deposit),
  });
  const audits = createAuditView(store);
  const network = createNetworkView({
    store,
    audits,
    market,
    chain: { id: chainId, rpc: access.rpcUrl },
    gateway: () => parts.shown,
    verifierUrl: options.verifier,
    contracts: access.deployment.addresses,
  });
  const posted = createPostedReceipts({
    ...{ store, network: access.market, settled: receipts.settled },
  });
  const disputes = createDisputeView({ access, verifierUrl: options.verifier, log });
  const buying = {
    requester,
    wallet,
    catalog,
    parallelMax: options.parallel,
    onReceipt: receipts.add,
    onProviderFailed: market.reportFailure,
    log,
    nowMs: Date.now,
  };
  const chat = chatHandler(buying);
  const embeddings = embeddingHandler(buying);
  const endpointsOf = (modelId: Hex): string[] =>
    market.offers(modelId).map(({ endpoint }) => endpoint);
  const modelPath = (modelId: Hex): Promise<string> =>
    fetchModel(home, modelId, endpointsOf(modelId));
  warmUp(catalog, log);
  const { guard } = parts;
  const app = gatewayApp({
    guard,
    chat,
    embeddings,
    catalog,
    receipts,
    network,
    disputes,
    audits,
    auditRoutes: auditRoutes({ ...posted, ...auditAuthorityOf(access) }),
    live,
    modelPath,
    log,
  });
  return { app, shortcut: chatShortcut({ guard, chat }) };
}

type IndexParts = {
  readonly options: GatewayRoleOptions;
  readonly access: ChainAccess;
  readonly folder: string;
  readonly log: Logger;
  readonly live: ReturnType<typeof createLive>;
};

async function openIndex({
  options,
  access,
  folder,
  log,
  live,
}: IndexParts): Promise<{ store: IndexStore; follower: Follower; market: MarketView }> {
  const { read, deployment } = access;
  const store = await openIndexStore(
    options.database === undefined ? { path: join(folder, 'index.db') } : { url: options.database },
  );
  let market: MarketView | undefined;
  const follower = followChain(store, {
    client: read,
    addresses: deployment.addresses,
    startBlock: deployment.startBlock,
    // The index is our own memory of this data folder's chain: when that began anew, so does the index.
    onOtherChain: 'rebuild',
    onMove: (move) => {
      live.publish({ type: 'block', block: move.block });
      if (move.logs > 0 || move.type !== 'page') void market?.refresh().catch(() => undefined);
    },
    onError: (error) => log.warn({ error: String(error) }, 'index fell behind'),
  });
  await follower.caughtUp();
  const times = new Map<number, Promise<number>>();
  const blockTime = (block: number): Promise<number> => {
    const time =
      times.get(block) ??
      read.getBlock({ blockNumber: BigInt(block) }).then(({ timestamp }) => Number(timestamp));
    times.set(block, time);
    time.catch(() => times.delete(block));
    return time;
  };
  market = await openMarketView({ store, blockTime, nowMs: Date.now, log });
  return { store, follower, market };
}

function catalogOf(home: string, market: MarketView): ModelCatalog {
  return createCatalog({
    models: market.models,
    offers: market.offers,
    isResting: (provider) => market.isResting(provider) || !market.isOnline(provider),
    open: async (modelId, offers): Promise<OpenedModel> => {
      const path = await fetchModel(
        home,
        modelId,
        offers.map(({ endpoint }) => endpoint),
      );
      const { chat, tokenizer, contextLength, name, width } = withFileSource(
        path,
        openTokenizerOnly,
      );
      return {
        info: { modelId, contextLength, name },
        stopIds: tokenizer.eosIds,
        renderChat: (messages) => chat.renderChat(messages),
        decodeStream: () => tokenizer.decodeStream(),
        tokenBytes: tokenizer.tokenBytes,
        vocabularySize: tokenizer.vocabularySize,
        encodeText: (text) => encodePlainText(tokenizer, text),
        width,
        openMask: tokenMasks(tokenizer),
      };
    },
  });
}

/** Opens the tokenizers of all listed models, so that the first question does not wait for them. */
function warmUp(catalog: ModelCatalog, log: Logger): void {
  for (const { name } of catalog.list()) {
    catalog
      .open(name)
      .catch((error: unknown) =>
        log.warn({ model: name, error: String(error) }, 'model not opened'),
      );
  }
}
