/**
 * Merkle trees with domain separation and a committed leaf count.
 *
 *     leaf  = H(0x00 ‖ data)
 *     node  = H(0x01 ‖ left ‖ right)          an odd last node moves up unchanged, it is never doubled
 *     root  = H(0x02 ‖ uint64 leafCount ‖ top)
 *
 * The prefixes stop a node from being passed off as a leaf; the count stops padded or shortened trees from sharing
 * a root (CVE-2012-2459). `contracts/` holds the same rules.
 */
import { keccak } from './hash.js';
import { bigEndian, concat, fromHex, type Hex, toHex } from './hex.js';

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);
const ROOT = Uint8Array.of(2);
const EMPTY_TOP = new Uint8Array(32);

export const hashLeaf = (data: Uint8Array): Uint8Array => keccak(concat([LEAF, data]));
export const hashNode = (left: Uint8Array, right: Uint8Array): Uint8Array =>
  keccak(concat([NODE, left, right]));
const sealRoot = (count: number, top: Uint8Array): Uint8Array =>
  keccak(concat([ROOT, bigEndian(count, 8), top]));

/** Hashes one level up: `n` nodes become `ceil(n / 2)`. */
function parentLevel(level: readonly Uint8Array[]): Uint8Array[] {
  const parents: Uint8Array[] = [];
  for (let index = 0; index < level.length; index += 2) {
    const left = level[index]!;
    const right = level[index + 1];
    parents.push(right === undefined ? left : hashNode(left, right));
  }
  return parents;
}

/** Root over leaf data (not yet hashed). The empty tree has a root too. */
export function merkleRoot(leaves: readonly Uint8Array[]): Uint8Array {
  let level = leaves.map(hashLeaf);
  while (level.length > 1) level = parentLevel(level);
  return sealRoot(leaves.length, level[0] ?? EMPTY_TOP);
}

/** Siblings from leaf `index` up to the top, lowest first; levels where the node moves up alone give none. */
export function merkleProof(leaves: readonly Uint8Array[], index: number): Uint8Array[] {
  const proof: Uint8Array[] = [];
  let level = leaves.map(hashLeaf);
  let position = index;
  while (level.length > 1) {
    const sibling = level[position ^ 1];
    if (sibling !== undefined) proof.push(sibling);
    level = parentLevel(level);
    position >>= 1;
  }
  return proof;
}

/** Recomputes the root that `data` at `index` of `count` leaves and `proof` lead to; undefined if malformed. */
export function rootFromProof(options: {
  readonly data: Uint8Array;
  readonly index: number;
  readonly count: number;
  readonly proof: readonly Uint8Array[];
}): Uint8Array | undefined {
  const { data, count, proof } = options;
  if (options.index < 0 || options.index >= count) return undefined;
  let node = hashLeaf(data);
  let position = options.index;
  let used = 0;
  for (let width = count; width > 1; width = Math.ceil(width / 2), position >>= 1) {
    if ((position ^ 1) >= width) continue;
    const sibling = proof[used++];
    if (sibling === undefined) return undefined;
    node = position & 1 ? hashNode(sibling, node) : hashNode(node, sibling);
  }
  return used === proof.length ? sealRoot(count, node) : undefined;
}

/**
 * The right edge of a tree that only grows: `peaks[k]` is the top of a full subtree of 2^k leaves, or null.
 * Plain data, so that it can be stored; {@link frontierRoot} gives the same bytes as {@link merkleRoot}.
 */
export type Frontier = { readonly count: number; readonly peaks: readonly (Hex | null)[] };

export const EMPTY_FRONTIER: Frontier = { count: 0, peaks: [] };

/** The frontier with one more leaf; O(log n). */
export function extendFrontier(frontier: Frontier, data: Uint8Array): Frontier {
  const peaks = [...frontier.peaks];
  let node = hashLeaf(data);
  let height = 0;
  for (let peak = peaks[height]; peak != null; peak = peaks[height]) {
    node = hashNode(fromHex(peak), node);
    peaks[height++] = null;
  }
  peaks[height] = toHex(node);
  return { count: frontier.count + 1, peaks };
}

/** Roots by frontier: who signs or checks a voucher asks for the same one several times. */
const roots = new WeakMap<Frontier, Hex>();

/** Root of all leaves so far. */
export function frontierRoot(frontier: Frontier): Hex {
  const known = roots.get(frontier);
  if (known !== undefined) return known;
  let top: Uint8Array | undefined;
  for (const peak of frontier.peaks) {
    if (peak !== null) top = top === undefined ? fromHex(peak) : hashNode(fromHex(peak), top);
  }
  const root = toHex(sealRoot(frontier.count, top ?? EMPTY_TOP));
  roots.set(frontier, root);
  return root;
}
