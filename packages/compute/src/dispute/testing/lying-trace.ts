/** A provider that lies in leaves of its trace and hashes everything above them honestly. */
import { type HashFunction, leavesRoot, nodeRoot, type Trace, traceRoot } from '@assay/engine';
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
  const positions = trace.positions.map((position) => ({ ...position }));
  for (const { t, node, change } of lies) {
    const key = `${t} ${node}`;
    const before = changed.get(key) ?? trace.leaves(t, node);
    changed.set(key, change(before.map((leaf) => leaf.slice())));
    const roots = rows.get(t) ?? [...trace.rows(t)];
    roots[node] = leavesRoot(changed.get(key)!, hash);
    rows.set(t, roots);
    positions[t] = { ...positions[t]!, root: nodeRoot(roots, hash) };
  }
  return {
    root: async () => traceRoot(positions, hash),
    positions: async () => positions,
    rows: async (t) => rows.get(t) ?? trace.rows(t),
    leaves: async (t, node) => changed.get(`${t} ${node}`) ?? trace.leaves(t, node),
  };
}
