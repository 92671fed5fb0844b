/**
 * Which token ids may come next under a grammar (docs/reference/grammar.md): those whose bytes leave the text possible
 * to complete within the tokens that are left, and stop ids once it is complete. So an answer that is not cut off by
 * its reader is always whole. Masks are remembered by state.
 */
import { modelError } from '../errors.js';
import { GRAMMAR_MASKS_BYTES_MAX } from '../limits.js';
import type { Tokenizer } from '../tokenizer.js';
import { ENTRY_TYPE } from '../vocabulary.js';
import { type Automaton, createAutomaton, DEAD } from './automaton.js';
import { decodeGrammar } from './grammar.js';

/** Follows one answer. */
export type TokenMask = {
  /** One byte per id, 1 for those that may come next; valid until the next `accept`. */
  readonly allowed: () => Uint8Array;
  /** Appends an id; throws `grammar_violated` if it may not come next. */
  readonly accept: (id: number) => void;
};

export type TokenMaskOptions = {
  /** Canonical bytes. */
  readonly grammar: Uint8Array;
  readonly stopIds: readonly number[];
  readonly outputCountMax: number;
};

/** Follows answers of one model; vocabulary and grammars that were used lately stay ready. */
export type OpenTokenMask = (options: TokenMaskOptions) => TokenMask;

/**
 * Ids by their bytes, as a tree in the order of a walk through it: node i is `bytes[i]` at `depths[i]` (from 1),
 * `after[i]` is the first node beyond its branch, and `ids[i]` are the entries that end there.
 */
type Trie = {
  readonly bytes: Uint8Array;
  readonly depths: Uint16Array;
  readonly after: Int32Array;
  readonly ids: readonly (readonly number[])[];
  readonly depthMax: number;
};

/** Fewest bytes still missing after each id, or {@link BARRED}. */
type Needs = Int32Array;
const BARRED = -1;

/** A grammar at work: its automaton and what was asked of it, shared by all answers that use it. */
type OpenedGrammar = {
  readonly automaton: Automaton;
  /** By state, least recently used first. */
  readonly needs: Map<number, Needs>;
  /** 1 for every byte that some text of the grammar has. */
  readonly used: Uint8Array;
};

/** A vocabulary as grammars see it. */
type Words = { readonly tokenizer: Tokenizer; readonly trie: Trie };

/** Grammars kept ready per model; clients ask with the same few schemas again and again. */
const OPENED_MAX = 8;

export function tokenMasks(tokenizer: Tokenizer): OpenTokenMask {
  let words: Words | undefined;
  const opened = new Map<string, OpenedGrammar>();
  const open = (bytes: Uint8Array): OpenedGrammar => {
    const key = bytes.join(' ');
    const known = opened.get(key);
    // One that has used up much is made anew; answers under way keep theirs.
    const isFresh = known !== undefined && known.automaton.used() < 1 / 4;
    const grammar = isFresh ? known : openGrammar(bytes);
    opened.delete(key);
    opened.set(key, grammar);
    if (opened.size > OPENED_MAX) opened.delete(opened.keys().next().value!);
    return grammar;
  };
  return (options) => {
    words ??= { tokenizer, trie: growTrie(tokenizer) };
    const grammar = open(options.grammar);
    checkFit(grammar, words.trie, options);
    return followAnswer(grammar, words, options);
  };
}

function openGrammar(bytes: Uint8Array): OpenedGrammar {
  const grammar = decodeGrammar(bytes);
  const used = new Uint8Array(256);
  for (const symbol of grammar.flat(2)) {
    if ('bytes' in symbol) for (const [low, high] of symbol.bytes) used.fill(1, low, high + 1);
  }
  return { automaton: createAutomaton(grammar), needs: new Map(), used };
}

type Word = { readonly id: number; readonly bytes: Uint8Array };

/** Entries that stand for text; control entries and unused ones never do. */
function wordsOf({ vocabulary, vocabularySize, tokenBytes }: Tokenizer): readonly Word[] {
  const textTypes: readonly number[] = [ENTRY_TYPE.normal, ENTRY_TYPE.userDefined, ENTRY_TYPE.byte];
  const words: Word[] = [];
  for (let id = 0; id < vocabularySize; id++) {
    const bytes = tokenBytes(id);
    if (textTypes.includes(vocabulary.types[id]!) && bytes.length > 0) words.push({ id, bytes });
  }
  return words.sort((a, b) => compareBytes(a.bytes, b.bytes));
}

/** Sorted, words that begin alike stand together: each adds the nodes that the one before it has not. */
function growTrie(tokenizer: Tokenizer): Trie {
  const bytes: number[] = [];
  const depths: number[] = [];
  const ids: number[][] = [];
  let before: Uint8Array = new Uint8Array(0);
  for (const word of wordsOf(tokenizer)) {
    for (let depth = commonLength(before, word.bytes); depth < word.bytes.length; depth++) {
      bytes.push(word.bytes[depth]!);
      depths.push(depth + 1);
      ids.push([]);
    }
    ids.at(-1)!.push(word.id);
    before = word.bytes;
  }
  const depthMax = depths.reduce((most, depth) => Math.max(most, depth), 0);
  return {
    bytes: Uint8Array.from(bytes),
    depths: Uint16Array.from(depths),
    after: endsOf(depths, depthMax),
    ids,
    depthMax,
  };
}

/** For each node the next one that is not deeper. */
function endsOf(depths: readonly number[], depthMax: number): Int32Array {
  const after = new Int32Array(depths.length);
  const next = new Int32Array(depthMax + 2).fill(depths.length);
  for (let node = depths.length - 1; node >= 0; node--) {
    const depth = depths[node]!;
    after[node] = next[depth]!;
    next.fill(node, depth);
  }
  return after;
}

function commonLength(a: Uint8Array, b: Uint8Array): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = commonLength(a, b);
  return (a[length] ?? -1) - (b[length] ?? -1);
}

/** What makes sure that some id is always allowed: an end, room for the shortest text, and every byte as an id. */
function checkFit({ automaton, used }: OpenedGrammar, trie: Trie, options: TokenMaskOptions): void {
  const { stopIds, outputCountMax } = options;
  if (stopIds.length === 0) throw unfit('a grammar needs a stop id', 0);
  const shortest = automaton.need(automaton.start) + 1;
  if (shortest > outputCountMax) throw unfit(`${shortest} tokens may be needed`, outputCountMax);
  const single = new Set<number>();
  for (let node = 0; node < trie.bytes.length; node = trie.after[node]!) {
    if (trie.ids[node]!.some((id) => !stopIds.includes(id))) single.add(trie.bytes[node]!);
  }
  for (let byte = 0; byte < 256; byte++) {
    if (used[byte] === 1 && !single.has(byte))
      throw unfit('the vocabulary has no id for a byte of it', byte);
  }
}

function followAnswer(
  grammar: OpenedGrammar,
  words: Words,
  { stopIds, outputCountMax }: TokenMaskOptions,
): TokenMask {
  const { automaton } = grammar;
  const width = words.tokenizer.vocabularySize;
  let state = automaton.start;
  let left = outputCountMax;
  const isAllowed = (id: number, needs: Needs): boolean => {
    if (stopIds.includes(id)) return automaton.need(state) === 0;
    const need = needs[id] ?? BARRED;
    // One token goes to the id itself and one to the stop id.
    return need !== BARRED && need + 2 <= left;
  };
  return {
    allowed() {
      const needs = needsAfter(grammar, words, state);
      const mask = new Uint8Array(width);
      for (let id = 0; id < width; id++)
        if (needs[id]! !== BARRED && needs[id]! + 2 <= left) mask[id] = 1;
      for (const id of stopIds) if (id < width) mask[id] = isAllowed(id, needs) ? 1 : 0;
      return mask;
    },
    accept(id) {
      if (!isAllowed(id, needsAfter(grammar, words, state))) throw violated(id);
      left--;
      if (stopIds.includes(id)) return;
      for (const byte of words.tokenizer.tokenBytes(id)) state = automaton.step(state, byte);
    },
  };
}

/** Needs after each id that may follow in `state`: one walk over the vocabulary, then remembered. */
function needsAfter(grammar: OpenedGrammar, { tokenizer, trie }: Words, state: number): Needs {
  const known = grammar.needs.get(state);
  grammar.needs.delete(state);
  const needs = known ?? walk(grammar.automaton, trie, { state, width: tokenizer.vocabularySize });
  grammar.needs.set(state, needs);
  if (grammar.needs.size * needs.byteLength > GRAMMAR_MASKS_BYTES_MAX && grammar.needs.size > 1)
    grammar.needs.delete(grammar.needs.keys().next().value!);
  return needs;
}

/** Missing bytes beyond any answer: keeps sums in 32 bits. */
const NEED_MAX = 2 ** 30;

function walk(
  automaton: Automaton,
  trie: Trie,
  { state, width }: { readonly state: number; readonly width: number },
): Needs {
  const needs = new Int32Array(width).fill(BARRED);
  const reached = new Int32Array(trie.depthMax + 1);
  reached[0] = state;
  for (let node = 0; node < trie.bytes.length; ) {
    const depth = trie.depths[node]!;
    const after = automaton.step(reached[depth - 1]!, trie.bytes[node]!);
    if (after === DEAD) {
      node = trie.after[node]!;
      continue;
    }
    reached[depth] = after;
    for (const id of trie.ids[node]!) needs[id] = Math.min(automaton.need(after), NEED_MAX);
    node++;
  }
  return needs;
}

const unfit = (why: string, value: number) =>
  modelError({
    code: 'grammar_unfit',
    message: `The grammar does not fit this job: ${why}.`,
    value,
  });

const violated = (id: number) =>
  modelError({
    code: 'grammar_violated',
    message: 'The grammar does not allow this token.',
    value: id,
  });
