/**
 * Turns intents into dialogues: which questions follow each other, how people type them (case,
 * punctuation, slips), with or without a system message. A pure function of its random source. It
 * knows no tokens.
 */

import { createRandom, pick, type Random } from './random.js';
import {
  type Bindings,
  expand,
  fillAnswer,
  type Intent,
  type Library,
  type Pattern,
  tidySpaces,
} from './text.js';

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

/** One wording in this many is kept out of training, chosen by the hash of its letters. */
const HELD_OUT_ONE_IN = 12;
const SYSTEM_SHARE = 0.2;
const MORE_SHARE = 0.3;
const SLIP_SHARE = 0.12;
const EXTRA_TURN_SHARES = [0.42, 0.5, 0.5, 0.5] as const;

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

const OPENINGS = [
  'hi, ',
  'hello, ',
  'hey, ',
  'hi! ',
  'hello! ',
  'please, ',
  'ok, ',
  'so ',
  'and ',
  'well, ',
  'sorry, ',
  'one question: ',
  'quick question: ',
  'thanks. ',
  'i see. ',
] as const;

const ENDINGS = [' please', ', please', ' then', ' exactly', ' again', ' in short'] as const;

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
export function createDialogue(library: Library, random: Random): readonly Message[] {
  const messages: Message[] = [];
  if (random.unit() < SYSTEM_SHARE) {
    messages.push({ role: 'system', content: pick(random, SYSTEM_MESSAGES) });
  }
  const bindings: Bindings = new Map();
  for (let turn = 0; turn <= EXTRA_TURN_SHARES.length; turn++) {
    const intent = pickIntent(library.intents, random);
    const asked = ask(library, intent, { random, bindings });
    messages.push({ role: 'user', content: type(asked.question, random) });
    messages.push({ role: 'assistant', content: asked.answer });
    if (intent.more.length > 0 && random.unit() < MORE_SHARE) {
      messages.push({ role: 'user', content: type(pick(random, MORE_QUESTIONS), random) });
      messages.push({ role: 'assistant', content: pick(random, intent.more) });
    }
    const again = EXTRA_TURN_SHARES[turn];
    if (again === undefined || random.unit() >= again) break;
  }
  return messages;
}

/** The phrasings that training never sees: whole lines marked `!`, `count` wordings of each. */
export function unseenProbes(library: Library, seed: number): readonly Probe[] {
  return library.intents.flatMap((intent, index) =>
    intent.unseen.map((pattern, line) => {
      const random = createRandom(seed, 1, index, line);
      return probe(library, intent, { pattern, random });
    }),
  );
}

/** Held-out combinations of phrasings whose other combinations are trained on: one per intent. */
export function heldOutProbes(library: Library, seed: number): readonly Probe[] {
  return library.intents.flatMap((intent, index) => {
    const random = createRandom(seed, 2, index);
    for (let attempt = 0; attempt < 400; attempt++) {
      const made = probe(library, intent, { pattern: pick(random, intent.questions), random });
      if (isHeldOut(made.question)) return [made];
    }
    return [];
  });
}

/** Whether a wording is kept out of training; case and punctuation make no difference. */
export function isHeldOut(question: string): boolean {
  let hash = 0x811c9dc5;
  for (const letter of question.toLowerCase().replace(/[^a-z0-9]/g, '')) {
    hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193);
  }
  return (hash >>> 8) % HELD_OUT_ONE_IN === 0;
}

/** As a careful person types it: first letter large, a question mark after a question. */
export function formal(question: string): string {
  const text = question.replace(/\bi\b/g, 'I').replace(/\bassay\b/g, 'Assay');
  const first = text[0]!.toUpperCase() + text.slice(1);
  if (/[.?!]$/.test(first)) return first;
  return first + (isQuestion(question) ? '?' : '.');
}

function probe(
  library: Library,
  intent: Intent,
  options: { readonly pattern: Pattern; readonly random: Random },
): Probe {
  const bindings: Bindings = new Map();
  const draw = { random: options.random, slots: library.slots, bindings };
  const question = tidySpaces(expand(options.pattern, draw));
  const answers = intent.answers.map((answer) => fillAnswer(answer, bindings));
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
  library: Library,
  intent: Intent,
  draw: { readonly random: Random; readonly bindings: Bindings },
): { readonly question: string; readonly answer: string } {
  const pattern = pick(draw.random, intent.questions);
  const pool = { ...draw, slots: library.slots };
  let question = tidySpaces(expand(pattern, pool));
  for (let attempt = 0; isHeldOut(question) && attempt < 50; attempt++) {
    question = tidySpaces(expand(pick(draw.random, intent.questions), pool));
  }
  const answer = fillAnswer(pick(draw.random, intent.answers), draw.bindings);
  return { question, answer };
}

function isQuestion(text: string): boolean {
  const first =
    /^(what|who|whom|whose|how|why|when|where|which|is|are|am|do|does|did|can|could|will|would|should|may|must|has|have|was|were)\b/;
  return first.test(text.replace(/^(hi|hello|hey|ok|so|and|well|sorry|please)[,!]? /, ''));
}

function type(question: string, random: Random): string {
  let text = question;
  if (random.unit() < 0.1 && text.length < 60) text = pick(random, OPENINGS) + text;
  if (random.unit() < 0.04 && isQuestion(text)) text += pick(random, ENDINGS);
  if (random.unit() < SLIP_SHARE) text = slip(text, random);
  const style = random.unit();
  if (style < 0.6) return formal(text);
  if (style < 0.72) return text.toLowerCase();
  if (style < 0.85) return text.toLowerCase() + (isQuestion(text) ? '?' : '');
  if (style < 0.93) return text[0]!.toUpperCase() + text.slice(1);
  if (style < 0.96) return `${formal(text).replace(/[.?]$/, '')}!`;
  return style < 0.975 ? text.toUpperCase() : formal(text).replace(/[.?]$/, ' ?');
}

/** One slip of the finger: a letter lost, doubled, or changed places with the next. */
function slip(text: string, random: Random): string {
  const at = 1 + random.below(Math.max(1, text.length - 2));
  const kind = random.below(3);
  if (kind === 0) return text.slice(0, at) + text.slice(at + 1);
  if (kind === 1) return text.slice(0, at) + text[at]! + text.slice(at);
  return text.slice(0, at) + (text[at + 1] ?? '') + text[at]! + text.slice(at + 2);
}
