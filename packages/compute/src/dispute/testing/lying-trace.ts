/** A provider that lies at one level of its trace and hashes everything above honestly. */
import {
  type HashFunction,
  leavesRoot,
  nodeRoot,
  type PositionRoot,
  type Trace,
  traceRoot,
} from '@assay/engine';
import { sourceOf, type TraceSource } from '../source.js';

export type Lie = {
  readonly t: number;
  readonly node: number;
  /** The row's leaves as the provider has them. */
  readonly change: (leaves: Uint8Array[]) => readonly Uint8Array[];
};

/** The trace with lies in place of some rows. */
export const lyingTrace = (trace: Trace, lies: readonly Lie[], hash: HashFunction): TraceSource =>
  lies.reduce((source, lie) => lyingSource(source, lie, hash), sourceOf(trace));

/** A source with another row in one place and right hashes above it. */
export function lyingSource(
  honest: TraceSource,
  { t, node, change }: Lie,
  hash: HashFunction,
): TraceSource {
  const leaves = async (at: number, row: number) => {
    const right = await honest.leaves(at, row);
    return at === t && row === node ? change(right.map((leaf) => leaf.slice())) : right;
  };
  const rows = async (at: number) => {
    const right = await honest.rows(at);
    if (at !== t) return right;
    const root = leavesRoot(await leaves(t, node), hash);
    return right.map((one, row) => (row === node ? root : one));
  };
  const positions = async () => {
    const right = await honest.positions();
    const root = nodeRoot(await rows(t), hash);
    return right.map((one, at) => (at === t ? { ...one, root } : one));
  };
  return { positions, rows, leaves, root: async () => traceRoot(await positions(), hash) };
}

/** The trace with other rows at a position: too many, too few, or any others. */
export function lyingRows(
  trace: Trace,
  t: number,
  { rows, hash }: { readonly rows: readonly Uint8Array[]; readonly hash: HashFunction },
): TraceSource {
  const root = nodeRoot(rows, hash);
  const positions = trace.positions.map((one, at) => (at === t ? { ...one, root } : one));
  return {
    ...lyingPositions(trace, positions, hash),
    rows: async (at) => (at === t ? rows : trace.rows(at)),
  };
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
