/**
 * A model ready to run: configuration, graph, and every weight in the engine's layout. It knows tensor names as model
 * files use them and nothing of files themselves; `buildLlamaModel` is handed a way to read a tensor by its name.
 */
import { EngineError } from './engine-error.js';
import { type Graph, type GraphWeight, llamaGraph, ROPE_STEPS_NAME } from './graph.js';
import { importGains, importMatrix, type TensorSource } from './import-tensor.js';
import { checkConfig, type ModelConfig } from './model-config.js';
import { ropeSteps } from './rope-steps.js';
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
 * Builds a model of a Llama-like family. `tensor` is asked once per weight, by its GGUF name (`token_embd.weight`,
 * `blk.0.attn_q.weight`, ...), for rows in this engine's order: the two halves of a rotary pair are adjacent.
 * If it has no `output.weight`, the output is tied to the token table.
 */
export function buildLlamaModel(options: {
  readonly config: ModelConfig;
  readonly tensor: (name: string) => TensorSource | undefined;
}): EngineModel {
  const config = checkConfig(options.config);
  const output = options.tensor('output.weight');
  const graph = llamaGraph(config, { untied: output !== undefined });
  const matrices = new Map<string, W8Matrix>();
  const gains = new Map<string, Gains>();
  for (const weight of graph.weights) {
    if (weight.name === ROPE_STEPS_NAME) continue;
    const known = weight.name === 'output.weight' ? output : undefined;
    const source = checkSource(weight, known ?? options.tensor(weight.name));
    if (weight.kind === 'W8') matrices.set(weight.name, importMatrix(source));
    else gains.set(weight.name, importGains(source));
  }
  const steps = ropeSteps(config.ropeBase, config.headSize, config.ropeScaling);
  return { config, graph, matrices, gains, ropeSteps: steps };
}

/** The matrix of a graph weight; `graph` and `matrices` of one model always agree. */
export function matrixAt(model: EngineModel, weightIndex: number): W8Matrix {
  return model.matrices.get(model.graph.weights[weightIndex]!.name)!;
}

/** The gains of a graph weight. */
export function gainsAt(model: EngineModel, weightIndex: number): Gains {
  return model.gains.get(model.graph.weights[weightIndex]!.name)!;
}

function checkSource(weight: GraphWeight, source: TensorSource | undefined): TensorSource {
  if (source === undefined) {
    throw new EngineError({
      code: 'tensor_missing',
      message: `The model file has no tensor ${weight.name}.`,
      fault: 'user',
      value: weight.name,
      remedy: 'Use a complete model file of a supported architecture.',
    });
  }
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
