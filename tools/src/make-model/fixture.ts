/** The small training that tests and vectors run: real text, real kernels, a toy shape. */

import { readFileSync } from 'node:fs';
import { sampleTexts } from './batch.js';
import { type Tokenizer, trainTokenizer } from './bpe.js';
import { type Phrasebook, readPhrasebook } from './text.js';
import type { Recipe, Training } from './train.js';
import type { Vectors } from './vectors.js';

export const TINY_RECIPE: Recipe = {
  shape: { width: 64, heads: 2, kvHeads: 1, hidden: 96, layers: 2, vocabulary: 384, rows: 128 },
  seed: 7,
  steps: 20,
  groups: 3,
  warmupSteps: 2,
  decaySteps: 10,
  polishSteps: 0,
  polishRate: 0,
  peakRate: 3e-3,
  weightDecay: 0.1,
};

/** Dialogues that the toy tokenizer is counted on. */
const DIALOGUES = 200;

/** The text of the repository. */
export function readText(): Phrasebook {
  return readPhrasebook(new URL('../../make-model/text/', import.meta.url));
}

export const VECTORS_PATH = new URL('../../make-model/vectors.json', import.meta.url);

/** Committed results with which every machine must agree. */
export function readVectors(): Vectors {
  return JSON.parse(readFileSync(VECTORS_PATH, 'utf8'));
}

/** A training over the toy shape. */
export function tinyTraining(phrasebook: Phrasebook, threads: number): Training {
  const texts = sampleTexts(phrasebook, TINY_RECIPE.seed, DIALOGUES);
  const tokenizer: Tokenizer = trainTokenizer(texts, TINY_RECIPE.shape.vocabulary);
  return { recipe: TINY_RECIPE, phrasebook, tokenizer, threads };
}
