/**
 * The walk down the three trees of a trace, sixteen ways at a time: what a provider shows at a place, and which child a
 * challenger picks. The contract (contracts/dispute/Descent.sol) follows the same places; it is told nothing here.
 */
import {
  type HashFunction,
  hashLeafData,
  nodeTop,
  parentNodes,
  positionNode,
  sealRoot,
} from '@assay/engine';
import { fromHex, type Hex, toHex } from '@assay/protocol';
import { sameBytes, type TraceSource } from '../dispute/source.js';

/** Where a walk stands; as the contract stores it. */
export type Place = {
  readonly node: Hex;
  readonly count: bigint;
  readonly index: bigint;
  readonly position: number;
  readonly row: number;
  /** 0 positions, 1 rows, 2 leaves. */
  readonly tree: number;
  /** Levels above the leaves; {@link SEALED} for a root whose seal is not opened. */
  readonly level: number;
};

/** What a provider shows of the node at a place. */
export type Reveal = {
  readonly count: bigint;
  readonly salt: Hex;
  readonly inner: Hex;
  readonly children: readonly Hex[];
};

export const SEALED = 255;
/** Sixteen children: fewer moves than pairs, and cheaper than thirty-two (docs/reference/court.md). */
const STEP_LEVELS = 4;
const ZERO: Hex = `0x${'00'.repeat(32)}`;

/** The walk at the top of a trace. */
export const beginPlace = (root: Hex): Place => ({
  node: root,
  count: 0n,
  index: 0n,
  position: 0,
  row: 0,
  tree: 0,
  level: SEALED,
});

/** What an honest provider shows at `place` of its own trace. */
export async function revealAt(
  source: TraceSource,
  place: Place,
  hash: HashFunction,
): Promise<Reveal> {
  const nodes = await nodesOfTree(source, place, hash);
  const sealed = place.level === SEALED;
  const height = sealed ? heightOf(nodes.length) : place.level;
  const { level, first } = belowOf({ level: height, index: place.index });
  const children = nodesAt(nodes, level, hash).slice(first, first + 2 ** (height - level));
  const shown = { children: children.map(toHex), count: 0n, salt: ZERO, inner: ZERO };
  if (!sealed) return shown;
  const count = BigInt(nodes.length);
  if (place.tree !== 1) return { ...shown, count };
  const position = (await source.positions())[place.position]!;
  return { ...shown, count, salt: toHex(position.salt), inner: toHex(position.root) };
}

/** The child under which a provider's answer first differs from one's own trace; undefined if none does. */
export async function firstDifference(
  source: TraceSource,
  place: Place,
  shown: { readonly children: readonly Hex[]; readonly hash: HashFunction },
): Promise<number | undefined> {
  const nodes = await nodesOfTree(source, place, shown.hash);
  const { level, first } = belowOf(place);
  const own = nodesAt(nodes, level, shown.hash);
  const child = shown.children.findIndex((node, i) => {
    const mine = own[first + i];
    return mine === undefined || !sameBytes(fromHex(node), mine);
  });
  return child < 0 ? undefined : child;
}

/** The place after the seal of `place` is opened, if it has one. */
export function openPlace(place: Place, shown: Reveal, hash: HashFunction): Place {
  if (place.level !== SEALED) return place;
  const height = heightOf(Number(shown.count));
  const top = nodeTop(shown.children.map(fromHex), hash);
  return { ...place, node: toHex(top), count: shown.count, level: height, index: 0n };
}

/** The place after a child is chosen, and whether it is a leaf of the last tree. */
export function choosePlace(
  place: Place,
  children: readonly Hex[],
  child: number,
): { readonly place: Place; readonly isLeaf: boolean } {
  const { level, first } = belowOf(place);
  const index = BigInt(first + child);
  const next = { ...place, node: children[child]!, level, index };
  if (level !== 0) return { place: next, isLeaf: false };
  if (place.tree === 2) return { place: next, isLeaf: true };
  const chosen = place.tree === 0 ? { position: Number(index) } : { row: Number(index) };
  return {
    place: { ...next, ...chosen, tree: place.tree + 1, level: SEALED, count: 0n, index: 0n },
    isLeaf: false,
  };
}

/** Nodes above which the present tree stands. */
async function nodesOfTree(
  source: TraceSource,
  { tree, position, row }: Place,
  hash: HashFunction,
): Promise<readonly Uint8Array[]> {
  if (tree === 0) return (await source.positions()).map((one) => positionNode(one, hash));
  if (tree === 1) return source.rows(position);
  return (await source.leaves(position, row)).map((leaf) => hashLeafData(leaf, hash));
}

/** Level and first index of what is shown below a node. */
export function belowOf(at: { readonly level: number; readonly index: bigint }) {
  const steps = Math.min(at.level, STEP_LEVELS);
  return { level: at.level - steps, first: Number(at.index) * 2 ** steps };
}

/** All nodes of a level. */
function nodesAt(
  leaves: readonly Uint8Array[],
  level: number,
  hash: HashFunction,
): readonly Uint8Array[] {
  let nodes = leaves;
  for (let height = 0; height < level; height++) nodes = parentNodes(nodes, hash);
  return nodes;
}

/** Levels above the leaves: ceil(log2(count)). */
function heightOf(count: number): number {
  let height = 0;
  for (let width = count; width > 1; width = Math.ceil(width / 2)) height++;
  return height;
}

/** The sealed root of what was shown; the court compares it with the committed one. */
export const sealedRoot = (shown: Reveal, hash: HashFunction): Hex =>
  toHex(sealRoot(Number(shown.count), nodeTop(shown.children.map(fromHex), hash), hash));
