/**
 * A graph is data: which op reads which tensors and weights, with `T` for the positions of a sequence. `llamaGraph` is
 * the architecture (read it as the model's forward pass), for Llama and the relatives in `families.ts`; a backend only
 * walks the nodes. Its canonical bytes are part of a model's identity, so wiring cannot be argued about.
 */
import { type Family, familyOf, layerRotates } from './families.js';
import { isqrt } from './integer.js';
import type { ModelConfig } from './model-config.js';
import { type Format, type OpName, opDefinition, type WeightKind } from './op-table.js';
import { attentionFactorQ30, NO_SCALING } from './rope-scaling.js';
import { type Bindings, bindShape, resolveShape, type Size } from './shape.js';

export type GraphTensor = {
  readonly name: string;
  readonly format: Format;
  readonly shape: readonly Size[];
  /** True if a later position reads this row again: the session keeps it (keys and values). */
  readonly kept: boolean;
};

export type GraphWeight = {
  /** The tensor's name in a model file. */
  readonly name: string;
  readonly kind: WeightKind;
  readonly shape: readonly number[];
};

export type GraphNode = {
  readonly op: OpName;
  /** Indices into `tensors`, in the order of the op table. */
  readonly inputs: readonly number[];
  /** Indices into `weights`. */
  readonly weights: readonly number[];
  readonly parameters: Readonly<Record<string, number>>;
  /** Index into `tensors`. */
  readonly output: number;
};

export type Graph = {
  /** Tensor 0 is the input: one token id per position. */
  readonly tensors: readonly GraphTensor[];
  readonly weights: readonly GraphWeight[];
  /** In an order in which every input exists before it is read. The last node gives the logits. */
  readonly nodes: readonly GraphNode[];
  /** Nodes from here on are needed only at positions whose logits are wanted. */
  readonly logitsFrom: number;
};

/** Name of the rotary steps among a graph's weights; they are derived, not read from a file. */
export const ROPE_STEPS_NAME = 'rope_steps';

/**
 * Llama: pre-norm attention with grouped queries, then a gated feed-forward; output tied unless `untied`. What its
 * relatives do differently is in {@link blocks}.
 */
export function llamaGraph(
  config: ModelConfig,
  options: { readonly untied?: boolean } = {},
): Graph {
  const { width, headCount, kvHeadCount, headSize, feedForwardWidth, vocabularySize } = config;
  const { residualBits } = config;
  const scaleQ24 = scoreScaleQ24(headSize, attentionFactorQ30(config.ropeScaling ?? NO_SCALING));
  const family = familyOf(config.family);
  const build = graphBuilder();
  const { matrix, norm, project, heads, positions } = blocks(build, config, family);

  const embedding = matrix('token_embd', vocabularySize, width);
  let h = build.apply('embed', [0], [embedding], { residualBits });
  for (let layer = 0; layer < config.layerCount; layer++) {
    const at = `blk.${layer}.`;
    const rotates = layerRotates(family, layer);
    const x = norm(h, `${at}attn_norm`);
    const q = heads(x, `${at}attn_q`, headCount);
    const k = heads(x, `${at}attn_k`, kvHeadCount);
    const v = heads(x, `${at}attn_v`, kvHeadCount);
    const query = positions(q, `${at}attn_q`, { headCount, rotates });
    const keys = positions(k, `${at}attn_k`, { headCount: kvHeadCount, rotates });
    const values = build.apply('splitHeads', [v], [], { headCount: kvHeadCount });
    const scores = build.apply('scores', [query, keys], [], { scaleQ24 });
    const weights = build.apply('softmax', [scores, values], []);
    const mixed = build.apply('mix', [weights, values], []);
    const joined = build.apply('joinHeads', [mixed, weights], []);
    const attention = project(joined, `${at}attn_output`, width, headCount * headSize);
    h = build.apply('residualAdd', [h, attention], [], { residualBits });

    const y = norm(h, `${at}ffn_norm`);
    const gate = project(y, `${at}ffn_gate`, feedForwardWidth, width);
    const up = project(y, `${at}ffn_up`, feedForwardWidth, width);
    const gated = build.apply('swiGlu', [gate, up], []);
    const down = project(gated, `${at}ffn_down`, width, feedForwardWidth);
    h = build.apply('residualAdd', [h, down], [], { residualBits });
  }
  const logitsFrom = build.nodeCount();
  const last = norm(h, 'output_norm');
  const head = options.untied ? matrix('output', vocabularySize, width) : embedding;
  build.apply('logits', [build.apply('matmul', [last], [head])], []);
  return build.finish(logitsFrom);
}

/** What layers are made of: ops with their weights, by the names that GGUF has for them. */
function blocks(build: ReturnType<typeof graphBuilder>, config: ModelConfig, family: Family) {
  const { width, headSize, residualBits } = config;
  const epsilonQ40 = Math.round(config.rmsEpsilon * 2 ** 40);
  const matrix = (name: string, rows: number, cols: number) =>
    build.weight(`${name}.weight`, 'W8', [rows, cols]);
  const gains = (name: string, size: number) => build.weight(`${name}.weight`, 'G24', [size]);
  const project = (x: number, name: string, rows: number, cols: number) =>
    build.apply('matmul', [x], [matrix(name, rows, cols)]);
  return {
    matrix,
    project,
    norm: (x: number, name: string) =>
      build.apply('rmsNorm', [x], [gains(name, width)], { residualBits, epsilonQ40 }),
    /** A projection of the normed row to as many heads, with its bias if the family has one. */
    heads(x: number, name: string, headCount: number): number {
      const rows = headCount * headSize;
      const y = project(x, name, rows, width);
      if (!family.attentionBias) return y;
      return build.apply('bias', [y], [build.weight(`${name}.bias`, 'G24', [rows])]);
    },
    /** Queries or keys at their positions, normalised per head before if the family does so. */
    positions(
      x: number,
      name: string,
      { headCount, rotates }: { readonly headCount: number; readonly rotates: boolean },
    ): number {
      const y = family.headNorm
        ? build.apply('headNorm', [x], [gains(`${name}_norm`, headSize)], { headCount, epsilonQ40 })
        : x;
      if (!rotates) return build.apply('splitHeads', [y], [], { headCount });
      const steps = build.weight(ROPE_STEPS_NAME, 'rope', [headSize / 2]);
      return build.apply('rope', [y], [steps], { headCount });
    },
  };
}

/**
 * round(log2(e) / sqrt(headSize) * a^2 * 2^24) for the attention factor a, in integers: its square before the root.
 *
 * @param attentionQ30 factor on queries and on keys, so that scores have its square; 1 unless rotary scaling wants it
 */
export function scoreScaleQ24(headSize: number, attentionQ30: bigint = 1n << 30n): number {
  const square = (LOG2E_Q62 * LOG2E_Q62 * 4n * attentionQ30 ** 4n) / (BigInt(headSize) << 196n);
  return Number((isqrt(square) + 1n) >> 1n);
}

/** round(log2(e) * 2^62). */
const LOG2E_Q62 = 6_653_256_548_922_161_246n;

/** Collects nodes, deriving every output's format and shape from the op table. */
function graphBuilder() {
  const tensors: GraphTensor[] = [{ name: 'tokens', format: 'token', shape: ['T'], kept: false }];
  const weights: GraphWeight[] = [];
  const nodes: GraphNode[] = [];
  return {
    nodeCount: () => nodes.length,
    /** Index of the weight; the same name gives the same index. */
    weight(name: string, kind: WeightKind, shape: readonly number[]): number {
      const known = weights.findIndex((weight) => weight.name === name);
      return known >= 0 ? known : weights.push({ name, kind, shape }) - 1;
    },
    /** Adds a node and returns the index of its output tensor. */
    apply(
      op: OpName,
      inputs: readonly number[],
      weightIndices: readonly number[],
      parameters: Readonly<Record<string, number>> = {},
    ): number {
      const node = { op, inputs, weights: weightIndices, parameters };
      const shape = outputShape(node, tensors, weights);
      opDefinition(op).inputs.forEach((input, i) => {
        const index = inputs[i]!;
        if (input.reads === 'prefix') tensors[index] = { ...tensors[index]!, kept: true };
      });
      const { format } = opDefinition(op).output;
      const output =
        tensors.push({ name: `${nodes.length}.${op}`, format, shape, kept: false }) - 1;
      nodes.push({ ...node, output });
      return output;
    },
    finish: (logitsFrom: number): Graph => ({ tensors, weights, nodes, logitsFrom }),
  };
}

/** Checks one node against the op table and returns the shape of its output. */
export function outputShape(
  node: Omit<GraphNode, 'output'>,
  tensors: readonly GraphTensor[],
  weights: readonly GraphWeight[],
): Size[] {
  const definition = opDefinition(node.op);
  const bindings: Bindings = new Map();
  for (const { name, binds } of definition.parameters) {
    if (binds !== undefined) bindings.set(binds, node.parameters[name]!);
  }
  definition.weights.forEach((weight, i) => {
    bindShape(weight.shape, weights[node.weights[i]!]!.shape, bindings);
  });
  definition.inputs.forEach((input, i) => {
    bindShape(input.shape, tensors[node.inputs[i]!]!.shape, bindings);
  });
  return resolveShape(definition.output.shape, bindings);
}
