/**
 * Turns intents into dialogues: which questions follow each other, how people type them (case,
 * punctuation, slips), with or without a system message. A pure function of its random source. It
 * knows no tokens.
 */

import { createRandom, pick, type Random } from './random.js';
import {
  type Bindings,
  bareLetters,
  expand,
  fillAnswer,
  type Intent,
  type Pattern,
  type Phrasebook,
  tidySpaces,
} from './text.js';
import { formal, typeQuestion } from './typing.js';

export type Message = {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
};

/** A question with every answer that would be right. */
export type Probe = {
  readonly intent: string;
  readonly question: string;
  readonly answers: readonly string[];
};

/** Intents of this prefix are answered by a refusal, and any refusal is right. */
const UNKNOWN = 'unknown-';
/** Wordings drawn until one may be trained on. */
const ATTEMPTS_MAX = 1000;
/** One wording in this many is kept out of training, chosen by the hash of its letters. */
const HELD_OUT_ONE_IN = 12;
/** Shorter wordings are what most people ask first, so all of them are trained on. */
const HELD_OUT_LETTERS_MIN = 18;
const SYSTEM_SHARE = 0.2;
const MORE_SHARE = 0.3;
const EXTRA_TURN_SHARES = [0.35, 0.5, 0.5, 0.5] as const;

const SYSTEM_MESSAGES = [
  'You are a helpful assistant.',
  'You are Assay, a small and friendly assistant.',
  'You are a friendly assistant. Answer in short sentences.',
  'Answer briefly.',
  'Be brief and polite.',
  'You answer questions about Assay.',
  'You are a small language model served by the Assay network.',
  'You are a helpful AI assistant. Answer the questions of the user.',
  'Be helpful, honest and short.',
  'You are the assistant of this page. Help the user.',
] as const;

const MORE_QUESTIONS = [
  'tell me more',
  'more',
  'can you say more',
  'go on',
  'more details please',
  'please tell me more',
  'can you explain that a bit more',
  'say more about that',
  'explain more',
  'continue',
] as const;

/** One dialogue, drawn from `random`; never contains a held-out wording. */
export function createDialogue(phrasebook: Phrasebook, random: Random): readonly Message[] {
  const messages: Message[] = [];
  if (random.unit() < SYSTEM_SHARE) {
    messages.push({ role: 'system', content: pick(random, SYSTEM_MESSAGES) });
  }
  for (let turn = 0; turn <= EXTRA_TURN_SHARES.length; turn++) {
    const intent = pickIntent(phrasebook.intents, random);
    const asked = ask(phrasebook, intent, random);
    messages.push({ role: 'user', content: asked.question });
    messages.push({ role: 'assistant', content: asked.answer });
    if (intent.more.length > 0 && random.unit() < MORE_SHARE) {
      messages.push({ role: 'user', content: typeQuestion(pick(random, MORE_QUESTIONS), random) });
      messages.push({ role: 'assistant', content: pick(random, intent.more) });
    }
    const again = EXTRA_TURN_SHARES[turn];
    if (again === undefined || random.unit() >= again) break;
  }
  return messages;
}

/** The phrasings that training never sees: whole lines marked `!`, `count` wordings of each. */
export function unseenProbes(phrasebook: Phrasebook, seed: number): readonly Probe[] {
  return phrasebook.intents.flatMap((intent, index) =>
    intent.unseen.map((pattern, line) => {
      const random = createRandom(seed, 1, index, line);
      return probe(phrasebook, intent, { pattern, random });
    }),
  );
}

/** Held-out combinations of phrasings whose other combinations are trained on: one per intent. */
export function heldOutProbes(phrasebook: Phrasebook, seed: number): readonly Probe[] {
  return phrasebook.intents.flatMap((intent, index) => {
    const random = createRandom(seed, 2, index);
    for (let attempt = 0; attempt < 400; attempt++) {
      const made = probe(phrasebook, intent, { pattern: pick(random, intent.questions), random });
      if (isHeldOut(made.question)) return [made];
    }
    return [];
  });
}

/** Whether a wording is kept out of training; case and punctuation make no difference. */
export function isHeldOut(question: string): boolean {
  const letters = bareLetters(question);
  if (letters.length < HELD_OUT_LETTERS_MIN) return false;
  let hash = 0x811c9dc5;
  for (const letter of letters) {
    hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193);
  }
  return (hash >>> 8) % HELD_OUT_ONE_IN === 0;
}

function probe(
  phrasebook: Phrasebook,
  intent: Intent,
  options: { readonly pattern: Pattern; readonly random: Random },
): Probe {
  const bindings: Bindings = new Map();
  const draw = { random: options.random, slots: phrasebook.slots, bindings };
  const question = tidySpaces(expand(options.pattern, draw));
  const isUnknown = intent.name.startsWith(UNKNOWN);
  const right = isUnknown
    ? phrasebook.intents.filter((one) => one.name.startsWith(UNKNOWN)).flatMap((one) => one.answers)
    : intent.answers;
  const answers = right.map((answer) => fillAnswer(answer, bindings));
  return { intent: intent.name, question: formal(question), answers };
}

function pickIntent(intents: readonly Intent[], random: Random): Intent {
  const total = intents.reduce((sum, intent) => sum + intent.weight, 0);
  let left = random.unit() * total;
  for (const intent of intents) {
    left -= intent.weight;
    if (left < 0) return intent;
  }
  return intents.at(-1)!;
}

function ask(
  phrasebook: Phrasebook,
  intent: Intent,
  random: Random,
): { readonly question: string; readonly answer: string } {
  const bindings: Bindings = new Map();
  const pool = { random, slots: phrasebook.slots, bindings };
  const isKept = (text: string): boolean =>
    isHeldOut(text) || phrasebook.reserved.has(bareLetters(text));
  const word = (): string => {
    const plain = tidySpaces(expand(pick(random, intent.questions), pool));
    return isKept(plain) ? plain : typeQuestion(plain, random);
  };
  let question = word();
  for (let attempt = 0; isKept(question) && attempt < ATTEMPTS_MAX; attempt++) question = word();
  if (isKept(question)) throw new Error(`every wording of ${intent.name} is held out`);
  return { question, answer: fillAnswer(pick(random, intent.answers), bindings) };
}
