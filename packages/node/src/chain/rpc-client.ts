/**
 * JSON-RPC calls to one chain process over kept-alive connections. Knows no method; `post` moves bytes, so
 * that answers can be passed on without reading them.
 */
import { Agent, type IncomingMessage, request } from 'node:http';
import { answerTooLarge, chainGone, chainTimeout } from './chain-errors.js';
import {
  ANSWER_BYTES_MAX,
  ANVIL_CALL_MS_MAX,
  ANVIL_SOCKETS_MAX,
  ANVIL_STATE_MS_MAX,
} from './chain-limits.js';

/** A call that the chain refused, as it said it. */
export class RpcRefusal extends Error {
  override readonly name = 'RpcRefusal';
  constructor(
    readonly method: string,
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

export type RpcCall = { readonly method: string; readonly params: readonly unknown[] };

export type RpcClient = {
  /** Sends one JSON text and gives the body of the answer. `label` names the call in errors. */
  post(body: string, label: string): Promise<Buffer>;
  call(method: string, params?: readonly unknown[]): Promise<unknown>;
  /** Like `call` for blocks, dumps and loads: minutes instead of seconds, and an answer of any size. */
  callLong(method: string, params?: readonly unknown[]): Promise<unknown>;
  /** One request for many calls; results in order; throws at the first refusal. */
  callAll(calls: readonly RpcCall[]): Promise<unknown[]>;
  close(): void;
};

type Limits = { readonly timeoutMs: number; readonly bytesMax: number };
const SHORT: Limits = { timeoutMs: ANVIL_CALL_MS_MAX, bytesMax: ANSWER_BYTES_MAX };
const LONG: Limits = { timeoutMs: ANVIL_STATE_MS_MAX, bytesMax: Number.MAX_SAFE_INTEGER };

export function createRpcClient(port: number): RpcClient {
  const agent = new Agent({ keepAlive: true, maxSockets: ANVIL_SOCKETS_MAX });
  const send = (body: string, label: string, limits: Limits) =>
    postLocal({ agent, port, body, label, limits });
  const callWith = async (method: string, params: readonly unknown[], limits: Limits) => {
    const body = await send(rpcText({ method, params }, 1), method, limits);
    return resultOf(JSON.parse(body.toString('utf8')), method);
  };
  return {
    post: (body, label) => send(body, label, SHORT),
    call: (method, params = []) => callWith(method, params, SHORT),
    callLong: (method, params = []) => callWith(method, params, LONG),
    async callAll(calls) {
      if (calls.length === 0) return [];
      const text = `[${calls.map(rpcText).join(',')}]`;
      const body = await send(text, `batch of ${calls[0]?.method}`, SHORT);
      return resultsOf(JSON.parse(body.toString('utf8')), calls);
    },
    close: () => agent.destroy(),
  };
}

function rpcText(call: RpcCall, id: number): string {
  return JSON.stringify({ jsonrpc: '2.0', id, method: call.method, params: call.params });
}

function resultOf(answer: unknown, method: string): unknown {
  const { error, result } = answer as {
    result?: unknown;
    error?: { code?: number; message?: string };
  };
  if (error) throw new RpcRefusal(method, error.code ?? 0, String(error.message));
  return result;
}

/** A server may answer a batch in any order; ids put it right. */
function resultsOf(answers: unknown, calls: readonly RpcCall[]): unknown[] {
  const byId = new Map((answers as { id: number }[]).map((answer) => [answer.id, answer]));
  return calls.map((call, id) => resultOf(byId.get(id) ?? {}, call.method));
}

type Post = {
  readonly agent: Agent;
  readonly port: number;
  readonly body: string;
  readonly label: string;
  readonly limits: Limits;
};

function postLocal({ agent, port, body, label, limits }: Post): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    };
    const options = { host: '127.0.0.1', port, method: 'POST', agent, headers };
    const outgoing = request(options, (answer) => {
      collectBody(answer, limits.bytesMax).then(resolve, (cause) => {
        outgoing.destroy();
        reject(cause);
      });
    });
    const timer = setTimeout(() => outgoing.destroy(chainTimeout(label)), limits.timeoutMs);
    outgoing.on('close', () => clearTimeout(timer));
    outgoing.on('error', (cause) => reject(goneOr(cause)));
    outgoing.end(body);
  });
}

async function collectBody(answer: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of answer) {
      bytes += (chunk as Buffer).length;
      if (bytes > bytesMax) throw answerTooLarge(bytes);
      chunks.push(chunk as Buffer);
    }
  } catch (cause) {
    throw goneOr(cause);
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes);
}

/** Our own refusals keep their code; whatever the socket says means that the process went away. */
function goneOr(cause: unknown): unknown {
  const isOurs = cause instanceof Error && cause.name === 'AssayError';
  return isOurs ? cause : chainGone(cause);
}
