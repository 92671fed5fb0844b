/** What a unigram tokenizer does about spaces before it cuts, beyond the one that it may put in front. */
import { SPACE } from './piece-bytes.js';
import type { Vocabulary } from './vocabulary.js';

/** The rule as a function of a stretch of text. */
export function spaceNormalizer({ spaceRule }: Vocabulary): (text: string) => string {
  switch (spaceRule) {
    case 'kept':
      return (text) => text;
    case 'trimmed':
      return (text) => stripEnd(mergeSpaces(text).replace(/^ /, ''), ESCAPED_SPACE);
    case 'merged':
      return mergeSpaces;
    case 'stripped':
      return (text) => mergeSpaces(stripEnd(text, WHITE_SPACE));
    case 'words':
      return (text) => text.split(WHITE_SPACES).map(afterSpace).join('');
  }
}

const WHITE_SPACES = /\p{White_Space}+/u;
const WHITE_SPACE = /\p{White_Space}/u;
/** SentencePiece looks at the end when spaces are written as it writes them. */
const ESCAPED_SPACE = /[ \u2581]/;

const mergeSpaces = (text: string): string => text.replace(/ {2,}/g, ' ');

/** From the end: a pattern that ends with the text would be tried anew in each run of spaces. */
function stripEnd(text: string, unit: RegExp): string {
  let end = text.length;
  while (end > 0 && unit.test(text[end - 1]!)) end--;
  return text.slice(0, end);
}

const afterSpace = (word: string): string =>
  word === '' || word.startsWith(SPACE) ? word : ` ${word}`;
