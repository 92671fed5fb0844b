/**
 * Unigram tokenizers of SentencePiece (Kudo 2018) as `tokenizer.json` writes them: pieces with scores, a table of
 * characters, and steps for spaces, as the metadata of a GGUF file with the tokenizer model `t5`. What that cannot say
 * has keys of this program. It knows parsed JSON and no file.
 */
import type { GgufValue } from '../gguf/metadata.js';
import { normalizerSteps, type SpacePrefix, spaceSteps } from './folder-pieces.js';
import { isObject, type JsonObject } from './parse-json.js';
import { badTokenizer, unsupportedTokenizer } from './tokenizer-refusal.js';

/** What is done about spaces beside the one in front: the words of `tokenizer.assay.space_rule`. */
export type SpaceRule = 'kept' | 'merged' | 'stripped' | 'words';

/** How a text is changed before it is cut. */
export type UnigramSpaces = { readonly prefix: SpacePrefix; readonly rule: SpaceRule };

/** Score of ids without an entry, as other converters write it: nothing is cut into them. */
const UNUSED_SCORE = -10_000;

const PREFIX_RULES: ReadonlyMap<string, SpacePrefix> = new Map([
  ['prepend, replace', 'each'],
  ['replace, prepend', 'each'],
  ['replace', 'never'],
  ['metaspace never', 'never'],
  ['metaspace always', 'missing'],
  ['metaspace first', 'first'],
]);

/** Steps before those of {@link PREFIX_RULES}, and what they do about spaces. */
const SPACE_RULES: readonly (readonly [string, SpaceRule])[] = [
  ['strip end, merge, ', 'stripped'],
  ['merge, ', 'merged'],
  ['words, ', 'words'],
];

/** The rules for spaces that a tokenizer's steps make; `entries` are the pieces that a step may not cut through. */
export function unigramSpaces(json: JsonObject, entries: readonly string[]): UnigramSpaces {
  const steps = spaceSteps(json, entries).replace(/^charsmap, /, '');
  const [start, rule] = SPACE_RULES.find(([first]) => steps.startsWith(first)) ?? ['', 'kept'];
  const prefix = PREFIX_RULES.get(steps.slice(start.length));
  // Each word needs its space back, or the text could not be read again.
  const losesSpaces = rule === 'words' && prefix !== 'missing';
  if (prefix === undefined || losesSpaces) throw unsupportedTokenizer('the rule for spaces', steps);
  return { prefix, rule };
}

/** The table of characters that the first step of the normalizer has; undefined if it is another. */
export function charsmapOf(json: JsonObject): Uint8Array | undefined {
  const [step] = normalizerSteps(json);
  if (!isObject(step) || step.type !== 'Precompiled') return undefined;
  const text = step.precompiled_charsmap;
  try {
    return Uint8Array.from(atob(String(text)), (character) => character.charCodeAt(0));
  } catch {
    throw badTokenizer('Its table of characters (precompiled_charsmap) is not base64.', text);
  }
}

/** A piece of `model.vocab`, whose id is its place. */
type ScoredPiece = { readonly text: string; readonly score: number };

/** Pieces by id, checked. */
export function readPieces({ vocab }: JsonObject): readonly ScoredPiece[] {
  if (!Array.isArray(vocab)) throw badTokenizer('It has no vocabulary.');
  return vocab.map((pair: unknown, id) => {
    const [text, score] = Array.isArray(pair) ? pair : [];
    if (typeof text !== 'string' || /\p{Surrogate}/u.test(text)) {
      throw badTokenizer('A piece is no text.', id);
    }
    if (typeof score === 'number' && Number.isFinite(Math.fround(score))) return { text, score };
    throw badTokenizer('The score of a piece is not a finite number.', text);
  });
}

/** Id of the unknown piece, if there is one. */
export function unknownId({ unk_id }: JsonObject, count: number): number | undefined {
  if (unk_id === undefined || unk_id === null) return undefined;
  if (typeof unk_id === 'number' && Number.isInteger(unk_id) && unk_id >= 0 && unk_id < count) {
    return unk_id;
  }
  throw badTokenizer('The unknown piece has an id outside of the vocabulary.', unk_id);
}

/** Scores by id, and metadata for them. Those that no float32 holds stand beside the rounded ones, which others read. */
export function unigramScores(options: {
  readonly pieces: readonly ScoredPiece[];
  readonly isNormal: readonly boolean[];
  readonly isUnused: readonly boolean[];
}): ReadonlyMap<string, GgufValue> {
  const { pieces, isNormal, isUnused } = options;
  const exact = Float64Array.from(isNormal, (_, id) =>
    isUnused[id] === true ? UNUSED_SCORE : (pieces[id]?.score ?? 0),
  );
  checkWorst(pieces, isNormal);
  const rounded = Float32Array.from(exact);
  const values = new Map<string, GgufValue>([
    ['ggml.scores', { type: 'array', element: 'float32', value: rounded }],
  ]);
  if (exact.some((score, id) => score !== rounded[id])) {
    values.set('assay.scores', { type: 'array', element: 'float64', value: exact });
  }
  return values;
}

/** An unknown character costs more than the worst piece: folders count all of them, SentencePiece the normal ones. */
function checkWorst(pieces: readonly ScoredPiece[], isNormal: readonly boolean[]): void {
  let worst = Number.POSITIVE_INFINITY;
  pieces.forEach(({ score }, id) => {
    if (isNormal[id] === true) worst = Math.min(worst, score);
  });
  const worse = pieces.find(({ score }) => score < worst);
  if (worse === undefined) return;
  throw unsupportedTokenizer('a special piece with the lowest score', worse.text);
}
