/** A small HTTP client for calls between roles: kept-alive connections, limits, errors with our codes. */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { AssayError, decodeJson, type JobRefused } from '@assay/protocol';

/** Connections kept open per peer; more than lanes per channel never helps. */
const SOCKETS_MAX = 64;

/** Time a peer has for the first byte of an answer. */
const RESPONSE_TIMEOUT_MS = 30_000;

/** Largest JSON answer that a peer may send. */
export const ANSWER_BYTES_MAX = 8 * 1024 * 1024;

const agents = {
  'http:': new HttpAgent({ keepAlive: true, maxSockets: SOCKETS_MAX }),
  'https:': new HttpsAgent({ keepAlive: true, maxSockets: SOCKETS_MAX }),
};

export type PeerRequest = {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly url: string;
  /** Sent as JSON text. */
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
};

export const peerUnreachable = (url: string, cause: unknown): AssayError =>
  new AssayError({
    code: 'peer_unreachable',
    fault: 'peer',
    message: 'The peer did not answer.',
    value: new URL(url).origin,
    remedy: 'Check that it runs and that its endpoint is right.',
    cause,
  });

const jsonHeaders = (body: string): Record<string, string | number> => ({
  'content-type': 'application/json',
  'content-length': Buffer.byteLength(body),
});

/** Opens the answer of a peer; throws `peer_unreachable` when there is none. */
export function openAnswer(options: PeerRequest): Promise<IncomingMessage> {
  const url = new URL(options.url);
  const secure = url.protocol === 'https:';
  return new Promise((resolve, reject) => {
    const outgoing = (secure ? httpsRequest : httpRequest)(url, {
      method: options.method ?? 'GET',
      agent: secure ? agents['https:'] : agents['http:'],
      ...(options.signal ? { signal: options.signal } : {}),
      headers: {
        ...options.headers,
        ...(options.body === undefined ? {} : jsonHeaders(options.body)),
      },
    });
    outgoing.setTimeout(options.timeoutMs ?? RESPONSE_TIMEOUT_MS, () =>
      outgoing.destroy(new Error('timed out')),
    );
    outgoing.on('error', (cause) => reject(peerUnreachable(options.url, cause)));
    outgoing.on('response', resolve);
    outgoing.end(options.body);
  });
}

/** Body of an answer, at most `bytesMax`. */
export async function readBody(answer: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > bytesMax) {
      answer.destroy();
      throw new AssayError({
        code: 'answer_too_large',
        fault: 'peer',
        message: 'The peer sent more than allowed.',
        value: String(size),
        remedy: 'Use another peer.',
      });
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** JSON of an answer; a refusal of the peer becomes an `AssayError` with the peer's own code. */
export async function fetchJson(options: PeerRequest): Promise<unknown> {
  const answer = await openAnswer(options);
  const text = (await readBody(answer, ANSWER_BYTES_MAX)).toString('utf8');
  if (answer.statusCode === undefined || answer.statusCode >= 400)
    throw refusal(options.url, answer, parseError(text));
  return decodeJson(text);
}

/** The error that a peer's refusal stands for. */
export function refusal(
  url: string,
  answer: Pick<IncomingMessage, 'headers' | 'statusCode'>,
  error: PeerError | undefined,
): AssayError {
  const retryAfter = answer.headers['retry-after'];
  return new AssayError({
    code: error?.code ?? 'peer_refused',
    fault: 'peer',
    message: error?.message ?? `The peer refused with HTTP ${answer.statusCode}.`,
    value: error?.value ?? new URL(url).origin,
    remedy:
      error?.remedy ??
      (retryAfter ? `Try again after ${retryAfter} s.` : 'See the message of the peer.'),
  });
}

type PeerError = JobRefused['error'];

/** The error in the text of a refusal, if it has one in our shape. */
export function parseError(text: string): PeerError | undefined {
  try {
    return peerError((JSON.parse(text) as { error?: unknown }).error);
  } catch {
    return undefined;
  }
}

/** Undefined for what has not the shape of our errors. */
export function peerError(value: unknown): PeerError | undefined {
  const error = value as { code?: unknown; message?: unknown } | undefined;
  if (typeof error?.code !== 'string' || typeof error.message !== 'string') return undefined;
  return error as PeerError;
}
