/** Errors over HTTP between our own roles: `{error: {code, message, value?, remedy?}}` and a fitting status. */
import type { IncomingHttpHeaders } from 'node:http';
import { computeErrors } from '@assay/compute';
import { AssayError, decodeJson } from '@assay/protocol';
import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';

/** Status per code; everything else a peer did wrong is 400, and 500 is our own mistake. */
const STATUS: Readonly<Record<string, ContentfulStatusCode>> = {
  job_not_found: 404,
  receipt_not_found: 404,
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

/** Answers with the error; what is not an `AssayError` is our bug and shown without its insides. */
export function respondError(context: Context, error: unknown): Response {
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
  const declared = request.headers.get('content-length');
  const body = (request.body ?? []) as unknown as BodyParts;
  return readText(body, declared, bytesMax);
}

/** As {@link readRequestText}, straight from Node's socket: the hot paths skip the web stream in between. */
export const readIncomingText = (
  incoming: AsyncIterable<Uint8Array> & { readonly headers: IncomingHttpHeaders },
  bytesMax: number,
): Promise<string> => readText(incoming, incoming.headers['content-length'], bytesMax);

type BodyParts = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

async function readText(
  body: BodyParts,
  declared: string | null | undefined,
  bytesMax: number,
): Promise<string> {
  const declaredSize = Number(declared ?? '0');
  if (declaredSize > bytesMax) throw tooLarge(declaredSize, bytesMax);
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body) {
    size += part.length;
    if (size > bytesMax) throw tooLarge(size, bytesMax);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** Reads a body as protocol JSON; what is no JSON is `malformed_message`. */
export async function readRequestJson(request: Request, bytesMax: number): Promise<unknown> {
  const text = await readRequestText(request, bytesMax);
  try {
    return decodeJson(text);
  } catch {
    throw computeErrors.malformedMessage('body', text.slice(0, 40));
  }
}

const tooLarge = (size: number, bytesMax: number): AssayError =>
  new AssayError({
    code: 'request_too_large',
    fault: 'user',
    message: `The request is larger than ${bytesMax} bytes.`,
    value: String(size),
    remedy: 'Send less.',
  });
