/**
 * Model files in this browser: fetched once, kept by the Cache API under their model id. What comes
 * out of it is never trusted: the caller re-computes the id from the bytes.
 */
import { AssayError } from '@assay/protocol';
import { keyHeader } from '../api-key.js';

const CACHE_NAME = 'assay-models-1';

/** Largest model file that a page may hold in memory; a tab has about 4 GB. */
const MODEL_BYTES_MAX = 1_500_000_000;

export type FetchedModel = {
  readonly bytes: Uint8Array;
  readonly fromCache: boolean;
};

/**
 * Reads the file from this browser or from the gateway; `onProgress` gets the share that has
 * arrived.
 */
export async function fetchModelFile({
  url,
  apiKey,
  onProgress,
}: {
  readonly url: string;
  readonly apiKey: string | null;
  readonly onProgress: (share: number) => void;
}): Promise<FetchedModel> {
  const cache = await openCache();
  const kept = await cache?.match(url);
  if (kept !== undefined)
    return { bytes: new Uint8Array(await kept.arrayBuffer()), fromCache: true };
  const response = await fetch(url, { headers: keyHeader(apiKey) });
  if (!response.ok) throw notServed(response.status);
  const bytes = await readAll(response, onProgress);
  await keep(cache, url, bytes);
  return { bytes, fromCache: false };
}

/** Drops a file that turned out to be another model. */
export async function forgetModelFile(url: string): Promise<void> {
  await (await openCache())?.delete(url);
}

/**
 * The Cache API exists on secure origins and loopback only; without it every check fetches again.
 */
const openCache = (): Promise<Cache | undefined> =>
  'caches' in globalThis
    ? caches.open(CACHE_NAME).catch(() => undefined)
    : Promise.resolve(undefined);

/** A full disk costs the next check a download, nothing else. */
const keep = (
  cache: Cache | undefined,
  url: string,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<void> =>
  cache?.put(url, new Response(bytes)).catch(() => undefined) ?? Promise.resolve();

async function readAll(
  response: Response,
  onProgress: (share: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const expected = Number(response.headers.get('content-length') ?? 0);
  const parts: Uint8Array[] = [];
  let size = 0;
  const reader = response.body?.getReader();
  for (;;) {
    const piece = await reader?.read();
    if (piece === undefined || piece.done) break;
    parts.push(piece.value);
    size += piece.value.length;
    if (size > MODEL_BYTES_MAX) throw tooLarge(size);
    if (expected > 0) onProgress(Math.min(size / expected, 0.999));
  }
  return joined(parts, size);
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

const notServed = (status: number): AssayError =>
  new AssayError({
    code: 'model_file_unavailable',
    message: 'The gateway does not hand out this model file.',
    fault: 'platform',
    value: String(status),
    remedy: 'Ask the verifier instead, or try again when a provider of this model is online.',
  });

const tooLarge = (size: number): AssayError =>
  new AssayError({
    code: 'model_file_too_large',
    message: 'This model is too large to be checked in a page.',
    fault: 'platform',
    value: String(size),
    remedy: 'Ask the verifier instead, or run `assay receipt verify`.',
  });
