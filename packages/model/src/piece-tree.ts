/**
 * Pieces by their beginnings, UTF-16 unit by unit. Nodes are numbered level by level, so the children of one lie side
 * by side in the order of their units, and a few bytes per node are enough.
 */
import { modelError } from './errors.js';
import { UNIGRAM_NODES_MAX } from './limits.js';

/** Node 0 is the root. */
export type PieceTree = {
  /** Unit that leads to a node. */
  readonly units: Uint16Array;
  /** First child of a node; its last is the one before the first of the next node. */
  readonly firsts: Uint32Array;
  /** Place of the text that ends at a node, or -1. */
  readonly places: Int32Array;
};

/** Builds the tree of distinct texts that are not empty, ascending by UTF-16 units. */
export function buildPieceTree(texts: readonly string[]): PieceTree {
  const count = countNodes(texts);
  const units = new Uint16Array(count);
  const firsts = new Uint32Array(count + 1);
  const places = new Int32Array(count).fill(-1);
  // The texts that begin as a node does stand together: from here up to, without, there.
  const froms = new Uint32Array(count);
  const tos = new Uint32Array(count);
  tos[0] = texts.length;
  let next = 1;
  for (let node = 0, depth = 0, levelEnd = 1; node < count; node++) {
    if (node === levelEnd) {
      depth++;
      levelEnd = next;
    }
    firsts[node] = next;
    const to = tos[node]!;
    let at = froms[node]!;
    if (at < to && texts[at]!.length === depth) places[node] = at++;
    while (at < to) {
      const unit = texts[at]!.charCodeAt(depth);
      units[next] = unit;
      froms[next] = at;
      while (at < to && texts[at]!.charCodeAt(depth) === unit) at++;
      tos[next++] = at;
    }
  }
  firsts[count] = next;
  return { units, firsts, places };
}

/** Child of a node by its unit; 0 if there is none. */
export function childOf({ units, firsts }: PieceTree, node: number, unit: number): number {
  const end = firsts[node + 1]!;
  let low = firsts[node]!;
  let high = end;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (units[middle]! < unit) low = middle + 1;
    else high = middle;
  }
  return low < end && units[low] === unit ? low : 0;
}

/** The root, and a node for each unit that a text does not share with the one before it. */
function countNodes(texts: readonly string[]): number {
  let count = 1;
  let before = '';
  for (const text of texts) {
    let shared = 0;
    while (shared < before.length && text[shared] === before[shared]) shared++;
    count += text.length - shared;
    before = text;
  }
  if (count <= UNIGRAM_NODES_MAX) return count;
  throw modelError({
    code: 'tokenizer_invalid',
    message: `The tree of pieces has more than ${UNIGRAM_NODES_MAX} nodes.`,
    value: count,
  });
}
