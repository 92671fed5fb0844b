/**
 * The training loop: a fixed number of AdamW steps on dialogues drawn from a seed, with checkpoints
 * from which it continues with the same bits. It knows no file format of the result.
 */

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createGroup } from './batch.js';
import type { Tokenizer } from './bpe.js';
import { BETA1, BETA2, type Crew, groupInputs, openCrew } from './crew.js';
import { createRandom } from './random.js';
import { countParameters, type Shape } from './shape.js';
import type { Phrasebook } from './text.js';

export type Recipe = {
  readonly shape: Shape;
  readonly seed: number;
  readonly steps: number;
  readonly groups: number;
  readonly warmupSteps: number;
  /** Length of the fall of the rate to zero, which ends where the polish begins. */
  readonly decaySteps: number;
  /** A second, short fall at the very end, from a lower rate. */
  readonly polishSteps: number;
  readonly polishRate: number;
  readonly peakRate: number;
  readonly weightDecay: number;
};

export type Progress = {
  readonly step: number;
  readonly loss: number;
  readonly rate: number;
  readonly secondsElapsed: number;
};

export type Training = {
  readonly recipe: Recipe;
  readonly phrasebook: Phrasebook;
  readonly tokenizer: Tokenizer;
  readonly threads: number;
  /** Stops early, for tests; the schedule stays that of `recipe.steps`. */
  readonly stopAfter?: number;
  /** Path of the checkpoint file; without it nothing is saved. */
  readonly checkpoint?: string;
  readonly checkpointEverySteps?: number;
  readonly now?: () => number;
  readonly report?: (progress: Progress) => void;
};

/** Gradient norm above which the step is scaled down. */
const CLIP_NORM = 1;
const INIT_SPREAD = 0.05;
const CHECKPOINT_EVERY_STEPS = 100;
const REPORT_EVERY_STEPS = 20;

/** Trains from the seed, or from the checkpoint if one lies there, and returns the weights. */
export async function train(training: Training): Promise<Float32Array> {
  const { recipe } = training;
  const crew = await openCrew({
    shape: recipe.shape,
    groups: recipe.groups,
    threads: training.threads,
  });
  try {
    initialise(crew, recipe);
    const from = loadCheckpoint(crew, training);
    const started = training.now?.() ?? 0;
    const until = Math.min(recipe.steps, training.stopAfter ?? recipe.steps);
    const every = training.checkpointEverySteps ?? CHECKPOINT_EVERY_STEPS;
    let losses = 0;
    for (let step = from; step < until; step++) {
      losses += takeStep(crew, training, step);
      if ((step + 1) % every === 0) saveCheckpoint(crew, training, step + 1);
      if ((step + 1) % REPORT_EVERY_STEPS === 0) {
        const secondsElapsed = ((training.now?.() ?? 0) - started) / 1000;
        const loss = losses / REPORT_EVERY_STEPS;
        training.report?.({ step: step + 1, loss, rate: rateAt(recipe, step), secondsElapsed });
        losses = 0;
      }
    }
    return parametersOf(crew).slice();
  } finally {
    await crew.close();
  }
}

/**
 * Learning rate of a step: a linear rise, a plateau, a linear fall to zero (Hägele et al., "Scaling
 * Laws and Compute-Optimal Training Beyond Fixed Training Durations"), then the polish. Before the
 * fall it does not depend on the number of steps, so a run may be made longer without starting again.
 */
export function rateAt(recipe: Recipe, step: number): number {
  const polishFrom = recipe.steps - recipe.polishSteps;
  if (step >= polishFrom) {
    return (recipe.polishRate * (recipe.steps - step)) / recipe.polishSteps;
  }
  const rise = (step + 1) / recipe.warmupSteps;
  const fall = (polishFrom - step) / recipe.decaySteps;
  return recipe.peakRate * Math.min(rise, 1, fall);
}

/** A view of the weights inside the crew's memory. */
export function parametersOf(crew: Crew): Float32Array {
  const { layout, memory } = crew;
  return new Float32Array(memory.buffer, layout.parameters, countParameters(layout.shape));
}

/** Draws the first weights: norms are one, matrices nearly normal (a sum of four uniforms). */
export function initialise(crew: Crew, recipe: Recipe): void {
  const parameters = parametersOf(crew);
  const random = createRandom(recipe.seed, 4);
  const depthScale = 1 / Math.sqrt(2 * recipe.shape.layers);
  for (const span of crew.layout.spans) {
    const isNorm = span.rows === 1;
    const closesBranch = /attn_output|ffn_down/.test(span.name);
    // Four uniforms on [0, 1) have variance 1/3.
    const spread = INIT_SPREAD * (closesBranch ? depthScale : 1) * Math.sqrt(3);
    for (let i = span.offset; i < span.offset + span.rows * span.columns; i++) {
      const four = isNorm ? 0 : random.unit() + random.unit() + random.unit() + random.unit() - 2;
      parameters[i] = isNorm ? 1 : four * spread;
    }
  }
}

/** One optimiser step; returns the mean loss of the assistant's tokens in nats. */
export function takeStep(crew: Crew, training: Training, step: number): number {
  const { recipe } = training;
  const totalWeight = loadGroups(crew, training, step);
  const losses = crew.run('gradient', { scale: 1 / totalWeight });
  const squares = crew.run('reduce', {});
  const norm = Math.sqrt(squares.reduce((sum, value) => sum + value, 0));
  const rate = rateAt(recipe, step);
  crew.run('update', {
    clip: norm > CLIP_NORM ? CLIP_NORM / norm : 1,
    step1: rate / (1 - power(BETA1, step + 1)),
    root2: 1 / (1 - power(BETA2, step + 1)),
    decay: rate * recipe.weightDecay,
  });
  return losses.reduce((sum, value) => sum + value, 0) / totalWeight;
}

/** Writes the step's groups into memory; returns the sum of the loss weights. */
export function loadGroups(crew: Crew, training: Training, step: number): number {
  const { rows } = training.recipe.shape;
  const source = { phrasebook: training.phrasebook, tokenizer: training.tokenizer, rows };
  let total = 0;
  for (let group = 0; group < training.recipe.groups; group++) {
    const made = createGroup(source, { seed: training.recipe.seed, step, group });
    const at = groupInputs(crew.layout, group);
    const { buffer } = crew.memory;
    new Int32Array(buffer, at.tokens, rows).set(made.tokens);
    new Int32Array(buffer, at.positions, rows).set(made.positions);
    new Int32Array(buffer, at.targets, rows).set(made.targets);
    new Float32Array(buffer, at.weights, rows).set(made.weights);
    for (const weight of made.weights) total += weight;
  }
  return total;
}

/** Repeated products, because `**` may round differently between hosts. */
function power(base: number, exponent: number): number {
  let product = 1;
  for (let i = 0; i < exponent; i++) product *= base;
  return product;
}

/** What a checkpoint depends on, but for the end of the schedule. */
function fingerprint(training: Training): string {
  const { steps: _0, decaySteps: _1, polishSteps: _2, polishRate: _3, ...recipe } = training.recipe;
  const facts = [recipe, training.phrasebook.intents, training.tokenizer.merges];
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex');
}

/** Fields of a recipe that say how a schedule ends. */
type Ending = Pick<Recipe, 'steps' | 'decaySteps' | 'polishSteps' | 'polishRate'>;

type CheckpointHead = Ending & { readonly fingerprint: string; readonly step: number };

/** Whether a training with this recipe would have come through the checkpoint: by the same rates. */
function fits(head: CheckpointHead, training: Training): boolean {
  if (head.fingerprint !== fingerprint(training)) return false;
  const { recipe } = training;
  const taken = { ...recipe, ...head };
  for (let step = 0; step < head.step; step++) {
    if (rateAt(taken, step) !== rateAt(recipe, step)) return false;
  }
  return true;
}

function stateOf(crew: Crew): Uint8Array {
  const { layout, memory } = crew;
  return new Uint8Array(memory.buffer, layout.parameters, layout.gradients - layout.parameters);
}

function saveCheckpoint(crew: Crew, training: Training, step: number): void {
  if (training.checkpoint === undefined) return;
  const { steps, decaySteps, polishSteps, polishRate } = training.recipe;
  const ending: Ending = { steps, decaySteps, polishSteps, polishRate };
  const head: CheckpointHead = { fingerprint: fingerprint(training), step, ...ending };
  const line = Buffer.from(`${JSON.stringify(head)}\n`);
  writeFileSync(`${training.checkpoint}.new`, Buffer.concat([line, stateOf(crew)]));
  renameSync(`${training.checkpoint}.new`, training.checkpoint);
}

function loadCheckpoint(crew: Crew, training: Training): number {
  if (training.checkpoint === undefined || !existsSync(training.checkpoint)) return 0;
  const bytes = readFileSync(training.checkpoint);
  const end = bytes.indexOf('\n');
  const head = JSON.parse(bytes.subarray(0, end).toString()) as CheckpointHead;
  const state = stateOf(crew);
  if (!fits(head, training) || bytes.length - end - 1 !== state.length) return 0;
  state.set(bytes.subarray(end + 1));
  return head.step;
}
