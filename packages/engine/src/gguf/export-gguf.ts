/**
 * From a model in the engine's layout back to a GGUF file in Q8_0. Where the weights came from Q8_0, every scale is
 * still a float16 number, so nothing is lost and the file gives the same roots; scales found for float weights have 16
 * significant bits, of which float16 keeps 11, so those tensors are named as rounded and the file is another model.
 */

import { invariant } from '../engine-error.js';
import type { EngineModel } from '../engine-model.js';
import { familyOf } from '../families.js';
import { type GraphWeight, ROPE_STEPS_NAME } from '../graph.js';
import { BLOCK_SIZE, type ModelConfig, RESIDUAL_BITS_DEFAULT } from '../model-config.js';
import { NO_SCALING } from '../rope-scaling.js';
import { rotaryHeads, toHalves } from '../rotary-order.js';
import type { Gains, W8Matrix } from '../weights.js';
import { encodeTensor } from './encode-tensor.js';
import { ggufError } from './gguf-error.js';
import { float16ToFloat32, float32ToFloat16 } from './half.js';
import { type GgufMetadata, type GgufValue, metadataNumber } from './metadata.js';
import { describeScaling } from './rope-metadata.js';
import { Q8_BLOCK_BYTES } from './tensor-types.js';
import { type TensorToWrite, writeGguf } from './write-gguf.js';

/** A file and the names of the tensors that it holds with rounded scales; with none the export is lossless. */
export type ExportedGguf = {
  readonly bytes: Uint8Array;
  readonly roundedTensors: readonly string[];
};

/** llama.cpp's number for files mostly in Q8_0, and the version of its block layouts. */
const FILE_TYPE_Q8 = 7;
const QUANTISATION_VERSION = 2;

/**
 * Writes the model. `metadata` is kept in its order (tokenizer, template, names); keys that describe the model's sizes
 * are set from the model.
 *
 * @example
 * const { model, file } = loadGgufModel(bytes);
 * const { bytes: again, roundedTensors } = exportGguf({ model, metadata: file.metadata });
 */
export function exportGguf(options: {
  readonly model: EngineModel;
  readonly metadata?: GgufMetadata;
}): ExportedGguf {
  const { model } = options;
  const roundedTensors: string[] = [];
  const tensors: TensorToWrite[] = [];
  for (const weight of model.graph.weights) {
    if (weight.name === ROPE_STEPS_NAME) continue;
    const { tensor, rounded } = exportWeight(model, weight);
    tensors.push(tensor);
    if (rounded) roundedTensors.push(weight.name);
  }
  const { family, ropeScaling = NO_SCALING } = model.config;
  const scaling = describeScaling(ropeScaling, familyOf(family).gguf);
  const described = describeConfig(options.metadata ?? new Map(), model.config);
  const metadata = new Map([...described, ...scaling.metadata]);
  return {
    bytes: writeGguf({ metadata, tensors: [...tensors, ...scaling.tensors] }),
    roundedTensors,
  };
}

function exportWeight(
  { matrices, gains, config }: EngineModel,
  { name, shape }: GraphWeight,
): { readonly tensor: TensorToWrite; readonly rounded: boolean } {
  const dims = shape.toReversed();
  const halves = familyOf(config.family).ggufPairs === 'halves';
  const heads = halves ? rotaryHeads(name, config) : undefined;
  const matrix = matrices.get(name);
  if (matrix !== undefined) {
    const encoded = encodeMatrix(name, matrix);
    const bytes = heads === undefined ? encoded.bytes : toHalves(encoded.bytes, heads);
    return { tensor: { name, dims, type: 'Q8_0', bytes }, rounded: encoded.rounded };
  }
  const gain = gains.get(name);
  invariant(gain !== undefined, `the model has the weight ${name} of its graph`);
  const values = gainValues(gain);
  const bytes = encodeTensor('F32', heads === undefined ? values : toHalves(values, heads));
  return { tensor: { name, dims, type: 'F32', bytes }, rounded: false };
}

/** Q8_0 blocks: the scale as the nearest float16, then the quants as they are. */
function encodeMatrix(name: string, matrix: W8Matrix) {
  const view = new DataView(new ArrayBuffer((matrix.data.length / BLOCK_SIZE) * Q8_BLOCK_BYTES));
  const quants = new Int8Array(view.buffer);
  let rounded = false;
  for (let block = 0; block < matrix.scales.length; block++) {
    const scale = blockScale(matrix, block);
    const bits = float32ToFloat16(scale);
    const stored = float16ToFloat32(bits);
    if (!Number.isFinite(stored)) throw scaleTooLarge(name, scale);
    rounded ||= stored !== scale;
    const at = block * Q8_BLOCK_BYTES;
    view.setUint16(at, bits, true);
    const from = block * BLOCK_SIZE;
    quants.set(matrix.data.subarray(from, from + BLOCK_SIZE), at + 2);
  }
  return { bytes: new Uint8Array(view.buffer), rounded };
}

/** Real scale of a block of 32, exact in a double and in a float32. */
function blockScale(matrix: W8Matrix, block: number): number {
  const row = Math.floor((block * BLOCK_SIZE) / matrix.cols);
  return matrix.scales[block]! * 2 ** (matrix.rowShifts[row]! + matrix.exponent);
}

/** Weights as real numbers: quant times scale has at most 23 significant bits, so each is exact. */
export function matrixValues(matrix: W8Matrix): Float32Array {
  const values = new Float32Array(matrix.data.length);
  for (let block = 0; block < matrix.scales.length; block++) {
    const scale = blockScale(matrix, block);
    for (let i = block * BLOCK_SIZE; i < (block + 1) * BLOCK_SIZE; i++) {
      values[i] = matrix.data[i]! * scale;
    }
  }
  return values;
}

/** Gains as real numbers: 24 significant bits, exact. */
export const gainValues = ({ data, exponent }: Gains): Float32Array =>
  Float32Array.from(data, (value) => value * 2 ** exponent);

/** The metadata with every key from which `ggufConfig` reads set to what gives this configuration. */
function describeConfig(metadata: GgufMetadata, config: ModelConfig): GgufMetadata {
  const architecture = familyOf(config.family).gguf;
  const described = new Map([...metadata].filter(([key]) => !isReplaced(key)));
  const put = (key: string, value: GgufValue) => described.set(`${architecture}.${key}`, value);
  const set = (key: string, value: number) => {
    // A key that already says it keeps its type, so that a round trip changes no byte of it.
    if (described.has(key) && metadataNumber(described, key) === value) return;
    described.set(key, numberValue(value));
  };
  described.set('general.architecture', { type: 'string', value: architecture });
  set('general.file_type', FILE_TYPE_Q8);
  set('general.quantization_version', QUANTISATION_VERSION);
  const sizes = {
    block_count: config.layerCount,
    context_length: config.contextLength,
    embedding_length: config.width,
    feed_forward_length: config.feedForwardWidth,
    'attention.head_count': config.headCount,
    'attention.head_count_kv': config.kvHeadCount,
    'attention.key_length': config.headSize,
    'attention.value_length': config.headSize,
    'rope.dimension_count': config.headSize,
  };
  for (const [key, value] of Object.entries(sizes)) set(`${architecture}.${key}`, value);
  put('rope.freq_base', realValue(config.ropeBase));
  put('attention.layer_norm_rms_epsilon', realValue(epsilonValue(config.rmsEpsilon)));
  set(`${architecture}.vocab_size`, config.vocabularySize);
  if (config.residualBits !== RESIDUAL_BITS_DEFAULT) {
    set('assay.residual_bits', config.residualBits);
  }
  return described;
}

/** Keys of another file that no longer hold: parts, scaling and window. */
const isReplaced = (key: string): boolean =>
  key.startsWith('split.') || /\.rope\.scal(e|ing)[._]/.test(key) || /\.sliding_window$/.test(key);

/** Epsilon is committed in Q40: the float32 next to it is the same model if it gives the same integer. */
function epsilonValue(epsilon: number): number {
  const near = Math.fround(epsilon);
  return Math.round(near * 2 ** 40) === Math.round(epsilon * 2 ** 40) ? near : epsilon;
}

const numberValue = (value: number): GgufValue => ({ type: 'uint32', value });

/** As other readers expect it, a float32, unless that would round it. */
const realValue = (value: number): GgufValue => ({
  type: Math.fround(value) === value ? 'float32' : 'float64',
  value,
});

const scaleTooLarge = (name: string, scale: number) =>
  ggufError({
    code: 'gguf_scale_too_large',
    message: `A block of ${name} needs a scale beyond the range of float16.`,
    value: scale,
    remedy: 'Export to safetensors instead.',
  });
