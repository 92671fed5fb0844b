/** Turns the body of a request into calls, checked for shape, and answers each of them from the chain. */
import type { Hex } from '@assay/protocol';
import { isHex } from 'viem';
import { BATCH_CALLS_MAX, POOL_TRANSACTIONS_MAX, TRANSACTION_BYTES_MAX } from './chain-limits.js';
import type { EmbeddedChain } from './embedded-chain.js';
import { errorText, RPC_CODE, type RpcId, RpcProblem, resultText } from './rpc-answers.js';
import { type RpcRoute, routeOf, withTimeOfNextBlock } from './rpc-methods.js';

/** What of the chain the endpoint needs. */
export type RpcBackend = Pick<EmbeddedChain, 'read' | 'submit' | 'waitingCount' | 'nowSeconds'>;

type CheckedCall = {
  readonly id: RpcId;
  readonly method: string;
  readonly params: readonly unknown[];
  readonly route: RpcRoute;
};

/** The calls of a body, not yet checked one by one. Throws when the body as a whole is wrong. */
export function parseBody(body: string): { readonly isBatch: boolean; readonly calls: unknown[] } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    throw new RpcProblem(RPC_CODE.malformed, 'malformed_json', 'The body is not JSON.', 400);
  }
  if (!Array.isArray(parsed)) return { isBatch: false, calls: [parsed] };
  if (parsed.length === 0) throw invalidRequest('The batch is empty.');
  if (parsed.length > BATCH_CALLS_MAX) throw batchTooLarge(parsed.length);
  return { isBatch: true, calls: parsed };
}

/** The JSON text (or bytes) that answers one call; never rejects for what a caller did. */
export async function answerCall(backend: RpcBackend, call: unknown): Promise<string | Buffer> {
  let id: RpcId = null;
  try {
    id = idOf(call);
    return await answerChecked(backend, checkCall(call, id));
  } catch (cause) {
    return errorText(id, cause);
  }
}

function idOf(call: unknown): RpcId {
  const id = isObject(call) ? call.id : undefined;
  if (typeof id === 'string' || id === null || isCount(id)) return id;
  throw invalidRequest('A call is an object with an id: a text, a whole number or null.');
}

function checkCall(call: unknown, id: RpcId): CheckedCall {
  const { method, params = [] } = call as { method?: unknown; params?: unknown };
  if (typeof method !== 'string') throw invalidRequest('A call names a method.');
  if (!Array.isArray(params)) throw invalidParams('The parameters are a list.');
  const route = routeOf(method);
  if (!route) throw unknownMethod(method);
  return { id, method, params, route };
}

async function answerChecked(backend: RpcBackend, call: CheckedCall): Promise<string | Buffer> {
  const { id, method, params, route } = call;
  if (route === 'noAccounts') return resultText(id, []);
  if (route === 'submit') return resultText(id, await submit(backend, params));
  const given = route === 'readAtNow' ? withTimeOfNextBlock(params, backend.nowSeconds()) : params;
  const text = JSON.stringify({ jsonrpc: '2.0', id, method, params: given });
  return backend.read(text, method);
}

async function submit(backend: RpcBackend, params: readonly unknown[]): Promise<Hex> {
  const [raw] = params;
  if (!isRawTransaction(raw)) throw invalidParams('The transaction is 0x and its signed bytes.');
  if (raw.length > 2 + 2 * TRANSACTION_BYTES_MAX) throw transactionTooLarge(raw.length / 2 - 1);
  if (backend.waitingCount() >= POOL_TRANSACTIONS_MAX) throw poolFull();
  return backend.submit(raw.toLowerCase() as Hex);
}

/**
 * Legacy lists (first byte 0xc0 and above) and the types 1, 2 and 4. Not blobs: their wire form has another
 * hash; nor 0x7e, a deposit without a signature.
 */
function isRawTransaction(value: unknown): value is Hex {
  if (typeof value !== 'string' || !isHex(value) || value.length % 2 !== 0) return false;
  const type = Number.parseInt(value.slice(2, 4), 16);
  return type >= 0xc0 || type === 1 || type === 2 || type === 4;
}

/** anvil takes no other numbers as id, and the specification advises against fractions. */
function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalidRequest(message: string): RpcProblem {
  return new RpcProblem(RPC_CODE.invalidRequest, 'invalid_request', message, 400);
}

function invalidParams(message: string): RpcProblem {
  return new RpcProblem(RPC_CODE.invalidParams, 'invalid_params', message);
}

function unknownMethod(method: string): RpcProblem {
  const message = `The method ${method.slice(0, METHOD_SHOWN_MAX)} is not available.`;
  const remedy = 'Use the standard read methods and eth_sendRawTransaction.';
  return new RpcProblem(RPC_CODE.unknownMethod, 'method_not_available', message, 200, remedy);
}

/** Longest method name of the standard is 39 characters. */
const METHOD_SHOWN_MAX = 64;

function batchTooLarge(count: number): RpcProblem {
  const message = `The batch has ${count} calls; ${BATCH_CALLS_MAX} are allowed.`;
  return new RpcProblem(RPC_CODE.limit, 'batch_too_large', message, 413);
}

function transactionTooLarge(bytes: number): RpcProblem {
  const message = `The transaction has ${bytes} bytes; ${TRANSACTION_BYTES_MAX} are allowed.`;
  return new RpcProblem(RPC_CODE.limit, 'transaction_too_large', message);
}

function poolFull(): RpcProblem {
  const remedy = 'Wait for the next block and send it again.';
  return new RpcProblem(RPC_CODE.limit, 'pool_full', 'Too many transactions wait.', 200, remedy);
}
