/**
 * Unigram (Kudo 2018) as SentencePiece uses it: of all ways to cut a text into pieces, the one with the highest sum of
 * scores. The sum of a beginning is an IEEE double, added up piece by piece from the left, so it has the same bits on
 * every machine. Of equal sums the one whose last piece is longest wins, then the one whose piece before that is, and
 * so on: a later start must be better, not as good. SentencePiece, llama.cpp and Hugging Face's library do the same.
 *
 * A character that is no piece is the unknown one, at the lowest score less ten; then its bytes stand for it if the
 * vocabulary has them, else one unknown id for each run of such characters.
 */
import type { TextCutter } from './byte-level-bpe.js';
import { openCharsmap } from './charsmap.js';
import { modelError } from './errors.js';
import { UNIGRAM_PIECE_LENGTH_MAX } from './limits.js';
import { byteEntries, pieceBytes, SPACE } from './piece-bytes.js';
import { buildPieceTree, childOf, type PieceTree } from './piece-tree.js';
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

/** The pieces of a vocabulary. */
type Pieces = {
  readonly tree: PieceTree;
  /** By place in the tree. */
  readonly ids: Uint32Array;
  /** By place in the tree. */
  readonly scores: Float64Array;
  readonly unknownScore: number;
};

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
  return {
    tree: buildPieceTree(places.map((id) => entries[id]!)),
    ids: Uint32Array.from(places),
    scores: Float64Array.from(places, (id) => (types[id] === ENTRY_TYPE.normal ? scores[id]! : 0)),
    unknownScore: (Number.isFinite(worst) ? worst : 0) - UNKNOWN_PENALTY,
  };
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
  let isPiece = false;
  let node = 0;
  for (let to = from + 1; to <= text.length; to++) {
    node = childOf(pieces.tree, node, text.charCodeAt(to - 1));
    if (node === 0) break;
    const place = pieces.tree.places[node]!;
    if (place < 0) continue;
    offer(lattice, { from, to, id: pieces.ids[place]! }, pieces.scores[place]!);
    isPiece ||= to === next;
  }
  return isPiece;
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
