/** Openings of keccak trees as proofs hold them: graph and weights of a model, tokens of a job. */
import {
  type EngineModel,
  graphLeaves,
  type HashFunction,
  hashLeafData,
  leafNodes,
  nodeRoot,
  provePath,
  tensorRows,
} from '@assay/engine';
import { type Hex, keccak, TOKENS_PER_LEAF, toHex, tokenLeaf } from '@assay/protocol';
import type { Opening } from './trace-proof.js';

/** A tree over leaves that are at hand. */
export type LeafTree = {
  readonly leaves: readonly Uint8Array[];
  readonly nodes: readonly Uint8Array[];
};

export const leafTree = (leaves: readonly Uint8Array[], hash: HashFunction = keccak): LeafTree => ({
  leaves,
  nodes: leafNodes(leaves, hash),
});

/** Leaf `index` with its path. */
export const openLeaf = (tree: LeafTree, index: number, hash: HashFunction = keccak): Opening => ({
  data: toHex(tree.leaves[index]!),
  count: BigInt(tree.nodes.length),
  path: provePath(tree.nodes, { first: index, count: 1 }, hash).map(toHex),
});

/** Leaves of a commitment to tokens, and which of them holds a token. */
export const tokenLeaves = (salt: Hex, tokens: readonly number[]) => ({
  leaves: Array.from({ length: Math.ceil(tokens.length / TOKENS_PER_LEAF) }, (_, leaf) =>
    tokenLeaf(salt, leaf, tokens.slice(leaf * TOKENS_PER_LEAF, (leaf + 1) * TOKENS_PER_LEAF)),
  ),
  leafOf: (index: number): number => Math.floor(index / TOKENS_PER_LEAF),
});

export type ModelTrees = {
  readonly descriptor: (node: number) => Opening;
  /** Leaf of a weight, by the weight's number in the graph; only a proof's first one leads on to the root of all. */
  readonly weightLeaf: (
    weight: number,
    options: { readonly leaf: number; readonly isFirst: boolean },
  ) => { readonly opening: Opening; readonly data: Uint8Array };
};

/** Hashes weights when they are first asked for: all of them once, and all leaves of those that are opened. */
export function modelTrees(model: EngineModel): ModelTrees {
  const graph = leafTree(graphLeaves(model.graph));
  const trees = new Map<number, LeafTree>();
  const treeOf = (weight: number): LeafTree => {
    const tree = trees.get(weight) ?? leafTree([...tensorRows(model)[weight]!.leaves]);
    trees.set(weight, tree);
    return tree;
  };
  let roots: readonly Uint8Array[] | undefined;
  return {
    descriptor: (node) => openLeaf(graph, 1 + node),
    weightLeaf(weight, { leaf, isFirst }) {
      roots ??= tensorRows(model).map(({ leaves }) =>
        hashLeafData(nodeRoot(leafNodes([...leaves], keccak), keccak), keccak),
      );
      const tree = treeOf(weight);
      const { data, path } = openLeaf(tree, leaf);
      const place = { first: weight, count: 1 };
      const above = isFirst ? provePath(roots, place, keccak).map(toHex) : [];
      const opening = { data, count: BigInt(roots.length), path: [...path, ...above] };
      return { opening, data: tree.leaves[leaf]! };
    },
  };
}
