/**
 * Asks a trained model questions that training never saw and counts the answers that are right to
 * the letter. It computes with the quantised weights, in the trainer's float kernels. Greedy
 * decoding gives an answer exactly when, fed that answer, the model predicts each next token; so
 * one pass per answer decides.
 */

import { type Rows, renderPrompt } from './batch.js';
import { MESSAGE_END, type Tokenizer } from './bpe.js';
import { type Crew, groupInputs, openCrew } from './crew.js';
import { heldOutProbes, type Message, type Probe, unseenProbes } from './dialogue.js';
import type { Shape } from './shape.js';
import type { Library } from './text.js';
import { parametersOf } from './train.js';

export type Examinee = {
  readonly crew: Crew;
  readonly tokenizer: Tokenizer;
};

export type Score = {
  readonly asked: number;
  readonly right: number;
  readonly share: number;
  readonly wrong: readonly { readonly probe: Probe; readonly answer: string }[];
};

export type Evaluation = {
  /** Whole phrasings that training never saw in any form. */
  readonly unseen: Score;
  /** Unseen combinations of phrasings whose other combinations were trained on. */
  readonly heldOut: Score;
};

/** Longest answer that is decoded, in tokens. */
const ANSWER_TOKENS_MAX = 120;
const EVALUATION_SEED = 2026;

/** Loads weights into a single-threaded crew that can be asked. */
export async function openExaminee(options: {
  readonly parameters: Float32Array;
  readonly shape: Shape;
  readonly tokenizer: Tokenizer;
}): Promise<Examinee> {
  const crew = await openCrew({ shape: options.shape, groups: 1, threads: 1 });
  parametersOf(crew).set(options.parameters);
  return { crew, tokenizer: options.tokenizer };
}

/** Both scores. */
export function evaluate(examinee: Examinee, library: Library): Evaluation {
  return {
    unseen: score(examinee, unseenProbes(library, EVALUATION_SEED)),
    heldOut: score(examinee, heldOutProbes(library, EVALUATION_SEED)),
  };
}

/** The greedy answer to a conversation. */
export function answer(examinee: Examinee, messages: readonly Message[]): string {
  const { tokenizer } = examinee;
  const end = tokenizer.special(MESSAGE_END);
  const ids = renderPrompt(tokenizer, messages);
  const from = ids.length;
  const rowsMax = examinee.crew.layout.shape.rows;
  while (ids.length < Math.min(from + ANSWER_TOKENS_MAX, rowsMax)) {
    const next = predict(examinee, ids).at(ids.length - 1)!;
    if (next === end) break;
    ids.push(next);
  }
  return tokenizer.decode(ids.slice(from));
}

function score(examinee: Examinee, probes: readonly Probe[]): Score {
  const wrong: { probe: Probe; answer: string }[] = [];
  for (const probe of probes) {
    if (isRight(examinee, probe)) continue;
    const said = answer(examinee, [{ role: 'user', content: probe.question }]);
    wrong.push({ probe, answer: said });
  }
  const right = probes.length - wrong.length;
  return { asked: probes.length, right, share: right / Math.max(1, probes.length), wrong };
}

function isRight({ crew, tokenizer }: Examinee, probe: Probe): boolean {
  const prompt = renderPrompt(tokenizer, [{ role: 'user', content: probe.question }]);
  return probe.answers.some((text) => {
    const ids = [...prompt, ...tokenizer.encode(text), tokenizer.special(MESSAGE_END)];
    const predicted = predict({ crew, tokenizer }, ids);
    for (let at = prompt.length; at < ids.length; at++) {
      if (predicted[at - 1] !== ids[at]) return false;
    }
    return true;
  });
}

/** The most likely next token after each position of one sequence. */
function predict({ crew }: Examinee, ids: readonly number[]): Int32Array {
  const { layout, kernel, memory } = crew;
  const rows = Math.ceil(ids.length / 4) * 4;
  const at = groupInputs(layout, 0);
  const inputs: Pick<Rows, 'tokens' | 'positions'> = {
    tokens: new Int32Array(memory.buffer, at.tokens, rows),
    positions: new Int32Array(memory.buffer, at.positions, rows),
  };
  inputs.tokens.fill(0);
  inputs.tokens.set(ids);
  for (let row = 0; row < rows; row++) inputs.positions[row] = row;
  const logits = kernel.forward(layout.parameters, at.tokens, at.positions, rows);
  kernel.argmax(at.targets, logits, rows);
  return new Int32Array(memory.buffer, at.targets, rows).slice();
}
