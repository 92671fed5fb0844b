/**
 * The values of a teacher-forced pass by the reference kernels, position after position: the truth that faster passes
 * are held against. Keys and values of all positions stay, so that any position can be computed again.
 */
import type { EngineModel } from '../engine-model.js';
import { opDefinition } from '../op-table.js';
import { runNode, type Value } from '../reference/session.js';
import type { TraceJob } from './layout.js';
import type { PassValues, TraceRow } from './row-reader.js';

/** Computes the values of a position; positions up to the first not yet computed may be asked for. */
export type TracePass = {
  /** Values at `t`, of `nodeCount` nodes; valid until the next call. */
  readonly position: (t: number, nodeCount: number) => PassValues;
  /** The root over the rows of position `t`, of a pass that makes it sooner than leaf by leaf. */
  readonly root?: (t: number, job: TraceJob) => Uint8Array;
  /** Frees what the pass holds; it must not be used afterwards. */
  readonly dispose?: () => void;
};

export function referencePass(model: EngineModel, tokens: readonly number[]): TracePass {
  const { graph } = model;
  const keptValues = new Map<number, Value[]>();
  graph.tensors.forEach(({ kept }, tensor) => {
    if (kept) keptValues.set(tensor, []);
  });
  return {
    position(t, nodeCount) {
      const values: Value[] = [tokens[t]!];
      for (const node of graph.nodes.slice(0, nodeCount)) {
        const inputs = node.inputs.map((tensor, i) =>
          opDefinition(node.op).inputs[i]!.reads === 'prefix'
            ? keptValues.get(tensor)!.slice(0, t + 1)
            : values[tensor]!,
        );
        const value = runNode({ model, node, position: t, inputs });
        values[node.output] = value;
        const rows = keptValues.get(node.output);
        if (rows !== undefined) rows[t] = value;
      }
      return {
        t,
        tensor: (tensor) => rowsOf(values[tensor]!),
        kept: (tensor, position) => rowsOf(keptValues.get(tensor)![position]!),
      };
    },
  };
}

/** A value as rows: one, or one per head. */
function rowsOf(value: Value): readonly TraceRow[] {
  if (typeof value === 'number') return [rowOf(Int32Array.of(value))];
  if (value instanceof Int32Array) return [rowOf(value)];
  return Array.isArray(value) ? value.map(rowOf) : [rowOf(value as RowLike)];
}

type RowLike =
  | Int32Array
  | { readonly values: Int16Array | Int32Array; readonly exponent?: number; readonly sum?: bigint };

function rowOf(row: RowLike): TraceRow {
  if (row instanceof Int32Array) return { values: row, exponent: 0, sum: 0n };
  return { values: row.values, exponent: row.exponent ?? 0, sum: row.sum ?? 0n };
}
