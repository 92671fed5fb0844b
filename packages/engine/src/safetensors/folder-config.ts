/**
 * `config.json` of a folder against the engine's configuration. What it asks for and the graph does not compute is
 * refused, because ignoring a bias or a rotary scaling silently gives another model.
 */
import { type Family, familyColumn, familyOf, findFamily, layerRotates } from '../families.js';
import { withinWindow } from '../gguf/load-model.js';
import { checkConfig, type ModelConfig, RESIDUAL_BITS_DEFAULT } from '../model-config.js';
import { readFolderScaling, writeFolderScaling } from './folder-scaling.js';
import { isObject, type JsonObject } from './parse-json.js';
import { badValue, count, real, unsupported } from './read-json.js';

/** What a folder's `config.json` says. */
export type FolderConfig = { readonly config: ModelConfig; readonly tied: boolean };

const EPSILON_DEFAULT = 1e-6;
/** Residual fraction bits, where they are not the default: ours, unknown to other readers. */
const RESIDUAL_BITS_KEY = 'assay_residual_bits';

/** The configuration in the limits of the arithmetic. Reals are rounded to float32, as GGUF stores them. */
export function readFolderConfig(json: JsonObject): FolderConfig {
  const name = familyName(json);
  const family = familyOf(name);
  refuseVariants(json);
  const rope = isObject(json.rope_parameters) ? json.rope_parameters : json;
  const width = count(json, 'hidden_size');
  const headCount = count(json, 'num_attention_heads');
  const stated = count(json, 'max_position_embeddings');
  const ropeScaling = readFolderScaling(json, stated);
  const config = checkConfig({
    ...(name === 'llama' ? {} : { family: name }),
    layerCount: count(json, 'num_hidden_layers'),
    width,
    headCount,
    kvHeadCount: count(json, 'num_key_value_heads', headCount),
    headSize: count(json, 'head_dim', width / headCount),
    feedForwardWidth: count(json, 'intermediate_size'),
    vocabularySize: count(json, 'vocab_size'),
    contextLength: withinWindow(stated, windowOf(json, family)),
    ropeBase: Math.fround(real(rope, 'rope_theta', family.ropeBaseDefault)),
    ...(ropeScaling.kind === 'none' ? {} : { ropeScaling }),
    rmsEpsilon: Math.fround(real(json, 'rms_norm_eps', EPSILON_DEFAULT)),
    residualBits: count(json, RESIDUAL_BITS_KEY, RESIDUAL_BITS_DEFAULT),
  });
  checkUnrotated(json, family, config.layerCount);
  return { config, tied: (json.tie_word_embeddings ?? family.tiedByDefault) === true };
}

/** `config.json` text for a model. */
export function writeFolderConfig(folder: FolderConfig): string {
  const { config, tied } = folder;
  const family = familyOf(config.family);
  const special =
    config.residualBits === RESIDUAL_BITS_DEFAULT
      ? {}
      : { [RESIDUAL_BITS_KEY]: config.residualBits };
  const json = {
    architectures: [family.folder],
    model_type: family.folderType,
    hidden_size: config.width,
    intermediate_size: config.feedForwardWidth,
    num_hidden_layers: config.layerCount,
    num_attention_heads: config.headCount,
    num_key_value_heads: config.kvHeadCount,
    head_dim: config.headSize,
    vocab_size: config.vocabularySize,
    max_position_embeddings: config.contextLength,
    rms_norm_eps: config.rmsEpsilon,
    rope_theta: config.ropeBase,
    ...writeFolderScaling(config),
    hidden_act: 'silu',
    ...(family.folderType === 'qwen2' ? {} : { attention_bias: false }),
    mlp_bias: false,
    ...(family.window === 'never' ? {} : { sliding_window: null }),
    ...(family.window === 'flagged' ? { use_sliding_window: false } : {}),
    ...(family.unrotatedEvery === 0 ? {} : unrotatedKeys(family, config.layerCount)),
    tie_word_embeddings: tied,
    ...special,
  };
  return `${JSON.stringify(json, undefined, 2)}\n`;
}

function familyName(json: JsonObject) {
  const names = Array.isArray(json.architectures) ? json.architectures : [];
  if (names.length > 1) throw unsupported('architectures', names);
  const [name] = names;
  const family =
    name === undefined
      ? findFamily('folderType', String(json.model_type))
      : findFamily('folder', String(name));
  if (family !== undefined) return family;
  throw unsupported('architectures', name, `Use one of ${familyColumn('folder').join(', ')}.`);
}

/** Keys that would change the graph, with the value that leaves it as it is. */
const PLAIN_VALUES: readonly (readonly [key: string, plain: unknown])[] = [
  ['hidden_act', 'silu'],
  ['attention_bias', false],
  ['mlp_bias', false],
  ['partial_rotary_factor', 1],
  ['quantization_config', undefined],
];

function refuseVariants(json: JsonObject): void {
  for (const [key, plain] of PLAIN_VALUES) {
    const value = json[key] ?? plain;
    if (value !== plain) throw unsupported(key, value);
  }
}

/** Positions that attention looks back over, if the folder limits them. */
function windowOf(json: JsonObject, family: Family): number | undefined {
  const value = json.sliding_window ?? undefined;
  if (family.window === 'flagged' && json.use_sliding_window !== true) return undefined;
  if (value === undefined) return undefined;
  if (family.window === 'never') throw unsupported('sliding_window', value);
  return count(json, 'sliding_window');
}

/** Which layers rotate is a fact of the family here; a folder that says otherwise is another model. */
function checkUnrotated(json: JsonObject, family: Family, layerCount: number): void {
  const list = json.no_rope_layers ?? undefined;
  if (list === undefined) {
    const interval = json.no_rope_layer_interval ?? family.unrotatedEvery;
    if (interval !== family.unrotatedEvery) throw unsupported('no_rope_layer_interval', interval);
    return;
  }
  if (!Array.isArray(list)) throw badValue('no_rope_layers', list, 'a list');
  // The list may be longer than the model.
  if (rotations(family, layerCount).some((each, i) => each !== list[i])) {
    throw unsupported('no_rope_layers', list);
  }
}

/** 1 for a layer that rotates, which is how the key is meant, in spite of its name. */
const rotations = (family: Family, layerCount: number): number[] =>
  Array.from({ length: layerCount }, (_, layer) => Number(layerRotates(family, layer)));

const unrotatedKeys = (family: Family, layerCount: number) => ({
  no_rope_layers: rotations(family, layerCount),
  no_rope_layer_interval: family.unrotatedEvery,
});
