/**
 * llama.cpp on a model file and token sequences: reads `{file, sequences}` from the file named as its argument and
 * writes the logits of every position as float32, row after row, to the second. A process of its own, so that the
 * bench runs without it too.
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { loadLlamaModel } from './llama.js';

const [input, output] = process.argv.slice(2);
const { file, vocabularySize, sequences } = JSON.parse(readFileSync(input!, 'utf8')) as {
  readonly file: string;
  readonly vocabularySize: number;
  readonly sequences: readonly (readonly number[])[];
};
const model = await loadLlamaModel(file, 1);
const longest = Math.max(...sequences.map(({ length }) => length));
const context = await model.createContext({
  contextSize: Math.max(256, longest),
  batchSize: 512,
  sequences: 1,
  threads: { ideal: 1, min: 1 },
});
const sequence = context.getSequence();
const target = openSync(output!, 'w');
for (const tokens of sequences) {
  await sequence.clearHistory();
  const results = await sequence.controlledEvaluate(
    tokens.map((token) => [token, { generateNext: { logits: true } }] as const),
  );
  for (const result of results) {
    const row = new Float32Array(vocabularySize).fill(Number.NEGATIVE_INFINITY);
    for (const [token, logit] of result!.next.logits!) row[token] = logit;
    writeSync(target, row);
  }
}
closeSync(target);
process.exit(0);
