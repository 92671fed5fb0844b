// The leaves of a position's rows, written and hashed where a pass left the tensors: facts, elements, partial sums,
// tiles, as docs/reference/court.md lists them. What a row is stands in a table of steps that the caller filled; a row
// that needs an element computed anew to know its witness, or whose step says so, is left to the caller.
import { bitLength, exp2n } from '../arithmetic';
import {
  keptExponents, keptRows, loadKey, loadValue, PAGE_POSITIONS, pageOf, VALUE_BLOCK_BYTES,
} from '../heads';
import { magnitude, squares } from '../norm';
import { i30Shift, roundPair } from '../rows';
import { lowHalves } from '../vectors';
import { AttentionRecord, DOUBT, longWitness, traceHead } from './attention';
import { hashLeaves } from './leaves';
import { putHalf, putHalves, putLong, putWord, putWords, Scribe, Step, STEP_SIZE } from './scribe';
import { swapWords } from './sha256';

const LEAF_ELEMENTS: usize = 64;
/** Elements behind one sum of a record. */
const SUM_ELEMENTS: usize = 1024;
const LEAF_SUMS: usize = 64;
const TILE_COLUMNS: usize = 8;
/** Bytes of exponent and witness. */
const QUANTISED_SIZE: usize = 6;

/** Kinds of steps; src/trace/steps.ts has the same. */
const enum Kind { other, words, norm, halves, join, sums, query, kept, scores, weights, mix }

/** Hashes what was written since `from` as leaves. */
function addLeaves(scribe: Scribe, from: usize, leafBytes: usize): void {
  scribe.nodes = hashLeaves(scribe.hasher, from, scribe.out - from, leafBytes, scribe.nodes);
}

/** A row or head of i32 as leaves. */
function addWords(scribe: Scribe, words: usize, count: usize): void {
  const from = scribe.out;
  putWords(scribe, words, count);
  addLeaves(scribe, from, LEAF_ELEMENTS << 2);
}

/** A row or head of i16 as leaves. */
function addHalves(scribe: Scribe, halves: usize, count: usize): void {
  const from = scribe.out;
  putHalves(scribe, halves, count);
  addLeaves(scribe, from, LEAF_ELEMENTS << 1);
}

function putQuantised(scribe: Scribe, exponent: i32, witness: i32): void {
  putHalf(scribe, exponent);
  putWord(scribe, witness);
}

/**
 * The lowest of `count` A16 mantissas that needs every bit of its row's shift, 0 if there is none. Half of the range may
 * have been rounded up from one bit less, which only the element itself can tell.
 */
function halfWitness(halves: usize, count: usize, shift: i32): i32 {
  if (shift <= 0) return shift == 0 ? 0 : DOUBT;
  const half = i16x8.splat(1 << 14);
  for (let i: usize = 0; i < count; i += 8) {
    const found = i16x8.bitmask(i16x8.ge_s(i16x8.abs(v128.load(halves + (i << 1))), half));
    if (found == 0) continue;
    const at = i + <usize>ctz<i32>(found);
    if (at >= count) return DOUBT;
    const x = <i32>load<i16>(halves + (at << 1));
    return (x < 0 ? -x : x) == 1 << 14 ? DOUBT : <i32>at;
  }
  return DOUBT;
}

/** The lowest of `count` i32 that is `value`. */
function placeOf(words: usize, count: usize, value: i32): i32 {
  const sought = i32x4.splat(value);
  let i: usize = 0;
  for (; i + 4 <= count; i += 4) {
    const found = i32x4.bitmask(i32x4.eq(v128.load(words + (i << 2)), sought));
    if (found != 0) return <i32>i + ctz<i32>(found);
  }
  while (load<i32>(words + (i << 2)) != value) i++;
  return <i32>i;
}

function describeNorm(scribe: Scribe, step: Step): bool {
  const width = <usize>step.width;
  const row = step.block + <usize>scribe.row * (width << 1);
  const input = step.input + <usize>scribe.row * (width << 2);
  const exponent = load<i32>(step.exponents + (<usize>scribe.row << 2));
  const witness = halfWitness(row, width, exponent - step.grid);
  if (witness == DOUBT) return false;
  const preShift = max<i64>(0, bitLength(magnitude(input, width)) - 24);
  const from = scribe.out;
  putQuantised(scribe, exponent, witness);
  store<u8>(scribe.out++, <u8>preShift);
  putWord(scribe, preShift == 0 ? 0 : firstOfSize(input, 1 << (23 + <i32>preShift)));
  for (let at: usize = 0; at < width; at += SUM_ELEMENTS) {
    putLong(scribe, squares(input + (at << 2), min(SUM_ELEMENTS, width - at), preShift));
  }
  addLeaves(scribe, from, scribe.out - from);
  addHalves(scribe, row, width);
  return true;
}

/** The first i32 of at least this magnitude, which there is. */
function firstOfSize(words: usize, least: i32): i32 {
  let i: usize = 0;
  while (abs<i32>(load<i32>(words + (i << 2))) < least) i++;
  return <i32>i;
}

function describeHalves(scribe: Scribe, step: Step): bool {
  const width = <usize>step.width;
  const row = step.block + <usize>scribe.row * (width << 1);
  const exponent = load<i32>(step.exponents + (<usize>scribe.row << 2));
  const witness = halfWitness(row, width, exponent - scribe.exponentOf(step.source) - step.grid);
  if (witness == DOUBT) return false;
  const from = scribe.out;
  putQuantised(scribe, exponent, witness);
  addLeaves(scribe, from, QUANTISED_SIZE);
  addHalves(scribe, row, width);
  return true;
}

function describeJoin(scribe: Scribe, step: Step): bool {
  const width = <usize>step.width;
  const heads = <usize>step.heads;
  const row = step.block + <usize>scribe.row * (width << 1);
  const exponent = load<i32>(step.exponents + (<usize>scribe.row << 2));
  const results = step.input + <usize>scribe.row * (heads << 4);
  let top = i32.MIN_VALUE;
  let topHead: i32 = 0;
  for (let h: usize = 0; h < heads; h++) {
    const inverse = ((1 as i64) << 62) / load<i64>(results + (h << 4), 8);
    const each = load<i32>(results + (h << 4)) + <i32>max<i64>(0, bitLength(inverse) - 31) - 62;
    if (each <= top) continue;
    top = each;
    topHead = <i32>h;
  }
  const witness = halfWitness(row, width, exponent - top);
  if (witness == DOUBT) return false;
  const from = scribe.out;
  putQuantised(scribe, exponent, witness);
  putHalf(scribe, top);
  putHalf(scribe, topHead);
  addLeaves(scribe, from, scribe.out - from);
  addHalves(scribe, row, width);
  return true;
}

/** A row of exact sums as I30, with its parts if it is a long one. */
function describeSums(scribe: Scribe, step: Step, node: usize): bool {
  const width = <usize>step.width;
  const row = step.block + <usize>scribe.row * (<usize>step.stride << 3);
  const mask = load<i64>(step.masks + (<usize>scribe.row << 4)) | load<i64>(step.masks + (<usize>scribe.row << 4), 8);
  const shift = i30Shift(mask);
  const exponent = load<i32>(step.exponents + (<usize>scribe.row << 2)) + <i32>shift;
  const witness = longWitness(row, width, shift);
  if (witness == DOUBT) return false;
  store<i32>(scribe.exponents + (node << 2), exponent);
  const from = scribe.out;
  putQuantised(scribe, exponent, witness);
  addLeaves(scribe, from, QUANTISED_SIZE);
  const elements = scribe.out;
  for (let i: usize = 0; i < width; i += 4) {
    const low = roundPair(v128.load(row + (i << 3)), <i32>shift);
    const high = roundPair(v128.load(row + (i << 3), 16), <i32>shift);
    v128.store(elements + (i << 2), swapWords(lowHalves(low, high)));
  }
  scribe.out = elements + (width << 2);
  addLeaves(scribe, elements, LEAF_ELEMENTS << 2);
  if (step.parts > 1) addParts(scribe, step, row);
  return true;
}

/** Parts of every sum: what is left of it, then those that were computed apart; `step.input` lists where. */
function addParts(scribe: Scribe, step: Step, row: usize): void {
  const parts = <usize>step.parts;
  const width = <usize>step.width;
  const from = scribe.out;
  const apart = <usize>scribe.partRow * (<usize>step.stride << 3);
  for (let o: usize = 0; o < width; o++) {
    let rest = load<i64>(row + (o << 3));
    for (let part: usize = 1; part < parts; part++) {
      const sum = load<i64>(load<usize>(step.input + ((part - 1) << 2)) + apart + (o << 3));
      store<u64>(scribe.out + (part << 3), bswap<u64>(<u64>sum));
      rest -= sum;
    }
    store<u64>(scribe.out, bswap<u64>(<u64>rest));
    scribe.out += parts << 3;
  }
  addLeaves(scribe, from, (LEAF_SUMS / parts) * (parts << 3));
}

/** Heads that one pass needs: [heads][padded] i16. */
function describeQuery(scribe: Scribe, step: Step): bool {
  const heads = <usize>step.heads;
  const first = <usize>scribe.row * heads;
  const bytes = <usize>step.padded << 1;
  const grid = scribe.exponentOf(step.source) + step.grid;
  const from = scribe.out;
  for (let h: usize = 0; h < heads; h++) {
    const exponent = load<i32>(step.exponents + ((first + h) << 2));
    const witness = halfWitness(step.block + (first + h) * bytes, step.width, exponent - grid);
    if (witness == DOUBT) return undo(scribe, from);
    putQuantised(scribe, exponent, witness);
  }
  addLeaves(scribe, from, QUANTISED_SIZE);
  for (let h: usize = 0; h < heads; h++) addHalves(scribe, step.block + (first + h) * bytes, step.width);
  return true;
}

/** Forgets what was written of a row that the caller will write. */
function undo(scribe: Scribe, from: usize): bool {
  scribe.out = from;
  return false;
}

/** Keys or values, which lie in the session's pages. */
function describeKept(scribe: Scribe, step: Step): bool {
  const heads = <usize>step.heads;
  const padded = <usize>step.padded;
  const t = <usize>scribe.t;
  const slot = t & (PAGE_POSITIONS - 1);
  const tensor = pageOf(scribe.pages, t) + step.block;
  const grid = scribe.exponentOf(step.source) + step.grid;
  const from = scribe.out;
  for (let h: usize = 0; h < heads; h++) {
    const row = scribe.rows + h * (padded << 1);
    const kept = keptRows(tensor, h, padded);
    if (step.areValues != 0) loadValue(kept, padded, slot, row);
    else loadKey(kept, padded, slot, row);
    const exponent = load<i32>(keptExponents(tensor, heads, h, padded) + (slot << 2));
    const witness = halfWitness(row, step.width, exponent - grid);
    if (witness == DOUBT) return undo(scribe, from);
    putQuantised(scribe, exponent, witness);
  }
  addLeaves(scribe, from, QUANTISED_SIZE);
  for (let h: usize = 0; h < heads; h++) addHalves(scribe, scribe.rows + h * (padded << 1), step.width);
  return true;
}

/** Computes the attention that a step belongs to, unless it was the last. */
function attend(scribe: Scribe, step: Step): void {
  if (scribe.attended == step.input) return;
  scribe.attended = step.input;
  const attention = scribe.attention;
  const shape = changetype<AttentionRecord>(step.input);
  const heads = <usize>step.heads;
  const count = <usize>scribe.t + 1;
  for (let h: usize = 0; h < heads; h++) {
    const at = <usize>scribe.row * heads + h;
    attention.scratch.scores = attention.scoresOf(h, count);
    traceHead(
      shape, attention.scratch, scribe.pages, attention.tables, count, (h * shape.kvHeads) / heads,
      shape.query + at * (shape.padded << 1), load<i32>(shape.queryExponents + (at << 2)), shape.headSize,
      attention.weightsOf(h, count), attention.partialsOf(h, count, shape.headSize), attention.totals,
      attention.resultOf(h),
    );
  }
}

function describeScores(scribe: Scribe, step: Step): bool {
  attend(scribe, step);
  const count = <usize>scribe.t + 1;
  for (let h: usize = 0; h < <usize>step.heads; h++) addWords(scribe, scribe.attention.scoresOf(h, count), count);
  return true;
}

function describeWeights(scribe: Scribe, step: Step): bool {
  attend(scribe, step);
  const attention = scribe.attention;
  const count = <usize>scribe.t + 1;
  const from = scribe.out;
  let size: usize = 0;
  for (let h: usize = 0; h < <usize>step.heads; h++) {
    const result = attention.resultOf(h);
    const scores = attention.scoresOf(h, count);
    const start = scribe.out;
    putWord(scribe, result.largest);
    putWord(scribe, placeOf(scores, count, result.largest));
    putHalf(scribe, result.top);
    putWord(scribe, result.topPosition);
    putQuantised(scribe, result.exponent, result.witness);
    if (count <= SUM_ELEMENTS) putLong(scribe, result.sum);
    else putPowers(scribe, scores, count, result.largest);
    size = scribe.out - start;
  }
  addLeaves(scribe, from, size);
  for (let h: usize = 0; h < <usize>step.heads; h++) addWords(scribe, attention.weightsOf(h, count), count);
  return true;
}

/** Sums of 2^(score - largest), of 1,024 scores each. */
function putPowers(scribe: Scribe, scores: usize, count: usize, largest: i32): void {
  for (let from: usize = 0; from < count; from += SUM_ELEMENTS) {
    let sum: i64 = 0;
    const end = min(count, from + SUM_ELEMENTS);
    for (let i = from; i < end; i++) {
      sum += exp2n(scribe.attention.tables, <i64>largest - <i64>load<i32>(scores + (i << 2)));
    }
    putLong(scribe, sum);
  }
}

function describeMix(scribe: Scribe, step: Step): bool {
  attend(scribe, step);
  const attention = scribe.attention;
  const heads = <usize>step.heads;
  const count = <usize>scribe.t + 1;
  const first = <usize>scribe.row * heads;
  const from = scribe.out;
  for (let h: usize = 0; h < heads; h++) {
    const exponent = load<i32>(step.exponents + ((first + h) << 4));
    putQuantised(scribe, exponent, attention.resultOf(h).mixWitness);
  }
  addLeaves(scribe, from, QUANTISED_SIZE);
  const bytes = <usize>step.padded << 2;
  for (let h: usize = 0; h < heads; h++) addWords(scribe, step.block + (first + h) * bytes, step.width);
  const parts = (count + PAGE_POSITIONS - 1) / PAGE_POSITIONS;
  const size = heads * step.width * (parts << 3);
  const sums = scribe.out;
  memory.copy(sums, attention.partialsOf(0, count, step.width), size);
  scribe.out = sums + size;
  addLeaves(scribe, sums, (LEAF_SUMS / parts) * (parts << 3));
  if (scribe.tilePositions > 0) addTiles(scribe, step);
  return true;
}

/** Values of the last page, 8 columns at a time: [position][column]. */
function addTiles(scribe: Scribe, step: Step): void {
  const shape = changetype<AttentionRecord>(step.input);
  const page = pageOf(scribe.pages, scribe.t) + shape.values;
  const positions = <usize>scribe.tilePositions;
  for (let g: usize = 0; g < shape.kvHeads; g++) {
    const values = keptRows(page, g, shape.padded);
    for (let d: usize = 0; d < <usize>step.width; d += TILE_COLUMNS) {
      const from = scribe.out;
      const columns = min<usize>(TILE_COLUMNS, <usize>step.width - d);
      for (let i: usize = 0; i < positions; i++) {
        loadValue(values + d / TILE_COLUMNS * VALUE_BLOCK_BYTES, TILE_COLUMNS, i, scribe.rows);
        putHalves(scribe, scribe.rows, columns);
      }
      addLeaves(scribe, from, scribe.out - from);
    }
  }
}

function describeRow(scribe: Scribe, step: Step, node: usize): bool {
  switch (step.kind) {
    case Kind.words:
      addWords(scribe, step.block + <usize>scribe.row * (<usize>step.width << 2), step.width);
      return true;
    case Kind.norm: return describeNorm(scribe, step);
    case Kind.halves: return describeHalves(scribe, step);
    case Kind.join: return describeJoin(scribe, step);
    case Kind.sums: return describeSums(scribe, step, node);
    case Kind.query: return describeQuery(scribe, step);
    case Kind.kept: return describeKept(scribe, step);
    case Kind.scores: return describeScores(scribe, step);
    case Kind.weights: return describeWeights(scribe, step);
    case Kind.mix: return describeMix(scribe, step);
    default: return false;
  }
}

/**
 * Writes and hashes rows `first` to `end` of the position that the scribe is at, from their `steps`; stops at a row that
 * is left to the caller and returns its number, or `end`.
 */
export function describe(scribe: Scribe, steps: usize, first: usize, end: usize): usize {
  for (let node = first; node < end; node++) {
    const nodes = scribe.nodes;
    const step = changetype<Step>(steps + node * STEP_SIZE);
    if (!describeRow(scribe, step, node)) return node;
    scribe.endRow(nodes);
  }
  return end;
}
