/**
 * What the rest of the house knows of a chain: an address to talk to, an id, and a way to stop it.
 *
 * Two engines stand behind it: `startEmbeddedChain` (anvil under our own sequencer and journal) and
 * `connectExternalChain` (any EVM chain by RPC URL). Nothing here knows a contract.
 */
import type { AssayError, Hex } from '@assay/protocol';

/** Chain id of the embedded chain, the value that every local development tool uses. */
export const LOCAL_CHAIN_ID = 31_337;

/** Port of the embedded chain; the next free one is taken when it is busy. */
export const CHAIN_PORT = 8545;

/** The newest block that a reader can see. */
export type ChainHead = {
  readonly number: number;
  /** Unix seconds; never falls from one block to the next, and may repeat. */
  readonly timestamp: number;
  readonly hash: Hex;
};

/** Structured log with the argument order of pino, so that a pino logger fits as it is. */
export type ChainLog = {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
};

/** A log that keeps nothing. */
export const SILENT_LOG: ChainLog = { info() {}, warn() {}, error() {} };

export type ChainEngine = {
  readonly kind: 'embedded' | 'external';
  /** JSON-RPC over HTTP. */
  readonly rpcUrl: string;
  readonly chainId: number;
  /** Tells two chains with the same id apart; a new data folder always has a new one. */
  readonly genesisHash: Hex;
  head(): Promise<ChainHead>;
  /** Resolves (never rejects) once the chain cannot go on without a person. */
  readonly failed: Promise<AssayError>;
  stop(): Promise<void>;
};
