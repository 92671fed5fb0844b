/**
 * Which JSON-RPC calls the public endpoint takes, and what becomes of each. Only standard reads and signed
 * transactions pass: nothing that mines, signs for the caller, moves time or changes state by decree.
 */

/** What to do with a call. */
export type RpcRoute = 'read' | 'readAtNow' | 'submit' | 'noAccounts';

const READS = [
  'eth_blobBaseFee',
  'eth_blockNumber',
  'eth_chainId',
  'eth_createAccessList',
  'eth_feeHistory',
  'eth_gasPrice',
  'eth_getBalance',
  'eth_getBlockByHash',
  'eth_getBlockByNumber',
  'eth_getBlockReceipts',
  'eth_getBlockTransactionCountByHash',
  'eth_getBlockTransactionCountByNumber',
  'eth_getCode',
  'eth_getLogs',
  'eth_getProof',
  'eth_getRawTransactionByHash',
  'eth_getStorageAt',
  'eth_getTransactionByBlockHashAndIndex',
  'eth_getTransactionByBlockNumberAndIndex',
  'eth_getTransactionByHash',
  'eth_getTransactionCount',
  'eth_getTransactionReceipt',
  'eth_maxPriorityFeePerGas',
  'eth_syncing',
  'net_listening',
  'net_version',
  'web3_clientVersion',
  'web3_sha3',
] as const;

const ROUTES: ReadonlyMap<string, RpcRoute> = new Map<string, RpcRoute>([
  ...READS.map((method) => [method, 'read'] as const),
  ['eth_call', 'readAtNow'],
  ['eth_estimateGas', 'readAtNow'],
  ['eth_sendRawTransaction', 'submit'],
  ['eth_accounts', 'noAccounts'],
]);

/** `undefined` for a method that is not served. */
export function routeOf(method: string): RpcRoute | undefined {
  return ROUTES.get(method);
}

/**
 * An idle chain has an old newest block, so a call "at latest" would see time stand still and a time lock
 * would never seem to end. Such a call is given the time that the next block would have.
 */
export function withTimeOfNextBlock(params: readonly unknown[], nowSeconds: number): unknown[] {
  const [transaction, block = 'latest', stateOverrides = null, blockOverrides] = params;
  const isAtHead = block === 'latest' || block === 'pending';
  if (!isAtHead || blockOverrides !== undefined) return [...params];
  return [transaction, block, stateOverrides, { time: `0x${nowSeconds.toString(16)}` }];
}
