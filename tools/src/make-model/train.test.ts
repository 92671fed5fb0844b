/** Seeds: 7 (toy recipe), 20260101 (shipped recipe), 11 (direction of the finite differences). */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGroup, sampleTexts } from './batch.js';
import { trainTokenizer } from './bpe.js';
import { type Crew, groupInputs, openCrew } from './crew.js';
import { readText, readVectors, TINY_RECIPE, tinyTraining } from './fixture.js';
import { createRandom } from './random.js';
import { RECIPE, TOKENIZER_DIALOGUES } from './recipe.js';
import { countParameters } from './shape.js';
import { initialise, loadGroups, parametersOf, type Recipe, rateAt, train } from './train.js';
import { hashOf } from './vectors.js';

const phrasebook = readText();
const vectors = readVectors();

describe('gradient', () => {
  const training = tinyTraining(phrasebook, 1);
  const { shape, groups } = TINY_RECIPE;
  let crew: Crew;
  beforeAll(async () => {
    crew = await openCrew({ shape, groups, threads: 1 });
  });
  afterAll(() => crew.close());

  it('agrees with finite differences for every tensor', () => {
    initialise(crew, TINY_RECIPE);
    const parameters = parametersOf(crew);
    const random = createRandom(11);
    for (let i = 0; i < parameters.length; i++) parameters[i]! *= 1 + random.unit();
    const total = loadGroups(crew, training, 0);
    const lossOf = (): number =>
      crew.run('gradient', { scale: 1 / total }).reduce((sum, loss) => sum + loss, 0) / total;
    lossOf();
    crew.run('reduce', {});
    const count = countParameters(shape);
    const gradient = new Float32Array(crew.memory.buffer, crew.layout.gradients, count).slice();
    const start = parameters.slice();
    for (const span of crew.layout.spans) {
      const end = span.offset + span.rows * span.columns;
      const norm = Math.hypot(...gradient.subarray(span.offset, end));
      const reach = 0.01;
      const move = (sign: number): number => {
        parameters.set(start);
        for (let i = span.offset; i < end; i++) {
          parameters[i] = start[i]! + (sign * reach * gradient[i]!) / norm;
        }
        return lossOf();
      };
      const slope = (move(1) - move(-1)) / (2 * reach);
      expect(Math.abs(slope / norm - 1), span.name).toBeLessThan(0.02);
    }
  });

  it('of a padded row is zero', () => {
    initialise(crew, TINY_RECIPE);
    loadGroups(crew, training, 0);
    for (let group = 0; group < groups; group++) {
      const { weights } = groupInputs(crew.layout, group);
      new Float32Array(crew.memory.buffer, weights, shape.rows).fill(0);
    }
    crew.run('gradient', { scale: 1 });
    const squares = crew.run('reduce', {});
    expect(squares.reduce((sum, value) => sum + value, 0)).toBe(0);
  });
});

describe('train', () => {
  it('gives the committed bits after three steps, with one thread and with two', async () => {
    const one = await train({ ...tinyTraining(phrasebook, 1), stopAfter: 3 });
    const two = await train({ ...tinyTraining(phrasebook, 2), stopAfter: 3 });
    expect(hashOf(two)).toBe(hashOf(one));
    expect(hashOf(one)).toBe(vectors.tinyThreeSteps);
  });

  it('lowers the loss', async () => {
    const losses: number[] = [];
    const report = ({ loss }: { readonly loss: number }) => losses.push(loss);
    const recipe = { ...TINY_RECIPE, steps: 60, decaySteps: 20 };
    await train({ ...tinyTraining(phrasebook, 2), recipe, report });
    expect(losses).toHaveLength(3);
    expect(losses[2]).toBeLessThan(losses[0]! - 0.5);
  });

  it('continues from a checkpoint with the same bits', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'assay-train-'));
    try {
      const checkpoint = join(folder, 'checkpoint');
      const saved = { ...tinyTraining(phrasebook, 2), checkpoint, checkpointEverySteps: 2 };
      await train({ ...saved, stopAfter: 2 });
      const resumed = await train({ ...saved, stopAfter: 3 });
      expect(hashOf(resumed)).toBe(vectors.tinyThreeSteps);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('goes on from a checkpoint of another ending only if it came by the same rates', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'assay-train-'));
    try {
      const checkpoint = join(folder, 'checkpoint');
      const saved = { ...tinyTraining(phrasebook, 2), checkpoint, checkpointEverySteps: 2 };
      const two = hashOf(await train({ ...saved, stopAfter: 2 }));
      const found = async (ending: Partial<Recipe>): Promise<string> =>
        hashOf(await train({ ...saved, recipe: { ...TINY_RECIPE, ...ending }, stopAfter: 0 }));
      expect(await found({ steps: 40 })).toBe(two);
      expect(await found({ steps: 25, polishSteps: 5, polishRate: 1e-3 })).toBe(two);
      // Its rate would have fallen in the second step already, so it begins anew.
      expect(await found({ decaySteps: 20 })).not.toBe(two);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('takes the first step of the shipped recipe to the committed bits', async () => {
    const { seed, shape } = RECIPE;
    const texts = sampleTexts(phrasebook, seed, TOKENIZER_DIALOGUES);
    const tokenizer = trainTokenizer(texts, shape.vocabulary);
    expect(hashOf(tokenizer.merges.join('\n'))).toBe(vectors.tokenizer);
    const source = { phrasebook, tokenizer, rows: shape.rows };
    const group = createGroup(source, { seed, step: 0, group: 0 });
    expect(hashOf(group.tokens)).toBe(vectors.firstGroup);
    const training = { recipe: RECIPE, phrasebook, tokenizer, threads: 2, stopAfter: 1 };
    expect(hashOf(await train(training))).toBe(vectors.firstStep);
  }, 120_000);
});

describe('rateAt', () => {
  const { steps, warmupSteps, decaySteps, polishSteps, polishRate, peakRate } = RECIPE;
  const polishFrom = steps - polishSteps;

  it('rises, stays and falls to nearly zero', () => {
    expect(rateAt(RECIPE, 0)).toBeCloseTo(peakRate / warmupSteps, 12);
    expect(rateAt(RECIPE, warmupSteps)).toBe(peakRate);
    expect(rateAt(RECIPE, polishFrom - decaySteps)).toBe(peakRate);
    expect(rateAt(RECIPE, polishFrom - 1)).toBeCloseTo(peakRate / decaySteps, 12);
  });

  it('falls once more in the polish, and not at all without one', () => {
    expect(rateAt(RECIPE, polishFrom)).toBe(polishRate);
    expect(rateAt(RECIPE, steps - 1)).toBeCloseTo(polishRate / polishSteps, 12);
    const plain = { ...RECIPE, steps: polishFrom, polishSteps: 0, polishRate: 0 };
    for (let step = 0; step < polishFrom; step += 97) {
      expect(rateAt(plain, step)).toBe(rateAt(RECIPE, step));
    }
  });
});
