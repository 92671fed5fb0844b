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
import { initialise, loadGroups, parametersOf, rateAt, train } from './train.js';
import { hashOf } from './vectors.js';

const library = readText();
const vectors = readVectors();

describe('gradient', () => {
  const training = tinyTraining(library, 1);
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
    const one = await train({ ...tinyTraining(library, 1), stopAfter: 3 });
    const two = await train({ ...tinyTraining(library, 2), stopAfter: 3 });
    expect(hashOf(two)).toBe(hashOf(one));
    expect(hashOf(one)).toBe(vectors.tinyThreeSteps);
  });

  it('lowers the loss', async () => {
    const losses: number[] = [];
    const report = ({ loss }: { readonly loss: number }) => losses.push(loss);
    const recipe = { ...TINY_RECIPE, steps: 60, decaySteps: 20 };
    await train({ ...tinyTraining(library, 2), recipe, report });
    expect(losses).toHaveLength(3);
    expect(losses[2]).toBeLessThan(losses[0]! - 0.5);
  });

  it('continues from a checkpoint with the same bits', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'assay-train-'));
    try {
      const checkpoint = join(folder, 'checkpoint');
      const saved = { ...tinyTraining(library, 2), checkpoint, checkpointEverySteps: 2 };
      await train({ ...saved, stopAfter: 2 });
      const resumed = await train({ ...saved, stopAfter: 3 });
      expect(hashOf(resumed)).toBe(vectors.tinyThreeSteps);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('takes the first step of the shipped recipe to the committed bits', async () => {
    const { seed, shape } = RECIPE;
    const texts = sampleTexts(library, seed, TOKENIZER_DIALOGUES);
    const tokenizer = trainTokenizer(texts, shape.vocabulary);
    expect(hashOf(tokenizer.merges.join('\n'))).toBe(vectors.tokenizer);
    const source = { library, tokenizer, rows: shape.rows };
    const group = createGroup(source, { seed, step: 0, group: 0 });
    expect(hashOf(group.tokens)).toBe(vectors.firstGroup);
    const training = { recipe: RECIPE, library, tokenizer, threads: 2, stopAfter: 1 };
    expect(hashOf(await train(training))).toBe(vectors.firstStep);
  }, 120_000);
});

describe('rateAt', () => {
  it('rises, stays and falls to nearly zero', () => {
    expect(rateAt(RECIPE, 0)).toBeCloseTo(RECIPE.peakRate / RECIPE.warmupSteps, 12);
    expect(rateAt(RECIPE, RECIPE.warmupSteps)).toBe(RECIPE.peakRate);
    expect(rateAt(RECIPE, RECIPE.steps - RECIPE.decaySteps)).toBe(RECIPE.peakRate);
    expect(rateAt(RECIPE, RECIPE.steps - 1)).toBeCloseTo(RECIPE.peakRate / RECIPE.decaySteps, 12);
  });
});
