/** Commitments to token ids. Only ids bind; text is for people. */
import { keccak } from './hash.js';
import { bigEndian, concat, fromHex, type Hex, toHex } from './hex.js';
import { merkleRoot } from './merkle.js';

/** Leaf of token `id` at `index`: salt_index ‖ uint32 index ‖ uint32 id, where salt_index = H(salt ‖ uint32 index). */
export function tokenLeaf(salt: Hex, index: number, id: number): Uint8Array {
  const position = bigEndian(index, 4);
  return concat([keccak(concat([fromHex(salt), position])), position, bigEndian(id, 4)]);
}

/**
 * Merkle root over salted token leaves. Prompts have little entropy, so without the salt a root could be brute-forced;
 * with one salt per index a proof about one token reveals no other.
 */
export const commitTokens = (salt: Hex, ids: readonly number[]): Hex =>
  toHex(merkleRoot(ids.map((id, index) => tokenLeaf(salt, index, id))));

/** Head of an empty stream of job `id`. */
export const firstStreamHead = (id: Hex): Hex => toHex(keccak(fromHex(id)));

/** h_i = H(h_{i-1} ‖ uint32 count ‖ uint32 id, …): `count` is the number of tokens including these. */
export const nextStreamHead = (previous: Hex, count: number, ids: readonly number[]): Hex =>
  toHex(keccak(concat([fromHex(previous), bigEndian(count, 4), ...ids.map((id) => bigEndian(id, 4))])));
