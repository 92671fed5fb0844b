/** Commitments to token ids. Only ids bind; text is for people. */
import { keccak } from './hash.js';
import { bigEndian, concat, fromHex, type Hex, toHex } from './hex.js';
import { merkleRoot } from './merkle.js';

/**
 * Tokens per leaf: a proof about one token reveals at most its fifteen neighbours, and an honest run hashes a
 * sixteenth of what single leaves would cost (measured: 1.8 ms against 0.2 ms for 150 tokens).
 */
export const TOKENS_PER_LEAF = 16;

/** Leaf `index`: salt_index ‖ uint32 index ‖ uint32 id …, where salt_index = H(salt ‖ uint32 index). */
export function tokenLeaf(salt: Hex, index: number, ids: readonly number[]): Uint8Array {
  const position = bigEndian(index, 4);
  const leafSalt = keccak(concat([fromHex(salt), position]));
  return concat([leafSalt, position, encodeIds(ids)]);
}

/** Ids as big-endian uint32. */
function encodeIds(ids: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * ids.length);
  const view = new DataView(bytes.buffer);
  ids.forEach((id, index) => {
    view.setUint32(4 * index, id);
  });
  return bytes;
}

/**
 * Merkle root over salted leaves. Prompts have little entropy, so without the salt a root could be brute-forced; one
 * salt per leaf keeps the others hidden when one is shown.
 */
export function commitTokens(salt: Hex, ids: readonly number[]): Hex {
  const leaves: Uint8Array[] = [];
  for (let start = 0; start < ids.length; start += TOKENS_PER_LEAF) {
    leaves.push(tokenLeaf(salt, leaves.length, ids.slice(start, start + TOKENS_PER_LEAF)));
  }
  return toHex(merkleRoot(leaves));
}

/** Head of an empty stream of job `id`. */
export const firstStreamHead = (id: Hex): Hex => toHex(keccak(fromHex(id)));

/**
 * h_i = H(h_{i-1} ‖ uint32 count ‖ uint32 id … ‖ detail): `count` is the number of tokens including these, `detail`
 * what the job asked for about them (log probabilities), or an embedding; usually nothing.
 */
export const nextStreamHead = (
  previous: Hex,
  count: number,
  ids: readonly number[],
  detail: Uint8Array = NO_BYTES,
): Hex => toHex(keccak(concat([fromHex(previous), bigEndian(count, 4), encodeIds(ids), detail])));

const NO_BYTES = new Uint8Array(0);

const TRACE_KEY_LABEL = new TextEncoder().encode('assay trace');

/** Key that salts the leaves of a job's trace: shown in a dispute in place of the salt, which opens the prompt. */
export const traceKey = (salt: Hex): Hex => toHex(keccak(concat([fromHex(salt), TRACE_KEY_LABEL])));

/** What a job commits to of its {@link traceKey}. */
export const traceKeyHash = (salt: Hex): Hex => toHex(keccak(fromHex(traceKey(salt))));
