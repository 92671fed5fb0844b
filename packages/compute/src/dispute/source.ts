/**
 * Where a provider's trace is read from. Four questions lead from a root to the leaves of a row; every answer is folded
 * to the hash that the answer before gave, so a source can be silent or lie about its trace, but not about its answers.
 */
import {
  type HashFunction,
  leavesRoot,
  nodeRoot,
  type PositionRoot,
  provePath,
  type Run,
  type Trace,
  traceRoot,
} from '@assay/engine';
import { AssayError, toHex } from '@assay/protocol';

/** A trace that answers from elsewhere: a provider's endpoint, or a file. */
export type TraceSource = {
  readonly root: () => Promise<Uint8Array>;
  readonly positions: () => Promise<readonly PositionRoot[]>;
  /** Roots of the rows at position `t`. */
  readonly rows: (t: number) => Promise<readonly Uint8Array[]>;
  /** Leaves of the row of `node` at position `t`. */
  readonly leaves: (t: number, node: number) => Promise<readonly Uint8Array[]>;
  /** Siblings of a run, where the nodes of a tree are not all known (`court/forced-trace.ts`). */
  readonly siblings?: (tree: TreeName, run: Run) => Promise<readonly Uint8Array[]>;
  readonly seal?: (tree: TreeName) => Promise<Seal>;
};

/** One of the trees of a trace. */
export type TreeName =
  | { readonly tree: 'positions' }
  | { readonly tree: 'rows'; readonly t: number }
  | { readonly tree: 'leaves'; readonly t: number; readonly node: number };

/** What was sealed into a root: its count, and the hash above the leaves. */
export type Seal = { readonly count: number; readonly top: Uint8Array };

/** Siblings of a run of `nodes`, from the source if it knows better. */
export const siblingsOf = async (
  { source, hash }: { readonly source: TraceSource; readonly hash: HashFunction },
  tree: TreeName,
  { nodes, run }: { readonly nodes: readonly Uint8Array[]; readonly run: Run },
): Promise<readonly Uint8Array[]> =>
  (await source.siblings?.(tree, run)) ?? provePath(nodes, run, hash);

/** A trace of one's own as a source. */
export const sourceOf = (trace: Trace): TraceSource => ({
  root: async () => trace.root,
  positions: async () => trace.positions,
  rows: async (t) => trace.rows(t),
  leaves: async (t, node) => trace.leaves(t, node),
});

/**
 * A source whose answers fit each other: throws `trace_unanswered` for one that does not. Then the provider has to be
 * made to answer on chain. Answers are remembered.
 */
export function checkedSource(source: TraceSource, hash: HashFunction): TraceSource {
  // What was shown on chain is checked by the court, and not all of it is there to fold.
  if (source.siblings !== undefined) return source;
  const known = new Map<string, Promise<readonly unknown[]>>();
  const once = <T>(key: string, ask: () => Promise<readonly T[]>): Promise<readonly T[]> => {
    const answer = known.get(key) ?? ask();
    known.set(key, answer);
    return answer as Promise<readonly T[]>;
  };
  const checked: TraceSource = {
    root: async () => (await once('root', async () => [await source.root()]))[0]!,
    positions: () =>
      once('positions', async () => {
        const positions = await source.positions();
        return fits(positions, traceRoot(positions, hash), await checked.root(), 'positions');
      }),
    rows: (t) =>
      once(`rows ${t}`, async () => {
        const rows = await source.rows(t);
        const { root } = (await checked.positions())[t]!;
        return fits(rows, nodeRoot(rows, hash), root, `rows of position ${t}`);
      }),
    leaves: (t, node) =>
      once(`leaves ${t} ${node}`, async () => {
        const leaves = await source.leaves(t, node);
        const root = (await checked.rows(t))[node]!;
        return fits(leaves, leavesRoot(leaves, hash), root, `row ${node} of position ${t}`);
      }),
  };
  return checked;
}

/** `answer`, if it folds to what was said before. */
function fits<T>(answer: T, actual: Uint8Array, expected: Uint8Array, what: string): T {
  if (sameBytes(actual, expected)) return answer;
  throw new AssayError({
    code: 'trace_unanswered',
    fault: 'peer',
    message: `The provider's ${what} do not fold to what it signed.`,
    value: toHex(expected),
    remedy: 'Open a dispute: on chain it has to answer or loses by its clock.',
  });
}

export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);
