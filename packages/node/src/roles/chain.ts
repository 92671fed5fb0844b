/** The chain as a role of its own: `assay chain`. */
import { startEmbeddedChain } from '../chain/index.js';
import { openHome } from '../home.js';
import { createLog } from '../log.js';
import { keepRole } from './role-process.js';

export type ChainRoleOptions = { readonly home: string; readonly port: number };

export async function runChain(options: ChainRoleOptions): Promise<void> {
  const log = createLog('chain');
  const chain = await startEmbeddedChain({ home: openHome(options.home), port: options.port, log });
  void chain.failed.then((error) => {
    log.error({ code: error.code, remedy: error.remedy }, error.message);
    process.exit(3);
  });
  const ready = {
    ready: 'chain',
    rpcUrl: chain.rpcUrl,
    chainId: chain.chainId,
    genesisHash: chain.genesisHash,
  };
  await keepRole({ ready, close: chain.stop }, log);
}
