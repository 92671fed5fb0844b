/**
 * Unigram (Kudo 2018) as SentencePiece uses it: of all ways to cut a text into pieces, the one with the highest sum of
 * scores. The sum of a prefix is an IEEE double, added up piece by piece from the left, so it has the same bits on every
 * machine. Of equal sums the one whose last piece is longest wins, then the one whose piece before that is, and so on:
 * a later beginning must be better, not as good. SentencePiece, llama.cpp and Hugging Face's library have the same rule.
 *
 * A character that is no piece is the unknown one, at the lowest score less ten; then its bytes stand for it if the
 * vocabulary has them, else one unknown id for each run of such characters.
 */
import type { TextCutter } from './byte-level-bpe.js';
import { openCharsmap } from './charsmap.js';
import { modelError } from './errors.js';
import { UNIGRAM_PIECE_LENGTH_MAX } from './limits.js';
import { byteEntries, pieceBytes, SPACE } from './piece-bytes.js';
import { spaceNormalizer } from './space-rule.js';
import { ENTRY_TYPE, type Vocabulary } from './vocabulary.js';

/** What an unknown character costs beyond the worst piece: SentencePiece's constant. */
const UNKNOWN_PENALTY = 10;

/** Stands for the unknown character in a path. */
const UNKNOWN = -1;

/** Builds the cutter of a `t5` vocabulary. */
export function createUnigram(vocabulary: Vocabulary): TextCutter {
  const byteIds = byteEntries(vocabulary);
  const { unknownId } = vocabulary;
  if (byteIds.size !== 256 && unknownId === undefined) {
    throw invalid('A unigram vocabulary needs an unknown entry or all 256 byte entries.');
  }
  const pieces = sortPieces(vocabulary);
  const mapCharacters = openCharsmap(vocabulary.charsmap);
  const mapSpaces = spaceNormalizer(vocabulary);
  const encoder = new TextEncoder();
  const unknownIds = (text: string): readonly number[] =>
    byteIds.size === 256
      ? Array.from(encoder.encode(text), (byte) => byteIds.get(byte)!)
      : [unknownId!];
  return {
    normalize: (text) => mapSpaces(mapCharacters(text)),
    cut(text) {
      const escaped = text.replaceAll(' ', SPACE);
      const ids: number[] = [];
      for (const { id, from, to } of bestPath(escaped, pieces)) {
        if (id === UNKNOWN) for (const each of unknownIds(escaped.slice(from, to))) ids.push(each);
        else ids.push(id);
      }
      return ids;
    },
    bytes: pieceBytes(vocabulary, byteIds),
  };
}

/**
 * Pieces in the order of their UTF-16 units. Walking along a text narrows a range of them unit by unit, so no tree is
 * built that a file could make large.
 */
type Pieces = {
  readonly texts: readonly string[];
  /** By place in `texts`. */
  readonly ids: Uint32Array;
  /** By place in `texts`. */
  readonly scores: Float64Array;
  /** Range in `texts` of the pieces that begin with a unit. */
  readonly beginnings: ReadonlyMap<number, Range>;
  readonly unknownScore: number;
};

/** Places from `from` up to, without, `to`. */
type Range = { readonly from: number; readonly to: number };

function sortPieces({ entries, types, scores }: Vocabulary): Pieces {
  const places: number[] = [];
  let worst = Number.POSITIVE_INFINITY;
  entries.forEach((entry, id) => {
    const isNormal = types[id] === ENTRY_TYPE.normal;
    if (isNormal) worst = Math.min(worst, scores[id]!);
    // A user-defined entry that is in the text has been found; one that only its normal form has is found here.
    if ((isNormal || types[id] === ENTRY_TYPE.userDefined) && entry !== '') places.push(id);
  });
  const lengthy = places.find((id) => entries[id]!.length > UNIGRAM_PIECE_LENGTH_MAX);
  if (lengthy !== undefined) {
    throw invalid(
      `A piece has more than ${UNIGRAM_PIECE_LENGTH_MAX} UTF-16 units.`,
      entries[lengthy],
    );
  }
  // By UTF-16 units and not by locale; no two entries are equal.
  places.sort((a, b) => (entries[a]! < entries[b]! ? -1 : 1));
  const texts = places.map((id) => entries[id]!);
  return {
    texts,
    ids: Uint32Array.from(places),
    scores: Float64Array.from(places, (id) => (types[id] === ENTRY_TYPE.normal ? scores[id]! : 0)),
    beginnings: rangesByUnit(texts),
    unknownScore: (Number.isFinite(worst) ? worst : 0) - UNKNOWN_PENALTY,
  };
}

function rangesByUnit(texts: readonly string[]): ReadonlyMap<number, Range> {
  const ranges = new Map<number, Range>();
  texts.forEach((text, place) => {
    const unit = text.charCodeAt(0);
    ranges.set(unit, { from: ranges.get(unit)?.from ?? place, to: place + 1 });
  });
  return ranges;
}

/** One step of a path: a piece, or a run of unknown characters, from unit to unit of the text. */
type Step = { readonly id: number; readonly from: number; readonly to: number };

/** The best sum of scores of each beginning of the text, and the last step to it. */
type Lattice = {
  readonly sums: Float64Array;
  readonly starts: Uint32Array;
  readonly ids: Int32Array;
};

/** The steps of the best path; neighbouring unknown characters are one step. */
function bestPath(text: string, pieces: Pieces): readonly Step[] {
  const lattice: Lattice = {
    sums: new Float64Array(text.length + 1).fill(Number.NEGATIVE_INFINITY),
    starts: new Uint32Array(text.length + 1),
    ids: new Int32Array(text.length + 1),
  };
  lattice.sums[0] = 0;
  for (let from = 0; from < text.length; ) {
    const next = from + (text.codePointAt(from)! > 0xffff ? 2 : 1);
    const isPiece = offerPieces(lattice, { text, pieces, from, next });
    if (!isPiece) offer(lattice, { from, to: next, id: UNKNOWN }, pieces.unknownScore);
    from = next;
  }
  const steps: Step[] = [];
  for (let to = text.length; to > 0; to = lattice.starts[to]!) {
    const step = { id: lattice.ids[to]!, from: lattice.starts[to]!, to };
    const after = steps.at(-1);
    if (step.id === UNKNOWN && after?.id === UNKNOWN) {
      steps[steps.length - 1] = { ...step, to: after.to };
    } else steps.push(step);
  }
  return steps.reverse();
}

/** Offers every piece at `from`; whether one of them is the single character that ends at `next`. */
function offerPieces(
  lattice: Lattice,
  at: {
    readonly text: string;
    readonly pieces: Pieces;
    readonly from: number;
    readonly next: number;
  },
): boolean {
  const { text, pieces, from, next } = at;
  const { texts } = pieces;
  let isPiece = false;
  let range = pieces.beginnings.get(text.charCodeAt(from));
  for (let length = 1; range !== undefined; length++) {
    let place = range.from;
    // The shortest of a range comes first: it is matched when all of its units have been read.
    if (texts[place]!.length === length) {
      const to = from + length;
      offer(lattice, { from, to, id: pieces.ids[place]! }, pieces.scores[place]!);
      isPiece ||= to === next;
      place++;
    }
    if (from + length >= text.length) break;
    const unit = text.charCodeAt(from + length);
    range = narrow(texts, { from: place, to: range.to }, { index: length, unit });
  }
  return isPiece;
}

/** The part of a range whose texts have `unit` at `index`; all texts of the range are longer than `index`. */
function narrow(
  texts: readonly string[],
  { from, to }: Range,
  { index, unit }: { readonly index: number; readonly unit: number },
): Range | undefined {
  const firstAtLeast = (low: number, wanted: number): number => {
    let high = to;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (texts[middle]!.charCodeAt(index) < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const first = firstAtLeast(from, unit);
  const end = firstAtLeast(first, unit + 1);
  return first < end ? { from: first, to: end } : undefined;
}

function offer(lattice: Lattice, { id, from, to }: Step, score: number): void {
  const sum = lattice.sums[from]! + score;
  if (!(sum > lattice.sums[to]!)) return;
  lattice.sums[to] = sum;
  lattice.starts[to] = from;
  lattice.ids[to] = id;
}

const invalid = (message: string, value?: unknown) =>
  modelError({ code: 'tokenizer_invalid', message, value });
