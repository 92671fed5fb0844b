/**
 * Small vocabularies with real merges, learnt from the few sentences below, for tests and vectors of the tokenizers.
 * The same call gives the same vocabulary for ever.
 */
import { BYTE_CHARACTERS, entryOfBytes } from '../byte-alphabet.js';
import { ENTRY_TYPE, type VocabularyKind } from '../vocabulary.js';

/** What a file needs to state a vocabulary. */
export type ToyVocabulary = {
  readonly kind: VocabularyKind;
  readonly wordRule: string;
  readonly entries: readonly string[];
  readonly types: readonly number[];
  readonly merges: readonly string[];
  readonly scores: readonly number[];
};

const CORPUS = `The verifier's job isn't to trust; it's to check. We'll check it, they'd check it, and I'm checking too.
In 2024, 1234567 tokens cost 3.50 dollars; in 2025, 89 tokens cost 0.07. A receipt says who answered what, and when.
  Indented lines   keep    their spaces.\n\n\n\tTabs too.\r\nWindows lines end so.  
Größe, naïve, façade, Ελλάδα, привет мир, 你好世界, こんにちは, สวัสดี, नमस्ते 🙂👍🏽 e\u0301a\u0308
The provider answers, the verifier checks, the gateway pays, the contract decides; the answers are the same answers.
user assistant system user assistant system {"key": [1, 22, 333, 4444]} if (x >= 10) { return x * 2; } // done
`;

const SPACE = '\u2581';
const MERGE_COUNT = 320;

/** Merges learnt by counting pairs in `words`, most frequent first, ties by text; words are lists of symbols. */
function learnMerges(words: readonly (readonly string[])[], count: number): [string, string][] {
  const merges: [string, string][] = [];
  let current = words;
  while (merges.length < count) {
    const counts = new Map<string, number>();
    for (const word of current) {
      for (let at = 0; at + 1 < word.length; at++) {
        const pair = `${word[at]} ${word[at + 1]}`;
        counts.set(pair, (counts.get(pair) ?? 0) + 1);
      }
    }
    const ranked = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
    const best = ranked[0];
    if (best === undefined) break;
    const [left, right] = best[0].split(' ') as [string, string];
    merges.push([left, right]);
    current = current.map((word) => joinPair(word, left, right));
  }
  return merges;
}

function joinPair(word: readonly string[], left: string, right: string): readonly string[] {
  const joined: string[] = [];
  for (let at = 0; at < word.length; at++) {
    const isPair = word[at] === left && word[at + 1] === right;
    joined.push(isPair ? left + right : word[at]!);
    if (isPair) at++;
  }
  return joined;
}

/** A `gpt2` vocabulary under any word rule: bytes, control and user-defined entries, learnt merges. */
export function toyByteLevelVocabulary(wordRule: string): ToyVocabulary {
  const words = CORPUS.match(/ ?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+/gu) ?? [];
  const encoder = new TextEncoder();
  const learnt = learnMerges(
    words.map((word) => Array.from(entryOfBytes(encoder.encode(word)))),
    MERGE_COUNT,
  );
  const special = {
    '<|endoftext|>': 3,
    '<|im_start|>': 3,
    '<|im_end|>': 3,
    '<tool>': 4,
    '<tool>>': 4,
  };
  const merged = [...new Set(learnt.map((pair) => pair.join('')))];
  const plain = [...BYTE_CHARACTERS, ...merged];
  return {
    kind: 'gpt2',
    wordRule,
    entries: [...plain, ...Object.keys(special)],
    types: [...plain.map(() => ENTRY_TYPE.normal), ...Object.values(special)],
    merges: learnt.map((pair) => pair.join(' ')),
    scores: [],
  };
}

/** A `llama` vocabulary: unknown, control, 256 bytes, characters, learnt pieces; scores tie in threes. */
export function toySentencePieceVocabulary(): ToyVocabulary {
  const text = CORPUS.replace(/\s/gu, SPACE);
  const words = text.match(/▁+[^▁]*|[^▁]+/gu) ?? [];
  const learnt = learnMerges(
    words.map((word) => Array.from(word)),
    MERGE_COUNT,
  );
  const merged = [...new Set(learnt.map((pair) => pair.join('')))];
  const characters = [...new Set(text)].filter((character) => character !== '你').sort();
  const bytes = Array.from({ length: 256 }, (_, byte) => {
    return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
  });
  const entries = ['<unk>', '<s>', '</s>', ...bytes, ...merged, ...characters, '<tool>'];
  const types = entries.map((entry, id) => {
    if (id === 0) return ENTRY_TYPE.unknown;
    if (id <= 2) return ENTRY_TYPE.control;
    if (id < 259) return ENTRY_TYPE.byte;
    return entry === '<tool>' ? ENTRY_TYPE.userDefined : ENTRY_TYPE.normal;
  });
  const scores = entries.map((_, id) => (id < 259 ? 0 : -Math.floor((id - 259) / 3)));
  return { kind: 'llama', wordRule: 'default', entries, types, merges: [], scores };
}
