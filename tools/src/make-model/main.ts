/**
 * The command that makes the shipped model: `npm run model:make`. Reads our text, trains, writes
 * `models/assay-mini.gguf` and prints its hash and its score. `--evaluate` scores the last
 * checkpoint only; `--ask "..."` asks it; `--vectors` writes the vectors of the committed file.
 * Everything that decides the bits is a constant here.
 */

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { sampleTexts } from './batch.js';
import { type Tokenizer, trainTokenizer } from './bpe.js';
import { answer, evaluate, openExaminee, type Score } from './evaluate.js';
import { VECTORS_PATH } from './fixture.js';
import { writeModelFile } from './model-bytes.js';
import { RECIPE, TOKENIZER_DIALOGUES } from './recipe.js';
import { countParameters } from './shape.js';
import { type Phrasebook, readPhrasebook } from './text.js';
import { type Progress, type Recipe, train } from './train.js';
import { makeVectors } from './vectors.js';

const ROOT = new URL('../../../', import.meta.url);

await main();

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      threads: { type: 'string', default: '2' },
      work: { type: 'string', default: fileURLToPath(new URL('.assay/model-make', ROOT)) },
      out: { type: 'string', default: fileURLToPath(new URL('models/assay-mini.gguf', ROOT)) },
      steps: { type: 'string', default: String(RECIPE.steps) },
      evaluate: { type: 'boolean', default: false },
      vectors: { type: 'boolean', default: false },
      ask: { type: 'string', multiple: true, default: [] },
    },
  });
  const recipe = { ...RECIPE, steps: Number(values.steps) };
  const phrasebook = readPhrasebook(new URL('tools/make-model/text/', ROOT));
  const texts = sampleTexts(phrasebook, recipe.seed, TOKENIZER_DIALOGUES);
  const tokenizer = trainTokenizer(texts, recipe.shape.vocabulary);
  describeWork(phrasebook, tokenizer, recipe);
  if (values.vectors) {
    const vectors = await makeVectors(readFileSync(values.out), { phrasebook, tokenizer });
    writeFileSync(VECTORS_PATH, `${JSON.stringify(vectors, null, 2)}\n`);
    return;
  }
  mkdirSync(values.work, { recursive: true });
  const onlyAsk = values.evaluate || values.ask.length > 0;
  const parameters = await train({
    recipe,
    phrasebook,
    tokenizer,
    threads: Number(values.threads),
    checkpoint: `${values.work}/checkpoint`,
    now: () => performance.now(),
    report,
    ...(onlyAsk ? { stopAfter: 0 } : {}),
  });
  const file = writeModelFile(parameters, { shape: recipe.shape, tokenizer });
  if (!onlyAsk) writeResult(file, values.out);
  examine(file, { phrasebook, questions: values.ask });
}

function describeWork(phrasebook: Phrasebook, tokenizer: Tokenizer, recipe: Recipe): void {
  const phrasings = phrasebook.intents.reduce((sum, intent) => sum + intent.questions.length, 0);
  say(`${phrasebook.intents.length} intents, ${phrasings} phrasings`);
  say(`${tokenizer.tokens.length} tokens, ${countParameters(recipe.shape)} parameters`);
  say(`${recipe.steps} steps of ${recipe.groups * recipe.shape.rows} rows, seed ${recipe.seed}`);
}

function report({ step, loss, rate, secondsElapsed }: Progress): void {
  const seconds = Math.round(secondsElapsed);
  say(`step ${step}  loss ${loss.toFixed(4)}  rate ${rate.toFixed(6)}  ${seconds} s`);
}

function writeResult(file: Uint8Array, path: string): void {
  writeFileSync(path, file);
  say(`${path}: ${file.length} bytes`);
  say(`sha256 ${createHash('sha256').update(file).digest('hex')}`);
}

function examine(
  file: Uint8Array,
  exam: { readonly phrasebook: Phrasebook; readonly questions: readonly string[] },
): void {
  const examinee = openExaminee(file);
  for (const question of exam.questions) {
    say(`> ${question}\n${answer(examinee, [{ role: 'user', content: question }])}`);
  }
  if (exam.questions.length > 0) return;
  const result = evaluate(examinee, exam.phrasebook);
  printScore('phrasings never seen', result.unseen);
  printScore('held-out combinations', result.heldOut);
}

function printScore(name: string, score: Score): void {
  for (const { probe, answer: said } of score.wrong) {
    say(`[${probe.intent}] ${probe.question}\n    -> ${said}`);
  }
  say(`${name}: ${score.right} of ${score.asked} right (${(100 * score.share).toFixed(1)} %)`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
