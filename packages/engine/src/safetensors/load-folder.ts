/**
 * From a folder with `config.json` and safetensors files to a model that the engine can run: the same model, to the
 * last bit, as the GGUF file with the same weights. It opens files by name through its caller and knows no disk.
 */
import { buildLlamaModel, type EngineModel, type WeightsChoice } from '../engine-model.js';
import type { ByteSource } from '../gguf/source.js';
import { type GraphWeight, llamaGraph, ROPE_STEPS_NAME } from '../graph.js';
import type { TensorRows, TensorSource } from '../import-tensor.js';
import { type RotaryHeads, rotaryHeads, toAdjacentPairs } from '../rotary-order.js';
import { type FolderConfig, readFolderConfig } from './folder-config.js';
import { folderName } from './folder-names.js';
import { CONFIG_BYTES_MAX, INDEX_BYTES_MAX, SHARD_COUNT_MAX } from './limits.js';
import { isObject, readObject } from './parse-json.js';
import {
  readSafetensors,
  readSafetensorsValues,
  type SafetensorsFile,
  type SafetensorsTensor,
} from './read-safetensors.js';
import { safetensorsError } from './safetensors-error.js';

/** Files of a folder by plain name, such as `config.json`; undefined for one that is not there. */
export type ModelFolder = { open(name: string): ByteSource | undefined };

/** A model and what its folder said. */
export type LoadedFolder = {
  readonly model: EngineModel;
  /** Elements of all tensors. */
  readonly parameterCount: number;
};

const CONFIG_NAME = 'config.json';
const SINGLE_NAME = 'model.safetensors';
const INDEX_NAME = 'model.safetensors.index.json';
const EMBEDDING_NAME = 'model.embed_tokens.weight';
const HEAD_NAME = 'lm_head.weight';
/** Old folders store the rotary frequencies, which follow from `rope_theta`. */
const DERIVED_NAME = /^model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq$/;

type Located = { readonly file: SafetensorsFile; readonly tensor: SafetensorsTensor };
type Tensors = ReadonlyMap<string, Located>;

/**
 * Reads a whole model. Streamed weights are read from the folder's files whenever they are needed; kept ones (the
 * default) are read now and never again.
 *
 * @example
 * const { model } = loadSafetensorsFolder({ open: (name) => sources.get(name) });
 */
export function loadSafetensorsFolder(
  folder: ModelFolder,
  options: { readonly weights?: WeightsChoice } = {},
): LoadedFolder {
  const json = readObject(openFile(folder, CONFIG_NAME), {
    what: CONFIG_NAME,
    code: 'safetensors_bad_config',
    bytesMax: CONFIG_BYTES_MAX,
  });
  const folderConfig = readFolderConfig(json);
  const tensors = readShards(folder);
  const weights = checkTensors(tensors, folderConfig);
  const { config } = folderConfig;
  const model = buildLlamaModel({
    config,
    ...options,
    tensor(name) {
      const weight = weights.get(name);
      if (weight === undefined) return undefined;
      const { file, tensor } = tensors.get(folderName(name)!)!;
      return orderedRows({ file, tensor }, weight, rotaryHeads(name, config));
    },
  });
  let parameterCount = 0;
  for (const { tensor } of tensors.values()) parameterCount += tensor.elementCount;
  return { model, parameterCount };
}

/** Most elements of a tensor that are decoded at once: 64 MiB of float32. */
const STEP_ELEMENTS_MAX = 2 ** 24;

/** A tensor with its rows in this engine's order, whole heads at a time. */
function orderedRows(
  { file, tensor }: Located,
  weight: GraphWeight,
  heads: RotaryHeads | undefined,
): TensorRows {
  const [rows, cols] = weight.kind === 'W8' ? weight.shape : [1, weight.shape[0]];
  const unit = heads === undefined || rows === 1 ? 1 : heads.headSize;
  const step = Math.min(rows!, Math.max(1, Math.floor(STEP_ELEMENTS_MAX / cols! / unit)) * unit);
  return {
    kind: 'f32',
    rows: rows!,
    cols: cols!,
    step,
    read(from, count) {
      const part = { from: from * cols!, count: count * cols! };
      const data = readSafetensorsValues(file, tensor, part);
      const source: TensorSource = { kind: 'f32', rows: count, cols: cols!, data };
      if (heads === undefined) return source;
      const headCount = (count * (rows === 1 ? cols! : 1)) / heads.headSize;
      return toAdjacentPairs(source, { ...heads, headCount });
    },
  };
}

/** All tensors of the folder's one file, or of the shards that its index names. */
function readShards(folder: ModelFolder): Tensors {
  const tensors = new Map<string, Located>();
  for (const name of shardNames(folder)) {
    const file = readSafetensors(openFile(folder, name));
    for (const tensor of file.tensors.values()) {
      if (tensors.has(tensor.name)) {
        throw safetensorsError({
          code: 'safetensors_duplicate_tensor',
          message: 'A tensor is in two files of the folder.',
          value: tensor.name,
        });
      }
      tensors.set(tensor.name, { file, tensor });
    }
  }
  return tensors;
}

function shardNames(folder: ModelFolder): readonly string[] {
  const index = folder.open(INDEX_NAME);
  if (index === undefined) return [SINGLE_NAME];
  const json = readObject(index, {
    what: INDEX_NAME,
    code: 'safetensors_bad_index',
    bytesMax: INDEX_BYTES_MAX,
  });
  if (!isObject(json.weight_map)) throw badIndex('The index has no weight_map.');
  const names = new Set(Object.values(json.weight_map));
  if (names.size > SHARD_COUNT_MAX) throw badIndex('The index names too many files.', names.size);
  return [...names].map(plainName);
}

/** A name that cannot leave the folder. */
function plainName(name: unknown): string {
  if (typeof name === 'string' && /^[\w][\w.-]*\.safetensors$/.test(name)) return name;
  throw badIndex('The index names a file that cannot be in the folder.', name);
}

/** Every weight of the graph is there with its shape, and nothing else is. Weights by GGUF name. */
function checkTensors(
  tensors: Tensors,
  { config, tied }: FolderConfig,
): ReadonlyMap<string, GraphWeight> {
  const weights = new Map<string, GraphWeight>();
  const unused = new Set([...tensors.keys()].filter((name) => !DERIVED_NAME.test(name)));
  for (const weight of llamaGraph(config, { untied: !tied }).weights) {
    if (weight.name === ROPE_STEPS_NAME) continue;
    checkShape(tensors, folderName(weight.name), weight);
    unused.delete(folderName(weight.name)!);
    weights.set(weight.name, weight);
  }
  if (tied && unused.delete(HEAD_NAME)) checkCopy(tensors);
  for (const name of unused) {
    throw safetensorsError({
      code: 'safetensors_unsupported_model',
      message: `Tensor ${name} has no place in the graph.`,
      value: name,
      remedy: 'Use a model of a supported architecture.',
    });
  }
  return weights;
}

function checkShape(tensors: Tensors, name: string | undefined, weight: GraphWeight): void {
  const found = name === undefined ? undefined : tensors.get(name);
  if (found === undefined) {
    throw safetensorsError({
      code: 'safetensors_missing_tensor',
      message: `The folder lacks the tensor ${name ?? weight.name}.`,
      value: name ?? weight.name,
    });
  }
  const shape = found.tensor.shape.join('x');
  const wanted = weight.shape.join('x');
  if (shape === wanted) return;
  throw safetensorsError({
    code: 'safetensors_bad_shape',
    message: `Tensor ${name} has the shape ${shape}, not ${wanted}.`,
    value: shape,
  });
}

/** A tied model may store its output all the same, but only as a copy: another would be ignored in silence. */
function checkCopy(tensors: Tensors): void {
  const [head, table] = [HEAD_NAME, EMBEDDING_NAME].map((name) => {
    const { file, tensor } = tensors.get(name)!;
    return readSafetensorsValues(file, tensor);
  });
  const same = head!.length === table!.length && head!.every((value, i) => value === table![i]);
  if (same) return;
  throw safetensorsError({
    code: 'safetensors_unsupported_model',
    message: 'config.json ties the output to the token table, but the folder has another output.',
    value: HEAD_NAME,
    remedy: 'Set tie_word_embeddings as the weights were trained.',
  });
}

function openFile(folder: ModelFolder, name: string): ByteSource {
  const source = folder.open(name);
  if (source !== undefined) return source;
  throw safetensorsError({
    code: 'safetensors_missing_file',
    message: `The folder has no ${name}.`,
    value: name,
    remedy: 'Download every file of the model into one folder.',
  });
}

const badIndex = (message: string, value?: unknown) =>
  safetensorsError({ code: 'safetensors_bad_index', message, value });
