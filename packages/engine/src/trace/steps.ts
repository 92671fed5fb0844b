/**
 * How the trace module describes each row of a graph: one step per node, made of where the machine put the node's
 * tensors. A node for which there is no kind is described by {@link writeRow}. The fields are those of
 * `assembly/trace/scribe.ts`, the kinds those of `describe.ts` there.
 */
import { type EngineModel, gainsAt } from '../engine-model.js';
import type { GraphNode } from '../graph.js';
import type { Machine } from '../wasm/machine.js';
import { paddedHead } from '../wasm/pages.js';
import type { Place, PlaceOf } from '../wasm/places.js';
import type { ColumnParts } from './column-parts.js';
import { inputNode } from './layout.js';
import { attentionsOf, chainOf, readsAsValues } from './trace-kernel.js';

const FIELDS = [
  ...(['kind', 'block', 'width', 'exponents', 'heads', 'padded', 'stride', 'masks'] as const),
  ...(['source', 'grid', 'parts', 'input', 'areValues'] as const),
] as const;

type Step = Readonly<Partial<Record<(typeof FIELDS)[number], number>>>;

const KIND = {
  ...{ other: 0, words: 1, norm: 2, halves: 3, join: 4, sums: 5 },
  ...{ query: 6, kept: 7, scores: 8, weights: 9, mix: 10 },
} as const;

const STEP_BYTES = 64;
/** Bytes of AttentionRecord, rounded up. */
const ATTENTION_BYTES = 64;

/** Writes the steps of all nodes; their address. */
export function writeSteps(
  machine: Machine,
  { model, parts }: { readonly model: EngineModel; readonly parts: ColumnParts },
): number {
  const { arena } = machine;
  const { nodes } = model.graph;
  const attentions = writeAttentions(machine, model);
  const steps = nodes.map((_, node) => stepOf({ machine, model, parts, attentions }, node));
  const at = arena.reserve(STEP_BYTES * nodes.length);
  const words = arena.words();
  for (const [node, step] of steps.entries()) {
    const from = (at + STEP_BYTES * node) / 4;
    FIELDS.forEach((field, i) => {
      words[from + i] = step[field] ?? 0;
    });
  }
  return at;
}

type Context = {
  readonly machine: Machine;
  readonly model: EngineModel;
  readonly parts: ColumnParts;
  /** Records of attention by the nodes of scores, softmax and mix. */
  readonly attentions: ReadonlyMap<number, { readonly record: number; readonly heads: number }>;
};

function stepOf(context: Context, index: number): Step {
  const { machine, model } = context;
  const node = model.graph.nodes[index]!;
  const place = machine.places.get(node.output);
  if (place === undefined) return { kind: KIND.other };
  return (STEPS[place.kind] as StepMaker<Place['kind']>)(context, { node, index, place });
}

type StepMaker<Kind extends Place['kind']> = (
  context: Context,
  at: { readonly node: GraphNode; readonly index: number; readonly place: PlaceOf<Kind> },
) => Step;

const STEPS: { readonly [Kind in Place['kind']]: StepMaker<Kind> } = {
  residual: (_, { place: { block, width } }) => ({ kind: KIND.words, block, width }),
  row16({ machine, model }, { node, index, place: { block, width, exponents } }) {
    const row = { block, width, exponents, grid: gridOf(model, node) };
    const input = machine.places.get(node.inputs[0]!)!;
    if (node.op === 'rmsNorm') return { kind: KIND.norm, ...row, input: input.block };
    if (node.op === 'swiGlu')
      return { kind: KIND.halves, ...row, source: inputNode(model.graph, index, 1) };
    const { results, heads } = input as PlaceOf<'mixed'>;
    return { kind: KIND.join, ...row, input: results, heads };
  },
  sums({ parts }, { index, place: { block, width, stride, exponents, masks } }) {
    const row = { block, width, stride, exponents, masks };
    return { kind: KIND.sums, ...row, input: parts.list(index) ?? 0, parts: parts.count(index) };
  },
  query: ({ model }, { node, index, place }) => ({
    ...headStep(place),
    ...{ kind: KIND.query, block: place.block, exponents: place.exponents },
    ...{ grid: gridOf(model, node), source: inputNode(model.graph, index, 0) },
  }),
  kept: ({ model }, { node, index, place }) => ({
    ...headStep(place),
    ...{ kind: KIND.kept, block: place.offset },
    ...{ grid: gridOf(model, node), source: inputNode(model.graph, index, 0) },
    areValues: readsAsValues(model.graph, node.output) ? 1 : 0,
  }),
  mixed: ({ attentions }, { index, place }) => ({
    ...headStep(place),
    ...{ kind: KIND.mix, block: place.block, exponents: place.results },
    input: attentions.get(index)!.record,
  }),
  fused({ attentions }, { node, index }) {
    const { record, heads } = attentions.get(index)!;
    const kind = node.op === 'scores' ? KIND.scores : KIND.weights;
    return { kind, input: record, heads };
  },
};

const headStep = ({ heads, headSize }: { heads: number; headSize: number }): Step => ({
  ...{ heads, width: headSize, padded: paddedHead(headSize) },
});

/** Exponent of a row without a shift, or what is added to that of the row which it comes from (row-facts.ts). */
function gridOf(model: EngineModel, { op, weights }: GraphNode): number {
  if (op === 'rmsNorm') return gainsAt(model, weights[0]!).exponent - 24;
  if (op === 'rope') return -30;
  return op === 'swiGlu' ? -16 : 0;
}

/** Records of all attentions (AttentionRecord), by the nodes that belong to them. */
function writeAttentions(machine: Machine, model: EngineModel): Context['attentions'] {
  const { arena, places } = machine;
  const found = new Map<number, { record: number; heads: number }>();
  for (const [mix, { query, keys, values, scaleQ24 }] of attentionsOf(model)) {
    const record = arena.reserve(ATTENTION_BYTES);
    const queries = places.get(query) as PlaceOf<'query'>;
    const keyPlace = places.get(keys) as PlaceOf<'kept'>;
    const valuePlace = places.get(values) as PlaceOf<'kept'>;
    const { heads, headSize, block, exponents } = queries;
    // The scale is 64 bits wide and below 2^31.
    const fields = [keyPlace.offset, valuePlace.offset, valuePlace.heads, paddedHead(headSize)];
    arena.words().set([...fields, scaleQ24, 0, block, exponents, headSize], record / 4);
    const { softmax, scores } = chainOf(model, mix);
    for (const node of [mix, softmax.output - 1, scores.output - 1])
      found.set(node, { record, heads });
  }
  return found;
}
