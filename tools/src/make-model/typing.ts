/**
 * How people type a question: other words for the same thing, a polite frame around it, fillers,
 * lost small words, slips of the finger, case and punctuation. It widens what the model meets in
 * training and never changes which answer is right.
 */

import { pick, type Random } from './random.js';

const FRAME_SHARE = 0.12;
const OPENING_SHARE = 0.08;
const ENDING_SHARE = 0.04;
/** Twice per question, each on its own. */
const SYNONYM_SHARE = 0.22;
const FILLER_SHARE = 0.06;
const LOSS_SHARE = 0.08;
const SLIP_SHARE = 0.08;
/** Frames and openings are put before questions up to this length, in letters. */
const FRAMED_LETTERS_MAX = 60;

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
  'but ',
  'one question: ',
  'thanks. ',
  'i see. ',
] as const;

const FRAMES = [
  'could you tell me ',
  'can you tell me ',
  'please tell me ',
  'tell me, ',
  'do you know ',
  'i would like to know ',
  'i want to know ',
  'i wonder ',
  'may i ask ',
  'would you tell me ',
  'say, ',
  'just tell me ',
  'can you say ',
  'could you explain to me ',
  'i am curious, ',
] as const;

const ENDINGS = [' please', ', please', ' then', ' exactly', ' again', ' in short'] as const;
const FILLERS = ['actually', 'really', 'just', 'exactly', 'simply', 'maybe'] as const;
const SMALL_WORDS = /^(is|a|an|the|do|does|i|to|my|of|it|on|in|this|that|please|can|are|you|for)$/;

/** Groups of words that may stand for each other in a question. */
const SYNONYMS: readonly (readonly string[])[] = [
  ['begin', 'start'],
  ['big', 'large'],
  ['fast', 'quick', 'quickly'],
  ['wrong', 'false', 'incorrect'],
  ['lies', 'cheats', 'is lying', 'is cheating'],
  ['lie', 'cheat'],
  ['explain', 'describe'],
  ['need', 'require'],
  ['money', 'funds'],
  ['buy', 'purchase', 'get'],
  ['answer', 'reply', 'response'],
  ['answers', 'replies', 'responses'],
  ['question', 'query'],
  ['computer', 'machine'],
  ['make', 'create', 'build'],
  ['check', 'verify', 'test'],
  ['checked', 'verified', 'tested'],
  ['happens', 'goes on', 'will happen'],
  ['which', 'what'],
  ['command', 'instruction'],
  ['find', 'see', 'look up'],
  ['show', 'display', 'give'],
  ['give', 'offer'],
  ['possible', 'doable'],
  ['good', 'nice'],
  ['purpose', 'point', 'aim'],
  ['what is', 'what would be', "what's", 'what kind of thing is', 'what do you call'],
  ['how do i', 'how can i', 'how could i', 'in what way do i', 'what must i do to', 'i want to'],
  ['how does', 'in what way does', 'by what means does'],
  ['how is', 'in what way is', 'by what means is'],
  ['how are', 'in what way are', 'by what means are'],
  ['why', 'for what reason', 'how come'],
  ['what if', 'suppose', 'what would happen if', 'imagine'],
  ['what happens if', 'suppose', 'what if', 'what then, if'],
  ['can i', 'could i', 'may i', 'am i able to', 'am i allowed to', 'is it possible to'],
  ['where is', 'where do i find', 'in what place is', 'where can i find'],
  ['when', 'at what time', 'at what moment'],
  ['who', 'which person', 'what people'],
  ['are there', 'do you have', 'exist'],
  ['is there', 'do you have', 'does it have'],
  ['does assay', 'do you', 'does the network'],
  ['on assay', 'here', 'in this network'],
  ['assay', 'the network', 'this network'],
  ['what does', 'tell me what does'],
  ['get', 'receive', 'obtain'],
  ['paid', 'rewarded'],
  ['cost', 'be priced at'],
  ['run', 'launch', 'operate'],
  ['stop', 'end'],
  ['other', 'another'],
  ['someone', 'somebody', 'anyone', 'anybody'],
  ['called', 'named'],
  ['work', 'function'],
  ['like', 'enjoy'],
];

/** As a careful person types it: first letter large, a question mark after a question. */
export function formal(question: string): string {
  const text = question.replace(/\bi\b/g, 'I').replace(/\bassay\b/g, 'Assay');
  const first = text[0]!.toUpperCase() + text.slice(1);
  if (/[.?!]$/.test(first)) return first;
  return first + (isQuestion(question) ? '?' : '.');
}

/** One way in which somebody may type a question. */
export function typeQuestion(question: string, random: Random): string {
  const chance = (share: number): boolean => random.unit() < share;
  let text = question;
  const asks = isQuestion(text);
  if (chance(SYNONYM_SHARE)) text = swapSynonym(text, random);
  if (chance(SYNONYM_SHARE)) text = swapSynonym(text, random);
  if (chance(FILLER_SHARE)) text = insertFiller(text, random);
  if (chance(LOSS_SHARE)) text = loseSmallWord(text, random);
  if (asks && text.length < FRAMED_LETTERS_MAX && chance(FRAME_SHARE)) {
    text = pick(random, FRAMES) + text;
  }
  if (text.length < FRAMED_LETTERS_MAX && chance(OPENING_SHARE)) {
    text = pick(random, OPENINGS) + text;
  }
  if (asks && chance(ENDING_SHARE)) text += pick(random, ENDINGS);
  if (chance(SLIP_SHARE)) text = slip(text, random);
  return punctuate(text, asks, random);
}

function punctuate(text: string, asks: boolean, random: Random): string {
  const style = random.unit();
  const small = text.toLowerCase();
  const plain = formal(text).replace(/[.?]$/, '');
  if (style < 0.6) return asks ? `${plain}?` : formal(text);
  if (style < 0.72) return small;
  if (style < 0.85) return small + (asks ? '?' : '');
  if (style < 0.93) return plain;
  if (style < 0.96) return `${plain}!`;
  return `${plain} ?`;
}

function isQuestion(text: string): boolean {
  const first =
    /^(what|who|whom|whose|how|why|when|where|which|is|are|am|do|does|did|can|could|will|would|should|may|must|has|have|was|were)\b/;
  return first.test(text.replace(/^(hi|hello|hey|ok|so|and|well|sorry|please)[,!]? /, ''));
}

/** Puts other words in place of the first group that occurs, in a random order of groups. */
function swapSynonym(text: string, random: Random): string {
  const start = random.below(SYNONYMS.length);
  const padded = ` ${text} `;
  for (let i = 0; i < SYNONYMS.length; i++) {
    const group = SYNONYMS[(start + i) % SYNONYMS.length]!;
    const found = group.find((word) => padded.includes(` ${word} `));
    if (found !== undefined) return padded.replace(` ${found} `, ` ${pick(random, group)} `).trim();
  }
  return text;
}

function insertFiller(text: string, random: Random): string {
  const words = text.split(' ');
  if (words.length < 3) return text;
  words.splice(1 + random.below(words.length - 1), 0, pick(random, FILLERS));
  return words.join(' ');
}

function loseSmallWord(text: string, random: Random): string {
  const words = text.split(' ');
  const at = random.below(words.length);
  if (words.length < 4 || !SMALL_WORDS.test(words[at]!)) return text;
  words.splice(at, 1);
  return words.join(' ');
}

/** One slip of the finger: a letter lost, doubled, or changed places with the next. */
function slip(text: string, random: Random): string {
  const at = 1 + random.below(Math.max(1, text.length - 2));
  const kind = random.below(3);
  if (kind === 0) return text.slice(0, at) + text.slice(at + 1);
  if (kind === 1) return text.slice(0, at) + text[at]! + text.slice(at);
  return text.slice(0, at) + (text[at + 1] ?? '') + text[at]! + text.slice(at + 2);
}
