/**
 * Token ids of dialogues: the chat template and the packing of whole dialogues into a gradient
 * group. A group is a pure function of (seed, step, group), so training resumes anywhere. It knows
 * no weights.
 */

import { MESSAGE_END, MESSAGE_START, type Tokenizer } from './bpe.js';
import { createDialogue, type Message } from './dialogue.js';
import { createRandom } from './random.js';
import type { Library } from './text.js';

/** Jinja chat template written into the file; `renderPrompt` is the same rule. */
export const CHAT_TEMPLATE =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + " +
  "message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** Loss weight of what the person says; the assistant's words weigh 1. */
const USER_WEIGHT = 0.1;
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
  source: { readonly library: Library; readonly tokenizer: Tokenizer; readonly rows: number },
  seeds: { readonly seed: number; readonly step: number; readonly group: number },
): Rows {
  const { rows } = source;
  const random = createRandom(seeds.seed, 0, seeds.step, seeds.group);
  const group = emptyRows(rows);
  let used = 0;
  for (let failed = 0; failed < ATTEMPTS; ) {
    const dialogue = encodeDialogue(source, createDialogue(source.library, random), rows - used);
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
export function* sampleTexts(library: Library, seed: number, count: number): Generator<string> {
  for (let index = 0; index < count; index++) {
    for (const message of createDialogue(library, createRandom(seed, 3, index))) {
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

/** The longest whole-turn beginning of a dialogue that needs at most `rows` rows. */
function encodeDialogue(
  source: { readonly tokenizer: Tokenizer },
  messages: readonly Message[],
  rows: number,
): Encoded | undefined {
  const ids: number[] = [];
  const weights: number[] = [];
  let whole = 0;
  for (const message of messages) {
    const encoded = encodeMessage(source.tokenizer, message);
    if (ids.length + encoded.ids.length > rows) break;
    ids.push(...encoded.ids);
    weights.push(...encoded.weights);
    if (message.role === 'assistant') whole = ids.length;
  }
  if (whole === 0) return undefined;
  return { ids: ids.slice(0, whole), weights: weights.slice(0, whole) };
}

function encodeMessage(tokenizer: Tokenizer, message: Message): Encoded {
  const spoken = message.role === 'assistant' ? 1 : message.role === 'user' ? USER_WEIGHT : 0;
  const head = [tokenizer.special(MESSAGE_START), ...tokenizer.encode(`${message.role}\n`)];
  const body = [...tokenizer.encode(message.content), tokenizer.special(MESSAGE_END)];
  const tail = tokenizer.encode('\n');
  return {
    ids: [...head, ...body, ...tail],
    weights: [...head.map(() => 0), ...body.map(() => spoken), ...tail.map(() => 0)],
  };
}
