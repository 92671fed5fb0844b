/**
 * Random bytes for salts, nonces and seeds, taken from the operating system's generator some kilobytes at a time:
 * asking it costs as much as a signature. Keys are not made of these.
 */
import { randomFillSync } from 'node:crypto';

const POOL_BYTES = 4_096;

const pool = Buffer.allocUnsafe(POOL_BYTES);
let used = POOL_BYTES;

/** 32 bytes that were given to nobody else; the pool forgets them. */
export function randomBytes32(): Uint8Array {
  if (used === POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  const bytes = Uint8Array.from(pool.subarray(used, used + 32));
  pool.fill(0, used, used + 32);
  used += 32;
  return bytes;
}
