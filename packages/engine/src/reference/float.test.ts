/**
 * The integer arithmetic against the same model in floating point: a rule that is consistently wrong (a constant, a
 * rotation the wrong way round, a missing root) passes every bit comparison and fails here.
 */
import { describe, expect, it } from 'vitest';
import type { EngineModel } from '../engine-model.js';
import { randomEngineModel } from '../testing/random-model.js';
import { referenceBackend } from './session.js';

const TOKENS = Array.from({ length: 40 }, (_, i) => (i * 29 + 3) % 128);

describe('integer logits', () => {
  for (const headCount of [4, 2]) {
    it(`stay within 0.0015 rms of float activations on the same weights, ${headCount} heads`, () => {
      const model = randomEngineModel({
        seed: 21,
        tied: false,
        config: { headCount, headSize: 64 / headCount, kvHeadCount: 2, layerCount: 3 },
      });
      const exact = referenceBackend.createSession(model).forward(TOKENS, { logits: 'all' });
      const float = forwardInFloat(model, TOKENS);
      const errors = float.map((logit, i) => exact[i]! / 65_536 - logit);
      const rms = Math.sqrt(errors.reduce((sum, e) => sum + e * e, 0) / errors.length);
      const spread = Math.sqrt(float.reduce((sum, x) => sum + x * x, 0) / float.length);
      expect(spread).toBeGreaterThan(0.5);
      expect(rms).toBeLessThan(0.0015);
    });
  }
});

/** A Llama in doubles, written from the architecture's papers rather than from our ops. */
function forwardInFloat(model: EngineModel, tokens: readonly number[]): number[] {
  const { layerCount, headCount, kvHeadCount, headSize, ropeBase, rmsEpsilon } = model.config;
  const weight = (name: string) => floatMatrix(model, name);
  const times = (name: string, x: number[]) =>
    weight(name).map((row) => row.reduce((sum, w, k) => sum + w * x[k]!, 0));
  const norm = (h: number[], name: string) => {
    const gains = model.gains.get(name)!;
    const scale = 1 / Math.sqrt(h.reduce((sum, x) => sum + x * x, 0) / h.length + rmsEpsilon);
    return h.map((x, i) => x * scale * gains.data[i]! * 2 ** gains.exponent);
  };
  const rotate = (row: number[], position: number) =>
    row.map((x, i) => {
      const pair = (i % headSize) >> 1;
      const angle = position * ropeBase ** ((-2 * pair) / headSize);
      const other = row[i ^ 1]!;
      return x * Math.cos(angle) + (i & 1 ? other : -other) * Math.sin(angle);
    });
  const head = (row: number[], h: number) => row.slice(h * headSize, (h + 1) * headSize);
  const keys: number[][][] = Array.from({ length: layerCount }, () => []);
  const values: number[][][] = Array.from({ length: layerCount }, () => []);
  const result: number[] = [];
  tokens.forEach((token, position) => {
    let h = weight('token_embd.weight')[token]!;
    for (let layer = 0; layer < layerCount; layer++) {
      const at = `blk.${layer}.`;
      const x = norm(h, `${at}attn_norm.weight`);
      const q = rotate(times(`${at}attn_q.weight`, x), position);
      keys[layer]!.push(rotate(times(`${at}attn_k.weight`, x), position));
      values[layer]!.push(times(`${at}attn_v.weight`, x));
      const mixed: number[] = [];
      for (let i = 0; i < headCount; i++) {
        const shared = Math.floor((i * kvHeadCount) / headCount);
        const scores = keys[layer]!.map(
          (k) =>
            head(k, shared).reduce((sum, y, d) => sum + y * head(q, i)[d]!, 0) /
            Math.sqrt(headSize),
        );
        const powers = scores.map((s) => Math.exp(s - Math.max(...scores)));
        const total = powers.reduce((sum, p) => sum + p, 0);
        for (let d = 0; d < headSize; d++) {
          mixed.push(
            values[layer]!.reduce(
              (sum, v, t) => sum + (powers[t]! / total) * head(v, shared)[d]!,
              0,
            ),
          );
        }
      }
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
