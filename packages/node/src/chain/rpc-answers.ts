/** JSON-RPC error answers: standard numbers, and our stable code in `data.code`. */
import { AssayError } from '@assay/protocol';
import { RpcRefusal } from './rpc-client.js';

/** Numbers of the JSON-RPC specification and of EIP-1474. */
export const RPC_CODE = {
  malformed: -32700,
  invalidRequest: -32600,
  unknownMethod: -32601,
  invalidParams: -32602,
  unavailable: -32002,
  limit: -32005,
} as const;

/** A failure as it is told to a client of the public endpoint. */
export class RpcProblem extends Error {
  override readonly name = 'RpcProblem';
  constructor(
    readonly rpcCode: number,
    /** Stable name of the failure. */
    readonly code: string,
    message: string,
    readonly httpStatus = 200,
    readonly remedy?: string,
  ) {
    super(message);
  }
}

export type RpcId = string | number | null;

/** The JSON text that answers a call with a failure. */
export function errorText(id: RpcId, cause: unknown): string {
  return JSON.stringify({ jsonrpc: '2.0', id, error: errorBody(cause) });
}

export function resultText(id: RpcId, result: unknown): string {
  return JSON.stringify({ jsonrpc: '2.0', id, result });
}

export function httpStatusOf(cause: unknown): number {
  if (cause instanceof RpcProblem) return cause.httpStatus;
  return cause instanceof RpcRefusal ? 200 : 503;
}

function errorBody(cause: unknown): object {
  if (cause instanceof RpcRefusal) return { code: cause.code, message: cause.message };
  if (cause instanceof RpcProblem) {
    const data = { code: cause.code, ...(cause.remedy ? { remedy: cause.remedy } : {}) };
    return { code: cause.rpcCode, message: cause.message, data };
  }
  if (cause instanceof AssayError) {
    return { code: RPC_CODE.unavailable, message: cause.message, data: cause.toJSON() };
  }
  throw cause;
}
