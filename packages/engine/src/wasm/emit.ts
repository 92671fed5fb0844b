/**
 * The instruction of each op: what it reads, where its output goes, which words the kernel is given. It decides nothing
 * about memory, which is the planner's.
 */
import type { GraphNode } from '../graph.js';
import type { OpName } from '../op-table.js';
import { graphUnsupported, type Place, type PlaceOf } from './places.js';
import type { Planner } from './plan.js';

/** Words of a sums tensor. */
const sumsFields = (sums: PlaceOf<'sums'>) => ({
  values: sums.block,
  exponents: sums.exponents,
  masks: sums.masks,
  stride: sums.stride,
});

/** Words of a sums tensor that is written. */
const sumsOutFields = (sums: PlaceOf<'sums'>) => ({
  outValues: sums.block,
  outExponents: sums.exponents,
  outMasks: sums.masks,
});

/** One emitter per op of the table: takes places for the output, writes the instruction. */
export const EMIT: Readonly<
  Record<OpName, (planner: Planner, node: GraphNode) => Place | undefined>
> = {
  embed(planner, node) {
    const out = planner.residual(planner.size(node, 1));
    const { residualBits } = node.parameters;
    const fields = { width: out.width, residualBits: residualBits!, out: out.block };
    planner.emit('embed', { ...planner.matrix(node), ...fields }, { reads: [], writes: [out] });
    return out;
  },
  rmsNorm(planner, node) {
    const input = planner.input(node, 0, 'residual');
    const gains = planner.gains(node);
    const out = planner.row16(input.width);
    const epsilon = node.parameters.epsilonQ40!;
    const fields = {
      input: input.block,
      width: input.width,
      gains: gains.at,
      gainExponent: gains.exponent,
      epsilonLow: epsilon % 2 ** 32,
      epsilonHigh: Math.floor(epsilon / 2 ** 32),
      residualBits: node.parameters.residualBits!,
      out: out.block,
      outExponents: out.exponents,
    };
    planner.emit('norm', fields, { reads: [input], writes: [out] });
    return out;
  },
  matmul(planner, node) {
    const input = planner.input(node, 0, 'row16');
    const out = planner.sums(planner.size(node, 1));
    const fields = {
      input: input.block,
      inputExponents: input.exponents,
      k: input.width,
      ...planner.matrix(node),
      ...sumsFields(out),
    };
    planner.emit('matmul', fields, { reads: [input], writes: [out] });
    return out;
  },
  rope(planner, node) {
    const steps = planner.ropeSteps(node);
    return planner.isKept(node)
      ? keepHeads(planner, node, { name: 'keys', steps })
      : queryHeads(planner, node, steps);
  },
  splitHeads(planner, node) {
    if (!planner.isKept(node)) return queryHeads(planner, node, 0);
    const name = planner.isValues(node.output) ? 'values' : 'keys';
    return keepHeads(planner, node, { name, steps: 0 });
  },
  scores: (_, node) => ({ kind: 'fused', block: 0, node }),
  softmax: (_, node) => ({ kind: 'fused', block: 0, node }),
  mix: (planner, node) => attend(planner, node),
  joinHeads(planner, node) {
    const mixed = planner.input(node, 0, 'mixed');
    const out = planner.row16(planner.size(node, 1));
    const fields = {
      mixed: mixed.block,
      results: mixed.results,
      heads: mixed.heads,
      headSize: mixed.headSize,
      out: out.block,
      outExponents: out.exponents,
    };
    planner.emit('join', fields, { reads: [mixed], writes: [out] });
    return out;
  },
  swiGlu(planner, node) {
    const gate = planner.input(node, 0, 'sums');
    const up = planner.input(node, 1, 'sums');
    const out = planner.row16(gate.width);
    const fields = {
      gateValues: gate.block,
      gateExponents: gate.exponents,
      gateMasks: gate.masks,
      upValues: up.block,
      upExponents: up.exponents,
      upMasks: up.masks,
      stride: gate.stride,
      width: gate.width,
      out: out.block,
      outExponents: out.exponents,
    };
    planner.emit('swiGlu', fields, { reads: [gate, up], writes: [out] });
    return out;
  },
  residualAdd(planner, node) {
    const residual = planner.input(node, 0, 'residual');
    const sums = planner.input(node, 1, 'sums');
    const out = planner.residual(residual.width);
    const fields = {
      residual: residual.block,
      ...sumsFields(sums),
      width: residual.width,
      residualBits: node.parameters.residualBits!,
      out: out.block,
    };
    planner.emit('residualAdd', fields, { reads: [residual, sums], writes: [out] });
    return out;
  },
  logits(planner, node) {
    const sums = planner.input(node, 0, 'sums');
    const fields = { ...sumsFields(sums), count: sums.width };
    planner.emit('logits', fields, { reads: [sums], writes: [] });
    return undefined;
  },
  bias(planner, node) {
    const sums = planner.input(node, 0, 'sums');
    const vector = planner.gains(node);
    const out = planner.sums(sums.width);
    const fields = {
      ...sumsFields(sums),
      width: sums.width,
      vector: vector.at,
      vectorExponent: vector.exponent,
      ...sumsOutFields(out),
    };
    planner.emit('bias', fields, { reads: [sums], writes: [out] });
    return out;
  },
  headNorm(planner, node) {
    const sums = planner.input(node, 0, 'sums');
    const gains = planner.gains(node);
    const out = planner.sums(sums.width);
    const heads = node.parameters.headCount!;
    const epsilon = node.parameters.epsilonQ40!;
    const fields = {
      ...sumsFields(sums),
      heads,
      headSize: sums.width / heads,
      gains: gains.at,
      gainExponent: gains.exponent,
      epsilonLow: epsilon % 2 ** 32,
      epsilonHigh: Math.floor(epsilon / 2 ** 32),
      ...sumsOutFields(out),
    };
    planner.emit('headNorm', fields, { reads: [sums], writes: [out] });
    return out;
  },
};

function queryHeads(planner: Planner, node: GraphNode, steps: number): Place {
  const sums = planner.input(node, 0, 'sums');
  const heads = node.parameters.headCount!;
  const out = planner.query(heads, sums.width / heads);
  const target = { out: out.block, outExponents: out.exponents, offset: 0 };
  const fields = { ...sumsFields(sums), heads, headSize: out.headSize, steps, ...target };
  planner.emit('query', fields, { reads: [sums], writes: [out] });
  return out;
}

function keepHeads(
  planner: Planner,
  node: GraphNode,
  { name, steps }: { readonly name: 'keys' | 'values'; readonly steps: number },
): Place {
  const sums = planner.input(node, 0, 'sums');
  const heads = node.parameters.headCount!;
  const out = planner.keep(heads, sums.width / heads);
  const target = { out: 0, outExponents: 0, offset: out.offset };
  const fields = { ...sumsFields(sums), heads, headSize: out.headSize, steps, ...target };
  planner.emit(name, fields, { reads: [sums], writes: [out] });
  return out;
}

/** scores, softmax and mix in one instruction. */
function attend(planner: Planner, node: GraphNode): Place {
  const softmax = planner.input(node, 0, 'fused').node;
  const scores = planner.input(softmax, 0, 'fused').node;
  const query = planner.input(scores, 0, 'query');
  const keys = planner.input(scores, 1, 'kept');
  const values = planner.input(node, 1, 'kept');
  if (softmax.inputs[1] !== node.inputs[1]) throw graphUnsupported(node, 'values differ');
  const out = planner.mixed(query.heads, query.headSize);
  const fields = {
    query: query.block,
    queryExponents: query.exponents,
    keys: keys.offset,
    keptValues: values.offset,
    heads: query.heads,
    kvHeads: keys.heads,
    headSize: query.headSize,
    scaleQ24: scores.parameters.scaleQ24!,
    out: out.block,
    results: out.results,
  };
  planner.emit('attend', fields, { reads: [query, keys, values], writes: [out] });
  return out;
}
