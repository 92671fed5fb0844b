/**
 * Text to token ids and back, from a model file's own metadata. Ids bind; text is for people. Text from strangers never
 * yields a control id: control entries are parsed only with `special: true`, and templates do not use that either (see
 * `chat.ts`).
 */
import type { GgufMetadata } from '@assay/engine';
import { createByteLevelBpe, type TextCutter } from './byte-level-bpe.js';
import { withCutCache } from './cut-cache.js';
import { modelError } from './errors.js';
import { TEXT_LENGTH_MAX } from './limits.js';
import { createSentencePieceBpe } from './sentencepiece-bpe.js';
import { findAllSpecials, findUserDefined, type TextPart } from './special-entries.js';
import { createUnigram } from './unigram.js';
import {
  ENTRY_TYPE,
  readVocabulary,
  type SpacePrefix,
  type Vocabulary,
  type VocabularyKind,
} from './vocabulary.js';

/** Decodes ids one at a time. What `push` returns is whole characters; an unfinished one waits for its bytes. */
export type DecodeStream = {
  push(id: number): string;
  /** The rest: U+FFFD if a character was left unfinished. */
  end(): string;
};

export type EncodeOptions = {
  /** Whether entries such as `<|im_end|>` in the text become control ids. Never for text of strangers. */
  readonly special?: boolean;
};

export type DecodeOptions = {
  /** Whether control ids appear as their text; otherwise they are left out. */
  readonly special?: boolean;
};

/** The tokenizer of one model. */
export type Tokenizer = {
  readonly vocabulary: Vocabulary;
  readonly vocabularySize: number;
  readonly bosId: number | undefined;
  /** Ids after which an answer is over, ascending. */
  readonly eosIds: readonly number[];
  encode(text: string, options?: EncodeOptions): number[];
  /** Encodes parts whose control ids are already known, as templates produce them. */
  encodeParts(parts: readonly TextPart[]): number[];
  decode(ids: readonly number[], options?: DecodeOptions): string;
  decodeStream(options?: DecodeOptions): DecodeStream;
  /** The bytes that an id adds to a text. */
  tokenBytes(id: number): Uint8Array;
};

/**
 * Builds the tokenizer. With `contextLength` it refuses, before any work, a text that has more bytes than that many of
 * its longest entries: cutting a long text takes microseconds per character, and strangers choose the text.
 *
 * @example
 * const tokenizer = createTokenizer(file.metadata);
 * tokenizer.decode(tokenizer.encode('Hello')); // 'Hello'
 */
export function createTokenizer(
  metadata: GgufMetadata,
  options: { readonly contextLength?: number } = {},
): Tokenizer {
  const vocabulary = readVocabulary(metadata);
  const cutter = withCutCache(CUTTERS[vocabulary.kind](vocabulary));
  const lengthMax = longestText(vocabulary, cutter, options.contextLength);
  const findAll = findAllSpecials(vocabulary);
  const findPlain = findUserDefined(vocabulary);
  const encodeParts = (parts: readonly TextPart[]): number[] => {
    checkLength(parts, lengthMax);
    return encodeEach(
      parts.flatMap((part) => ('id' in part ? [part] : findPlain(wellFormed(part.text)))),
      {
        cutter,
        spacePrefix: vocabulary.spacePrefix,
      },
    );
  };
  return {
    vocabulary,
    vocabularySize: vocabulary.entries.length,
    bosId: vocabulary.bosId,
    eosIds: vocabulary.endIds,
    encode(text, options = {}) {
      checkLength([{ text }], lengthMax);
      return encodeParts(options.special === true ? findAll(wellFormed(text)) : [{ text }]);
    },
    encodeParts,
    decode(ids, options) {
      const stream = createDecodeStream({ vocabulary, cutter, special: options?.special });
      const text = ids.map((id) => stream.push(id)).join('') + stream.end();
      return vocabulary.spacePrefix !== 'never' && text.startsWith(' ') ? text.slice(1) : text;
    },
    decodeStream: (options) =>
      createDecodeStream({ vocabulary, cutter, special: options?.special }),
    tokenBytes: (id) => cutter.bytes(checkId(vocabulary, id)),
  };
}

/** How each kind of vocabulary is cut. */
const CUTTERS: Readonly<Record<VocabularyKind, (vocabulary: Vocabulary) => TextCutter>> = {
  gpt2: createByteLevelBpe,
  llama: createSentencePieceBpe,
  t5: createUnigram,
};

/** Text as the model reads it without a template: after its first id, if plain text has one. */
export function encodePlainText(tokenizer: Tokenizer, text: string): readonly number[] {
  const { bosId, vocabulary } = tokenizer;
  const ids = tokenizer.encode(text);
  return vocabulary.addsBos && bosId !== undefined ? [bosId, ...ids] : ids;
}

function encodeEach(
  parts: readonly TextPart[],
  options: { readonly cutter: TextCutter; readonly spacePrefix: SpacePrefix },
): number[] {
  const { cutter, spacePrefix } = options;
  const ids: number[] = [];
  parts.forEach((part, index) => {
    if ('id' in part) {
      ids.push(part.id);
      return;
    }
    const text = cutter.normalize?.(part.text) ?? part.text;
    if (text === '') return;
    const before = parts[index - 1];
    const follows = before === undefined ? 'nothing' : 'id' in before ? 'entry' : 'text';
    const space = needsSpace(text, { spacePrefix, follows }) ? ' ' : '';
    // Not spread into push: a long text has more ids than a call may have arguments.
    for (const id of cutter.cut(space + text)) ids.push(id);
  });
  return ids;
}

/** Whether a space is put before a stretch of text that follows nothing, a special entry, or other text. */
function needsSpace(
  text: string,
  options: {
    readonly spacePrefix: SpacePrefix;
    readonly follows: 'nothing' | 'entry' | 'text';
  },
): boolean {
  const { spacePrefix, follows } = options;
  if (spacePrefix === 'never' || follows === 'text') return false;
  if (spacePrefix === 'each') return true;
  return (spacePrefix === 'missing' || follows === 'nothing') && !/^[ \u2581]/.test(text);
}

function createDecodeStream(options: {
  readonly vocabulary: Vocabulary;
  readonly cutter: TextCutter;
  readonly special: boolean | undefined;
}): DecodeStream {
  const { vocabulary, cutter } = options;
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  return {
    push(id) {
      const isControl = vocabulary.types[checkId(vocabulary, id)] === ENTRY_TYPE.control;
      if (isControl && options.special !== true) return '';
      return decoder.decode(cutter.bytes(id), { stream: true });
    },
    end: () => decoder.decode(),
  };
}

/** Lone surrogates have no UTF-8 form; every implementation replaces them, so it is done once, here. */
const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, '\ufffd');

/**
 * UTF-16 units beyond which no text fits: a unit is at least a byte, and no entry adds more than the longest. Of a
 * unigram tokenizer, which drops spaces and takes runs of unknown characters as one, it refuses odd texts too many.
 */
function longestText(
  vocabulary: Vocabulary,
  cutter: TextCutter,
  contextLength: number | undefined,
): number {
  if (contextLength === undefined) return TEXT_LENGTH_MAX;
  let longest = 1;
  vocabulary.entries.forEach((_, id) => {
    longest = Math.max(longest, cutter.bytes(id).length);
  });
  return Math.min(TEXT_LENGTH_MAX, longest * contextLength);
}

function checkLength(parts: readonly TextPart[], lengthMax: number): void {
  const length = parts.reduce((sum, part) => sum + ('text' in part ? part.text.length : 0), 0);
  if (length <= lengthMax) return;
  throw modelError({
    code: 'text_too_long',
    message: `The text has ${length} UTF-16 units; at most ${lengthMax} can fit.`,
    value: length,
  });
}

function checkId(vocabulary: Vocabulary, id: number): number {
  if (Number.isInteger(id) && id >= 0 && id < vocabulary.entries.length) return id;
  throw modelError({
    code: 'token_id_unknown',
    message: `The token id is not below the vocabulary size ${vocabulary.entries.length}.`,
    value: id,
  });
}
