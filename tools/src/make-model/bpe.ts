/**
 * Byte-level byte-pair encoding in the dialect of GPT-2 (pre-tokenizer pattern, byte alphabet,
 * merges by rank), so that any engine that reads `tokenizer.ggml.model = gpt2` agrees. Trains and
 * encodes. It knows no files. Source: Sennrich et al., "Neural Machine Translation of Rare Words
 * with Subword Units"; Radford et al., "Language Models are Unsupervised Multitask Learners".
 */

export const END_OF_TEXT = '<|endoftext|>';
export const MESSAGE_START = '<|im_start|>';
export const MESSAGE_END = '<|im_end|>';
export const SPECIALS = [END_OF_TEXT, MESSAGE_START, MESSAGE_END] as const;

export type Tokenizer = {
  /** Token texts in the byte alphabet; the last three are the special tokens. */
  readonly tokens: readonly string[];
  /** Pairs in order of rank, as in a GGUF file: `left right`. */
  readonly merges: readonly string[];
  readonly encode: (text: string) => readonly number[];
  readonly decode: (ids: readonly number[]) => string;
  readonly special: (text: (typeof SPECIALS)[number]) => number;
};

const WORD = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;
const BYTE_LETTERS = byteLetters();
const LETTER_BYTES = new Map(BYTE_LETTERS.map((letter, byte) => [letter, byte]));

/** Learns merges from counted text until the vocabulary has `size` tokens. */
export function trainTokenizer(texts: Iterable<string>, size: number): Tokenizer {
  const statistics = countPairs(countWords(texts));
  const merges: string[] = [];
  while (256 + merges.length + SPECIALS.length < size) {
    const best = mostFrequentPair(statistics);
    if (best === undefined) break;
    merges.push(best);
    for (const word of [...statistics.get(best)!.words]) {
      countWord(statistics, word, -1);
      mergePair(word.parts, best);
      countWord(statistics, word, 1);
    }
  }
  return createTokenizer(merges);
}

/** The tokenizer that a list of merges defines. */
export function createTokenizer(merges: readonly string[]): Tokenizer {
  const tokens = [...BYTE_LETTERS, ...merges.map((pair) => pair.replace(' ', '')), ...SPECIALS];
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const ranks = new Map(merges.map((pair, rank) => [pair, rank]));
  const cache = new Map<string, readonly number[]>();
  const encodeWord = (word: string): readonly number[] => {
    const known = cache.get(word);
    if (known !== undefined) return known;
    const parts = toLetters(word);
    for (let best = lowestRank(parts, ranks); best !== undefined; best = lowestRank(parts, ranks)) {
      mergePair(parts, best);
    }
    const encoded = parts.map((part) => ids.get(part)!);
    cache.set(word, encoded);
    return encoded;
  };
  return {
    tokens,
    merges,
    encode: (text) => (text.match(WORD) ?? []).flatMap(encodeWord),
    decode: (list) => decodeTokens(list.map((id) => tokens[id] ?? '')),
    special: (text) => ids.get(text)!,
  };
}

type Word = { readonly parts: string[]; readonly count: number };

/** How often each pair of neighbours occurs, and in which words. */
type PairStatistics = Map<string, { count: number; readonly words: Set<Word> }>;

function countWords(texts: Iterable<string>): readonly Word[] {
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const word of text.match(WORD) ?? []) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return [...counts].map(([word, count]) => ({ parts: toLetters(word), count }));
}

function countPairs(words: readonly Word[]): PairStatistics {
  const statistics: PairStatistics = new Map();
  for (const word of words) countWord(statistics, word, 1);
  return statistics;
}

/** Adds a word's pairs to the statistics, or takes them out with `sign` -1. */
function countWord(statistics: PairStatistics, word: Word, sign: 1 | -1): void {
  for (let i = 0; i + 1 < word.parts.length; i++) {
    const pair = `${word.parts[i]} ${word.parts[i + 1]}`;
    const entry = statistics.get(pair) ?? { count: 0, words: new Set<Word>() };
    entry.count += sign * word.count;
    if (sign > 0) entry.words.add(word);
    else entry.words.delete(word);
    statistics.set(pair, entry);
  }
}

function mostFrequentPair(statistics: PairStatistics): string | undefined {
  let best: string | undefined;
  let most = 1;
  for (const [pair, { count }] of statistics) {
    if (count > most || (count === most && best !== undefined && pair < best)) {
      best = pair;
      most = count;
    }
  }
  return best;
}

function mergePair(parts: string[], pair: string): void {
  for (let i = 0; i + 1 < parts.length; i++) {
    if (`${parts[i]} ${parts[i + 1]}` === pair) parts.splice(i, 2, parts[i]! + parts[i + 1]!);
  }
}

function lowestRank(
  parts: readonly string[],
  ranks: ReadonlyMap<string, number>,
): string | undefined {
  let best: string | undefined;
  let lowest = Number.POSITIVE_INFINITY;
  for (let i = 0; i + 1 < parts.length; i++) {
    const pair = `${parts[i]} ${parts[i + 1]}`;
    const rank = ranks.get(pair);
    if (rank !== undefined && rank < lowest) {
      lowest = rank;
      best = pair;
    }
  }
  return best;
}

function toLetters(word: string): string[] {
  return [...new TextEncoder().encode(word)].map((byte) => BYTE_LETTERS[byte]!);
}

function decodeTokens(tokens: readonly string[]): string {
  const bytes = tokens.flatMap((token) => {
    if ((SPECIALS as readonly string[]).includes(token))
      return [...new TextEncoder().encode(token)];
    return [...token].map((letter) => LETTER_BYTES.get(letter)!);
  });
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

/** GPT-2 writes each byte as a visible letter: itself where printable, else from U+0100 upwards. */
function byteLetters(): readonly string[] {
  const printable = (byte: number): boolean =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) =>
    String.fromCodePoint(printable(byte) ? byte : next++),
  );
}
