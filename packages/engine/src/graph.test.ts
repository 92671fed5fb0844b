import { describe, expect, it } from 'vitest';
import { llamaGraph, outputShape, scoreScaleQ24 } from './graph.js';
import { checkConfig } from './model-config.js';
import { OP_TABLE, opDefinition } from './op-table.js';
import { TINY_CONFIG } from './testing/random-model.js';

describe('llamaGraph', () => {
  const graph = llamaGraph(TINY_CONFIG);

  it('reads every tensor after it was written, and ends in logits', () => {
    const written = new Set([0]);
    for (const node of graph.nodes) {
      for (const input of node.inputs) expect(written.has(input)).toBe(true);
      written.add(node.output);
    }
    const last = graph.nodes.at(-1)!;
    expect(last.op).toBe('logits');
    expect(graph.tensors[last.output]!.shape).toEqual(['T', TINY_CONFIG.vocabularySize]);
  });

  it('uses each op as the table defines it: formats, shapes and numbers of inputs', () => {
    for (const node of graph.nodes) {
      const definition = opDefinition(node.op);
      expect(node.inputs.map((i) => graph.tensors[i]!.format)).toEqual(
        definition.inputs.map((input) => input.format),
      );
      expect(node.weights.map((i) => graph.weights[i]!.kind)).toEqual(
        definition.weights.map((weight) => weight.kind),
      );
      expect(Object.keys(node.parameters).sort()).toEqual(
        definition.parameters.map(({ name }) => name).sort(),
      );
      expect(graph.tensors[node.output]!.shape).toEqual(
        outputShape(node, graph.tensors, graph.weights),
      );
    }
  });

  it('keeps exactly keys and values, for each layer', () => {
    const kept = graph.tensors.filter((tensor) => tensor.kept);
    expect(kept.length).toBe(2 * TINY_CONFIG.layerCount);
    for (const tensor of kept) {
      expect(tensor.shape).toEqual(['T', TINY_CONFIG.kvHeadCount, TINY_CONFIG.headSize]);
    }
  });

  it('ties the output to the token table unless told otherwise', () => {
    const names = (g: typeof graph) => g.weights.map(({ name }) => name);
    expect(names(graph)).not.toContain('output.weight');
    expect(names(llamaGraph(TINY_CONFIG, { untied: true }))).toContain('output.weight');
    const head = graph.nodes.at(-2)!;
    expect(graph.weights[head.weights[0]!]!.name).toBe('token_embd.weight');
  });

  it('refuses a matrix that does not fit its input', () => {
    const node = graph.nodes.find(({ op }) => op === 'matmul')!;
    const weights = graph.weights.map((w, i) =>
      i === node.weights[0] ? { ...w, shape: [64, 32] } : w,
    );
    expect(() => outputShape(node, graph.tensors, weights)).toThrow(
      expect.objectContaining({ code: 'shape_mismatch' }),
    );
  });
});

describe('scoreScaleQ24', () => {
  it('is round(log2(e) / sqrt(headSize) * 2^24) for every head size', () => {
    for (let size = 2; size <= 256; size += 2) {
      expect(scoreScaleQ24(size)).toBe(Math.round((Math.LOG2E / Math.sqrt(size)) * 2 ** 24));
    }
  });
});

describe('OP_TABLE', () => {
  it('gives each op its own byte', () => {
    const ids = Object.values(OP_TABLE).map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(Math.max(...ids)).toBeLessThan(256);
  });
});

describe('checkConfig', () => {
  it('accepts the limits and refuses anything beyond them by name', () => {
    expect(checkConfig(TINY_CONFIG)).toBe(TINY_CONFIG);
    const bad = [
      { width: 48 },
      { width: 16_416 },
      { headSize: 15 },
      { headSize: 258 },
      { kvHeadCount: 3 },
      { contextLength: 131_073 },
      { feedForwardWidth: 65_568 },
      { ropeBase: 1.5 },
      { rmsEpsilon: 0 },
      { residualBits: 21 },
      { layerCount: 0 },
      { layerCount: Number.NaN },
      { headCount: 3, kvHeadCount: 3 },
    ];
    for (const change of bad) {
      expect(() => checkConfig({ ...TINY_CONFIG, ...change }), JSON.stringify(change)).toThrow(
        expect.objectContaining({ code: 'model_config_invalid' }),
      );
    }
  });
});
