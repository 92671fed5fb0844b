/**
 * The trace of a provider that answers on chain only, as far as it has been shown: one's own trace with what was shown
 * in its place. Everything before the first difference is equal by construction, and the siblings of a walk are what
 * the provider showed on the way, so that proofs open under the provider's root. What is neither equal nor shown is
 * asked for by throwing {@link LeafWanted}.
 */
import {
  type HashFunction,
  hashLeafData,
  hashPair,
  positionNode,
  type Run,
  sealRoot,
  type Trace,
} from '@assay/engine';
import { fromHex, type Hex } from '@assay/protocol';
import { type Seal, sameBytes, type TraceSource, type TreeName } from '../dispute/source.js';
import type { Dispute } from './claim.js';
import { belowOf, type Place } from './descent.js';

/** Nodes that a provider showed, and the state of the dispute after that. */
export type ShownNodes = {
  readonly dispute: Pick<Dispute, 'place'>;
  readonly children: readonly Hex[];
  readonly salt?: Hex;
};

export type ShownBytes = { readonly dispute: Pick<Dispute, 'place'>; readonly data: Hex };

export type ForcedTrace = {
  readonly own: Trace;
  readonly root: Hex;
  readonly shown: readonly ShownNodes[];
  readonly leaves: readonly ShownBytes[];
  readonly hash: HashFunction;
};

/** A leaf that only the provider knows, and that a proof needs: the challenger walks to it next. */
export class LeafWanted extends Error {
  readonly leaf: { readonly t: number; readonly node: number; readonly index: number };

  constructor(leaf: LeafWanted['leaf']) {
    super(`leaf ${leaf.index} of row ${leaf.node} at position ${leaf.t} has not been shown`);
    this.leaf = leaf;
  }
}

export function forcedSource(forced: ForcedTrace): TraceSource {
  const { own, hash } = forced;
  const trees = new Map<string, PartialTree>();
  const tree = (name: TreeName): PartialTree => {
    const key = JSON.stringify(name);
    const known = trees.get(key) ?? buildTree(forced, name);
    trees.set(key, known);
    return known;
  };
  const rowsAt = (t: number) => tree({ tree: 'rows', t }).nodes();
  return {
    root: async () => fromHex(forced.root),
    positions: async () => own.positions.map((position, t) => positionOf(forced, position, t)),
    rows: async (t) => rowsAt(t),
    leaves: async (t, node) => {
      const hashes = tree({ tree: 'leaves', t, node }).nodes();
      const ours = node < own.rows(t).length ? own.leaves(t, node) : [];
      const list = new Array<Uint8Array>(hashes.length);
      hashes.forEach((expected, index) => {
        const get = (): Uint8Array => {
          const shown = shownLeaf(forced, { t, node, index }) ?? ours[index];
          if (shown !== undefined && sameBytes(hashLeafData(shown, hash), expected)) return shown;
          throw new LeafWanted({ t, node, index });
        };
        // Whoever reads a leaf that was not shown says so, and no sooner: most proofs read few.
        Object.defineProperty(list, index, { get, enumerable: true, configurable: true });
      });
      return list;
    },
    siblings: async (name, run) => tree(name).siblings(run),
    seal: async (name) => tree(name).seal(),
  };
}

/** The position as the provider showed it, if it did. */
function positionOf(
  { shown, hash }: ForcedTrace,
  own: Trace['positions'][number],
  t: number,
): Trace['positions'][number] {
  const entered = shown.find(
    ({ dispute: { place }, salt }) =>
      place.tree === 1 && place.position === t && salt !== undefined && !isZero(salt),
  );
  if (entered === undefined) return own;
  const { place } = entered.dispute;
  const root = sealRoot(Number(place.count), fromHex(place.node), hash);
  return { salt: fromHex(entered.salt!), root };
}

const isZero = (word: Hex): boolean => /^0x0+$/.test(word);

function shownLeaf(
  { leaves }: ForcedTrace,
  wanted: { readonly t: number; readonly node: number; readonly index: number },
): Uint8Array | undefined {
  const found = leaves.find(
    ({ dispute: { place } }) =>
      place.position === wanted.t &&
      place.row === wanted.node &&
      Number(place.index) === wanted.index,
  );
  return found && fromHex(found.data);
}

/** One's own tree with the provider's nodes in place of one's own wherever they were shown. */
function buildTree(forced: ForcedTrace, name: TreeName): PartialTree {
  const { own, hash, shown } = forced;
  const walks = shown.filter(({ dispute: { place } }) => isOf(place, name));
  const count = walks[0] === undefined ? undefined : Number(walks[0].dispute.place.count);
  const tree = new PartialTree(ownNodes(own, name, hash), count, hash);
  for (const { dispute, children } of walks) tree.put(dispute.place, children.map(fromHex));
  return tree;
}

function isOf(place: Place, name: TreeName): boolean {
  if (name.tree === 'positions') return place.tree === 0;
  if (place.position !== name.t) return false;
  return name.tree === 'rows' ? place.tree === 1 : place.tree === 2 && place.row === name.node;
}

function ownNodes(own: Trace, name: TreeName, hash: HashFunction): readonly Uint8Array[] {
  if (name.tree === 'positions') return own.positions.map((one) => positionNode(one, hash));
  const rows = own.rows(name.t);
  if (name.tree === 'rows') return rows;
  return name.node < rows.length
    ? own.leaves(name.t, name.node).map((leaf) => hashLeafData(leaf, hash))
    : [];
}

/** Levels of a tree, leaves first; nodes beyond the leaves that one has oneself may be unknown. */
class PartialTree {
  readonly #count: number;
  readonly #levels: (Uint8Array | undefined)[][];
  readonly #hash: HashFunction;

  constructor(nodes: readonly Uint8Array[], count: number | undefined, hash: HashFunction) {
    this.#hash = hash;
    this.#count = count ?? nodes.length;
    this.#levels = [Array.from({ length: this.#count }, (_, i) => nodes[i])];
    for (let width = this.#count; width > 1; width = Math.ceil(width / 2)) this.#raise();
  }

  #raise(): void {
    const below = this.#levels.at(-1)!;
    const above = Array.from({ length: Math.ceil(below.length / 2) }, (_, i) =>
      this.#parent(below, i),
    );
    this.#levels.push(above);
  }

  #parent(below: readonly (Uint8Array | undefined)[], i: number): Uint8Array | undefined {
    const [left, right] = [below[2 * i], below[2 * i + 1]];
    if (2 * i + 1 >= below.length || left === undefined) return left;
    return right && hashPair(left, right, this.#hash);
  }

  /** The nodes shown below `place`, and what follows from them up to it. */
  put(place: Place, children: readonly Uint8Array[]): void {
    let { level, first } = belowOf(place);
    let count = children.length;
    children.forEach((node, i) => {
      this.#levels[level]![first + i] = node;
    });
    for (; level < place.level; level++) {
      first = Math.floor(first / 2);
      count = Math.ceil(count / 2);
      for (let i = first; i < first + count; i++)
        this.#levels[level + 1]![i] = this.#parent(this.#levels[level]!, i);
    }
  }

  nodes(): Uint8Array[] {
    return this.#levels[0]!.map((node) => node ?? new Uint8Array(32));
  }

  /** As `provePath` of a whole tree. */
  siblings({ first, count }: Run): Uint8Array[] {
    const path: Uint8Array[] = [];
    let low = first;
    let high = first + count;
    for (const level of this.#levels.slice(0, -1)) {
      if (low % 2 === 1) path.push(level[--low]!);
      if (high % 2 === 1 && high < level.length) path.push(level[high++]!);
      low /= 2;
      high = Math.ceil(high / 2);
    }
    return path;
  }

  seal(): Seal {
    return { count: this.#count, top: this.#levels.at(-1)![0]! };
  }
}
