/**
 * Token ids of dialogues: the chat template and the packing of whole dialogues into a gradient
 * group. A group is a pure function of (seed, step, group), so training resumes anywhere. It knows
 * no weights.
 */

import { MESSAGE_END, MESSAGE_START, type Tokenizer } from './bpe.js';
import { createDialogue, type Message } from './dialogue.js';
import { createRandom } from './random.js';
import type { Phrasebook } from './text.js';

/** Jinja chat template written into the file; `renderPrompt` is the same rule. */
export const CHAT_TEMPLATE =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + " +
  "message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** Loss weight of what the person says. */
const USER_WEIGHT = 0.1;
/** Loss weight of an answer's first tokens, which decide which answer it is, and of the rest. */
const OPENING_WEIGHT = 1;
const REST_WEIGHT = 0.5;
const OPENING_TOKENS = 8;
/** Share of dialogues that stop after the opening of their last answer: more questions per step. */
const CUT_SHARE = 0.6;
const CUT_TOKENS = 12;
/** Dialogues tried before the rest of a group is padded. */
const ATTEMPTS = 6;

export type Rows = {
  readonly tokens: Int32Array;
  readonly positions: Int32Array;
  readonly targets: Int32Array;
  readonly weights: Float32Array;
};

type Encoded = { readonly ids: readonly number[]; readonly weights: readonly number[] };

/** Token ids of a conversation up to the point where the assistant speaks. */
export function renderPrompt(tokenizer: Tokenizer, messages: readonly Message[]): number[] {
  const ids = messages.flatMap((message) => [...encodeMessage(tokenizer, message).ids]);
  return [...ids, tokenizer.special(MESSAGE_START), ...tokenizer.encode('assistant\n')];
}

/** Fills one group with whole dialogues, each its own segment; the rest is padding of weight 0. */
export function createGroup(
  source: { readonly phrasebook: Phrasebook; readonly tokenizer: Tokenizer; readonly rows: number },
  seeds: { readonly seed: number; readonly step: number; readonly group: number },
): Rows {
  const { rows } = source;
  const random = createRandom(seeds.seed, 0, seeds.step, seeds.group);
  const group = emptyRows(rows);
  let used = 0;
  for (let failed = 0; failed < ATTEMPTS; ) {
    const messages = createDialogue(source.phrasebook, random);
    const isCut = random.unit() < CUT_SHARE;
    const dialogue = encodeDialogue(source, messages, { rows: rows - used, isCut });
    if (dialogue === undefined) {
      failed++;
      continue;
    }
    place(group, dialogue, used);
    used += dialogue.ids.length - 1;
  }
  for (let row = used; row < rows; row++) group.positions[row] = row - used;
  return group;
}

/** All texts of a number of dialogues, for the tokenizer's statistics. */
export function* sampleTexts(
  phrasebook: Phrasebook,
  seed: number,
  count: number,
): Generator<string> {
  for (let index = 0; index < count; index++) {
    for (const message of createDialogue(phrasebook, createRandom(seed, 3, index))) {
      yield `${message.role}\n`;
      yield message.content;
      yield '\n';
    }
  }
}

function emptyRows(rows: number): Rows {
  return {
    tokens: new Int32Array(rows),
    positions: new Int32Array(rows),
    targets: new Int32Array(rows),
    weights: new Float32Array(rows),
  };
}

function place(group: Rows, dialogue: Encoded, at: number): void {
  for (let i = 0; i + 1 < dialogue.ids.length; i++) {
    group.tokens[at + i] = dialogue.ids[i]!;
    group.positions[at + i] = i;
    group.targets[at + i] = dialogue.ids[i + 1]!;
    group.weights[at + i] = dialogue.weights[i + 1]!;
  }
}

/**
 * The longest whole-turn beginning of a dialogue that needs at most `rows` rows; a cut one ends
 * after the opening of its last answer.
 */
function encodeDialogue(
  source: { readonly tokenizer: Tokenizer },
  messages: readonly Message[],
  limits: { readonly rows: number; readonly isCut: boolean },
): Encoded | undefined {
  const ids: number[] = [];
  const weights: number[] = [];
  let whole = 0;
  for (const message of messages) {
    const encoded = encodeMessage(source.tokenizer, message);
    const isLast = message === messages.at(-1);
    const length = limits.isCut && isLast ? CUT_TOKENS : encoded.ids.length;
    if (ids.length + Math.min(length, encoded.ids.length) > limits.rows) break;
    ids.push(...encoded.ids.slice(0, length));
    weights.push(...encoded.weights.slice(0, length));
    if (message.role === 'assistant') whole = ids.length;
  }
  if (whole === 0) return undefined;
  return { ids: ids.slice(0, whole), weights: weights.slice(0, whole) };
}

function encodeMessage(tokenizer: Tokenizer, { role, content }: Message): Encoded {
  const head = [tokenizer.special(MESSAGE_START), ...tokenizer.encode(`${role}\n`)];
  const body = [...tokenizer.encode(content), tokenizer.special(MESSAGE_END)];
  const tail = tokenizer.encode('\n');
  const weigh = (_: number, index: number): number => {
    if (role === 'system') return 0;
    if (role === 'user') return USER_WEIGHT;
    return index < OPENING_TOKENS ? OPENING_WEIGHT : REST_WEIGHT;
  };
  return {
    ids: [...head, ...body, ...tail],
    weights: [...head.map(() => 0), ...body.map(weigh), ...tail.map(() => 0)],
  };
}
