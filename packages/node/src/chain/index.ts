/** The chain role: an embedded EVM chain that survives `kill -9`, or any other chain by its RPC URL. */
export { findAnvil } from './anvil-binary.js';
export { type ClockSource, SYSTEM_CLOCK } from './chain-clock.js';
export {
  CHAIN_PORT,
  type ChainEngine,
  type ChainHead,
  type ChainLog,
  LOCAL_CHAIN_ID,
  SILENT_LOG,
} from './chain-engine.js';
export {
  chainUnreachable,
  homeInUse,
  homeUnwritable,
  redactUrl,
  wrongChain,
} from './chain-errors.js';
export { connectExternalChain, type ExternalChainOptions } from './external-chain.js';
export { type HomeLock, lockHome } from './home-lock.js';
export {
  LOCAL_ACCOUNTS_COUNT,
  LOCAL_FAUCET_KEY,
  LOCAL_MNEMONIC,
  localAccount,
  requireLocalChain,
} from './local-accounts.js';
export { type EmbeddedChainStart, startEmbeddedChain } from './start.js';
