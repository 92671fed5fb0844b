/**
 * Models whose unquantised weights are at hand, because our trainer made them: the shipped recipe's last checkpoint,
 * or a model more than twice its size that is trained for this comparison alone. Checkpoints make both resumable.
 */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadGgufModel } from '@assay/engine';
import { sampleTexts } from '../make-model/batch.js';
import { trainTokenizer } from '../make-model/bpe.js';
import { writeModelFile } from '../make-model/model-bytes.js';
import { RECIPE, TOKENIZER_DIALOGUES } from '../make-model/recipe.js';
import { HEAD_SIZE, listSpans } from '../make-model/shape.js';
import type { Phrasebook } from '../make-model/text.js';
import { type Recipe, train } from '../make-model/train.js';
import type { FloatModel } from './float-model.js';

const LARGER_FOLDER = fileURLToPath(new URL('../../../.assay/bench-larger', import.meta.url));

/** Enough for answers in words: about a quarter of an hour of one core. */
const LARGER_RECIPE: Recipe = {
  ...RECIPE,
  shape: {
    ...RECIPE.shape,
    width: 256,
    heads: 256 / HEAD_SIZE,
    kvHeads: 4,
    hidden: 704,
    layers: 6,
  },
  steps: 600,
  groups: 2,
  decaySteps: 250,
};

/** A file as it would be shipped, and the weights before they were quantised. */
export type TrainedModel = { readonly file: Uint8Array; readonly floats: FloatModel };

/** The weights of a checkpoint of `npm run model:make`, wherever that training stands. */
export async function checkpointModel(
  phrasebook: Phrasebook,
  checkpoint: string,
): Promise<TrainedModel> {
  const made = await trainedModel(phrasebook, { recipe: RECIPE, checkpoint, stopAfter: 0 });
  const fresh = await trainedModel(phrasebook, { recipe: RECIPE, stopAfter: 0 });
  // The trainer begins anew where a checkpoint does not fit, which would measure noise.
  if (Buffer.from(made.file).equals(fresh.file)) {
    throw new Error(`checkpoint_unfit: ${checkpoint} is not of this recipe, text and seed.`);
  }
  return made;
}

/** Trains the larger model, or takes the result of an earlier run. */
export function largerModel(phrasebook: Phrasebook): Promise<TrainedModel> {
  mkdirSync(LARGER_FOLDER, { recursive: true });
  const checkpoint = `${LARGER_FOLDER}/checkpoint`;
  return trainedModel(phrasebook, {
    recipe: LARGER_RECIPE,
    checkpoint,
    stopAfter: LARGER_RECIPE.steps,
  });
}

async function trainedModel(
  phrasebook: Phrasebook,
  options: { readonly recipe: Recipe; readonly checkpoint?: string; readonly stopAfter: number },
): Promise<TrainedModel> {
  const { recipe, checkpoint, stopAfter } = options;
  const { shape, steps } = recipe;
  const texts = sampleTexts(phrasebook, recipe.seed, TOKENIZER_DIALOGUES);
  const tokenizer = trainTokenizer(texts, shape.vocabulary);
  const parameters = await train({
    recipe,
    phrasebook,
    tokenizer,
    threads: 1,
    ...(checkpoint === undefined ? {} : { checkpoint }),
    stopAfter,
    report: ({ step, loss }) => {
      process.stderr.write(`training: step ${step} of ${steps}, loss ${loss.toFixed(3)}\n`);
    },
  });
  const file = writeModelFile(parameters, { shape, tokenizer });
  const tensors = new Map(
    listSpans(shape).map(({ name, offset, rows, columns }) => [
      name,
      parameters.slice(offset, offset + rows * columns),
    ]),
  );
  return { file, floats: { config: loadGgufModel(file).model.config, tensors } };
}
