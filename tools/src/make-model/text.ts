/**
 * The text source: intents written by us, each with phrasings of one question and its answers. It
 * knows the notation and nothing of tokens. Notation, one item per line:
 *   `# name` begins an intent, `? phrasing` may be trained on, `! phrasing` is only ever asked in
 *   the evaluation, `= answer`, `+ answer to "tell me more"`, `@weight n`, `$ slot: a, b, c` at
 *   the head of a file. In a phrasing `(a|b|)` chooses; `{slot}` draws from a list, for the answer
 *   too; `<name>` inserts a shared alternation defined by `& name: a|b`.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { createRandom, pick, type Random } from './random.js';

/** A piece of a phrasing: literal text, a slot, or a choice of sequences. */
type Piece =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'slot'; readonly name: string }
  | { readonly kind: 'choice'; readonly options: readonly (readonly Piece[])[] };

export type Pattern = readonly Piece[];

export type Intent = {
  readonly name: string;
  readonly weight: number;
  readonly questions: readonly Pattern[];
  readonly unseen: readonly Pattern[];
  readonly answers: readonly string[];
  readonly more: readonly string[];
};

export type Phrasebook = {
  readonly intents: readonly Intent[];
  readonly slots: ReadonlyMap<string, readonly string[]>;
  /** Bare letters of the wordings that only the evaluation may use. */
  readonly reserved: ReadonlySet<string>;
};

/** Values drawn for the slots of one dialogue. */
export type Bindings = Map<string, string>;

/** Draws per evaluation phrasing: enough to meet every value of its slots. */
const RESERVED_SAMPLES = 600;

type Draft = {
  name: string;
  weight: number;
  questions: string[];
  unseen: string[];
  answers: string[];
  more: string[];
};

/** Reads every `.txt` file of a folder, in the order of its name. */
export function readPhrasebook(folder: URL): Phrasebook {
  const names = readdirSync(folder).filter((name) => name.endsWith('.txt'));
  names.sort((a, b) => (a < b ? -1 : 1));
  return parseLibrary(names.map((name) => readFileSync(new URL(name, folder), 'utf8')).join('\n'));
}

/** Parses the notation; a line that it does not know is an error, never skipped. */
export function parseLibrary(source: string): Phrasebook {
  const slots = new Map<string, readonly string[]>();
  const shared = new Map<string, string>();
  const drafts: Draft[] = [];
  source.split('\n').forEach((raw, index) => {
    const line = raw.trim();
    if (line === '' || line.startsWith('//')) return;
    const value = line.slice(1).trim();
    if (line[0] === '#') {
      if (drafts.some((draft) => draft.name === value)) throw new Error(`intent twice: ${value}`);
      drafts.push(createDraft(value));
    } else if (line[0] === '$' || line[0] === '&') define(line[0], value, { slots, shared });
    else if (!addLine(drafts.at(-1), line[0]!, value)) {
      throw new Error(`line ${index + 1} of the text is not understood: ${line}`);
    }
  });
  const intents = drafts.map((draft) => compile(draft, shared));
  return { slots, intents, reserved: reserve(intents, slots) };
}

/** What makes two wordings the same: letters and digits, without case or punctuation. */
export function bareLetters(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9]/g, '');
}

/** One random wording of a pattern; the last value of each slot goes into `bindings`. */
export function expand(
  pattern: Pattern,
  draw: {
    readonly random: Random;
    readonly slots: Phrasebook['slots'];
    readonly bindings: Bindings;
  },
): string {
  const parts = pattern.map((piece) => {
    if (piece.kind === 'literal') return piece.text;
    if (piece.kind === 'choice') return expand(pick(draw.random, piece.options), draw);
    return bindSlot(piece.name, draw);
  });
  return parts.join('');
}

/** Collapses the spaces that empty options leave. */
export function tidySpaces(text: string): string {
  return text
    .replace(/ {2,}/g, ' ')
    .replace(/ ([,.?!])/g, '$1')
    .trim();
}

/** Fills the slots of an answer with the values drawn for its question. */
export function fillAnswer(answer: string, bindings: Bindings): string {
  return answer.replace(/\{([a-z]+)\}/g, (whole, name: string) => bindings.get(name) ?? whole);
}

function reserve(intents: readonly Intent[], slots: Phrasebook['slots']): ReadonlySet<string> {
  const reserved = new Set<string>();
  intents.forEach((intent, index) => {
    intent.unseen.forEach((pattern, line) => {
      for (let sample = 0; sample < RESERVED_SAMPLES; sample++) {
        const random = createRandom(index, line, sample);
        reserved.add(
          bareLetters(tidySpaces(expand(pattern, { random, slots, bindings: new Map() }))),
        );
      }
    });
  });
  return reserved;
}

function bindSlot(name: string, draw: Parameters<typeof expand>[1]): string {
  const list = draw.slots.get(name);
  if (list === undefined) throw new Error(`no slot is called ${name}`);
  const value = pick(draw.random, list);
  draw.bindings.set(name, value);
  return value;
}

function define(
  mark: string,
  value: string,
  into: { readonly slots: Map<string, readonly string[]>; readonly shared: Map<string, string> },
): void {
  const colon = value.indexOf(':');
  const name = value.slice(0, colon).trim();
  const body = value.slice(colon + 1).trim();
  if (mark === '&') into.shared.set(name, `(${body})`);
  else
    into.slots.set(
      name,
      body.split(',').map((item) => item.trim()),
    );
}

function createDraft(name: string): Draft {
  return { name, weight: 1, questions: [], unseen: [], answers: [], more: [] };
}

function addLine(draft: Draft | undefined, mark: string, value: string): boolean {
  if (draft === undefined) return false;
  if (mark === '?') draft.questions.push(value);
  else if (mark === '!') draft.unseen.push(value);
  else if (mark === '=') draft.answers.push(value);
  else if (mark === '+') draft.more.push(value);
  else if (value.startsWith('weight ')) draft.weight = Number(value.slice('weight '.length));
  else return false;
  return true;
}

function compile(draft: Draft, shared: ReadonlyMap<string, string>): Intent {
  if (draft.questions.length === 0 || draft.answers.length === 0) {
    throw new Error(`intent ${draft.name} needs a question and an answer`);
  }
  const parse = (text: string): Pattern => parsePattern(insertShared(text, shared));
  return {
    name: draft.name,
    weight: draft.weight,
    questions: draft.questions.map(parse),
    unseen: draft.unseen.map(parse),
    answers: draft.answers,
    more: draft.more,
  };
}

function insertShared(text: string, shared: ReadonlyMap<string, string>): string {
  return text.replace(/<([a-z]+)>/g, (_, name: string) => {
    const body = shared.get(name);
    if (body === undefined) throw new Error(`no shared choice is called ${name}`);
    return insertShared(body, shared);
  });
}

function parsePattern(text: string): Pattern {
  let at = 0;
  const sequence = (inside: boolean): Piece[] => {
    const pieces: Piece[] = [];
    let literal = '';
    const flush = (): void => {
      if (literal !== '') pieces.push({ kind: 'literal', text: literal });
      literal = '';
    };
    while (at < text.length && !(inside && (text[at] === '|' || text[at] === ')'))) {
      const character = text[at++]!;
      if (character === '(') {
        flush();
        pieces.push(choice());
      } else if (character === '{') {
        flush();
        const end = text.indexOf('}', at);
        pieces.push({ kind: 'slot', name: text.slice(at, end) });
        at = end + 1;
      } else literal += character;
    }
    flush();
    return pieces;
  };
  const choice = (): Piece => {
    const options = [sequence(true)];
    while (text[at] === '|') {
      at++;
      options.push(sequence(true));
    }
    if (text[at] !== ')') throw new Error(`a bracket is open in: ${text}`);
    at++;
    return { kind: 'choice', options };
  };
  return sequence(false);
}
