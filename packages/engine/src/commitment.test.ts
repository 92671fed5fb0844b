import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  boundsHash,
  encodeNode,
  graphLeaves,
  graphRoot,
  LEAF_COLUMNS,
  tablesRoot,
  tensorRows,
  weightsRoot,
} from './commitment.js';
import type { EngineModel } from './engine-model.js';
import type { FamilyName } from './families.js';
import { llamaGraph } from './graph.js';
import { merkleRootOf } from './merkle.js';
import type { ModelConfig } from './model-config.js';
import { randomEngineModel, TINY_CONFIG } from './testing/random-model.js';

const sha256 = (bytes: Uint8Array): Uint8Array =>
  new Uint8Array(createHash('sha256').update(bytes).digest());
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const model = randomEngineModel({ seed: 41 });

/** The model with one matrix replaced. */
function changed(
  name: string,
  change: (data: Int8Array, scales: Uint16Array) => void,
): EngineModel {
  const matrix = model.matrices.get(name)!;
  const data = matrix.data.slice();
  const scales = matrix.scales.slice();
  change(data, scales);
  return { ...model, matrices: new Map(model.matrices).set(name, { ...matrix, data, scales }) };
}

describe('vectors/arithmetic/model.json', () => {
  const file = JSON.parse(
    readFileSync(new URL('../../../vectors/arithmetic/model.json', import.meta.url), 'utf8'),
  ) as {
    tablesRoot: string;
    cases: {
      seed: number;
      tied: boolean;
      family: FamilyName;
      config: Partial<ModelConfig>;
      graphRoot: string;
      weightsRoot: string;
      boundsHash: string;
    }[];
  };

  it('has the root of the tables', () => {
    expect(hex(tablesRoot(sha256))).toBe(file.tablesRoot);
  });

  for (const { seed, tied, family, config, ...roots } of file.cases) {
    it(`has the roots of ${family}, seed ${seed}, ${tied ? 'tied' : 'untied'}`, () => {
      const random = randomEngineModel({ seed, tied, config: { ...config, family } });
      expect(hex(graphRoot(random.graph, sha256))).toBe(roots.graphRoot);
      expect(hex(weightsRoot(random, sha256))).toBe(roots.weightsRoot);
      expect(hex(boundsHash(random, sha256))).toBe(roots.boundsHash);
    });
  }
});

describe('weightsRoot', () => {
  const root = hex(weightsRoot(model, sha256));

  it('is a function of the weights alone', () => {
    expect(hex(weightsRoot(randomEngineModel({ seed: 41 }), sha256))).toBe(root);
    expect(hex(weightsRoot(randomEngineModel({ seed: 42 }), sha256))).not.toBe(root);
  });

  it('changes with any weight, scale, row shift, exponent, gain or step', () => {
    const name = 'blk.1.ffn_down.weight';
    const matrix = model.matrices.get(name)!;
    const gains = model.gains.get('output_norm.weight')!;
    const variants: EngineModel[] = [
      changed(name, (data) => data.set([data[95]! ^ 1], 95)),
      changed(name, (_, scales) => scales.set([scales[3]! ^ 256], 3)),
      {
        ...model,
        matrices: new Map(model.matrices).set(name, { ...matrix, exponent: matrix.exponent + 1 }),
      },
      {
        ...model,
        matrices: new Map(model.matrices).set(name, {
          ...matrix,
          rowShifts: matrix.rowShifts.map((shift, i) => (i === 63 ? shift ^ 1 : shift)),
        }),
      },
      {
        ...model,
        gains: new Map(model.gains).set('output_norm.weight', {
          ...gains,
          data: gains.data.map((gain, i) => (i === 63 ? -gain : gain)),
        }),
      },
      { ...model, ropeSteps: model.ropeSteps.map((step, i) => (i === 7 ? step + 1n : step)) },
    ];
    const roots = variants.map((variant) => hex(weightsRoot(variant, sha256)));
    expect(new Set([root, ...roots]).size).toBe(variants.length + 1);
  });
});

describe('tensorRows', () => {
  it('has a header and one leaf per row and 1,024 columns, in graph order', () => {
    const tensors = tensorRows(model);
    expect(tensors.map(({ name }) => name)).toEqual(model.graph.weights.map(({ name }) => name));
    expect([...tensors[0]!.leaves].length).toBe(1 + TINY_CONFIG.vocabularySize);
    const wide = randomEngineModel({
      seed: 1,
      config: { feedForwardWidth: 2080, layerCount: 1, vocabularySize: 32 },
    });
    const down = tensorRows(wide).find(({ name }) => name === 'blk.0.ffn_down.weight')!;
    const leaves = [...down.leaves];
    expect(leaves.length).toBe(1 + 64 * 3);
    expect(leaves[1]!.length).toBe(1 + (LEAF_COLUMNS / 32) * 2 + LEAF_COLUMNS);
    expect(leaves[3]!.length).toBe(1 + 2 + 32);
  });

  it('holds weights in the order in which the EVM multiplies eight lanes at once', () => {
    const leaf = [...tensorRows(model)[0]!.leaves][1]!;
    const x = Array.from({ length: 64 }, (_, i) => ((i * 7919) % 65_535) - 32_767);
    const matrix = model.matrices.get('token_embd.weight')!;
    for (const block of [0, 1]) {
      const scaleCount = 2;
      const bytes = leaf.slice(
        1 + 2 * scaleCount + 32 * block,
        1 + 2 * scaleCount + 32 * (block + 1),
      );
      const row = x.slice(32 * block, 32 * (block + 1));
      const plain = row.reduce((sum, v, k) => sum + v * matrix.data[32 * block + k]!, 0);
      expect(laneDot(bytes, row)).toBe(BigInt(plain));
    }
  });
});

/** The contract's block dot in 256-bit words: mask, subtract the offsets, multiply, take the top lane. */
function laneDot(weights: Uint8Array, x: readonly number[]): bigint {
  const word = (bytes: Iterable<number>) => [...bytes].reduce((w, b) => (w << 8n) | BigInt(b), 0n);
  const lanes = (value: bigint) =>
    Array<bigint>(8)
      .fill(value)
      .reduce((w, v) => (w << 32n) | v, 0n);
  const activations = (from: number) =>
    word(x.slice(from, from + 16).flatMap((v) => [(v + 32_768) >> 8, (v + 32_768) & 255]));
  const product = (a: bigint, b: bigint) =>
    ((a & lanes(0xffffn)) - lanes(0x8000n)) * ((b & lanes(0xffn)) - lanes(0x80n));
  const w = word(weights);
  const low = activations(0);
  const high = activations(16);
  const sum =
    product(low, w) +
    product(low >> 16n, w >> 8n) +
    product(high, w >> 16n) +
    product(high >> 16n, w >> 24n);
  return BigInt.asIntN(256, sum + (1n << 223n)) >> 224n;
}

describe('merkleRootOf', () => {
  const leaves = (count: number) =>
    Array.from({ length: count }, (_, i) => Uint8Array.of(i, i + 1));

  it('is the level by level tree with odd nodes moving up', () => {
    const concat = (...parts: Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));
    for (let count = 1; count <= 17; count++) {
      let level = leaves(count).map((leaf) => sha256(concat(Uint8Array.of(0), leaf)));
      while (level.length > 1) {
        level = level.flatMap((node, i) =>
          i % 2 === 1
            ? []
            : [i + 1 < level.length ? sha256(concat(Uint8Array.of(1), node, level[i + 1]!)) : node],
        );
      }
      const prefix = Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, count);
      expect(hex(merkleRootOf(leaves(count), sha256))).toBe(hex(sha256(concat(prefix, level[0]!))));
    }
  });

  it('binds the number of leaves, and has a root for none', () => {
    const padded = [...leaves(3), leaves(3)[2]!];
    expect(hex(merkleRootOf(padded, sha256))).not.toBe(hex(merkleRootOf(leaves(3), sha256)));
    expect(merkleRootOf([], sha256).length).toBe(32);
  });
});

describe('graphRoot', () => {
  const graph = llamaGraph(TINY_CONFIG);

  it('ignores names and sees wiring, sizes and parameters', () => {
    const renamed = { ...graph, weights: graph.weights.map((w) => ({ ...w, name: `x${w.name}` })) };
    expect(graphRoot(renamed, sha256)).toEqual(graphRoot(graph, sha256));
    const [first, second] = [graph.nodes[2]!, graph.nodes[3]!];
    const rewired = graph.nodes.map((node) =>
      node === first ? { ...node, weights: second.weights } : node,
    );
    const variants = [
      { ...graph, nodes: rewired },
      llamaGraph({ ...TINY_CONFIG, residualBits: 15 }),
      llamaGraph({ ...TINY_CONFIG, vocabularySize: 129 }),
      llamaGraph({ ...TINY_CONFIG, rmsEpsilon: 1e-6 }),
      llamaGraph(TINY_CONFIG, { untied: true }),
    ];
    const roots = [graph, ...variants].map((g) => hex(graphRoot(g, sha256)));
    expect(new Set(roots).size).toBe(roots.length);
  });

  it('has a header and one leaf per node', () => {
    const leaves = graphLeaves(graph);
    expect(leaves.length).toBe(1 + graph.nodes.length);
    const name = Buffer.from('flex16-w8a16-v0').toString('hex');
    const sizes = [graph.nodes.length, graph.weights.length, graph.logitsFrom];
    expect(hex(leaves[0]!)).toBe(`0f${name}${sizes.map(hex32).join('')}`);
    graph.nodes.forEach((_, j) => {
      expect(leaves[1 + j]).toEqual(encodeNode(graph, j));
    });
  });

  it('writes a leaf byte by byte as the document says', () => {
    const at = graph.nodes.findIndex(({ op }) => op === 'rope');
    const { inputs, weights } = graph.nodes[at]!;
    const { headCount, headSize } = TINY_CONFIG;
    const T = 'ffffffff';
    const leaf = [
      ...['04', hex32(graph.logitsFrom)],
      ...['01', hex32(inputs[0]!), '02', T, hex32(headCount * headSize)],
      ...['01', hex32(weights[0]!), '03', '01', hex32(headSize / 2)],
      ...['01', '00000000', hex32(headCount)],
      ...['03', T, hex32(headCount), hex32(headSize)],
    ];
    expect(hex(encodeNode(graph, at))).toBe(leaf.join(''));
  });

  it('repeats in a leaf what the producer of an input says of its output', () => {
    const stretched = graph.tensors.map((tensor) =>
      tensor.name.endsWith('.embed') ? { ...tensor, shape: ['T' as const, 96] } : tensor,
    );
    const before = graphLeaves(graph).map(hex);
    const after = graphLeaves({ ...graph, tensors: stretched }).map(hex);
    const differing = after.flatMap((leaf, i) => (leaf === before[i] ? [] : [i - 1]));
    const readers = graph.nodes.flatMap(({ inputs }, j) => (inputs.includes(1) ? [j] : []));
    expect(differing).toEqual([0, ...readers]);
  });
});

const hex32 = (value: number): string => value.toString(16).padStart(8, '0');

describe('tablesRoot and boundsHash', () => {
  it('are 32 bytes, and bounds follow the context length', () => {
    expect(tablesRoot(sha256).length).toBe(32);
    const longer = { ...model, config: { ...model.config, contextLength: 512 } };
    expect(boundsHash(longer, sha256)).not.toEqual(boundsHash(model, sha256));
  });
});
