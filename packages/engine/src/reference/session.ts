/**
 * The reference backend: `forward` walks the graph's nodes for one position after the other. It is the slow, readable
 * side of every comparison; the architecture itself is `llamaGraph`, the arithmetic is `ops.ts`.
 */
import type { Backend, ForwardOptions, Session, SessionOptions } from '../backend.js';
import { checkAppend, checkTruncate, sessionContextLength } from '../backend.js';
import { type EngineModel, gainsAt, matrixAt } from '../engine-model.js';
import type { GraphNode } from '../graph.js';
import { type OpName, opDefinition } from '../op-table.js';
import * as ops from './ops.js';
import type { ResidualRow, Row16, Row30, WeightRow } from './rows.js';

/** The arithmetic exactly as specified, without any hardware's help. */
export const referenceBackend: Backend = {
  name: 'reference',
  createSession: (model, options) => new ReferenceSession(model, options),
};

/** What one tensor holds at one position: a row, or one row per head. */
export type Value =
  | number
  | ResidualRow
  | Row16
  | Row30
  | Int32Array
  | readonly Row16[]
  | readonly Row30[]
  | readonly Int32Array[]
  | readonly WeightRow[];

class ReferenceSession implements Session {
  readonly contextLength: number;
  saturationCount = 0;
  #length = 0;
  readonly #model: EngineModel;
  /** Values at positions 0..length-1 of the tensors that later positions read again, by tensor index. */
  readonly #kept = new Map<number, Value[]>();

  constructor(model: EngineModel, options: SessionOptions | undefined) {
    this.#model = model;
    this.contextLength = sessionContextLength(model, options);
    model.graph.tensors.forEach(({ kept }, index) => {
      if (kept) this.#kept.set(index, []);
    });
  }

  get length(): number {
    return this.#length;
  }

  forward(tokens: ArrayLike<number>, options: ForwardOptions = {}): Int32Array {
    checkAppend(this, tokens, this.#model.config.vocabularySize);
    const choice = options.logits ?? 'last';
    const { vocabularySize } = this.#model.config;
    const rowCount =
      choice === 'all' ? tokens.length : choice === 'last' && tokens.length > 0 ? 1 : 0;
    const result = new Int32Array(rowCount * vocabularySize);
    for (let i = 0; i < tokens.length; i++) {
      const row = rowCount - (tokens.length - i);
      const logits = this.#step(tokens[i]!, row >= 0);
      if (logits !== undefined) result.set(logits, row * vocabularySize);
    }
    return result;
  }

  truncate(length: number): void {
    checkTruncate(this, length);
    for (const values of this.#kept.values()) values.length = length;
    this.#length = length;
  }

  dispose(): void {
    this.#kept.clear();
  }

  /** Computes one position; its logits if they are wanted. */
  #step(token: number, wantsLogits: boolean): Int32Array | undefined {
    const { nodes, logitsFrom } = this.#model.graph;
    const values: Value[] = [token];
    for (const node of wantsLogits ? nodes : nodes.slice(0, logitsFrom)) {
      const value = this.#run(node, values);
      values[node.output] = value;
      this.#kept.get(node.output)?.push(value);
      if (isResidual(value)) this.saturationCount += value.clampedCount;
    }
    this.#length++;
    return wantsLogits ? (values[nodes.at(-1)!.output] as Int32Array) : undefined;
  }

  #run(node: GraphNode, values: readonly Value[]): Value {
    const { inputs } = opDefinition(node.op);
    return KERNELS[node.op]({
      model: this.#model,
      node,
      position: this.#length,
      inputs: node.inputs.map((tensor, i) =>
        inputs[i]!.reads === 'prefix' ? this.#kept.get(tensor)! : values[tensor]!,
      ) as never,
    });
  }
}

/** One application of an op at one position; inputs are as the op table orders them. */
type Call = {
  readonly model: EngineModel;
  readonly node: GraphNode;
  readonly position: number;
  readonly inputs: never;
};

/** Adapts each op of the table to the executor: picks weights and parameters, and spreads over heads. */
const KERNELS: Readonly<Record<OpName, (call: Call) => Value>> = {
  embed({ model, node, inputs }) {
    const [token] = inputs as [number];
    return ops.embed(matrixAt(model, node.weights[0]!), token, node.parameters.residualBits!);
  },
  rmsNorm({ model, node, inputs }) {
    const [residual] = inputs as [ResidualRow];
    const { residualBits, epsilonQ40 } = node.parameters;
    return ops.rmsNorm(residual, gainsAt(model, node.weights[0]!), {
      residualBits: residualBits!,
      epsilonQ40: epsilonQ40!,
    });
  },
  matmul({ model, node, inputs }) {
    const [row] = inputs as [Row16];
    return ops.matmul(matrixAt(model, node.weights[0]!), row);
  },
  rope({ model, node, position, inputs }) {
    const [row] = inputs as [Row30];
    return ops.rope(row, model.ropeSteps, { headCount: node.parameters.headCount!, position });
  },
  splitHeads({ node, inputs }) {
    const [row] = inputs as [Row30];
    return ops.splitHeads(row, node.parameters.headCount!);
  },
  scores({ node, inputs }) {
    const [query, keys] = inputs as [Row16[], Row16[][]];
    return query.map((head, h) =>
      ops.scores(head, sharedHead(keys, h, query.length), node.parameters.scaleQ24!),
    );
  },
  softmax({ inputs }) {
    const [scoreRows, values] = inputs as [Int32Array[], Row16[][]];
    return scoreRows.map((row, h) => ops.softmax(row, sharedHead(values, h, scoreRows.length)));
  },
  mix({ inputs }) {
    const [weights, values] = inputs as [WeightRow[], Row16[][]];
    return weights.map((row, h) => ops.mix(row, sharedHead(values, h, weights.length)));
  },
  joinHeads({ inputs }) {
    const [mixed, weights] = inputs as [Row30[], WeightRow[]];
    return ops.joinHeads(mixed, weights);
  },
  swiGlu({ inputs }) {
    const [gate, up] = inputs as [Row30, Row30];
    return ops.swiGlu(gate, up);
  },
  residualAdd({ node, inputs }) {
    const [residual, row] = inputs as [ResidualRow, Row30];
    return ops.residualAdd(residual, row, node.parameters.residualBits!);
  },
  logits({ inputs }) {
    const [row] = inputs as [Row30];
    return ops.logits(row);
  },
};

/** Head `h` of `headCount` query heads at every position, from the fewer heads of keys or values. */
function sharedHead(rows: readonly Row16[][], h: number, headCount: number): Row16[] {
  return rows.map((heads) => heads[Math.floor((h * heads.length) / headCount)]!);
}

const isResidual = (value: Value): value is ResidualRow =>
  typeof value === 'object' && 'clampedCount' in value;
