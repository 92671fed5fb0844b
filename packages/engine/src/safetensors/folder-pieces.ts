/**
 * SentencePiece tokenizers (Kudo and Richardson 2018) as `tokenizer.json` writes them: merges of characters with a byte
 * for whatever is no piece. Converters turn the scores of the pieces into an order of merges; here the scores come
 * back, and what SentencePiece would cut in another way than these merges is refused. It knows parsed JSON and no file.
 */
import { isObject, type JsonObject } from './parse-json.js';
import { badTokenizer, unsupportedTokenizer } from './tokenizer-refusal.js';

/** How SentencePiece writes a space. */
const SPACE = '\u2581';

/** When a space is put before a text: the words of `tokenizer.assay.space_prefix`. */
export type SpacePrefix = 'never' | 'each' | 'missing' | 'first';

/** Characters of a piece: SentencePiece makes none above 16 unless told, and every way to cut one is looked at. */
const PIECE_LENGTH_MAX = 128;

/** Steps of normalizer and pre-tokenizer, and what they do about the first space. */
const SPACE_RULES: ReadonlyMap<string, SpacePrefix> = new Map([
  ['prepend, replace', 'each'],
  ['replace, prepend', 'each'],
  ['replace', 'never'],
  ['replace, split spaces', 'never'],
  ['metaspace never', 'never'],
  ['metaspace always', 'missing'],
  ['metaspace first', 'first'],
]);

/** Whether a merges model is of pieces: only these fall back to bytes. */
export const isPieceModel = (model: JsonObject): boolean => model.byte_fallback === true;

/** The rule for spaces that a tokenizer's steps make; `entries` are the pieces that a step may not cut through. */
export function spacePrefix(json: JsonObject, entries: readonly string[]): SpacePrefix {
  const steps = spaceSteps(json, entries);
  const rule = SPACE_RULES.get(steps);
  if (rule === undefined) throw unsupportedTokenizer('the rule for spaces', steps);
  return rule;
}

/** What a tokenizer's steps are called here, in their order; unknown ones are written out. `entries` as above. */
export function spaceSteps(json: JsonObject, entries: readonly string[]): string {
  const normalizers = normalizerSteps(json).map(describeNormalizer);
  const cutters = stepsOf(json.pre_tokenizer, 'pretokenizers').map(describeCutter);
  const steps = [...normalizers, ...cutters].join(', ');
  const crossing = entries.find((entry) => entry.lastIndexOf(SPACE) > 0);
  if ((steps.endsWith(' split') || cutters.includes('words')) && crossing !== undefined) {
    throw unsupportedTokenizer('a piece of several words that are cut apart before', crossing);
  }
  checkAdded(json.added_tokens, normalizers);
  return steps.replace(/ split$/, '');
}

/** The steps of a tokenizer's normalizer. */
export const normalizerSteps = (json: JsonObject): readonly unknown[] =>
  stepsOf(json.normalizer, 'normalizers');

function stepsOf(step: unknown, list: string): readonly unknown[] {
  if (step === undefined || step === null) return [];
  const inner = isObject(step) && step.type === 'Sequence' ? step[list] : undefined;
  return Array.isArray(inner) ? inner : [step];
}

function describeNormalizer(step: unknown): string {
  if (!isObject(step)) return JSON.stringify(step);
  const { type, content, pattern } = step;
  if (type === 'Prepend' && step.prepend === SPACE) return 'prepend';
  if (type === 'Precompiled') return 'charsmap';
  if (type === 'Strip' && step.strip_left === false && step.strip_right === true)
    return 'strip end';
  if (type !== 'Replace' || !isObject(pattern)) return JSON.stringify(step);
  if (pattern.Regex === ' {2,}' && (content === SPACE || content === ' ')) return 'merge';
  if (content === SPACE && (pattern.String === ' ' || pattern.Regex === ' ')) return 'replace';
  // The beginning of a line that no line is before.
  if (content === SPACE && pattern.Regex === '(?<!\\n)^') return 'prepend';
  return JSON.stringify(step);
}

function describeCutter(step: unknown): string {
  if (!isObject(step)) return JSON.stringify(step);
  if (step.type === 'Metaspace' && step.replacement === SPACE) {
    const scheme = step.prepend_scheme ?? (step.add_prefix_space === false ? 'never' : 'always');
    return `metaspace ${scheme}${step.split === false ? '' : ' split'}`;
  }
  if (step.type === 'WhitespaceSplit') return 'words';
  const isSpace = isObject(step.pattern) && step.pattern.String === ' ';
  if (step.type === 'Split' && isSpace && step.invert !== true) return 'split spaces';
  return JSON.stringify(step);
}

/** Steps after which any text may stand elsewhere, or be another. */
const MOVING_STEPS: ReadonlySet<string> = new Set(['prepend', 'charsmap', 'strip end']);

/** An entry that is looked for after the normalizer would be found elsewhere than where its text stands. */
function checkAdded(added: unknown, normalizers: readonly string[]): void {
  if (normalizers.length === 0 || !Array.isArray(added)) return;
  for (const token of added) {
    if (!isObject(token) || token.special === true || token.normalized !== true) continue;
    const text = String(token.content);
    if (
      normalizers.some((step) => MOVING_STEPS.has(step)) ||
      text.includes(' ') ||
      text.includes(SPACE)
    ) {
      throw unsupportedTokenizer('an added token that is looked for in normalized text', text);
    }
  }
}

/** Two pieces that become one. */
type Merge = { readonly left: string; readonly right: string };

/**
 * Scores of `count` entries: of the pieces among them by the order of their merges, 0 for all others. `pieces` are the
 * ids of normal entries by their text, ascending; `merges` are `left right` by rank.
 */
export function pieceScores(options: {
  readonly count: number;
  readonly pieces: ReadonlyMap<string, number>;
  readonly merges: readonly string[];
}): Float32Array {
  const { count, pieces } = options;
  const cuts = countCuts(pieces, options.merges);
  checkComplete(pieces, cuts);
  const merged = [...cuts.keys()];
  const inOrder = merged.every(
    (piece, i) => i === 0 || pieces.get(merged[i - 1]!)! < pieces.get(piece)!,
  );
  // A trained model has its pieces in the order of their scores, those of single characters last.
  const order = inOrder
    ? [...pieces.keys()]
    : [...new Set([...firstOf(pieces, cuts), ...merged, ...pieces.keys()])];
  const scores = new Float32Array(count);
  order.forEach((piece, rank) => {
    scores[pieces.get(piece)!] = -rank;
  });
  return scores;
}

/** In how many ways each merged piece is listed, in the order of their ranks; one piece's merges stand together. */
function countCuts(
  pieces: ReadonlyMap<string, number>,
  merges: readonly string[],
): Map<string, number> {
  const cuts = new Map<string, number>();
  const seen = new Set<string>();
  let last = '';
  for (const merge of merges) {
    const { left, right } = splitMerge(merge);
    const piece = left + right;
    if (!pieces.has(left) || !pieces.has(right) || !pieces.has(piece)) {
      throw badTokenizer('A merge does not join two pieces into a third.', merge);
    }
    if (seen.has(merge)) throw badTokenizer('A merge is listed twice.', merge);
    if (piece !== last && cuts.has(piece)) {
      throw unsupportedTokenizer('merges of one piece with others between them', piece);
    }
    seen.add(merge);
    cuts.set(piece, (cuts.get(piece) ?? 0) + 1);
    last = piece;
  }
  return cuts;
}

function splitMerge(merge: string): Merge {
  const [left, right] = merge.split(' ') as [string, string];
  return { left, right };
}

/** SentencePiece joins any two neighbours that make a piece, so every way to cut one must be a merge. */
function checkComplete(
  pieces: ReadonlyMap<string, number>,
  cuts: ReadonlyMap<string, number>,
): void {
  const [first] = pieces.keys();
  for (const piece of pieces.keys()) {
    const listed = cuts.get(piece) ?? 0;
    // Older converters took the score of the first piece, which is zero, for none, and left its merges out.
    if (piece === first && listed === 0) continue;
    if (listed !== possibleCuts(pieces, piece)) {
      throw unsupportedTokenizer('a piece that is not merged from all of its parts', piece);
    }
  }
}

/** Ways to cut a piece into two that can stand in a text: pieces, or characters that are none. */
function possibleCuts(pieces: ReadonlyMap<string, number>, piece: string): number {
  if (piece.length > PIECE_LENGTH_MAX) {
    throw badTokenizer(`A piece has more than ${PIECE_LENGTH_MAX} characters.`, piece);
  }
  const characters = Array.from(piece);
  const canStand = (from: number, to: number) =>
    to - from === 1 || pieces.has(characters.slice(from, to).join(''));
  let possible = 0;
  for (let at = 1; at < characters.length; at++) {
    if (canStand(0, at) && canStand(at, characters.length)) possible++;
  }
  return possible;
}

/** The first piece, if its merges were left out. */
function firstOf(pieces: ReadonlyMap<string, number>, cuts: ReadonlyMap<string, number>): string[] {
  const [first] = pieces.keys();
  return first === undefined || cuts.has(first) ? [] : [first];
}
