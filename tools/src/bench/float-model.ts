/**
 * A Llama in floating point, for comparison only: the same weights (or unquantised ones) with activations that are
 * never rounded to integers. Weights are float32, everything else is computed in doubles, so its own error is far
 * below what is measured. Written from the architecture, not from our ops; it knows no file.
 */
import type { EngineModel, ModelConfig, W8Matrix } from '@assay/engine';

/** Real weights by their GGUF names; matrices row by row. */
export type FloatModel = {
  readonly config: ModelConfig;
  readonly tensors: ReadonlyMap<string, Float32Array>;
};

/** The weights that an engine model stands for, as real numbers. */
export function floatsOf(model: EngineModel): FloatModel {
  const tensors = new Map<string, Float32Array>();
  for (const [name, matrix] of model.matrices) tensors.set(name, matrixFloats(matrix));
  for (const [name, { data, exponent }] of model.gains) {
    tensors.set(
      name,
      Float32Array.from(data, (value) => value * 2 ** exponent),
    );
  }
  return { config: model.config, tensors };
}

function matrixFloats({ data, scales, rowShifts, exponent, cols }: W8Matrix): Float32Array {
  return Float32Array.from(data, (value, i) => {
    const row = Math.floor(i / cols);
    return value * scales[i >> 5]! * 2 ** (rowShifts[row]! + exponent);
  });
}

/** Logits after each token of the sequence, a row per position. */
export function floatLogits(model: FloatModel, tokens: readonly number[]): Float64Array[] {
  const { config } = model;
  const width = config.headSize * config.kvHeadCount;
  const layers = Array.from({ length: config.layerCount }, () => ({
    keys: new Float64Array(tokens.length * width),
    values: new Float64Array(tokens.length * width),
  }));
  return tokens.map((token, position) => {
    const table = tensorOf(model, 'token_embd.weight');
    const h = Float64Array.from(table.subarray(token * config.width, (token + 1) * config.width));
    for (const [layer, kept] of layers.entries()) {
      attend(model, { at: `blk.${layer}.`, h, position, kept });
      feedForward(model, `blk.${layer}.`, h);
    }
    const head = model.tensors.get('output.weight') ?? table;
    return times(head, norm(model, 'output_norm.weight', h));
  });
}

type Kept = { readonly keys: Float64Array; readonly values: Float64Array };

/** Adds one layer's attention at a position to the residual row. */
function attend(
  model: FloatModel,
  step: {
    readonly at: string;
    readonly h: Float64Array;
    readonly position: number;
    readonly kept: Kept;
  },
): void {
  const { at, h, position, kept } = step;
  const { headCount, kvHeadCount, headSize } = model.config;
  const x = norm(model, `${at}attn_norm.weight`, h);
  const query = rotate(model.config, position, times(tensorOf(model, `${at}attn_q.weight`), x));
  const width = kvHeadCount * headSize;
  const key = rotate(model.config, position, times(tensorOf(model, `${at}attn_k.weight`), x));
  kept.keys.set(key, position * width);
  kept.values.set(times(tensorOf(model, `${at}attn_v.weight`), x), position * width);
  const mixed = new Float64Array(headCount * headSize);
  for (let head = 0; head < headCount; head++) {
    const shared = Math.floor((head * kvHeadCount) / headCount) * headSize;
    mixHead(mixed.subarray(head * headSize, (head + 1) * headSize), {
      query: query.subarray(head * headSize, (head + 1) * headSize),
      kept,
      count: position + 1,
      stride: width,
      offset: shared,
    });
  }
  add(h, times(tensorOf(model, `${at}attn_output.weight`), mixed));
}

/** Softmax attention of one head over the positions so far. */
function mixHead(
  out: Float64Array,
  head: {
    readonly query: Float64Array;
    readonly kept: Kept;
    readonly count: number;
    readonly stride: number;
    readonly offset: number;
  },
): void {
  const { query, kept, count, stride, offset } = head;
  const scores = Float64Array.from({ length: count }, (_, t) => {
    let sum = 0;
    for (let d = 0; d < query.length; d++) sum += query[d]! * kept.keys[t * stride + offset + d]!;
    return sum / Math.sqrt(query.length);
  });
  const largest = scores.reduce((a, b) => Math.max(a, b));
  const powers = scores.map((score) => Math.exp(score - largest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  for (let t = 0; t < count; t++) {
    const weight = powers[t]! / total;
    for (let d = 0; d < out.length; d++) out[d]! += weight * kept.values[t * stride + offset + d]!;
  }
}

/** Adds one layer's gated feed-forward to the residual row. */
function feedForward(model: FloatModel, at: string, h: Float64Array): void {
  const x = norm(model, `${at}ffn_norm.weight`, h);
  const gate = times(tensorOf(model, `${at}ffn_gate.weight`), x);
  const up = times(tensorOf(model, `${at}ffn_up.weight`), x);
  const gated = gate.map((g, i) => (g / (1 + Math.exp(-g))) * up[i]!);
  add(h, times(tensorOf(model, `${at}ffn_down.weight`), gated));
}

function norm({ config, tensors }: FloatModel, name: string, h: Float64Array): Float64Array {
  const gains = tensors.get(name)!;
  const squares = h.reduce((sum, x) => sum + x * x, 0);
  const scale = 1 / Math.sqrt(squares / h.length + config.rmsEpsilon);
  return h.map((x, i) => x * scale * gains[i]!);
}

/** Rotates adjacent pairs of each head by the position. */
function rotate(config: ModelConfig, position: number, row: Float64Array): Float64Array {
  const { headSize, ropeBase } = config;
  const out = new Float64Array(row.length);
  for (let i = 0; i < row.length; i += 2) {
    const angle = position * ropeBase ** (-(i % headSize) / headSize);
    const cos = Math.cos(angle);
    const sin = Math.sin(angle);
    out[i] = row[i]! * cos - row[i + 1]! * sin;
    out[i + 1] = row[i]! * sin + row[i + 1]! * cos;
  }
  return out;
}

/** Matrix times row; the matrix has as many columns as the row has elements. */
function times(matrix: Float32Array, x: Float64Array): Float64Array {
  const cols = x.length;
  const out = new Float64Array(matrix.length / cols);
  for (let row = 0; row < out.length; row++) {
    let sum = 0;
    const from = row * cols;
    for (let k = 0; k < cols; k++) sum += matrix[from + k]! * x[k]!;
    out[row] = sum;
  }
  return out;
}

function add(h: Float64Array, row: Float64Array): void {
  for (let i = 0; i < h.length; i++) h[i]! += row[i]!;
}

const tensorOf = ({ tensors }: FloatModel, name: string): Float32Array => tensors.get(name)!;
