/**
 * A model ready to run: configuration, graph, and every weight in the engine's layout. It knows tensor names as model
 * files use them and nothing of files themselves; `buildLlamaModel` is handed a way to read a tensor by its name.
 */
import { balanceChannels } from './channel-balance.js';
import { EngineError } from './engine-error.js';
import { type Graph, type GraphWeight, llamaGraph, ROPE_STEPS_NAME } from './graph.js';
import {
  importGains,
  importRows,
  type TensorRows,
  type TensorSource,
  wholeRows,
} from './import-tensor.js';
import { checkConfig, type ModelConfig } from './model-config.js';
import { ropeSteps } from './rope-steps.js';
import { recentMatrix, StreamedMatrices } from './streamed-weights.js';
import type { Gains, W8Matrix } from './weights.js';

export type EngineModel = {
  readonly config: ModelConfig;
  readonly graph: Graph;
  /** By the name in `graph.weights`; a tied output has no entry of its own. */
  readonly matrices: ReadonlyMap<string, W8Matrix>;
  readonly gains: ReadonlyMap<string, Gains>;
  /** 64-bit fraction of a turn per position, one per pair of a head. */
  readonly ropeSteps: BigUint64Array;
};

/**
 * Whether matrices are brought into the engine's layout at once and kept, or each time that they are asked for, which
 * costs little memory and finds a damaged weight only then.
 */
export type WeightsChoice = 'kept' | 'streamed';

/**
 * Builds a model of a Llama-like family. `tensor` is asked once per weight, by its GGUF name (`token_embd.weight`,
 * `blk.0.attn_q.weight`, ...), for rows in this engine's order: the two halves of a rotary pair are adjacent.
 * If it has no `output.weight`, the output is tied to the token table.
 */
export function buildLlamaModel(options: {
  readonly config: ModelConfig;
  readonly tensor: (name: string) => TensorSource | TensorRows | undefined;
  /** `kept` unless given. */
  readonly weights?: WeightsChoice;
}): EngineModel {
  const config = checkConfig(options.config);
  const output = options.tensor('output.weight');
  const graph = llamaGraph(config, { untied: output !== undefined });
  const found = new Map<string, TensorRows>();
  for (const weight of graph.weights) {
    if (weight.name === ROPE_STEPS_NAME) continue;
    const known = weight.name === 'output.weight' ? output : undefined;
    found.set(weight.name, checkSource(weight, known ?? options.tensor(weight.name)));
  }
  const sources = balanceChannels(config, found);
  const rows = new Map<string, TensorRows>();
  const gains = new Map<string, Gains>();
  const kept = new Map<string, W8Matrix>();
  for (const weight of graph.weights) {
    if (weight.name === ROPE_STEPS_NAME) continue;
    const source = sources.get(weight.name)!;
    if (weight.kind === 'G24') gains.set(weight.name, importGains(source.read(0, 1)));
    else if (options.weights === 'streamed') rows.set(weight.name, source);
    else kept.set(weight.name, importRows(source));
  }
  const matrices =
    options.weights === 'streamed'
      ? new StreamedMatrices(rows.keys(), (name) => importRows(rows.get(name)!))
      : kept;
  const steps = ropeSteps(config.ropeBase, config.headSize, config.ropeScaling);
  return { config, graph, matrices, gains, ropeSteps: steps };
}

/**
 * The matrix of a graph weight; `graph` and `matrices` of one model always agree. It is held for a while if the weights
 * are streamed: for whoever reads single rows, not for whoever walks through all.
 */
export const matrixAt = (model: EngineModel, weightIndex: number): W8Matrix =>
  recentMatrix(model.matrices, model.graph.weights[weightIndex]!.name);

/** The gains of a graph weight. */
export function gainsAt(model: EngineModel, weightIndex: number): Gains {
  return model.gains.get(model.graph.weights[weightIndex]!.name)!;
}

function checkSource(
  weight: GraphWeight,
  found: TensorSource | TensorRows | undefined,
): TensorRows {
  if (found === undefined) {
    throw new EngineError({
      code: 'tensor_missing',
      message: `The model file has no tensor ${weight.name}.`,
      fault: 'user',
      value: weight.name,
      remedy: 'Use a complete model file of a supported architecture.',
    });
  }
  const source = 'read' in found ? found : wholeRows(found);
  const [rows, cols] = weight.kind === 'W8' ? weight.shape : [1, weight.shape[0]];
  if (source.rows === rows && source.cols === cols) return source;
  throw new EngineError({
    code: 'tensor_shape_mismatch',
    message: `Tensor ${weight.name} has the shape ${source.rows}x${source.cols}, not ${rows}x${cols}.`,
    fault: 'user',
    value: `${source.rows}x${source.cols}`,
    remedy: 'Use a model file whose metadata and tensors agree.',
  });
}
