/**
 * From a model in the engine's layout to what other programs train and fine-tune: one safetensors file and its
 * `config.json`. As `F32` every value is exact.
 */
import type { EngineModel } from '../engine-model.js';
import { gainValues, matrixValues } from '../gguf/export-gguf.js';
import { ROPE_STEPS_NAME } from '../graph.js';
import { rotaryHeads, toHalves } from '../rotary-order.js';
import { writeFolderConfig } from './folder-config.js';
import { folderName } from './folder-names.js';
import { type SafetensorsType, writeSafetensors } from './write-safetensors.js';

/** Contents of `model.safetensors` and `config.json`. */
export type ExportedFolder = { readonly weights: Uint8Array; readonly config: string };

/**
 * Writes the model; `dtype` is `F32` unless stated, and the 16-bit types round.
 *
 * @example
 * const { weights, config } = exportSafetensors({ model });
 */
export function exportSafetensors(options: {
  readonly model: EngineModel;
  readonly dtype?: SafetensorsType;
}): ExportedFolder {
  const { model } = options;
  const weights = model.graph.weights.filter(({ name }) => name !== ROPE_STEPS_NAME);
  const tensors = weights.map(({ name, shape }) => ({
    name: folderName(name)!,
    shape,
    values: () => weightValues(model, name),
  }));
  const tied = !weights.some(({ name }) => name === 'output.weight');
  return {
    weights: writeSafetensors({ dtype: options.dtype ?? 'F32', tensors }),
    config: writeFolderConfig({ config: model.config, tied }),
  };
}

function weightValues({ matrices, gains, config }: EngineModel, name: string): Float32Array {
  const matrix = matrices.get(name);
  const values = matrix === undefined ? gainValues(gains.get(name)!) : matrixValues(matrix);
  const heads = rotaryHeads(name, config);
  return heads === undefined ? values : toHalves(values, heads);
}
