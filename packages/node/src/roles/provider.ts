/** `assay provider`: opens a model, makes itself known on chain, serves jobs, claims what it earned. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  countJobs,
  createProvider,
  createVault,
  depositStake,
  type Generate,
  type ProviderContext,
  publishOffer,
  readChannel,
  readStake,
  recoverJobs,
  registerModel,
  type ServedModel,
  type Signer,
  type TraceSource,
  withdrawOffer,
} from '@assay/compute';
import { type ModelFile, openModelFile } from '@assay/model';
import { AssayError, type Hex, type ModelInfo, type ReceiptEnvelope, TIER } from '@assay/protocol';
import type { Hono } from 'hono';
import { LOCAL_CHAIN_ID } from '../chain/index.js';
import {
  type ChainAccess,
  connectRole,
  fundLocalRole,
  ledgerName,
  resolveRpc,
} from '../chain-access.js';
import { type AuditDuty, startAuditDuty } from '../court/audit-duty.js';
import { type AuditRoutesOptions, auditAuthorityOf, auditRoutes } from '../court/audit-routes.js';
import { startDefender } from '../court/defender.js';
import { lazyTraceHost, type TraceHost } from '../court/trace-host.js';
import { traceRoutes } from '../court/trace-routes.js';
import { type EngineHost, startEngine } from '../engine/engine-host.js';
import { isLoopbackHost } from '../guards.js';
import { loadKey, openHome, roleFolder } from '../home.js';
import { listen } from '../listen.js';
import { createLog, type Logger } from '../log.js';
import { cacheModel, openModelSource, SHIPPED_MODEL_PATH } from '../model-store.js';
import { listOffersOnChain } from '../offers-on-chain.js';
import { isSignedBy } from '../signatures.js';
import { openProviderStore, type ProviderLedger } from '../stores/provider-store.js';
import { startClaims } from './claims.js';
import { acceptJobs } from './job-connections.js';
import { providerApp } from './provider-http.js';
import { keepRole, type RunningRole } from './role-process.js';

export type ProviderRoleOptions = {
  readonly home: string;
  readonly rpc?: string;
  readonly port: number;
  readonly host: string;
  readonly endpoint?: string;
  readonly model?: string;
  readonly name?: string;
  readonly inputPrice: number;
  readonly outputPrice: number;
  readonly stake: number;
  readonly queue: number;
  readonly threads: number;
  readonly draft?: string;
  readonly claimSeconds: number;
};

/** Test dollars that a local provider is given on top of its stake. */
const LOCAL_DOLLARS = 1_000_000n;

export async function runProvider(options: ProviderRoleOptions): Promise<void> {
  const log = createLog('provider');
  await keepRole(await startProvider(options, log), log);
}

/** What the simulation replaces to make a provider that cheats. */
export type Disguise = {
  /** What makes the tokens. */
  readonly wrap?: (generate: Generate) => Generate;
  /** What is said of the trace when somebody asks; `undefined` keeps silent. */
  readonly trace?: (envelope: ReceiptEnvelope, honest: TraceSource) => TraceSource | undefined;
  /** Answers in court only, never over HTTP. */
  readonly stonewalls?: boolean;
  /** Shows no tokens to the verifiers of its audits. */
  readonly withholds?: boolean;
};

/** Starts the role and returns once it serves. */
export async function startProvider(
  options: ProviderRoleOptions,
  log: Logger,
  disguise: Disguise = {},
): Promise<RunningRole> {
  assertTypable(options);
  const home = openHome(options.home);
  const { account, signer } = loadKey(home, 'provider');
  const access = await connectRole(home, resolveRpc(home, options.rpc), account);
  const opened = await openServedModel(home, options);
  const { info } = opened;
  const store = openProviderStore(
    join(roleFolder(home, 'provider'), ledgerName('provider', access.deployment)),
  );
  const honest = generateWith(opened.engine);
  const served: ServedModel = { info, generate: disguise.wrap?.(honest) ?? honest };
  const provider = createProvider({
    signer,
    isSignedBy,
    market: access.market,
    models: new Map([[info.modelId, served]]),
    readChannel: channelReader(access),
    store,
    nowMs: Date.now,
    sleep: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => undefined),
  });
  const recovered = await recoverJobs(provider);
  if (recovered.length > 0)
    log.info({ jobs: recovered.length }, 'settled jobs that a crash cut off');
  const traces = lazyTraceHost({ modelPath: opened.path });
  const defence = defenceOf({ access, store, traces, disguise, signer, log });
  const jobs = { provider, queueMax: options.queue, log };
  const app = providerApp({
    ...jobs,
    traces: defence.routes,
    info: () => ({
      address: account.address,
      chainId: access.market.chainId,
      models: [info],
      queue: { ...countJobs(provider), max: options.queue },
    }),
    modelPath: (modelId) => (modelId === info.modelId ? opened.path : undefined),
  });
  if (!isLoopbackHost(options.host))
    log.warn('listening beyond this machine: jobs are paid, but put TLS in front');
  const { host, port } = options;
  const server = await listen({ app, host, port, onUpgrade: acceptJobs(jobs) });
  const endpoint = options.endpoint ?? server.url;
  await makeKnown({ access, file: opened.file, info, endpoint, options });
  const claims = startClaims({ access, store, intervalMs: options.claimSeconds * 1_000, log });
  return {
    ready: {
      ready: 'provider',
      url: server.url,
      endpoint,
      address: account.address,
      modelId: info.modelId,
      name: info.name,
    },
    close: async () => {
      await server.close();
      await claims.stop();
      await defence.stop();
      await traces.close();
      await opened.engine.close();
      store.close();
    },
  };
}

/** Between two looks at the court and at audits; a clock is at least 30 seconds. */
const COURT_INTERVAL_MS = 1_000;

/** How the provider answers for its receipts: over HTTP to whoever holds them, and in court. */
function defenceOf(options: {
  readonly access: ChainAccess;
  readonly store: ProviderLedger;
  readonly traces: TraceHost;
  readonly disguise: Disguise;
  readonly signer: Signer;
  readonly log: Logger;
}): { readonly routes: Hono; readonly stop: () => Promise<void> } {
  const { access, store, traces, disguise, signer, log } = options;
  const receipt = (jobId: Hex) => store.loadReceipt(jobId);
  const source = (envelope: ReceiptEnvelope): TraceSource => {
    const honest = traces.source(envelope);
    if (disguise.trace === undefined) return honest;
    const told = disguise.trace(envelope, honest);
    if (told === undefined) throw silent();
    return told;
  };
  const sign = (hash: Hex) => signer.sign({ hash });
  const defender = startDefender({
    access,
    receipt,
    source,
    log,
    intervalMs: COURT_INTERVAL_MS,
  });
  const told = disguise.stonewalls === true ? () => Promise.reject(silent()) : undefined;
  const refusing = told && { root: told, positions: told, rows: told, leaves: told };
  const audits = startAuditDuty({
    ...{ access, store, source, signer, log, intervalMs: COURT_INTERVAL_MS },
  });
  const routes = traceRoutes({
    ...{ receipt, source: refusing ? () => refusing : source, sign },
    closedFor: audits.openFor,
  });
  if (disguise.withholds !== true) routes.route('/', auditRoutes(auditRoutesOf(access, audits)));
  const stop = async (): Promise<void> => {
    await defender.stop();
    await audits.stop();
  };
  return { routes, stop };
}

const auditRoutesOf = (access: ChainAccess, { find }: AuditDuty): AuditRoutesOptions => ({
  provider: access.write.account.address,
  mayKnow: async ({ epoch, index }) => (await find(epoch, index)) !== undefined,
  find: ({ epoch, index }) => find(epoch, index),
  ...auditAuthorityOf(access),
});

const silent = (): AssayError =>
  new AssayError({
    code: 'trace_unanswered',
    fault: 'peer',
    message: 'This provider says nothing about its trace.',
    value: '',
    remedy: 'Open a dispute.',
  });

/** A name that can be typed: `Assay Mini` becomes `assay-mini`; a file without one serves as `model`. */
const slug = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^\w.:-]+/g, '-')
    .slice(0, NAME_LENGTH_MAX) || 'model';

/** What people type after `--model` and programs put into URLs. */
const NAME_LENGTH_MAX = 64;
const NAME = new RegExp(`^[\\w.:-]{1,${NAME_LENGTH_MAX}}$`);

/** Refuses a name or an endpoint that others could not use, before anything is opened or put on chain. */
function assertTypable({ name, endpoint }: ProviderRoleOptions): void {
  if (name !== undefined && !NAME.test(name)) {
    throw invalidOption('--name', name, `Use 1 to ${NAME_LENGTH_MAX} letters, digits, or _ . : -`);
  }
  if (endpoint !== undefined && !/^https?:\/\/[^/]/.test(endpoint)) {
    throw invalidOption('--endpoint', endpoint, 'Give the http or https URL that others reach.');
  }
}

const invalidOption = (option: string, value: string, remedy: string): AssayError =>
  new AssayError({
    code: 'invalid_value',
    fault: 'user',
    message: `${option} cannot be used.`,
    value,
    remedy,
  });

type Opened = {
  readonly engine: EngineHost;
  readonly file: ModelFile;
  readonly info: ModelInfo;
  /** Cached copy: the file that is served stays the one that was opened. */
  readonly path: string;
};

async function openServedModel(home: string, options: ProviderRoleOptions): Promise<Opened> {
  const source = options.model ?? SHIPPED_MODEL_PATH;
  const file = openModelFile(openModelSource(source));
  const { modelId } = file.identity;
  const path = cacheModel(home, modelId, source);
  const info: ModelInfo = {
    modelId,
    name: options.name ?? slug(file.name),
    contextLength: file.contextLength,
    inputPrice: BigInt(options.inputPrice),
    outputPrice: BigInt(options.outputPrice),
    fileHash: file.info.fileHash,
    fileSize: file.info.fileSize,
  };
  return {
    engine: await startEngine({ modelPath: path, threads: options.threads, draft: options.draft }),
    file,
    info,
    path,
  };
}

const generateWith =
  (engine: EngineHost): Generate =>
  ({ job: { outputCountMax, sampler }, inputTokens, controls, signal }) =>
    engine.run({ inputTokens, outputCountMax, sampler, controls, signal });

type FundedChannel = { balance: bigint; totalClaimed: bigint; withdrawing: boolean };

/**
 * A channel that was looked at this lately is not looked at again while it has enough: the payer cannot leave it in
 * less than the withdrawal delay, which is fifteen minutes or more.
 */
const CHANNEL_FRESH_MS = 10_000;

/** Reads channels from the chain, and remembers them for {@link CHANNEL_FRESH_MS}. */
function channelReader(access: ChainAccess): ProviderContext['readChannel'] {
  const known = new Map<Hex, { readonly state: FundedChannel; readonly atMs: number }>();
  return async (id, needed) => {
    const entry = known.get(id);
    const fresh = entry !== undefined && Date.now() - entry.atMs < CHANNEL_FRESH_MS;
    if (fresh && entry.state.balance >= needed && !entry.state.withdrawing) return entry.state;
    const state = await readFundedChannel(access, id);
    known.set(id, { state, atMs: Date.now() });
    return state;
  };
}

async function readFundedChannel({ read, market }: ChainAccess, id: Hex): Promise<FundedChannel> {
  const state = await readChannel(read, { channels: market.channels, channelId: id });
  const { balance, totalClaimed, withdrawal } = state;
  return { balance, totalClaimed, withdrawing: withdrawal !== undefined };
}

type Introduction = {
  readonly access: ChainAccess;
  readonly file: ModelFile;
  readonly info: ModelInfo;
  readonly endpoint: string;
  readonly options: ProviderRoleOptions;
};

/** Stake, model and offer on chain, each only if it is not there yet. */
async function makeKnown({ access, file, info, endpoint, options }: Introduction): Promise<void> {
  const { write, deployment } = access;
  const { addresses } = deployment;
  const stake = BigInt(options.stake);
  if (deployment.chainId === LOCAL_CHAIN_ID) await fundLocalRole(access, LOCAL_DOLLARS + stake);
  const { staked } = await readStake(access.read, {
    stake: addresses.stake,
    provider: write.account.address,
  });
  if (staked < stake) await depositStake(write, { stake: addresses.stake, amount: stake - staked });
  await registerIfNew(
    access,
    file,
    `${endpoint}/v1/models/${info.modelId}/file#${encodeURIComponent(info.name)}`,
  );
  await createVault(write, { vaults: addresses.vaults, provider: write.account.address });
  await withdrawOtherOffers(access, info.modelId);
  await publishOffer(write, {
    offers: addresses.offers,
    modelId: info.modelId,
    inputPrice: info.inputPrice,
    outputPrice: info.outputPrice,
    tier: TIER.exact,
    endpoint,
  });
}

/** A provider process serves one model; an offer of an earlier one would send requests into the void. */
async function withdrawOtherOffers(access: ChainAccess, modelId: Hex): Promise<void> {
  const { write, deployment } = access;
  const { offers } = deployment.addresses;
  for (const offer of await listOffersOnChain(access, { provider: write.account.address })) {
    if (offer.modelId !== modelId)
      await withdrawOffer(write, { offers, modelId: offer.modelId, tier: offer.tier });
  }
}

async function registerIfNew(
  { write, deployment }: ChainAccess,
  file: ModelFile,
  uri: string,
): Promise<void> {
  const { modelId: _, ...model } = file.identity;
  try {
    await registerModel(write, { modelRegistry: deployment.addresses.modelRegistry, model, uri });
  } catch (error) {
    if (!(error instanceof AssayError && error.code === 'model_known')) throw error;
  }
}

export type { Hex, ProviderLedger };
