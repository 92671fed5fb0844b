/**
 * The chain as a process of its own: `node chain-main.js HOME [PORT]`. Prints one JSON line when it is ready
 * and stops on SIGINT or SIGTERM; all else goes to standard error.
 */
import { AssayError } from '@assay/protocol';
import type { ChainLog } from './chain-engine.js';
import { startEmbeddedChain } from './start.js';

const EXIT_WRONG_USAGE = 2;
const EXIT_FAILED = 3;

const write = (level: string) => (fields: object, message: string) =>
  process.stderr.write(`${JSON.stringify({ level, message, ...fields })}\n`);
const log: ChainLog = { info: write('info'), warn: write('warn'), error: write('error') };

const [home, port] = process.argv.slice(2);
if (home === undefined) {
  process.stderr.write('usage: chain-main HOME [PORT]\n');
  process.exit(EXIT_WRONG_USAGE);
}
try {
  const chain = await startEmbeddedChain({
    home,
    log,
    ...(port === undefined ? {} : { port: Number(port) }),
  });
  const { rpcUrl, chainId, genesisHash } = chain;
  process.stdout.write(`${JSON.stringify({ rpcUrl, chainId, genesisHash })}\n`);
  const stop = () => void chain.stop().then(() => process.exit(0));
  process.once('SIGINT', stop).once('SIGTERM', stop);
  void chain.failed.then((error) => leave(error));
} catch (error) {
  leave(error);
}

function leave(error: unknown): never {
  const shown = error instanceof AssayError ? error.toJSON() : { message: String(error) };
  process.stderr.write(`${JSON.stringify({ level: 'error', ...shown })}\n`);
  process.exit(EXIT_FAILED);
}
