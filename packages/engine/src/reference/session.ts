/**
 * The reference backend: `forward` walks the graph's nodes for one position after the other. It is the slow, readable
 * side of every comparison; the architecture itself is `llamaGraph`, the arithmetic is `ops.ts`.
 */
import type { Backend, ForwardOptions, HiddenRows, Session, SessionOptions } from '../backend.js';
import {
  checkAppend,
  checkBatch,
  checkTruncate,
  sessionContextLength,
  wantedRows,
} from '../backend.js';
import { type EngineModel, gainsAt, matrixAt } from '../engine-model.js';
import type { GraphNode } from '../graph.js';
import { type OpName, opDefinition } from '../op-table.js';
import * as ops from './ops.js';
import type { ResidualRow, Row16, Row30, WeightRow } from './rows.js';

/** How each op is applied at one position. */
export type Kernels = Readonly<Record<OpName, (call: Call) => Value>>;

/** The reference with some ops computed in another way: a machine with a fault, for tests of what finds it. */
export const referenceWith = (name: string, changed: Partial<Kernels>): Backend => ({
  name,
  createSession: (model, options) =>
    new ReferenceSession(model, options, { ...KERNELS, ...changed }),
  forwardBatch(parts) {
    checkBatch(parts);
    return parts.map((part) => part.session.forward(part.tokens, part));
  },
});

/** The arithmetic exactly as specified, without any hardware's help. */
export const referenceBackend: Backend = referenceWith('reference', {});

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
  readonly vocabularySize: number;
  saturationCount = 0;
  #length = 0;
  readonly #model: EngineModel;
  readonly #kernels: Kernels;
  /** Values at positions 0..length-1 of the tensors that later positions read again, by tensor index. */
  readonly #kept = new Map<number, Value[]>();

  constructor(model: EngineModel, options: SessionOptions | undefined, kernels: Kernels) {
    this.#model = model;
    this.#kernels = kernels;
    this.contextLength = sessionContextLength(model, options);
    this.vocabularySize = model.config.vocabularySize;
    model.graph.tensors.forEach(({ kept }, index) => {
      if (kept) this.#kept.set(index, []);
    });
  }

  get length(): number {
    return this.#length;
  }

  forward(tokens: ArrayLike<number>, options: ForwardOptions = {}): Int32Array {
    checkAppend(this, tokens);
    const { nodes } = this.#model.graph;
    const rowCount = wantedRows(options.logits, tokens.length);
    const result = new Int32Array(rowCount * this.vocabularySize);
    for (let i = 0; i < tokens.length; i++) {
      const row = rowCount - (tokens.length - i);
      const values = this.#step(tokens[i]!, row >= 0 ? nodes.length : undefined);
      const logits = values[nodes.at(-1)!.output] as Int32Array | undefined;
      if (logits !== undefined) result.set(logits, row * this.vocabularySize);
    }
    return result;
  }

  forwardHidden(tokens: ArrayLike<number>, rows: 'last' | 'all' = 'last'): HiddenRows {
    checkAppend(this, tokens);
    const { nodes, logitsFrom } = this.#model.graph;
    const all = Array.from(tokens, (token) => {
      const values = this.#step(token, logitsFrom + 1);
      return values[nodes[logitsFrom]!.output] as Row16;
    });
    const wanted = all.slice(all.length - wantedRows(rows, all.length));
    return {
      mantissas: Int16Array.from(wanted.flatMap(({ values }) => [...values])),
      exponents: Int32Array.from(wanted, ({ exponent }) => exponent),
    };
  }

  /** The reference remembers nothing of other sessions. */
  reuse(): number {
    return 0;
  }

  /** Memory of the runtime grows as it is needed. */
  reserve(): void {}

  truncate(length: number): void {
    checkTruncate(this, length);
    for (const values of this.#kept.values()) values.length = length;
    this.#length = length;
  }

  dispose(): void {
    this.#kept.clear();
  }

  /** Computes one position up to node `end`, by default where only logits are left; its tensors by index. */
  #step(token: number, end = this.#model.graph.logitsFrom): readonly Value[] {
    const values: Value[] = [token];
    for (const node of this.#model.graph.nodes.slice(0, end)) {
      const value = this.#run(node, values);
      values[node.output] = value;
      this.#kept.get(node.output)?.push(value);
      if (isResidual(value)) this.saturationCount += value.clampedCount;
    }
    this.#length++;
    return values;
  }

  #run(node: GraphNode, values: readonly Value[]): Value {
    const { inputs } = opDefinition(node.op);
    return this.#kernels[node.op]({
      model: this.#model,
      node,
      position: this.#length,
      inputs: node.inputs.map((tensor, i) =>
        inputs[i]!.reads === 'prefix' ? this.#kept.get(tensor)! : values[tensor]!,
      ) as never,
    });
  }
}

/** What a node gives at a position; inputs are as the op table orders them, `prefix` ones a value per position. */
export const runNode = (
  call: Omit<Call, 'inputs'> & { readonly inputs: readonly (Value | readonly Value[])[] },
): Value => KERNELS[call.node.op](call as Call);

/** One application of an op at one position; inputs are as the op table orders them. */
export type Call = {
  readonly model: EngineModel;
  readonly node: GraphNode;
  readonly position: number;
  readonly inputs: never;
};

/** Adapts each op of the table to the executor: picks weights and parameters, and spreads over heads. */
const KERNELS: Kernels = {
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
  bias({ model, node, inputs }) {
    const [row] = inputs as [Row30];
    return ops.bias(row, gainsAt(model, node.weights[0]!));
  },
  headNorm({ model, node, inputs }) {
    const [row] = inputs as [Row30];
    const { headCount, epsilonQ40 } = node.parameters;
    return ops.headNorm(row, gainsAt(model, node.weights[0]!), {
      headCount: headCount!,
      epsilonQ40: epsilonQ40!,
    });
  },
};

/** Head `h` of `headCount` query heads at every position, from the fewer heads of keys or values. */
function sharedHead(rows: readonly Row16[][], h: number, headCount: number): Row16[] {
  return rows.map((heads) => heads[Math.floor((h * heads.length) / headCount)]!);
}

const isResidual = (value: Value): value is ResidualRow =>
  typeof value === 'object' && 'clampedCount' in value;
