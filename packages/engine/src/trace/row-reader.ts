/** One row of the trace and what its op read: what makers of leaves are handed. It holds no rule. */
import type { EngineModel } from '../engine-model.js';
import { type LogitCuts, logitCuts } from './cuts.js';
import { type RowLayout, rowLayout, type TraceJob } from './layout.js';

/** What a tensor holds at a position: one row, or one per head. `sum` belongs to softmax weights. */
export type TraceRow = {
  readonly values: Int16Array | Int32Array;
  readonly exponent: number;
  readonly sum: bigint;
};

/** Values of a pass: what each tensor held at position `t`, and kept tensors at the positions before. */
export type PassValues = {
  readonly t: number;
  readonly tensor: (tensor: number) => readonly TraceRow[];
  readonly kept: (tensor: number, position: number) => readonly TraceRow[];
  /** Partial sums of a node, element-major, 8 bytes each, if the pass has them already. */
  readonly partials?: (node: number) => Uint8Array | undefined;
};

export type RowReader = {
  readonly model: EngineModel;
  readonly job: TraceJob;
  readonly t: number;
  readonly node: number;
  readonly layout: RowLayout;
  readonly own: readonly TraceRow[];
  /** Input `i` at this position. */
  readonly input: (i: number) => readonly TraceRow[];
  /** Input `i` at position `p`, up to this one. */
  readonly prefix: (i: number, p: number) => readonly TraceRow[];
  /** The partial sums of the row as its leaves hold them: element-major, 8 bytes each. */
  readonly partials: () => Uint8Array;
  /** The cuts of a row of logits. */
  readonly cuts: () => LogitCuts;
};

export function readRow(
  { model, job }: { readonly model: EngineModel; readonly job: TraceJob },
  values: PassValues,
  options: { readonly node: number; readonly makePartials: (row: RowReader) => Uint8Array },
): RowReader {
  const { node } = options;
  const { inputs, output } = model.graph.nodes[node]!;
  let partials: Uint8Array | undefined;
  let cuts: LogitCuts | undefined;
  const row: RowReader = {
    model,
    job,
    node,
    t: values.t,
    own: values.tensor(output),
    layout: rowLayout(model.graph, job, { t: values.t, node }),
    input: (i) => values.tensor(inputs[i]!),
    prefix: (i, p) => values.kept(inputs[i]!, p),
    partials() {
      partials ??= values.partials?.(node) ?? options.makePartials(row);
      return partials;
    },
    cuts() {
      cuts ??= logitCuts(values.tensor(output)[0]!.values as Int32Array, job);
      return cuts;
    },
  };
  return row;
}
