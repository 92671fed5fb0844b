/**
 * Where the ways of two nodes up a tree meet: the level at which an ancestor of one is the sibling of an ancestor of
 * the other. Of two rows of one position, the path of the second may end there, because the path of the first holds
 * the hash that it leads to.
 */

/** Two different places among `width` nodes. */
export type Pair = { readonly index: number; readonly other: number; readonly width: number };

/**
 * Siblings on the way of each up to the meeting: `items` of `index`, `otherItems` of `other`, whose next one is the
 * ancestor of `index`. The subtree below the meeting, which `items` fold, has `size` nodes from `first` on.
 */
export type Meeting = {
  readonly items: number;
  readonly otherItems: number;
  readonly first: number;
  readonly size: number;
};

export function meetingOf({ index, other, width }: Pair): Meeting {
  let [low, high, nodes, span] = [index, other, width, 1];
  let [items, otherItems] = [0, 0];
  for (; (low ^ high) !== 1; low >>= 1, high >>= 1, nodes = Math.ceil(nodes / 2), span *= 2) {
    if ((low ^ 1) < nodes) items++;
    if ((high ^ 1) < nodes) otherItems++;
  }
  const first = low * span;
  return { items, otherItems, first, size: Math.min(span, width - first) };
}
