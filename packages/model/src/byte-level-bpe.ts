/**
 * Byte-level BPE (Sennrich et al. 2016, over the bytes of GPT-2): words from the word rule, merges by rank. Cutting and
 * merging are done by `@huggingface/tokenizers`; this file gives it a vocabulary that was checked, without control
 * entries, so that no text can become one.
 */
import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import { BYTE_CHARACTERS, bytesOfEntry } from './byte-alphabet.js';
import { modelError } from './errors.js';
import { ENTRY_TYPE, type Vocabulary } from './vocabulary.js';
import { wordRule } from './word-rules.js';

/** Turns text without special entries into ids, and an id into bytes. */
export type TextCutter = {
  /** What becomes of a stretch of text before a space is put in front of it and it is cut; nothing unless stated. */
  normalize?(text: string): string;
  cut(text: string): readonly number[];
  bytes(id: number): Uint8Array;
};

/** Builds the cutter of a `gpt2` vocabulary. */
export function createByteLevelBpe(vocabulary: Vocabulary): TextCutter {
  const ids = new Map<string, number>();
  vocabulary.entries.forEach((entry, id) => {
    if (vocabulary.types[id] === ENTRY_TYPE.normal) ids.set(entry, id);
  });
  checkAlphabet(ids);
  const library = new LibraryTokenizer(libraryJson(vocabulary, ids), {});
  const encoder = new TextEncoder();
  return {
    cut: (text) => (text === '' ? [] : library.encode(text, { add_special_tokens: false }).ids),
    bytes(id) {
      const entry = vocabulary.entries[id]!;
      // Control and user-defined entries are written as plain text, not in the byte alphabet.
      const isNormal = vocabulary.types[id] === ENTRY_TYPE.normal;
      return (isNormal ? bytesOfEntry(entry) : undefined) ?? encoder.encode(entry);
    },
  };
}

/** Without every single byte some text could not be encoded and would be dropped silently. */
function checkAlphabet(ids: ReadonlyMap<string, number>): void {
  const missing = BYTE_CHARACTERS.findIndex((character) => !ids.has(character));
  if (missing < 0) return;
  throw modelError({
    code: 'tokenizer_invalid',
    message: `The vocabulary lacks an entry for byte ${missing}.`,
    value: missing,
  });
}

function libraryJson(vocabulary: Vocabulary, ids: ReadonlyMap<string, number>) {
  const { patterns, wholeWords } = wordRule(vocabulary.wordRule);
  const splits = patterns.map((Regex) => ({
    type: 'Split',
    pattern: { Regex },
    behavior: 'Isolated',
    invert: false,
  }));
  const bytes = {
    type: 'ByteLevel',
    add_prefix_space: false,
    trim_offsets: true,
    use_regex: false,
  };
  return {
    version: '1.0',
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: { type: 'Sequence', pretokenizers: [...splits, bytes] },
    post_processor: null,
    decoder: null,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_suffix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: wholeWords,
      vocab: Object.fromEntries(ids),
      merges: readMerges(vocabulary.merges, ids),
    },
  };
}

/** A merge into something that is no entry would drop text, so it is refused. */
function readMerges(
  merges: readonly string[],
  ids: ReadonlyMap<string, number>,
): [string, string][] {
  return merges.map((merge) => {
    const [left, right, ...rest] = merge.split(' ');
    if (left && right && rest.length === 0 && ids.has(left + right)) return [left, right];
    throw modelError({
      code: 'tokenizer_invalid',
      message: 'A merge does not join two entries into a third.',
      value: merge,
    });
  });
}
