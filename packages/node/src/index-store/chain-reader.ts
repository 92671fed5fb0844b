/**
 * Reads blocks and logs from any EVM node through raw JSON-RPC. It knows the wire format of the answers and checks it;
 * it does not know what the logs mean, nor what the index has already applied.
 *
 * Source: Ethereum JSON-RPC `eth_getBlockByNumber`, `eth_getLogs` (EIP-1474).
 */
import type { Address, Hex } from '@assay/protocol';
import { isHexOf } from '@assay/protocol';
import { indexLogInvalid, indexPageTooLarge } from './errors.js';

/** The part of a viem client that the index uses. */
export type ChainClient = {
  request(
    parameters: { readonly method: string; readonly params?: unknown },
    options?: { readonly retryCount?: number },
  ): Promise<unknown>;
};

export type BlockHeader = {
  readonly number: number;
  readonly hash: Hex;
  readonly parentHash: Hex;
  readonly timestamp: number;
};

/** A log as the index keeps it: enough to decode it again at any time. */
export type ChainLog = {
  readonly blockNumber: number;
  readonly blockHash: Hex;
  readonly logIndex: number;
  readonly transactionHash: Hex;
  readonly address: Address;
  readonly topics: readonly Hex[];
  readonly data: Hex;
  /** Seconds; absent if the node does not send it with logs. */
  readonly timestamp: number | undefined;
};

export type LogRange = {
  readonly fromBlock: number;
  readonly toBlock: number;
  readonly addresses: readonly Address[];
  /** Signature hashes (topic 0) of the events asked for. */
  readonly signatures: readonly Hex[];
};

/** Headers fetched at once, for nodes that send no timestamp with logs. */
const HEADERS_PARALLEL_MAX = 8;

type Fields = { readonly [name: string]: unknown };

/** The chain that a node serves: an id that can be chosen freely, and the hash of block 0, which cannot. */
export type ChainIdentity = { readonly chainId: number; readonly genesisHash: Hex };

export async function readIdentity(client: ChainClient): Promise<ChainIdentity> {
  const chainId = quantity(await client.request({ method: 'eth_chainId' }), 'chainId');
  const genesis = await readBlock(client, 0);
  if (genesis === undefined) throw indexLogInvalid('no block 0');
  return { chainId, genesisHash: genesis.hash };
}

/** Header of a block, or undefined if the node does not have it. */
export async function readBlock(
  client: ChainClient,
  at: number | 'latest',
): Promise<BlockHeader | undefined> {
  const tag = at === 'latest' ? at : toQuantity(at);
  const block = await client.request({ method: 'eth_getBlockByNumber', params: [tag, false] });
  if (block === null || block === undefined) return undefined;
  const record = block as Fields;
  return {
    number: quantity(record['number'], 'number'),
    hash: bytes(record['hash'], 32),
    parentHash: bytes(record['parentHash'], 32),
    timestamp: quantity(record['timestamp'], 'timestamp'),
  };
}

/** Logs of a range, in the order of the chain and without duplicates. */
export async function readLogs(client: ChainClient, range: LogRange): Promise<ChainLog[]> {
  const filter = {
    address: range.addresses,
    fromBlock: toQuantity(range.fromBlock),
    toBlock: toQuantity(range.toBlock),
    topics: [range.signatures],
  };
  const answer = await client.request(
    { method: 'eth_getLogs', params: [filter] },
    { retryCount: 0 },
  );
  if (!Array.isArray(answer)) throw indexLogInvalid(answer);
  const wanted = new Set(range.addresses);
  const byPosition = new Map<string, ChainLog>();
  for (const raw of answer) {
    const log = decodeLog(raw as Fields);
    const inRange = log.blockNumber >= range.fromBlock && log.blockNumber <= range.toBlock;
    if (!inRange || !wanted.has(log.address)) throw indexLogInvalid(raw);
    byPosition.set(`${log.blockNumber}:${log.logIndex}`, log);
  }
  return [...byPosition.values()].sort(
    (a, b) => a.blockNumber - b.blockNumber || a.logIndex - b.logIndex,
  );
}

/**
 * Logs of one block, asked for by fewer and fewer contracts at a time while the answer is too large.
 * Whole ranges are halved by the caller, which remembers the size that worked.
 */
export async function readLogsSplit(client: ChainClient, range: LogRange): Promise<ChainLog[]> {
  try {
    return await readLogs(client, range);
  } catch (cause) {
    if (!isTooLarge(cause)) throw cause;
    const half = range.addresses.length >> 1;
    if (half === 0) throw indexPageTooLarge(range.fromBlock, cause);
    const left = { ...range, addresses: range.addresses.slice(0, half) };
    const right = { ...range, addresses: range.addresses.slice(half) };
    const logs = [...(await readLogsSplit(client, left)), ...(await readLogsSplit(client, right))];
    return logs.sort((a, b) => a.logIndex - b.logIndex);
  }
}

/** Timestamps (seconds) of the blocks of `logs`; asks the node for those that did not come with the logs. */
export async function readTimestamps(
  client: ChainClient,
  logs: readonly ChainLog[],
): Promise<Map<number, number>> {
  const times = new Map<number, number>();
  const missing = new Set<number>();
  for (const { blockNumber, timestamp } of logs)
    if (timestamp === undefined) missing.add(blockNumber);
    else times.set(blockNumber, timestamp);
  const numbers = [...missing];
  for (let start = 0; start < numbers.length; start += HEADERS_PARALLEL_MAX) {
    const some = numbers.slice(start, start + HEADERS_PARALLEL_MAX);
    const headers = await Promise.all(some.map((number) => readBlock(client, number)));
    for (const [index, header] of headers.entries()) {
      if (header === undefined) throw indexLogInvalid({ block: some[index] });
      times.set(header.number, header.timestamp);
    }
  }
  return times;
}

const RATE_LIMIT = /rate.?limit|too many requests|\b429\b/i;
/** What nodes and viem say when a range or an answer is too large; there is no common error code. */
const TOO_LARGE =
  /ResponseBodyTooLarge|too large|exceed|limit|too many|more than \d+|block range|range is too|timed? ?out/i;

/** True if the node (or viem) refused because of the size of the range or of the answer. */
export function isTooLarge(error: unknown): boolean {
  const text = errorText(error);
  return !RATE_LIMIT.test(text) && TOO_LARGE.test(text);
}

/** Names and messages of an error and of its causes. */
function errorText(error: unknown): string {
  const parts: string[] = [];
  let current: unknown = error;
  for (let depth = 0; depth < 5 && current instanceof Error; depth++) {
    parts.push(current.name, current.message);
    current = current.cause;
  }
  return parts.join(' ');
}

function decodeLog(record: Fields): ChainLog {
  if (typeof record !== 'object' || record === null || record['removed'] === true)
    throw indexLogInvalid(record);
  const { topics, data, blockTimestamp } = record;
  if (!Array.isArray(topics) || topics.length > 4) throw indexLogInvalid(record);
  if (typeof data !== 'string' || !/^0x([0-9a-f]{2})*$/i.test(data)) throw indexLogInvalid(record);
  return {
    blockNumber: quantity(record['blockNumber'], 'blockNumber'),
    blockHash: bytes(record['blockHash'], 32),
    logIndex: quantity(record['logIndex'], 'logIndex'),
    transactionHash: bytes(record['transactionHash'], 32),
    address: bytes(record['address'], 20),
    topics: topics.map((topic) => bytes(topic, 32)),
    data: data.toLowerCase() as Hex,
    timestamp:
      typeof blockTimestamp === 'string' ? quantity(blockTimestamp, 'blockTimestamp') : undefined,
  };
}

function bytes(value: unknown, size: number): Hex {
  if (!isHexOf(value, size)) throw indexLogInvalid(value);
  return value.toLowerCase() as Hex;
}

function quantity(value: unknown, name: string): number {
  const number = typeof value === 'string' && /^0x[0-9a-f]+$/i.test(value) ? Number(value) : -1;
  if (!Number.isSafeInteger(number) || number < 0) throw indexLogInvalid({ [name]: value });
  return number;
}

const toQuantity = (value: number): Hex => `0x${value.toString(16)}`;
