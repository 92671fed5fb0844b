/**
 * The trace of one receipt: a root over every integer of its teacher-forced pass. Two levels of memory: the roots of
 * all positions are kept, the rows of one position are computed again when somebody asks. It is handed a pass (who
 * computes), a hash and the key of its salts; it does not know who disputes what.
 */

import { EngineError } from '../engine-error.js';
import type { EngineModel } from '../engine-model.js';
import type { HashFunction } from '../merkle.js';
import { rowCount, TRACE_POSITIONS_MAX, type TraceJob, tracePositions } from './layout.js';
import type { TracePass } from './reference-pass.js';
import { rowLeaves } from './row-leaves.js';
import { leafNodes, nodeRoot, positionNode, positionSalt } from './tree.js';

/** A position as the trace commits to it. */
export type PositionRoot = { readonly salt: Uint8Array; readonly root: Uint8Array };

export type Trace = {
  readonly root: Uint8Array;
  readonly positions: readonly PositionRoot[];
  /** Roots of the rows at position `t`, in node order. */
  readonly rows: (t: number) => readonly Uint8Array[];
  /** Leaves of the row of `node` at position `t`. */
  readonly leaves: (t: number, node: number) => readonly Uint8Array[];
};

export type TraceOptions = {
  readonly model: EngineModel;
  readonly job: TraceJob;
  /** Computes values; {@link referencePass} is the slow one. */
  readonly pass: TracePass;
  /** 32 bytes: `traceKey` of the job's salt. */
  readonly traceKey: Uint8Array;
  /** SHA-256. */
  readonly hash: HashFunction;
  /** Called with the share done, 0 to 1. */
  readonly onProgress?: (share: number) => void;
};

/**
 * Computes the trace of a pass.
 *
 * @example
 * const pass = referencePass(model, tokens);
 * const { root } = traceOf({ model, job, pass, traceKey, hash: sha256 });
 */
export function traceOf(options: TraceOptions): Trace {
  const { job, hash, traceKey, onProgress } = options;
  const count = tracePositions(job);
  if (!(count >= 1 && count <= TRACE_POSITIONS_MAX && job.outputCount >= 1)) {
    throw traceTooLong(count);
  }
  const positions: PositionRoot[] = [];
  for (let t = 0; t < count; t++) {
    const root = positionRoot(options, t);
    positions.push({ salt: positionSalt(traceKey, t, hash), root });
    onProgress?.((t + 1) / count);
  }
  return {
    root: traceRoot(positions, hash),
    positions,
    ...rememberLast((t) => tracePosition(options, t), hash),
  };
}

/** Root over the rows of position `t`. */
function positionRoot(options: TraceOptions, t: number): Uint8Array {
  const { job, pass, hash } = options;
  if (pass.root !== undefined) return pass.root(t, job);
  const rows = tracePosition(options, t).map((row) => leavesRoot(row, hash));
  return nodeRoot(rows, hash);
}

/** Every row of position `t` as leaves, in node order. */
export function tracePosition({ model, job, pass }: TraceOptions, t: number): Uint8Array[][] {
  const count = rowCount(model.graph, job, t);
  const values = pass.position(t, count);
  return Array.from({ length: count }, (_, node) => rowLeaves({ model, job }, values, node));
}

/** Root over positions. */
export const traceRoot = (positions: readonly PositionRoot[], hash: HashFunction): Uint8Array =>
  nodeRoot(
    positions.map((position) => positionNode(position, hash)),
    hash,
  );

/** Root over the leaves of a row. */
export const leavesRoot = (leaves: readonly Uint8Array[], hash: HashFunction): Uint8Array =>
  nodeRoot(leafNodes(leaves, hash), hash);

/** Answers about rows from the position that was asked for last. */
function rememberLast(
  compute: (t: number) => readonly (readonly Uint8Array[])[],
  hash: HashFunction,
): Pick<Trace, 'rows' | 'leaves'> {
  let held = -1;
  let rows: readonly (readonly Uint8Array[])[] = [];
  const at = (t: number) => {
    if (held !== t) rows = compute(t);
    held = t;
    return rows;
  };
  return {
    rows: (t) => at(t).map((leaves) => leavesRoot(leaves, hash)),
    leaves: (t, node) => at(t)[node]!,
  };
}

const traceTooLong = (count: number): EngineError =>
  new EngineError({
    code: 'trace_too_long',
    message: `A trace of ${count} positions was asked for; it has 1 to ${TRACE_POSITIONS_MAX}.`,
    fault: 'user',
    value: count,
    remedy: 'Only jobs whose prompt and answer fit these positions can be disputed.',
  });
