/**
 * A model with random weights from a seed, for tests, benchmarks and demonstrations: it says nothing sensible but
 * exercises every op like a trained one. Its integers come from a fixed generator, so a seed names a model for ever.
 */
import { buildLlamaModel, type EngineModel } from '../engine-model.js';
import type { TensorSource } from '../import-tensor.js';
import { type ModelConfig, RESIDUAL_BITS_DEFAULT } from '../model-config.js';

/** Small enough for a page of test output, large enough for grouped queries and several blocks per row. */
export const TINY_CONFIG: ModelConfig = {
  layerCount: 2,
  width: 64,
  headCount: 4,
  kvHeadCount: 2,
  headSize: 16,
  feedForwardWidth: 96,
  vocabularySize: 128,
  contextLength: 256,
  ropeBase: 10_000,
  rmsEpsilon: 1e-5,
  residualBits: RESIDUAL_BITS_DEFAULT,
};

/**
 * A complete random model; `config` fills in {@link TINY_CONFIG}, `tied` leaves out the output matrix. With `extreme`
 * all weights are near the largest: what they make has one sign, and sums of 32 products come near 2^27.
 */
export function randomEngineModel(options: {
  readonly seed: number;
  readonly config?: Partial<ModelConfig>;
  readonly tied?: boolean;
  readonly extreme?: boolean;
}): EngineModel {
  const config = { ...TINY_CONFIG, ...options.config };
  const next = mulberry32(options.seed);
  const shapes = llamaShapes(config, options.tied ?? true);
  return buildLlamaModel({
    config,
    tensor(name) {
      const shape = shapes(name);
      return shape && randomTensor(next, shape, options.extreme === true ? largeQuant : anyQuant);
    },
  });
}

/** A generator of 32-bit integers with 32 bits of state (Tommy Ettinger's mulberry32). */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return (x ^ (x >>> 14)) >>> 0;
  };
}

type Shape = {
  readonly rows: number;
  readonly cols: number;
  readonly kind: 'q8' | 'gains' | 'bias';
};

function llamaShapes(config: ModelConfig, tied: boolean): (name: string) => Shape | undefined {
  const { width, headCount, kvHeadCount, headSize, feedForwardWidth, vocabularySize } = config;
  const shapes: Record<string, readonly [rows: number, cols: number]> = {
    token_embd: [vocabularySize, width],
    ...(tied ? {} : { output: [vocabularySize, width] as const }),
    attn_q: [headCount * headSize, width],
    attn_k: [kvHeadCount * headSize, width],
    attn_v: [kvHeadCount * headSize, width],
    attn_output: [width, headCount * headSize],
    ffn_gate: [feedForwardWidth, width],
    ffn_up: [feedForwardWidth, width],
    ffn_down: [width, feedForwardWidth],
  };
  return (name) => {
    const base = name.replace(/^blk\.\d+\./, '').replace(/\.(weight|bias)$/, '');
    if (/_[qk]_norm$/.test(base)) return { rows: 1, cols: headSize, kind: 'gains' };
    if (base.endsWith('norm')) return { rows: 1, cols: width, kind: 'gains' };
    const shape = shapes[base];
    if (shape === undefined) return undefined;
    if (name.endsWith('.bias')) return { rows: 1, cols: shape[0], kind: 'bias' };
    return { rows: shape[0], cols: shape[1], kind: 'q8' };
  };
}

const anyQuant = (random: number): number => (random % 255) - 127;
const largeQuant = (random: number): number => 127 - (random & 3);

/** Matrices about 1 / sqrt(cols) in size, as trained ones are; gains around 1, biases around 0. */
function randomTensor(
  next: () => number,
  { rows, cols, kind }: Shape,
  quant: (random: number) => number,
): TensorSource {
  if (kind !== 'q8') {
    const least = kind === 'gains' ? 0.5 : -0.5;
    const data = Float32Array.from({ length: cols }, () => least + (next() >>> 8) / 2 ** 24);
    return { kind: 'f32', rows, cols, data };
  }
  const quants = Int8Array.from({ length: rows * cols }, () => quant(next()));
  const base = halfExponent(cols);
  const scales = Uint16Array.from({ length: (rows * cols) / 32 }, () => base + (next() & 0x3ff));
  return { kind, rows, cols, quants, scales };
}

/** Half-precision bits of a power of two near 1 / (73 * sqrt(cols)); 73 is the spread of a uniform quant. */
function halfExponent(cols: number): number {
  const log2 = Math.ceil((31 - Math.clz32(cols)) / 2) + 6;
  return (15 - log2) << 10;
}
