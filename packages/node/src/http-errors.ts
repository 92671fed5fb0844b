/** Errors over HTTP between our own roles: `{error: {code, message, value?, remedy?}}` and a fitting status. */
import type { IncomingMessage } from 'node:http';
import { computeErrors } from '@assay/compute';
import { AssayError, decodeJson } from '@assay/protocol';
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';

/** Status per code; everything else a peer did wrong is 400, and 500 is our own mistake. */
const STATUS: Readonly<Record<string, ContentfulStatusCode>> = {
  job_not_found: 404,
  receipt_not_found: 404,
  audit_not_found: 404,
  audit_open: 409,
  model_not_found: 404,
  not_found: 404,
  channel_empty: 402,
  lane_busy: 409,
  lane_unpaid: 402,
  job_repeated: 409,
  voucher_stale: 409,
  queue_full: 429,
  request_too_large: 413,
  provider_failed: 502,
  peer_unreachable: 502,
  no_provider: 503,
  chain_unreachable: 503,
};

export const httpStatus = (error: AssayError): ContentfulStatusCode =>
  STATUS[error.code] ?? (error.fault === 'platform' ? 503 : 400);

/** Seconds after which a full queue is worth another try. */
export const RETRY_AFTER_SECONDS = 1;

/**
 * Lets the rest of a request pass by. A refusal may come before its body was read; a socket that is closed with bytes
 * unread resets the connection, and the client sees that instead of the refusal.
 */
export const discardBody = ({ env }: Context): void =>
  void (env as Partial<HttpBindings> | undefined)?.incoming?.resume();

/** Answers with the error; what is not an `AssayError` is our bug and shown without its insides. */
export function respondError(context: Context, error: unknown): Response {
  discardBody(context);
  if (!(error instanceof AssayError)) {
    return context.json(
      { error: { code: 'internal_error', message: 'We made a mistake; it is in the log.' } },
      500,
    );
  }
  if (error.code === 'queue_full') context.header('retry-after', String(RETRY_AFTER_SECONDS));
  return context.json({ error: error.toJSON() }, httpStatus(error));
}

/** Reads a request body of at most `bytesMax`; more is refused before it is held in memory. */
export async function readRequestText(request: Request, bytesMax: number): Promise<string> {
  const declaredSize = Number(request.headers.get('content-length') ?? '0');
  if (declaredSize > bytesMax) throw tooLarge(declaredSize, bytesMax);
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of (request.body ?? []) as unknown as AsyncIterable<Uint8Array>) {
    size += part.length;
    if (size > bytesMax) throw tooLarge(size, bytesMax);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** How a body of JSON is read. */
export type JsonBody = {
  readonly bytesMax: number;
  /** Default: protocol JSON, in which amounts become `bigint`. */
  readonly parse?: (text: string) => unknown;
  /** The error for what is no JSON, made of its beginning; default `malformed_message`. */
  readonly refuse?: (start: string) => AssayError;
};

/** Reads a body as JSON. */
export async function readRequestJson(request: Request, rules: JsonBody): Promise<unknown> {
  return parseBody(await readRequestText(request, rules.bytesMax), rules);
}

/** As {@link readRequestJson}, straight from Node's socket: the hot paths skip the web stream in between. */
export async function readIncomingJson(
  incoming: IncomingMessage,
  rules: JsonBody,
): Promise<unknown> {
  return parseBody(await readIncomingText(incoming, rules.bytesMax), rules);
}

/** By events: an iterator over a socket costs more than the rest of reading a small body. */
function readIncomingText(incoming: IncomingMessage, bytesMax: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const declaredSize = Number(incoming.headers['content-length'] ?? '0');
    if (declaredSize > bytesMax) return reject(tooLarge(declaredSize, bytesMax));
    const parts: Buffer[] = [];
    let size = 0;
    incoming.on('data', (part: Buffer) => {
      size += part.length;
      if (size <= bytesMax) parts.push(part);
      else reject(tooLarge(size, bytesMax));
    });
    incoming.once('end', () => resolve(Buffer.concat(parts).toString('utf8')));
    incoming.once('error', reject);
    incoming.once('close', () => reject(new Error('the client left before its body was whole')));
  });
}

const malformedBody = (start: string): AssayError => computeErrors.malformedMessage('body', start);

function parseBody(
  text: string,
  { parse = decodeJson, refuse = malformedBody }: JsonBody,
): unknown {
  try {
    return parse(text);
  } catch {
    throw refuse(text.slice(0, SHOWN_LENGTH));
  }
}

/** Characters of a body that an error repeats. */
const SHOWN_LENGTH = 40;

const tooLarge = (size: number, bytesMax: number): AssayError =>
  new AssayError({
    code: 'request_too_large',
    fault: 'user',
    message: `The request is larger than ${bytesMax} bytes.`,
    value: String(size),
    remedy: 'Send less.',
  });
