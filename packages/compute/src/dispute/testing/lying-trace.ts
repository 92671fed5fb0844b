/** A provider that lies at one level of its trace and hashes everything above honestly. */
import {
  type HashFunction,
  leavesRoot,
  nodeRoot,
  type PositionRoot,
  type Trace,
  traceRoot,
} from '@assay/engine';
import type { TraceSource } from '../source.js';

export type Lie = {
  readonly t: number;
  readonly node: number;
  /** The row's leaves as the provider has them. */
  readonly change: (leaves: Uint8Array[]) => readonly Uint8Array[];
};

/** The trace with lies in place of some rows. */
export function lyingTrace(trace: Trace, lies: readonly Lie[], hash: HashFunction): TraceSource {
  const changed = new Map<string, readonly Uint8Array[]>();
  const rows = new Map<number, Uint8Array[]>();
  for (const { t, node, change } of lies) {
    const key = `${t} ${node}`;
    const before = changed.get(key) ?? trace.leaves(t, node);
    changed.set(key, change(before.map((leaf) => leaf.slice())));
    const roots = rows.get(t) ?? [...trace.rows(t)];
    roots[node] = leavesRoot(changed.get(key)!, hash);
    rows.set(t, roots);
  }
  const leaves = (t: number, node: number) => changed.get(`${t} ${node}`) ?? trace.leaves(t, node);
  return sourceFrom({ trace, rows, leaves, hash });
}

/** The trace with other rows at a position: too many, too few, or any others. */
export function lyingRows(
  trace: Trace,
  t: number,
  { rows, hash }: { readonly rows: readonly Uint8Array[]; readonly hash: HashFunction },
): TraceSource {
  return sourceFrom({ trace, rows: new Map([[t, rows]]), leaves: trace.leaves, hash });
}

/** The trace with other positions: too many, too few, or with other salts. */
export const lyingPositions = (
  trace: Trace,
  positions: readonly PositionRoot[],
  hash: HashFunction,
): TraceSource => ({
  root: async () => traceRoot(positions, hash),
  positions: async () => positions,
  rows: async (t) => trace.rows(t),
  leaves: async (t, node) => trace.leaves(t, node),
});

function sourceFrom(options: {
  readonly trace: Trace;
  readonly rows: ReadonlyMap<number, readonly Uint8Array[]>;
  readonly leaves: Trace['leaves'];
  readonly hash: HashFunction;
}): TraceSource {
  const { trace, rows, leaves, hash } = options;
  const positions = trace.positions.map((position, t) => {
    const changed = rows.get(t);
    return changed === undefined ? position : { ...position, root: nodeRoot(changed, hash) };
  });
  return {
    ...lyingPositions(trace, positions, hash),
    rows: async (t) => rows.get(t) ?? trace.rows(t),
    leaves: async (t, node) => leaves(t, node),
  };
}
