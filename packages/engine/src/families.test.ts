/** Each family through every way that a model comes and goes: both file formats, all backends, both row orders. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { boundsHash, graphRoot, weightsRoot } from './commitment.js';
import type { EngineModel } from './engine-model.js';
import { FAMILIES, type FamilyName, familyOf, layerRotates } from './families.js';
import { exportGguf } from './gguf/export-gguf.js';
import { loadGgufModel } from './gguf/load-model.js';
import { bytesSource } from './gguf/source.js';
import { checkConfig, type ModelConfig } from './model-config.js';
import { referenceBackend } from './reference/session.js';
import type { RopeScaling } from './rope-scaling.js';
import { exportSafetensors } from './safetensors/export-safetensors.js';
import { loadSafetensorsFolder } from './safetensors/load-folder.js';
import { randomEngineModel, TINY_CONFIG } from './testing/random-model.js';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();

const roots = (model: EngineModel) =>
  [weightsRoot, (m: EngineModel) => graphRoot(m.graph, sha256), boundsHash].map((root) =>
    Buffer.from(root(model, sha256)).toString('hex'),
  );

const NAMES = Object.keys(FAMILIES) as FamilyName[];

const LLAMA3: RopeScaling = {
  kind: 'llama3',
  factor: 8,
  lowFactor: 1,
  highFactor: 4,
  originalContext: 64,
};
const YARN: RopeScaling = {
  kind: 'yarn',
  factor: 4,
  betaFast: 8,
  betaSlow: 1,
  originalContext: 64,
};
const FACTORS = [1, 1.5, 2, 3, 5, 8, 13, 21];

const SCALINGS: readonly RopeScaling[] = [
  { kind: 'none' },
  { kind: 'linear', factor: 2.5 },
  LLAMA3,
  YARN,
  { ...YARN, attentionFactor: 1.125 },
  { kind: 'factors', factors: FACTORS, attentionFactor: 1 },
  { kind: 'factors', factors: FACTORS, attentionFactor: 1.125 },
];

const modelOf = (family: FamilyName, change: Partial<ModelConfig> = {}) =>
  randomEngineModel({ seed: 31, config: { family, layerCount: 4, ...change } });

const throughGguf = (model: EngineModel) => loadGgufModel(exportGguf({ model }).bytes).model;

function throughFolder(model: EngineModel): EngineModel {
  const { weights, config } = exportSafetensors({ model });
  const files = new Map([
    ['config.json', new TextEncoder().encode(config)],
    ['model.safetensors', weights],
  ]);
  const open = (name: string) => {
    const bytes = files.get(name);
    return bytes && bytesSource(bytes);
  };
  return loadSafetensorsFolder({ open }).model;
}

describe.each(NAMES)('%s', (family) => {
  it('is the same model again from its GGUF file', () => {
    const model = modelOf(family);
    const again = throughGguf(model);
    expect(roots(again)).toEqual(roots(model));
    expect(familyOf(again.config.family).gguf).toBe(familyOf(family).gguf);
  });

  it('is the same model again from its folder', () => {
    // Once through floats: their import finds scales of its own, and finds them again.
    const model = throughFolder(modelOf(family));
    const again = throughFolder(model);
    expect(again.config.family ?? 'llama').toBe(family);
    expect(roots(again)).toEqual(roots(model));
  });

  it('has the biases, norms and rotations of its row, in every layer', () => {
    const row = familyOf(family);
    const { nodes } = modelOf(family).graph;
    const count = (op: string) => nodes.filter((node) => node.op === op).length;
    const rotating = [0, 1, 2, 3].filter((layer) => layerRotates(row, layer)).length;
    expect(count('bias')).toBe(row.attentionBias ? 12 : 0);
    expect(count('headNorm')).toBe(row.headNorm ? 8 : 0);
    expect(count('rope')).toBe(2 * rotating);
    expect(count('splitHeads')).toBe(4 + 2 * (4 - rotating));
  });
});

describe('rows in the order of halves', () => {
  it('lie where GPT-NeoX has them: half a head apart, with their scales and biases', () => {
    const model = modelOf('qwen2');
    const { file } = loadGgufModel(exportGguf({ model }).bytes);
    const { headSize, width } = model.config;
    const tensor = file.tensors.get('blk.1.attn_k.weight')!;
    const rowBytes = (width / 32) * 34;
    const matrix = model.matrices.get('blk.1.attn_k.weight')!;
    const rowOf = (row: number) => {
      const bytes = file.source.read(tensor.offset + row * rowBytes, rowBytes);
      return Array.from(bytes.subarray(2, 34), (byte) => (byte << 24) >> 24);
    };
    // Second head: engine rows 2i and 2i + 1 are file rows i and i + headSize / 2.
    for (const [engine, inFile] of [
      [0, 0],
      [1, headSize / 2],
      [6, 3],
      [headSize - 1, headSize - 1],
    ] as const) {
      const from = (headSize + engine) * width;
      expect(rowOf(headSize + inFile)).toEqual(Array.from(matrix.data.subarray(from, from + 32)));
    }
    const bias = file.tensors.get('blk.1.attn_k.bias')!;
    const stored = new DataView(file.source.read(bias.offset, bias.byteCount).slice().buffer);
    const { data, exponent } = model.gains.get('blk.1.attn_k.bias')!;
    expect(stored.getFloat32(4 * (headSize / 2), true)).toBe(data[1]! * 2 ** exponent);
    expect(stored.getFloat32(4 * 3, true)).toBe(data[6]! * 2 ** exponent);
  });

  it('takes the gains of norms per head along', () => {
    const model = modelOf('qwen3');
    const { file } = loadGgufModel(exportGguf({ model }).bytes);
    const { headSize } = model.config;
    for (const name of ['blk.0.attn_q_norm.weight', 'blk.2.attn_k_norm.weight']) {
      const tensor = file.tensors.get(name)!;
      const stored = new DataView(file.source.read(tensor.offset, tensor.byteCount).slice().buffer);
      const { data, exponent } = model.gains.get(name)!;
      data.forEach((gain, i) => {
        const place = (i >> 1) + (i & 1) * (headSize / 2);
        expect(stored.getFloat32(4 * place, true)).toBe(gain * 2 ** exponent);
      });
    }
  });
});

describe('rotary scaling', () => {
  it.each(SCALINGS.map((each) => [each.kind, each] as const))(
    'survives a folder: %s',
    (_, each) => {
      const model = throughFolder(modelOf('llama', { ropeScaling: each }));
      expect(model.config.ropeScaling ?? { kind: 'none' }).toEqual(each);
      expect(roots(throughFolder(model))).toEqual(roots(model));
    },
  );

  it('survives a GGUF file, except what such a file cannot hold', () => {
    for (const each of SCALINGS) {
      const model = modelOf('qwen3', { ropeScaling: each });
      const inexact = each === LLAMA3 || (each.kind === 'yarn' && 'attentionFactor' in each);
      if (inexact) {
        expect(() => exportGguf({ model })).toThrow(
          expect.objectContaining({ code: 'gguf_not_expressible' }),
        );
      } else {
        expect(roots(throughGguf(model))).toEqual(roots(model));
      }
    }
  });

  it('changes the model, each in its own way', () => {
    const last = SCALINGS.map((ropeScaling) => {
      const model = modelOf('llama', { ropeScaling });
      const tokens = Array.from({ length: 30 }, (_, i) => (7 * i) % 128);
      return referenceBackend.createSession(model).forward(tokens).join();
    });
    expect(new Set(last).size).toBe(SCALINGS.length);
  });

  it('is refused outside the bounds of the proofs', () => {
    const bad: readonly RopeScaling[] = [
      { kind: 'linear', factor: 0 },
      { kind: 'linear', factor: Number.NaN },
      { kind: 'linear', factor: 2 ** 21 },
      { ...LLAMA3, highFactor: 1 },
      { ...LLAMA3, originalContext: 64.5 },
      { ...YARN, betaSlow: 8 },
      { ...YARN, attentionFactor: 3.5 },
      { ...YARN, attentionFactor: 0.25 },
      { kind: 'factors', factors: FACTORS.slice(1), attentionFactor: 1 },
      { kind: 'factors', factors: [...FACTORS.slice(1), -1], attentionFactor: 1 },
    ];
    for (const ropeScaling of bad) {
      expect(() => checkConfig({ ...TINY_CONFIG, ropeScaling })).toThrow(
        expect.objectContaining({ code: 'model_config_invalid' }),
      );
    }
  });
});
