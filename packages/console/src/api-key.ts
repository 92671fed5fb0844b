/**
 * The key that a gateway may want from its clients. Kept by this tab until it is closed
 * (`sessionStorage`), sent as a header to the address that this page came from, and nowhere else:
 * never in an address, a log, a message of an error, or the long-lived storage.
 */

const KEY = 'assay.api-key';

/** The gateway's code for a key that is missing or wrong. */
export const KEY_REFUSED = 'invalid_api_key';

const listeners = new Set<() => void>();

/** For as long as storage is refused (private windows), the key lives as long as the page. */
let unstored: string | null = null;

export function readApiKey(): string | null {
  try {
    return sessionStorage.getItem(KEY) ?? unstored;
  } catch {
    return unstored;
  }
}

/** Keeps a key, or forgets it with `null`, and tells those who asked to know. */
export function writeApiKey(key: string | null): void {
  unstored = key;
  try {
    if (key === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, key);
  } catch {
    // It stays in `unstored`.
  }
  for (const tell of listeners) tell();
}

/** Calls `tell` after each change, until the returned function is called. */
export function watchApiKey(tell: () => void): () => void {
  listeners.add(tell);
  return () => listeners.delete(tell);
}

/** The header that carries a key, if there is one. */
export const keyHeader = (key: string | null): Readonly<Record<string, string>> =>
  key === null ? {} : { authorization: `Bearer ${key}` };

/**
 * A key as typed or pasted: without the spaces around it. Undefined if no header can carry it
 * (RFC 9110, section 5.5: visible ASCII).
 */
export function parseApiKey(text: string): string | undefined {
  const key = text.trim();
  return /^[\x21-\x7e]{1,512}$/.test(key) ? key : undefined;
}
