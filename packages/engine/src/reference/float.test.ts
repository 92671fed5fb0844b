/**
 * The integer arithmetic against the same model in floating point: a rule that is consistently wrong (a constant, a
 * rotation the wrong way round, a missing root) passes every bit comparison and fails here.
 */
import { describe, expect, it } from 'vitest';
import type { EngineModel } from '../engine-model.js';
import type { ModelConfig } from '../model-config.js';
import { randomEngineModel } from '../testing/random-model.js';
import { referenceBackend } from './session.js';

const TOKENS = Array.from({ length: 40 }, (_, i) => (i * 29 + 3) % 128);

/** Names, and what differs from a Llama of this size; positions beyond the original contexts are reached. */
const CASES: readonly (readonly [string, Partial<ModelConfig>])[] = [
  ['4 heads', {}],
  ['2 heads', { headCount: 2, headSize: 32 }],
  ['qwen2', { family: 'qwen2' }],
  ['qwen3, heads wider than the row', { family: 'qwen3', headSize: 32 }],
  ['smollm3', { family: 'smollm3', layerCount: 4 }],
  ['linear scaling', { ropeScaling: { kind: 'linear', factor: 4 } }],
  [
    'llama3 scaling',
    {
      ropeScaling: {
        kind: 'llama3',
        factor: 8,
        lowFactor: 1,
        highFactor: 4,
        originalContext: 64,
      },
    },
  ],
  [
    'yarn',
    {
      family: 'qwen2',
      ropeScaling: { kind: 'yarn', factor: 4, betaFast: 8, betaSlow: 1, originalContext: 64 },
    },
  ],
  [
    'factors with an attention factor, as longrope',
    {
      ropeScaling: {
        kind: 'factors',
        factors: [1, 1.5, 2, 3, 5, 8, 13, 21],
        attentionFactor: 1.25,
      },
    },
  ],
];

describe('integer logits', () => {
  it.each(CASES)(
    'stay within 0.0015 rms of float activations on the same weights: %s',
    (_, config) => {
      const model = randomEngineModel({
        seed: 21,
        tied: false,
        config: { kvHeadCount: 2, layerCount: 3, ...config },
      });
      const exact = referenceBackend.createSession(model).forward(TOKENS, { logits: 'all' });
      const float = forwardInFloat(model, TOKENS);
      const errors = float.map((logit, i) => exact[i]! / 65_536 - logit);
      const rms = Math.sqrt(errors.reduce((sum, e) => sum + e * e, 0) / errors.length);
      const spread = Math.sqrt(float.reduce((sum, x) => sum + x * x, 0) / float.length);
      expect(spread).toBeGreaterThan(0.5);
      expect(rms).toBeLessThan(0.0015);
    },
  );

  it('are far from those of another family or scaling on the same weights', () => {
    const plain = randomEngineModel({ seed: 21, tied: false, config: { layerCount: 4 } });
    const float = forwardInFloat(plain, TOKENS);
    for (const [name, config] of CASES) {
      if (config.ropeScaling === undefined && config.family !== 'smollm3') continue;
      const model = randomEngineModel({
        seed: 21,
        tied: false,
        config: {
          ...config,
          family: config.family === 'qwen2' ? 'llama' : config.family!,
          layerCount: 4,
        },
      });
      const exact = referenceBackend.createSession(model).forward(TOKENS, { logits: 'all' });
      const worst = float.reduce((max, x, i) => Math.max(max, Math.abs(exact[i]! / 65_536 - x)), 0);
      expect(worst, name).toBeGreaterThan(0.1);
    }
  });
});

type Vector = number[];

const sumOf = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0);

/** A Llama or relative in doubles, written from the architectures' papers rather than from our ops. */
function forwardInFloat(model: EngineModel, tokens: readonly number[]): number[] {
  const { layerCount, headCount, kvHeadCount, headSize, rmsEpsilon } = model.config;
  const { family = 'llama' } = model.config;
  const { frequencies, attention } = floatRotation(model.config);
  const weight = (name: string) => floatMatrix(model, name);
  const gains = (name: string) => {
    const { data, exponent } = model.gains.get(name)!;
    return Array.from(data, (g) => g * 2 ** exponent);
  };
  const times = (name: string, x: Vector) =>
    weight(name).map((row) => row.reduce((sum, w, k) => sum + w * x[k]!, 0));
  const norm = (h: Vector, name: string) => {
    const scale = 1 / Math.sqrt(sumOf(h.map((x) => x * x)) / h.length + rmsEpsilon);
    return h.map((x, i) => x * scale * gains(name)[i]!);
  };
  const head = (row: Vector, h: number) => row.slice(h * headSize, (h + 1) * headSize);
  const perHead = (row: Vector, change: (x: Vector) => Vector) =>
    Array.from({ length: row.length / headSize }, (_, h) => change(head(row, h))).flat();
  const project = (name: string, x: Vector) => {
    const y = times(`${name}.weight`, x);
    return family === 'qwen2' ? y.map((v, i) => v + gains(`${name}.bias`)[i]!) : y;
  };
  const place = (row: Vector, name: string, layer: number, position: number) => {
    const y = family === 'qwen3' ? perHead(row, (x) => norm(x, `${name}_norm.weight`)) : row;
    if (family === 'smollm3' && layer % 4 === 3) return y;
    return y.map((x, i) => {
      const angle = position * frequencies[(i % headSize) >> 1]!;
      const turned = x * Math.cos(angle) + (i & 1 ? y[i - 1]! : -y[i + 1]!) * Math.sin(angle);
      return turned * attention;
    });
  };
  const keys: Vector[][] = Array.from({ length: layerCount }, () => []);
  const values: Vector[][] = Array.from({ length: layerCount }, () => []);
  const attend = (q: Vector, layer: number) =>
    Array.from({ length: headCount }, (_, i) => {
      const shared = Math.floor((i * kvHeadCount) / headCount);
      const scores = keys[layer]!.map(
        (k) => sumOf(head(k, shared).map((y, d) => y * head(q, i)[d]!)) / Math.sqrt(headSize),
      );
      const powers = scores.map((s) => Math.exp(s - Math.max(...scores)));
      const total = sumOf(powers);
      return Array.from({ length: headSize }, (_, d) =>
        sumOf(values[layer]!.map((v, t) => (powers[t]! / total) * head(v, shared)[d]!)),
      );
    }).flat();
  const result: number[] = [];
  tokens.forEach((token, position) => {
    let h = weight('token_embd.weight')[token]!;
    for (let layer = 0; layer < layerCount; layer++) {
      const at = `blk.${layer}.`;
      const x = norm(h, `${at}attn_norm.weight`);
      const q = place(project(`${at}attn_q`, x), `${at}attn_q`, layer, position);
      keys[layer]!.push(place(project(`${at}attn_k`, x), `${at}attn_k`, layer, position));
      values[layer]!.push(project(`${at}attn_v`, x));
      const mixed = attend(q, layer);
      h = times(`${at}attn_output.weight`, mixed).map((y, i) => y + h[i]!);
      const y = norm(h, `${at}ffn_norm.weight`);
      const up = times(`${at}ffn_up.weight`, y);
      const gated = times(`${at}ffn_gate.weight`, y).map(
        (g, i) => (g / (1 + Math.exp(-g))) * up[i]!,
      );
      h = times(`${at}ffn_down.weight`, gated).map((z, i) => z + h[i]!);
    }
    result.push(...times('output.weight', norm(h, 'output_norm.weight')));
  });
  return result;
}

/** Radians per position of each pair, and the factor on queries and keys, as the papers have them. */
function floatRotation({ headSize, ropeBase, ropeScaling }: ModelConfig) {
  const plain = Array.from({ length: headSize / 2 }, (_, i) => ropeBase ** ((-2 * i) / headSize));
  if (ropeScaling === undefined || ropeScaling.kind === 'none') {
    return { frequencies: plain, attention: 1 };
  }
  if (ropeScaling.kind === 'factors') {
    const { factors, attentionFactor } = ropeScaling;
    return { frequencies: plain.map((f, i) => f / factors[i]!), attention: attentionFactor };
  }
  const { factor } = ropeScaling;
  if (ropeScaling.kind === 'linear') {
    return { frequencies: plain.map((f) => f / factor), attention: 1 };
  }
  if (ropeScaling.kind === 'llama3') {
    const { lowFactor, highFactor, originalContext } = ropeScaling;
    const frequencies = plain.map((f) => {
      const waves = originalContext / ((2 * Math.PI) / f);
      if (waves < lowFactor) return f / factor;
      if (waves > highFactor) return f;
      const smooth = (waves - lowFactor) / (highFactor - lowFactor);
      return ((1 - smooth) * f) / factor + smooth * f;
    });
    return { frequencies, attention: 1 };
  }
  const { betaFast, betaSlow, originalContext } = ropeScaling;
  const pairAt = (rotations: number) =>
    (headSize * Math.log(originalContext / (rotations * 2 * Math.PI))) / (2 * Math.log(ropeBase));
  const low = Math.max(0, Math.floor(pairAt(betaFast)));
  const high = Math.min(headSize - 1, Math.ceil(pairAt(betaSlow)));
  const frequencies = plain.map((f, i) => {
    const ramp = Math.min(1, Math.max(0, (i - low) / Math.max(0.001, high - low)));
    return (f / factor) * ramp + f * (1 - ramp);
  });
  return { frequencies, attention: 0.1 * Math.log(factor) + 1 };
}

const cache = new WeakMap<object, number[][]>();

function floatMatrix(model: EngineModel, name: string): number[][] {
  const matrix = model.matrices.get(name)!;
  const known = cache.get(matrix);
  if (known !== undefined) return known;
  const { rows, cols, data, scales, rowShifts, exponent } = matrix;
  const floats = Array.from({ length: rows }, (_, o) =>
    Array.from({ length: cols }, (_, k) => {
      const i = o * cols + k;
      return data[i]! * scales[Math.floor(i / 32)]! * 2 ** (rowShifts[o]! + exponent);
    }),
  );
  cache.set(matrix, floats);
  return floats;
}
