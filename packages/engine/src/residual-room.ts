/**
 * How much room a model's residual stream has on its grid: fraction bits take range, and an element beyond the range
 * is clamped, which damages the model in silence if nobody looks. It looks at a sample of tokens, so it can find too
 * little room but never prove enough; sessions go on counting (`Session.saturationCount`).
 */
import type { Backend } from './backend.js';
import type { EngineModel } from './engine-model.js';
import { llamaGraph } from './graph.js';
import { RESIDUAL_BITS_MAX, RESIDUAL_BITS_MIN } from './model-config.js';

export type ResidualRoom = {
  /** Fraction bits of the model. */
  readonly residualBits: number;
  /** Residual elements that were clamped with them. */
  readonly saturationCount: number;
  /** Doublings that the largest element has left, up to {@link ROOM_BITS}; below 0 if elements were clamped. */
  readonly roomBits: number;
  /** Fraction bits that leave enough room: the model's own if they do, undefined if none do. */
  readonly suggestedBits: number | undefined;
  /** Positions that were computed. */
  readonly positionCount: number;
};

/** Room that a model should have beyond its largest sampled element: other texts may reach four times as far. */
export const ROOM_BITS = 2;

/** Tokens of the sample: enough that attention sinks and first tokens have had their effect. */
const SAMPLE_TOKENS = 64;

/** The same model on another residual grid. */
export function withResidualBits(model: EngineModel, residualBits: number): EngineModel {
  const config = { ...model.config, residualBits };
  const untied = model.graph.weights.some(({ name }) => name === 'output.weight');
  return { ...model, config, graph: llamaGraph(config, { untied }) };
}

/**
 * Finds the finest grid on which a sample of tokens clamps nothing. It costs one pass for a model with room, and one
 * more for every bit that is missing.
 *
 * @example
 * const { saturationCount, suggestedBits } = measureResidualRoom({ backend, model });
 */
export function measureResidualRoom(options: {
  readonly backend: Backend;
  readonly model: EngineModel;
  /** Ids spread over the vocabulary unless given. */
  readonly tokens?: readonly number[];
}): ResidualRoom {
  const { backend, model } = options;
  const { residualBits } = model.config;
  const tokens = options.tokens ?? sampleTokens(model);
  const clamped = (bits: number): number => {
    const session = backend.createSession(
      bits === residualBits ? model : withResidualBits(model, bits),
    );
    try {
      session.forward(tokens, { logits: 'none' });
      return session.saturationCount;
    } finally {
      session.dispose();
    }
  };
  const wanted = Math.min(residualBits + ROOM_BITS, RESIDUAL_BITS_MAX);
  let saturationCount = 0;
  let fitting = wanted;
  for (; fitting >= RESIDUAL_BITS_MIN; fitting--) {
    const count = clamped(fitting);
    if (fitting === residualBits) saturationCount = count;
    if (count === 0) break;
  }
  return {
    residualBits,
    saturationCount,
    roomBits: fitting - residualBits,
    suggestedBits: suggestion({ residualBits, wanted, fitting }),
    positionCount: tokens.length,
  };
}

function suggestion(found: {
  readonly residualBits: number;
  readonly wanted: number;
  readonly fitting: number;
}): number | undefined {
  if (found.fitting === found.wanted) return found.residualBits;
  const bits = found.fitting - ROOM_BITS;
  return bits >= RESIDUAL_BITS_MIN ? bits : undefined;
}

/** The first ids, among which special tokens are, then ids spread over the vocabulary. */
function sampleTokens({ config }: EngineModel): number[] {
  const { vocabularySize, contextLength } = config;
  const count = Math.min(SAMPLE_TOKENS, contextLength);
  return Array.from({ length: count }, (_, i) =>
    i < 8 ? i % vocabularySize : Math.floor((i * vocabularySize) / count),
  );
}
