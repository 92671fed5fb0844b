/** A role's access to the chain: clients bound to its key, the contracts' addresses, and the market that they make. */
import { join } from 'node:path';
import {
  type Addresses,
  type DeployContractsParameters,
  deployContracts,
  LOCAL_AUDIT_TERMS,
  type Market,
  mintTestDollars,
} from '@assay/compute';
import { type Address, AssayError, type Hex, isHexOf } from '@assay/protocol';
import {
  type Account,
  type Chain,
  createPublicClient,
  createWalletClient,
  defineChain,
  type HttpTransport,
  http,
  type PublicClient,
  type WalletClient,
} from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { LOCAL_CHAIN_ID, LOCAL_FAUCET_KEY, requireLocalChain } from './chain/index.js';
import { readRunFile } from './cli/run-file.js';
import { readJsonFile, roleFolder, writeJsonText } from './home.js';
import { createSendTurns } from './send-turns.js';

/** How often a pending transaction is looked for: our sequencer seals within 30 ms. */
const LOCAL_POLLING_MS = 40;
const REMOTE_POLLING_MS = 1_000;

/**
 * Terms on the local chain, where nobody waits for days: a dispute takes a minute at most, earnings wait for seconds.
 * The clock of one side must outlast a restart of its process.
 */
const LOCAL_COURT: DeployContractsParameters = {
  vaultWindowSeconds: 2,
  courtTerms: { clock: 30, window: 3_600, releaseDelay: 1, bond: 10n ** 16n },
  auditTerms: LOCAL_AUDIT_TERMS,
};

/** Coin for gas that a role on the local chain is given: thousands of transactions. */
const LOCAL_GAS_COIN = 10n ** 18n;

export type ReadChain = PublicClient<HttpTransport, Chain>;
export type WriteChain = WalletClient<HttpTransport, Chain, Account>;

/** Contracts of one network, as the one address file holds them. */
export type Deployment = {
  readonly chainId: number;
  /** Tells this chain from another one with the same id. */
  readonly genesisHash: Hex;
  /** Block before the first deployment. */
  readonly startBlock: number;
  readonly addresses: Addresses;
};

export type ChainAccess = {
  readonly rpcUrl: string;
  readonly read: ReadChain;
  readonly write: WriteChain;
  readonly deployment: Deployment;
  readonly market: Market;
};

/** `--rpc`, else the chain of the network that runs in this data folder. */
export function resolveRpc(home: string, option: string | undefined): string {
  const url = option ?? process.env.ASSAY_RPC ?? readRunFile(home)?.rpc;
  if (url !== undefined) return url;
  throw new AssayError({
    code: 'network_not_running',
    fault: 'user',
    message: 'No chain is named and no network runs in this data folder.',
    value: home,
    remedy: 'Start one with `assay up`, or give --rpc URL.',
  });
}

const unreachable = (rpcUrl: string, cause: unknown): AssayError =>
  new AssayError({
    code: 'chain_unreachable',
    fault: 'platform',
    message: 'The chain does not answer.',
    value: new URL(rpcUrl).origin,
    remedy: 'Check that it runs and that --rpc is right.',
    cause,
  });

const rpcInvalid = (value: string): AssayError =>
  new AssayError({
    code: 'invalid_value',
    fault: 'user',
    message: 'The address of the chain is not a URL.',
    value,
    remedy: 'Give --rpc something like http://127.0.0.1:8545.',
  });

/** Clients for a chain; throws `invalid_value` or `chain_unreachable`. */
export async function openChain(
  rpcUrl: string,
  account: Account,
): Promise<{ read: ReadChain; write: WriteChain; genesisHash: Hex }> {
  if (!URL.canParse(rpcUrl)) throw rpcInvalid(rpcUrl);
  const probe = createPublicClient({ transport: http(rpcUrl, { retryCount: 3 }) });
  const id = await probe.getChainId().catch((cause: unknown) => {
    throw unreachable(rpcUrl, cause);
  });
  const genesis = await probe.getBlock({ blockNumber: 0n });
  const local = id === LOCAL_CHAIN_ID;
  const chain = defineChain({
    id,
    name: local ? 'Assay local' : `Chain ${id}`,
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [rpcUrl] } },
  });
  const shared = {
    chain,
    transport: http(rpcUrl),
    pollingInterval: local ? LOCAL_POLLING_MS : REMOTE_POLLING_MS,
    cacheTime: 0,
  };
  const turns = createSendTurns(rpcUrl);
  return {
    read: createPublicClient(shared),
    write: createWalletClient({
      ...shared,
      transport: turns.transport,
      account:
        account.type === 'local' ? { ...account, nonceManager: turns.nonceManager } : account,
    }),
    genesisHash: genesis.hash,
  };
}

const deploymentPath = (home: string, chainId: number): string =>
  join(roleFolder(home, 'deployments'), `${chainId}.json`);

export const writeDeployment = (home: string, deployment: Deployment): void =>
  writeJsonText(
    deploymentPath(home, deployment.chainId),
    `${JSON.stringify(deployment, null, 2)}\n`,
  );

/** The address file of a chain, if there is one for this very chain. */
export function readDeployment(
  home: string,
  chainId: number,
  genesisHash: Hex,
): Deployment | undefined {
  const found = readAddressFile(home, chainId);
  return found?.genesisHash === genesisHash ? found : undefined;
}

/** The same without asking the chain; for comparing what was signed with the network of this folder. */
export function readAddressFile(home: string, chainId: number): Deployment | undefined {
  const path = join(home, 'deployments', `${chainId}.json`);
  const found = readJsonFile(path) as Deployment | undefined;
  // A file of a version without audits is of another network: its contracts cannot serve this one.
  return isHexOf(found?.addresses?.audits, 20) ? found : undefined;
}

/** Connects a role; throws `not_deployed` when the address file does not know this chain. */
export async function connectRole(
  home: string,
  rpcUrl: string,
  account: Account,
): Promise<ChainAccess> {
  const { read, write, genesisHash } = await openChain(rpcUrl, account);
  const deployment = readDeployment(home, read.chain.id, genesisHash);
  if (deployment === undefined) {
    throw new AssayError({
      code: 'not_deployed',
      fault: 'user',
      message:
        'The contracts of this chain are not known here (another chain, or a chain that began anew).',
      value: String(read.chain.id),
      remedy:
        'Run `assay deploy --rpc URL`, or copy the address file of the network into deployments/.',
    });
  }
  return { rpcUrl, read, write, deployment, market: marketOf(deployment) };
}

/**
 * File of a role's ledger on one chain. A local chain that began anew has the same id and the same addresses, so old
 * vouchers would look valid: the first block tells them apart.
 */
export const ledgerName = (noun: string, { chainId, genesisHash }: Deployment): string =>
  `${noun}-${chainId}-${genesisHash.slice(2, 10)}.db`;

const marketOf = ({ chainId, addresses }: Deployment): Market => ({
  chainId,
  channels: addresses.channels,
  receipts: addresses.receipts,
  token: addresses.testDollar,
  vaults: addresses.vaults,
});

/** Deploys everything unless the address file and the chain already agree. */
export async function ensureDeployment(
  home: string,
  rpcUrl: string,
  account: Account,
  terms: DeployContractsParameters = {},
): Promise<{ readonly deployment: Deployment; readonly fresh: boolean }> {
  const { read, write, genesisHash } = await openChain(rpcUrl, account);
  const known = readDeployment(home, read.chain.id, genesisHash);
  if (
    known !== undefined &&
    (await read.getCode({ address: known.addresses.channels })) !== undefined
  )
    return { deployment: known, fresh: false };
  const local = read.chain.id === LOCAL_CHAIN_ID;
  if (!local && terms.token === undefined) throw tokenRequired(read.chain.id);
  const startBlock = Number(await read.getBlockNumber());
  const addresses = await deployContracts(write, { ...(local ? LOCAL_COURT : {}), ...terms });
  const deployment = { chainId: read.chain.id, genesisHash, startBlock, addresses };
  writeDeployment(home, deployment);
  return { deployment, fresh: true };
}

const tokenRequired = (chainId: number): AssayError =>
  new AssayError({
    code: 'token_required',
    fault: 'user',
    message:
      'On a public chain the payment token must be named; test dollars exist on local chains only.',
    value: String(chainId),
    remedy: 'Give --token ADDRESS, for example that of USDC.',
  });

/** On the local chain only: gives a role coin for gas and test dollars, as much as it lacks. */
export async function fundLocalRole(access: ChainAccess, dollars: bigint): Promise<void> {
  requireLocalChain(access.read.chain.id);
  const { address } = access.write.account;
  if ((await access.read.getBalance({ address })) < LOCAL_GAS_COIN / 10n)
    await sendCoin(access, address);
  const held = await tokenBalance(access, address);
  if (held >= dollars) return;
  const { testDollar } = access.deployment.addresses;
  await mintTestDollars(access.write, { testDollar, to: address, amount: dollars - held });
}

async function sendCoin({ rpcUrl, read }: ChainAccess, to: Address): Promise<void> {
  const faucet = await openChain(rpcUrl, privateKeyToAccount(LOCAL_FAUCET_KEY));
  const hash = await faucet.write.sendTransaction({ to, value: LOCAL_GAS_COIN });
  await read.waitForTransactionReceipt({ hash });
}

const BALANCE_OF = [
  {
    type: 'function',
    name: 'balanceOf',
    stateMutability: 'view',
    inputs: [{ name: 'account', type: 'address' }],
    outputs: [{ name: '', type: 'uint256' }],
  },
] as const;

/** Payment token of an account, atomic units. */
export const tokenBalance = ({ read, market }: ChainAccess, account: Address): Promise<bigint> =>
  read.readContract({
    address: market.token,
    abi: BALANCE_OF,
    functionName: 'balanceOf',
    args: [account],
  });
