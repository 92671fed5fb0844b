/** What makes the shipped file; any change here or in the text changes its hash. */

import { MINI } from './shape.js';
import type { Recipe } from './train.js';

export const RECIPE: Recipe = {
  shape: MINI,
  seed: 20260101,
  steps: 6300,
  groups: 4,
  warmupSteps: 80,
  decaySteps: 2800,
  polishSteps: 700,
  polishRate: 8e-4,
  peakRate: 2.5e-3,
  weightDecay: 0.1,
};

/** Dialogues whose words the tokenizer is counted on. */
export const TOKENIZER_DIALOGUES = 20_000;
