/**
 * The public JSON-RPC endpoint of the embedded chain: HTTP on the loopback interface. It limits size, number
 * and time of requests, refuses browsers that come from other sites, and says so in JSON-RPC errors.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { ChainLog } from './chain-engine.js';
import { portsBusy } from './chain-errors.js';
import {
  ANVIL_SOCKETS_MAX,
  BODY_BYTES_MAX,
  CONNECTIONS_MAX,
  PORT_TRIES_MAX,
  REQUEST_MS_MAX,
  WAITING_CALLS_MAX,
} from './chain-limits.js';
import { errorText, httpStatusOf, RPC_CODE, RpcProblem } from './rpc-answers.js';
import { answerCall, parseBody, type RpcBackend } from './rpc-calls.js';

export type RpcProxyOptions = {
  readonly backend: RpcBackend;
  /** The next free port is taken when this one is busy; 0 takes any. */
  readonly port: number;
  readonly log: ChainLog;
  /** Pages that may call, by origin, such as `http://127.0.0.1:8787`; none by default. */
  readonly allowedOrigins?: readonly string[] | undefined;
};

export type RpcProxy = { readonly url: string; readonly port: number; close(): Promise<void> };

const HOST = '127.0.0.1';

export async function startRpcProxy(options: RpcProxyOptions): Promise<RpcProxy> {
  const limit = createCallLimit();
  const server = createServer((request, response) => {
    void serve(options, limit, request, response);
  });
  server.requestTimeout = REQUEST_MS_MAX;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.maxConnections = CONNECTIONS_MAX;
  const port = await listenNear(server, options.port);
  if (options.port !== 0 && port !== options.port) {
    options.log.warn(
      { wanted: options.port, port },
      'the chain port is busy; the next free one is used',
    );
  }
  return { url: `http://${HOST}:${port}`, port, close: () => closeServer(server) };
}

/** Longer than the pauses of polling clients, so that we are not the one who closes first. */
const KEEP_ALIVE_MS = 65_000;

async function serve(
  options: RpcProxyOptions,
  limit: CallLimit,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    checkOrigin(request, options.allowedOrigins ?? []);
    allowOrigin(request, response);
    if (request.method === 'OPTIONS') return void response.writeHead(204).end();
    checkMethod(request);
    const { isBatch, calls } = parseBody(await readBody(request));
    const answers = await limit(calls.length, () => answerAll(options.backend, calls));
    send(response, 200, isBatch ? joinAnswers(answers) : (answers[0] ?? ''));
  } catch (cause) {
    refuse(options.log, response, cause);
  }
}

/** In order: the transactions of a batch may build on one another. */
async function answerAll(backend: RpcBackend, calls: readonly unknown[]) {
  const answers: (string | Buffer)[] = [];
  for (const call of calls) answers.push(await answerCall(backend, call));
  return answers;
}

function joinAnswers(answers: readonly (string | Buffer)[]): Buffer {
  const parts = answers.flatMap((answer, index) => [index === 0 ? '[' : ',', answer]);
  return Buffer.concat([...parts, ']'].map((part) => Buffer.from(part as string)));
}

/** A page of another site could reach us by a name that it points at 127.0.0.1, or by plain requests. */
function checkOrigin(request: IncomingMessage, allowed: readonly string[]): void {
  const host = (request.headers.host ?? '').replace(/:\d+$/, '');
  if (!LOOPBACK_NAMES.has(host)) {
    throw new RpcProblem(RPC_CODE.invalidRequest, 'host_not_allowed', 'Unknown host name.', 403);
  }
  const { origin } = request.headers;
  if (origin !== undefined && !allowed.includes(origin)) {
    throw new RpcProblem(RPC_CODE.invalidRequest, 'origin_not_allowed', 'Unknown page.', 403);
  }
}

const LOOPBACK_NAMES = new Set(['127.0.0.1', 'localhost', '[::1]']);

function allowOrigin(request: IncomingMessage, response: ServerResponse): void {
  const { origin } = request.headers;
  if (origin === undefined) return;
  response.setHeader('access-control-allow-origin', origin);
  response.setHeader('access-control-allow-headers', 'content-type');
  response.setHeader('vary', 'origin');
}

function checkMethod(request: IncomingMessage): void {
  if (request.method === 'POST') return;
  const message = 'JSON-RPC calls are sent with POST.';
  throw new RpcProblem(RPC_CODE.invalidRequest, 'invalid_request', message, 405);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > BODY_BYTES_MAX) throw bodyTooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > BODY_BYTES_MAX) throw bodyTooLarge();
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function bodyTooLarge(): RpcProblem {
  const message = `The body is larger than ${BODY_BYTES_MAX} bytes.`;
  return new RpcProblem(RPC_CODE.limit, 'body_too_large', message, 413, 'Send smaller batches.');
}

function send(response: ServerResponse, status: number, body: string | Buffer): void {
  const length = Buffer.byteLength(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': length });
  response.end(body);
}

function refuse(log: ChainLog, response: ServerResponse, cause: unknown): void {
  if (response.destroyed || response.headersSent) return;
  const status = httpStatusOf(cause);
  if (status === 413) response.setHeader('connection', 'close'); // The rest of the body is not read.
  if (status === 429 || status === 503) response.setHeader('retry-after', '1');
  try {
    send(response, status, errorText(null, cause));
  } catch (unexpected) {
    log.error({ err: unexpected }, 'a request to the chain failed in an unforeseen way');
    response.destroy();
  }
}

/** Runs a request's calls, a few requests at a time and the rest in line; refuses when the line is long. */
type CallLimit = <T>(calls: number, work: () => Promise<T>) => Promise<T>;

function createCallLimit(): CallLimit {
  const line: (() => void)[] = [];
  let running = 0;
  let waitingCalls = 0;
  return async (calls, work) => {
    if (waitingCalls + calls > WAITING_CALLS_MAX) throw tooManyRequests();
    if (running >= ANVIL_SOCKETS_MAX) {
      waitingCalls += calls;
      await new Promise<void>((resolve) => line.push(resolve));
      waitingCalls -= calls;
    } else {
      running++;
    }
    try {
      return await work();
    } finally {
      const next = line.shift();
      if (next) next();
      else running--;
    }
  };
}

function tooManyRequests(): RpcProblem {
  const message = 'Too many calls wait for the chain.';
  return new RpcProblem(
    RPC_CODE.limit,
    'too_many_requests',
    message,
    429,
    'Try again in a second.',
  );
}

async function listenNear(server: Server, wanted: number): Promise<number> {
  for (let port = wanted; port < wanted + PORT_TRIES_MAX && port < 65_536; port++) {
    if (await tryListen(server, port)) return (server.address() as { port: number }).port;
  }
  throw portsBusy(wanted);
}

function tryListen(server: Server, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => {
      server.off('listening', onListening);
      const isTaken = error.code === 'EADDRINUSE' || error.code === 'EACCES';
      if (isTaken) resolve(false);
      else reject(error);
    };
    const onListening = () => {
      server.off('error', onError);
      resolve(true);
    };
    server.once('error', onError).once('listening', onListening).listen(port, HOST);
  });
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), CLOSE_MS_MAX);
  await closed;
  clearTimeout(timer);
}

/** Calls under way may end within this time when the chain stops. */
const CLOSE_MS_MAX = 500;
