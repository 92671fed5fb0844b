/**
 * From a GGUF file to a model that the engine can run: configuration from the metadata, every tensor checked against
 * the graph before one is read. A file with anything that the graph would ignore is refused, because ignoring a bias or
 * a rotary scaling silently gives another model.
 */
import { buildLlamaModel, type EngineModel, type WeightsChoice } from '../engine-model.js';
import { familyColumn, familyOf, findFamily } from '../families.js';
import { type Graph, llamaGraph, ROPE_STEPS_NAME } from '../graph.js';
import type { TensorRows, TensorSource } from '../import-tensor.js';
import { checkConfig, type ModelConfig, RESIDUAL_BITS_DEFAULT } from '../model-config.js';
import { rotaryHeads, toAdjacentPairs } from '../rotary-order.js';
import { ggufError } from './gguf-error.js';
import {
  type GgufMetadata,
  metadataCount,
  metadataFlag,
  metadataNumber,
  metadataString,
  required,
} from './metadata.js';
import { type GgufFile, type GgufTensor, readGguf, readTensorRows } from './read-gguf.js';
import { refusePart } from './read-parts.js';
import { ROPE_TENSORS, ropeScalingOf } from './rope-metadata.js';
import { type ByteSource, bytesSource } from './source.js';
import type { TensorValues } from './tensor-types.js';

/** A model and the file that it came from; the metadata holds what the engine refuses to know, such as text. */
export type LoadedGguf = {
  readonly model: EngineModel;
  readonly file: GgufFile;
  /** Elements of all tensors. */
  readonly parameterCount: number;
};

/** Architectures that `llamaGraph` computes. */
export const GGUF_ARCHITECTURES: readonly string[] = familyColumn('gguf');

const OUTPUT_NAME = 'output.weight';
const EMBEDDING_NAME = 'token_embd.weight';

/**
 * Reads a whole model: from bytes at once, from a source with its weights streamed.
 *
 * @example
 * const { model } = loadGgufModel(bytesOfFile);
 * referenceBackend.createSession(model).forward([1, 2, 3]);
 */
export function loadGgufModel(from: Uint8Array | ByteSource): LoadedGguf {
  return from instanceof Uint8Array
    ? loadGgufFile(readGguf(bytesSource(from)))
    : loadGgufFile(readGguf(from), { weights: 'streamed' });
}

/**
 * As {@link loadGgufModel}, from a file whose structure has been read, such as the joined parts of one. Streamed
 * weights are read from the file whenever they are needed; kept ones (the default) are read now and never again.
 */
export function loadGgufFile(
  file: GgufFile,
  options: { readonly weights?: WeightsChoice } = {},
): LoadedGguf {
  refusePart(file);
  const config = ggufConfig(file);
  checkTensors(file, llamaGraph(config, { untied: file.tensors.has(OUTPUT_NAME) }));
  const model = buildLlamaModel({
    config,
    ...options,
    tensor: (name) => {
      const tensor = file.tensors.get(name);
      return tensor === undefined ? undefined : orderedRows(file, tensor, config);
    },
  });
  let parameterCount = 0;
  for (const tensor of file.tensors.values()) parameterCount += tensor.elementCount;
  return { model, file, parameterCount };
}

/** The configuration that the metadata describes, inside the limits of the arithmetic. */
export function ggufConfig(file: GgufFile): ModelConfig {
  const { metadata } = file;
  const architecture = required(
    'general.architecture',
    metadataString(metadata, 'general.architecture'),
  );
  const family = findFamily('gguf', architecture);
  if (family === undefined) {
    throw unsupported(`The architecture ${architecture} is not supported.`, architecture);
  }
  refuseVariants(metadata, architecture);
  const count = (key: string) => metadataCount(metadata, `${architecture}.${key}`);
  const need = (key: string) => required(`${architecture}.${key}`, count(key));
  const width = need('embedding_length');
  const headCount = need('attention.head_count');
  const headSize = count('attention.key_length') ?? width / headCount;
  const contextLength = withinWindow(need('context_length'), count('attention.sliding_window'));
  const ropeScaling = ropeScalingOf(file, architecture, contextLength);
  const config = checkConfig({
    ...(family === 'llama' ? {} : { family }),
    layerCount: need('block_count'),
    width,
    headCount,
    kvHeadCount: count('attention.head_count_kv') ?? headCount,
    headSize,
    feedForwardWidth: need('feed_forward_length'),
    vocabularySize: vocabularySize(file),
    contextLength,
    ropeBase:
      metadataNumber(metadata, `${architecture}.rope.freq_base`) ??
      familyOf(family).ropeBaseDefault,
    ...(ropeScaling.kind === 'none' ? {} : { ropeScaling }),
    rmsEpsilon: required(
      `${architecture}.attention.layer_norm_rms_epsilon`,
      metadataNumber(metadata, `${architecture}.attention.layer_norm_rms_epsilon`),
    ),
    residualBits: metadataCount(metadata, 'assay.residual_bits') ?? RESIDUAL_BITS_DEFAULT,
  });
  for (const key of ['rope.dimension_count', 'attention.value_length']) {
    if ((count(key) ?? headSize) !== headSize) {
      throw unsupported(`${architecture}.${key} must equal the head size ${headSize}.`, count(key));
    }
  }
  return config;
}

/** Within a window, attention that looks back no further is plain attention: a session ends there. */
export const withinWindow = (contextLength: number, window: number | undefined): number =>
  window === undefined || window === 0 ? contextLength : Math.min(contextLength, window);

/** Rows of the token table: what the logits will be over, whatever the metadata says. */
function vocabularySize(file: GgufFile): number {
  const table = file.tensors.get(EMBEDDING_NAME);
  if (table === undefined) throw missingTensor(EMBEDDING_NAME);
  return table.dims[1] ?? 1;
}

/** Numbers that would change the graph or its constants if they were not 0. */
const PLAIN_KEYS = [
  'expert_count',
  'attention.scale',
  'attention.clamp_kqv',
  'attn_logit_softcapping',
  'final_logit_softcapping',
  'logit_scale',
  'residual_scale',
  'embedding_scale',
] as const;

function refuseVariants(metadata: GgufMetadata, architecture: string): void {
  for (const key of PLAIN_KEYS) {
    const value = metadataNumber(metadata, `${architecture}.${key}`) ?? 0;
    if (value !== 0) throw unsupported(`${architecture}.${key} is not supported.`, value);
  }
  if (metadataFlag(metadata, `${architecture}.attention.causal`) === false) {
    throw unsupported('Attention that is not causal is not supported.', 'attention.causal');
  }
}

/** Every weight of the graph is in the file with its shape, and nothing else is. */
function checkTensors(file: GgufFile, graph: Graph): void {
  const unused = new Set(file.tensors.keys());
  for (const weight of graph.weights) {
    if (weight.name === ROPE_STEPS_NAME) continue;
    const tensor = file.tensors.get(weight.name);
    if (tensor === undefined) throw missingTensor(weight.name);
    unused.delete(weight.name);
    // A file names the contiguous dimension first, the graph last.
    const wanted = weight.shape.toReversed().join('x');
    if (tensor.dims.join('x') !== wanted) {
      throw ggufError({
        code: 'gguf_bad_shape',
        message: `Tensor ${weight.name} has dimensions ${tensor.dims.join('x')}, not ${wanted}.`,
        value: tensor.dims.join('x'),
      });
    }
  }
  for (const name of unused) {
    if (!ROPE_TENSORS.has(name))
      throw unsupported(`Tensor ${name} has no place in the graph.`, name);
  }
}

/** Most elements of a tensor that are decoded at once: 64 MiB of float32. */
const STEP_ELEMENTS_MAX = 2 ** 24;

/** A tensor with its rows in this engine's order, whole heads at a time. */
function orderedRows(file: GgufFile, tensor: GgufTensor, config: ModelConfig): TensorRows {
  const cols = tensor.dims[0]!;
  const rows = tensor.elementCount / cols;
  const halves = familyOf(config.family).ggufPairs === 'halves';
  const heads = halves ? rotaryHeads(tensor.name, config) : undefined;
  const unit = heads === undefined || rows === 1 ? 1 : heads.headSize;
  const step = Math.min(rows, Math.max(1, Math.floor(STEP_ELEMENTS_MAX / cols / unit)) * unit);
  return {
    kind: tensor.type.name === 'Q8_0' ? 'q8' : 'f32',
    rows,
    cols,
    step,
    read(from, count) {
      const source = sourceOf(readTensorRows(file, tensor, { from, count }), count, cols);
      if (heads === undefined) return source;
      const headCount = (count * (rows === 1 ? cols : 1)) / heads.headSize;
      return toAdjacentPairs(source, { ...heads, headCount });
    },
  };
}

const sourceOf = (values: TensorValues, rows: number, cols: number): TensorSource =>
  values.kind === 'q8'
    ? { kind: 'q8', rows, cols, quants: values.quants, scales: values.scales }
    : { kind: 'f32', rows, cols, data: values.values };

const missingTensor = (name: string) =>
  ggufError({
    code: 'gguf_missing_tensor',
    message: `The file lacks the tensor ${name}.`,
    value: name,
  });

const unsupported = (message: string, value: string | number | undefined) =>
  ggufError({
    code: 'gguf_unsupported_architecture',
    message,
    value,
    remedy: `Use a plain model of one of these architectures: ${GGUF_ARCHITECTURES.join(', ')}.`,
  });
