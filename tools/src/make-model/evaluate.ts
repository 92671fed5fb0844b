/**
 * Asks a model file questions that training never saw and counts the answers that are right to the
 * letter. It computes as the network does: the exact integer engine, the file's own tokenizer and
 * template. Greedy decoding gives an answer exactly when, fed that answer, the model predicts each
 * next token; so one pass per answer decides.
 */

import { createWasmBackend, type Session } from '@assay/engine';
import { type ModelFile, openModelFile } from '@assay/model';
import { heldOutProbes, type Message, type Probe, unseenProbes } from './dialogue.js';
import type { Phrasebook } from './text.js';

export type Examinee = {
  readonly file: ModelFile;
  readonly session: Session;
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

/** Opens a model file in the exact engine. */
export function openExaminee(bytes: Uint8Array): Examinee {
  const file = openModelFile(bytes);
  return { file, session: createWasmBackend().createSession(file.model) };
}

/** Both scores. */
export function evaluate(examinee: Examinee, phrasebook: Phrasebook): Evaluation {
  return {
    unseen: score(examinee, unseenProbes(phrasebook, EVALUATION_SEED)),
    heldOut: score(examinee, heldOutProbes(phrasebook, EVALUATION_SEED)),
  };
}

/** The greedy answer to a conversation. */
export function answer({ file, session }: Examinee, messages: readonly Message[]): string {
  const prompt = file.chat.renderChat(messages);
  const ids: number[] = [];
  session.truncate(0);
  let next = largest(session.forward(prompt));
  while (!file.tokenizer.eosIds.includes(next) && ids.length < ANSWER_TOKENS_MAX) {
    ids.push(next);
    next = largest(session.forward([next]));
  }
  return file.tokenizer.decode(ids);
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

function isRight({ file, session }: Examinee, probe: Probe): boolean {
  const prompt = file.chat.renderChat([{ role: 'user', content: probe.question }]);
  const { vocabularySize } = file.tokenizer;
  session.truncate(0);
  session.forward(prompt.slice(0, -1), { logits: 'none' });
  return probe.answers.some((text) => {
    const ids = file.tokenizer.encode(text);
    session.truncate(prompt.length - 1);
    const logits = session.forward([prompt.at(-1)!, ...ids], { logits: 'all' });
    const chosen = (row: number): number =>
      largest(logits.subarray(row * vocabularySize, (row + 1) * vocabularySize));
    const ends = file.tokenizer.eosIds.includes(chosen(ids.length));
    return ends && ids.every((id, row) => chosen(row) === id);
  });
}

function largest(logits: Int32Array): number {
  let best = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id]! > logits[best]!) best = id;
  return best;
}
