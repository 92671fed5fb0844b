/**
 * Trees of the trace: the network's shape (merkle.ts) over node hashes, with proofs for runs of neighbouring nodes, so
 * that a thousand activations travel without siblings between them. The hash is handed in.
 */
import { type HashFunction, sealRoot } from '../merkle.js';

const NODE_PREFIX = 1;
const HASH_SIZE = 32;

/** One level up: an odd last node moves up alone. */
export function parentNodes(level: readonly Uint8Array[], hash: HashFunction): Uint8Array[] {
  const above: Uint8Array[] = [];
  const pair = new Uint8Array(1 + 2 * HASH_SIZE);
  pair[0] = NODE_PREFIX;
  for (let i = 0; i < level.length; i += 2) {
    const right = level[i + 1];
    if (right === undefined) {
      above.push(level[i]!);
      continue;
    }
    pair.set(level[i]!, 1);
    pair.set(right, 1 + HASH_SIZE);
    above.push(hash(pair));
  }
  return above;
}

/** Root over node hashes. */
export function nodeRoot(nodes: readonly Uint8Array[], hash: HashFunction): Uint8Array {
  return sealRoot(nodes.length, nodeTop(nodes, hash), hash);
}

/** What {@link nodeRoot} seals: the hash above all nodes. */
export function nodeTop(nodes: readonly Uint8Array[], hash: HashFunction): Uint8Array {
  let level = nodes;
  while (level.length > 1) level = parentNodes(level, hash);
  return level[0] ?? new Uint8Array(32);
}

/** Neighbouring nodes of a tree: `count` of them from `first`. */
export type Run = { readonly first: number; readonly count: number };

/** Siblings of a run, lowest level first, the left one of a level before the right one. */
export function provePath(
  nodes: readonly Uint8Array[],
  { first, count }: Run,
  hash: HashFunction,
): Uint8Array[] {
  const path: Uint8Array[] = [];
  let level = nodes;
  let low = first;
  let high = first + count;
  while (level.length > 1) {
    if (low % 2 === 1) path.push(level[--low]!);
    if (high % 2 === 1 && high < level.length) path.push(level[high++]!);
    level = parentNodes(level, hash);
    low /= 2;
    high = Math.ceil(high / 2);
  }
  return path;
}

/**
 * The hash above all nodes of a tree of `width` nodes, from a run of them and a path that may go on beyond this tree;
 * `used` says how much of it belongs here. Undefined if they do not fit.
 */
export function foldRun(
  run: { readonly nodes: readonly Uint8Array[]; readonly first: number },
  tree: { readonly width: number; readonly path: readonly Uint8Array[] },
  hash: HashFunction,
): { readonly top: Uint8Array; readonly used: number } | undefined {
  let level = [...run.nodes];
  let low = run.first;
  let width = tree.width;
  let used = 0;
  if (level.length === 0 || low + level.length > width) return undefined;
  while (width > 1) {
    const high = low + level.length;
    if (low % 2 === 1) {
      level.unshift(tree.path[used++]!);
      low--;
    }
    if (high % 2 === 1 && high < width) level.push(tree.path[used++]!);
    if (used > tree.path.length) return undefined;
    level = parentNodes(level, hash);
    low /= 2;
    width = Math.ceil(width / 2);
  }
  return { top: level[0]!, used };
}

/** The root that a single node and exactly its path lead to; undefined if they do not fit. */
export function rootOfNode(
  node: { readonly hash: Uint8Array; readonly index: number },
  tree: { readonly width: number; readonly path: readonly Uint8Array[] },
  hash: HashFunction,
): Uint8Array | undefined {
  const fold = foldRun({ nodes: [node.hash], first: node.index }, tree, hash);
  if (fold === undefined || fold.used !== tree.path.length) return undefined;
  return sealRoot(tree.width, fold.top, hash);
}

/** Leaves as nodes; each is copied behind its prefix in the same scratch memory. */
export function leafNodes(leaves: readonly Uint8Array[], hash: HashFunction): Uint8Array[] {
  const size = leaves.reduce((most, leaf) => Math.max(most, leaf.length), 0);
  const scratch = new Uint8Array(1 + size);
  return leaves.map((leaf) => {
    scratch.set(leaf, 1);
    return hash(scratch.subarray(0, 1 + leaf.length));
  });
}

const SALTED_PREFIX = 3;
const SALT_PREFIX = 4;

/** Salt of position `t`: keeps the rows of other positions hidden when one is shown. */
export function positionSalt(traceKey: Uint8Array, t: number, hash: HashFunction): Uint8Array {
  const bytes = new Uint8Array(1 + 32 + 4);
  bytes[0] = SALT_PREFIX;
  bytes.set(traceKey, 1);
  new DataView(bytes.buffer).setUint32(33, t);
  return hash(bytes);
}

/** A position as node of the trace: its salt and the root over its rows. */
export function positionNode(
  { salt, root }: { readonly salt: Uint8Array; readonly root: Uint8Array },
  hash: HashFunction,
): Uint8Array {
  const bytes = new Uint8Array(1 + 32 + 32);
  bytes[0] = SALTED_PREFIX;
  bytes.set(salt, 1);
  bytes.set(root, 33);
  return hash(bytes);
}
