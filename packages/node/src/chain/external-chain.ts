/** Any EVM chain by its RPC URL, behind the same interface as the embedded one. It is never started here. */
import { createPublicClient, http } from 'viem';
import type { ChainEngine } from './chain-engine.js';
import { chainUnreachable, wrongChain } from './chain-errors.js';

export type ExternalChainOptions = {
  readonly rpcUrl: string;
  /** Refuses any other chain with `wrong_chain`. */
  readonly chainId?: number | undefined;
};

/** Asks the chain who it is, and refuses an address where none answers (`chain_unreachable`). */
export async function connectExternalChain(options: ExternalChainOptions): Promise<ChainEngine> {
  const { rpcUrl } = options;
  if (!isHttpUrl(rpcUrl)) throw chainUnreachable(rpcUrl);
  const client = createPublicClient({ transport: http(rpcUrl, { timeout: CONNECT_MS_MAX }) });
  const [chainId, genesis] = await Promise.all([
    client.getChainId(),
    client.getBlock({ blockNumber: 0n }),
  ]).catch((cause) => {
    throw chainUnreachable(rpcUrl, cause);
  });
  if (options.chainId !== undefined && options.chainId !== chainId) {
    throw wrongChain(chainId, options.chainId);
  }
  return {
    kind: 'external',
    rpcUrl,
    chainId,
    genesisHash: genesis.hash,
    async head() {
      const { number, timestamp, hash } = await client.getBlock({ blockTag: 'latest' });
      return { number: Number(number), timestamp: Number(timestamp), hash };
    },
    failed: new Promise(() => {}),
    async stop() {},
  };
}

/** A public endpoint across the world answers in a second; viem tries three times. */
const CONNECT_MS_MAX = 10_000;

function isHttpUrl(text: string): boolean {
  return /^https?:$/.test(URL.canParse(text) ? new URL(text).protocol : '');
}
