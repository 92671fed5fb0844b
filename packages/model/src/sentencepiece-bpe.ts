/**
 * SentencePiece BPE (Kudo and Richardson 2018) as Llama 2 and Mistral use it: characters, merged by the score of the
 * joined entry, highest first and leftmost on ties; what no entry covers becomes byte entries. Spaces are U+2581.
 */
import type { TextCutter } from './byte-level-bpe.js';
import { modelError } from './errors.js';
import { byteEntries, pieceBytes, SPACE } from './piece-bytes.js';
import { ENTRY_TYPE, type Vocabulary } from './vocabulary.js';

/** Builds the cutter of a `llama` vocabulary. */
export function createSentencePieceBpe(vocabulary: Vocabulary): TextCutter {
  const ids = new Map<string, number>();
  vocabulary.entries.forEach((entry, id) => {
    if (vocabulary.types[id] === ENTRY_TYPE.normal) ids.set(entry, id);
  });
  const byteIds = byteEntries(vocabulary);
  if (byteIds.size !== 256) {
    throw modelError({
      code: 'tokenizer_invalid',
      message: 'A SentencePiece vocabulary needs all 256 byte entries.',
      value: byteIds.size,
    });
  }
  const encoder = new TextEncoder();
  return {
    cut: (text) =>
      mergeByScore(text.replaceAll(' ', SPACE), { ids, scores: vocabulary.scores }).flatMap(
        (piece) => {
          const id = ids.get(piece);
          if (id !== undefined) return [id];
          return Array.from(encoder.encode(piece), (byte) => byteIds.get(byte)!);
        },
      ),
    bytes: pieceBytes(vocabulary, byteIds),
  };
}

/** A stretch of the text; merged ones are linked, swallowed ones have length 0. */
type Piece = { start: number; end: number; previous: number; next: number };

type Candidate = { readonly left: number; readonly score: number; readonly text: string };

/** Merges neighbours until no joined pair is an entry. */
function mergeByScore(
  text: string,
  options: { readonly ids: ReadonlyMap<string, number>; readonly scores: Vocabulary['scores'] },
): string[] {
  const pieces: Piece[] = [];
  for (let start = 0; start < text.length; ) {
    const end = start + String.fromCodePoint(text.codePointAt(start)!).length;
    pieces.push({ start, end, previous: pieces.length - 1, next: pieces.length + 1 });
    start = end;
  }
  const heap: Candidate[] = [];
  const offer = (left: number): void => {
    const right = pieces[left]?.next;
    if (right === undefined || right >= pieces.length) return;
    const joined = text.slice(pieces[left]!.start, pieces[right]!.end);
    const id = options.ids.get(joined);
    if (id !== undefined) pushHeap(heap, { left, score: options.scores[id]!, text: joined });
  };
  for (let left = 0; left + 1 < pieces.length; left++) offer(left);
  for (let best = popHeap(heap); best !== undefined; best = popHeap(heap)) {
    const left = pieces[best.left]!;
    const right = pieces[left.next];
    // Stale if either side has changed since the offer: then the stretch is no longer the one that was offered.
    const isCurrent = left.end > left.start && right !== undefined;
    if (!isCurrent || text.slice(left.start, right.end) !== best.text) continue;
    left.end = right.end;
    right.end = right.start;
    left.next = right.next;
    if (pieces[right.next] !== undefined) pieces[right.next]!.previous = best.left;
    if (left.previous >= 0) offer(left.previous);
    offer(best.left);
  }
  return pieces.filter((p) => p.end > p.start).map((p) => text.slice(p.start, p.end));
}

/** Highest score first, then leftmost. */
const isBefore = (a: Candidate, b: Candidate): boolean =>
  a.score !== b.score ? a.score > b.score : a.left < b.left;

function pushHeap(heap: Candidate[], item: Candidate): void {
  let at = heap.push(item) - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!isBefore(item, heap[parent]!)) break;
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = item;
}

function popHeap(heap: Candidate[]): Candidate | undefined {
  const top = heap[0];
  const last = heap.pop();
  if (top === undefined || last === undefined || heap.length === 0) return top;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
    if (!isBefore(heap[child]!, last)) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = last;
  return top;
}
