// The walker: every thread runs the same list of instructions over one shared memory and takes its
// part of each; a barrier instruction stands wherever a thread reads what another wrote. The caller
// owns all memory and writes every pointer; nothing is allocated here. The classes are the layouts
// of the words that src/wasm/instructions.ts writes (a test compares the two).
import { attendHead, AttentionScratch, AttentionShape, HeadResult, joinHeads } from './attention';
import { embedRow, logitsRow, residualAddRow, swiGluRow } from './elementwise';
import {
  copyHead, keptExponents, keptRows, paddedHead, PAGE_POSITIONS, pageOf, quantiseHead, rotateHead,
  storeKey, storeValue, turnsAt,
} from './heads';
import { matmul } from './matmul';
import { rmsNorm } from './norm';
import { biasRow, headNorm } from './projections';
import { i30Shift, joinMasks } from './rows';
import { barrier } from './threads';

/** Bytes of one instruction, whatever its kind: sixteen words. */
const INSTRUCTION_BYTES: usize = 64;

/** One call: rows of one or several sessions, and the memory of the machine. */
@unmanaged
export class Frame {
  rows: u32;
  /** u32 [rows]: each row's position in its own session. */
  positions: usize;
  tokens: usize;
  /** u32 [rows]: address of the page table of each row's session. */
  tables: usize;
  wanted: u32;
  wantedRows: usize;
  logits: usize;
  /** Not 0: the call ends each wanted row at `hidden` and computes no logits. */
  hiddenOnly: u32;
  /** int16 [wanted][width] and i32 [wanted]: rows that the `hidden` instruction leaves. */
  hidden: usize;
  hiddenExponents: usize;
  /** i64 [rows]: residual elements clamped. */
  saturations: usize;
  /** exp2 T1, T2 (256 u32 each). */
  powers: usize;
  /** Turns: cos, sin of A, then of B (1,024 i32 each). */
  turns: usize;
  /** Bytes of one thread's masks in every sums tensor. */
  maskStride: usize;
  /** Most wanted rows that the instructions after `select` take at once. */
  headRows: u32;
  /** The meeting point of the threads (threads.ts). */
  meeting: usize;
  scratch: usize;
  scratchStride: usize;
  /** Positions that the attention part of the scratch memory has room for. */
  scratchPositions: usize;
  /** Bytes of the row part of the scratch memory. */
  scratchRow: usize;
}

// A sums tensor is four words: values i64 [rows][stride], exponents i32 [rows], masks v128
// [threads][rows], stride (outputs rounded up to a multiple of four).
@unmanaged class EmbedStep {
  code: u32; weights: usize; scales: usize; shifts: usize; exponent: i32; width: u32;
  residualBits: u32; out: usize;
}
@unmanaged class NormStep {
  code: u32; input: usize; width: u32; gains: usize; gainExponent: i32; epsilonLow: u32;
  epsilonHigh: u32; residualBits: u32; out: usize; outExponents: usize;
}
@unmanaged class MatmulStep {
  code: u32; input: usize; inputExponents: usize; k: u32; weights: usize; scales: usize;
  shifts: usize; exponent: i32; values: usize; exponents: usize; masks: usize; stride: u32;
}
@unmanaged class HeadsStep {
  code: u32; values: usize; exponents: usize; masks: usize; stride: u32; heads: u32;
  headSize: u32; steps: usize; out: usize; outExponents: usize; offset: usize;
}
@unmanaged class AttendStep {
  code: u32; query: usize; queryExponents: usize; keys: usize; keptValues: usize; heads: u32;
  kvHeads: u32; headSize: u32; scaleQ24: u32; out: usize; results: usize;
}
@unmanaged class JoinStep {
  code: u32; mixed: usize; results: usize; heads: u32; headSize: u32; out: usize;
  outExponents: usize;
}
@unmanaged class SwiGluStep {
  code: u32; gateValues: usize; gateExponents: usize; gateMasks: usize; upValues: usize;
  upExponents: usize; upMasks: usize; stride: u32; width: u32; out: usize; outExponents: usize;
}
@unmanaged class ResidualAddStep {
  code: u32; residual: usize; values: usize; exponents: usize; masks: usize; stride: u32;
  width: u32; residualBits: u32; out: usize;
}
@unmanaged class LogitsStep {
  code: u32; values: usize; exponents: usize; masks: usize; stride: u32; count: u32;
}
@unmanaged class BiasStep {
  code: u32; values: usize; exponents: usize; masks: usize; stride: u32; width: u32; vector: usize;
  vectorExponent: i32; outValues: usize; outExponents: usize; outMasks: usize;
}
@unmanaged class HeadNormStep {
  code: u32; values: usize; exponents: usize; masks: usize; stride: u32; heads: u32; headSize: u32;
  gains: usize; gainExponent: i32; epsilonLow: u32; epsilonHigh: u32; outValues: usize;
  outExponents: usize; outMasks: usize;
}
@unmanaged class SelectStep {
  code: u32; input: usize; width: u32; out: usize;
}
@unmanaged class HiddenStep {
  code: u32; input: usize; inputExponents: usize; width: u32;
}

// @ts-ignore: decorator
@inline
function positionOf(frame: Frame, row: usize): usize {
  return <usize>load<u32>(frame.positions + (row << 2));
}

/** The page table of the session that a row belongs to. */
// @ts-ignore: decorator
@inline
function tableOf(frame: Frame, row: usize): usize {
  return <usize>load<u32>(frame.tables + (row << 2));
}

/** A row is always the same thread's, so its count needs no atomic. */
// @ts-ignore: decorator
@inline
function countClamped(frame: Frame, row: usize, clamped: i64): void {
  const at = frame.saturations + (row << 3);
  if (clamped != 0) store<i64>(at, load<i64>(at) + clamped);
}

/** Exponent and I30 shift of row `row` of exact sums. */
// @ts-ignore: decorator
@inline
function rowShift(frame: Frame, masks: usize, row: usize, threads: usize): i64 {
  return i30Shift(joinMasks(masks, row, frame.maskStride, threads));
}

function embed(step: EmbedStep, frame: Frame, thread: usize, threads: usize): void {
  for (let row = thread; row < <usize>frame.rows; row += threads) {
    const token = <usize>load<u32>(frame.tokens + (row << 2));
    const clamped = embedRow(
      token, step.width, step.weights, step.scales, step.shifts, <i64>step.exponent,
      <i64>step.residualBits, step.out + row * (<usize>step.width << 2),
    );
    countClamped(frame, row, clamped);
  }
}

function norm(step: NormStep, rows: usize, thread: usize, threads: usize, scratch: usize): void {
  const width = <usize>step.width;
  const epsilon = <i64>step.epsilonLow | (<i64>step.epsilonHigh << 32);
  for (let row = thread; row < rows; row += threads) {
    const exponent = rmsNorm(
      step.input + row * (width << 2), width, step.gains, step.gainExponent, epsilon,
      <i64>step.residualBits, step.out + row * (width << 1), scratch,
    );
    store<i32>(step.outExponents + (row << 2), exponent);
  }
}

function multiply(step: MatmulStep, frame: Frame, rows: usize, thread: usize, threads: usize, scratch: usize): void {
  const panels = (<usize>step.stride + 7) >> 3;
  const masks = step.masks + thread * frame.maskStride;
  memory.fill(masks, 0, rows << 4);
  matmul(
    rows, step.k, step.stride, (panels * thread) / threads, (panels * (thread + 1)) / threads,
    step.input, step.weights, step.scales, step.shifts, step.values, masks, scratch,
  );
  if (thread != 0) return;
  for (let row: usize = 0; row < rows; row++) {
    const exponent = load<i32>(step.inputExponents + (row << 2)) + step.exponent;
    store<i32>(step.exponents + (row << 2), exponent);
  }
}

/** Records what one thread saw of a whole row, in masks that it cleared before. */
// @ts-ignore: decorator
@inline
function storeMask(masks: usize, row: usize, mask: i64): void {
  store<i64>(masks + (row << 4), mask);
}

function addBias(step: BiasStep, frame: Frame, rows: usize, thread: usize, threads: usize): void {
  const masks = step.outMasks + thread * frame.maskStride;
  const stride = <usize>step.stride << 3;
  const vectorExponent = <i64>step.vectorExponent;
  memory.fill(masks, 0, rows << 4);
  for (let row = thread; row < rows; row += threads) {
    const shift = rowShift(frame, step.masks, row, threads);
    const exponent = <i64>load<i32>(step.exponents + (row << 2)) + shift;
    const grid = (exponent > vectorExponent ? exponent : vectorExponent) - 30;
    const mask = biasRow(
      step.values + row * stride, shift, step.width, grid - exponent, step.vector,
      grid - vectorExponent, step.outValues + row * stride,
    );
    storeMask(masks, row, mask);
    store<i32>(step.outExponents + (row << 2), <i32>grid);
  }
}

function normHeads(step: HeadNormStep, frame: Frame, rows: usize, thread: usize, threads: usize): void {
  const masks = step.outMasks + thread * frame.maskStride;
  const size = <usize>step.headSize;
  const epsilon = <i64>step.epsilonLow | (<i64>step.epsilonHigh << 32);
  memory.fill(masks, 0, rows << 4);
  for (let row = thread; row < rows; row += threads) {
    const shift = rowShift(frame, step.masks, row, threads);
    const exponent = <i64>load<i32>(step.exponents + (row << 2)) + shift;
    let mask: i64 = 0;
    for (let head: usize = 0; head < <usize>step.heads; head++) {
      const offset = (row * <usize>step.stride + head * size) << 3;
      mask |= headNorm(
        step.values + offset, shift, size, exponent, step.gains, epsilon, step.outValues + offset,
      );
    }
    storeMask(masks, row, mask);
    store<i32>(step.outExponents + (row << 2), step.gainExponent - 24);
  }
}

/** Which of the three forms of a heads step this is. Without steps, heads are not rotated. */
const QUERY = 5;
const KEYS = 6;
const VALUES = 7;

function heads(step: HeadsStep, frame: Frame, rows: usize, thread: usize, threads: usize, scratch: usize): void {
  const size = <usize>step.headSize;
  const padded = paddedHead(size);
  const turns = scratch + frame.scratchRow;
  const quantised = turns + 1024;
  for (let row = thread; row < rows; row += threads) {
    const position = positionOf(frame, row);
    const masked = rowShift(frame, step.masks, row, threads);
    const base = load<i32>(step.exponents + (row << 2)) + <i32>masked;
    if (step.steps != 0) turnsAt(position, step.steps, size >> 1, frame.turns, turns);
    for (let head: usize = 0; head < <usize>step.heads; head++) {
      const sums = step.values + ((row * <usize>step.stride + head * size) << 3);
      const mask = step.steps == 0
        ? copyHead(sums, masked, size, scratch)
        : rotateHead(sums, masked, turns, size >> 1, scratch);
      const shift = quantiseHead(scratch, size, mask, quantised);
      const exponent = base + shift - (step.steps == 0 ? 0 : 30);
      placeHead(step, frame, row, head, padded, quantised, exponent);
    }
  }
}

/** Puts one quantised head where its kind belongs: the query buffer, or the pages. */
function placeHead(
  step: HeadsStep, frame: Frame, row: usize, head: usize, padded: usize, quantised: usize,
  exponent: i32,
): void {
  if (step.code == QUERY) {
    const index = row * <usize>step.heads + head;
    memory.copy(step.out + index * (padded << 1), quantised, padded << 1);
    store<i32>(step.outExponents + (index << 2), exponent);
    return;
  }
  const position = positionOf(frame, row);
  const slot = position % PAGE_POSITIONS;
  const tensor = pageOf(tableOf(frame, row), position) + step.offset;
  const target = keptRows(tensor, head, padded);
  if (step.code == KEYS) storeKey(quantised, padded, slot, target);
  else storeValue(quantised, padded, slot, target);
  store<i32>(keptExponents(tensor, step.heads, head, padded) + (slot << 2), exponent);
}

/** Cuts the attention part of the scratch memory (see `scratchBytes` in src/wasm/machine.ts). */
function attentionScratch(frame: Frame, scratch: usize, out: AttentionScratch): void {
  const positions = frame.scratchPositions;
  let at = scratch + frame.scratchRow + 2048;
  out.query = at;
  at += 1024;
  out.sums = at;
  at += 2048;
  out.scores = at;
  at += positions << 2;
  out.weights = at;
  at += positions << 3;
  out.planes = at;
  out.planeBytes = positions << 1;
}

function attend(step: AttendStep, frame: Frame, rows: usize, thread: usize, threads: usize, scratch: usize): void {
  const padded = paddedHead(step.headSize);
  const shape = changetype<AttentionShape>(scratch);
  const memories = changetype<AttentionScratch>(scratch + 64);
  shape.keys = step.keys;
  shape.values = step.keptValues;
  shape.kvHeads = step.kvHeads;
  shape.padded = padded;
  shape.scaleQ24 = step.scaleQ24;
  attentionScratch(frame, scratch, memories);
  const headCount = <usize>step.heads;
  for (let index = thread; index < rows * headCount; index += threads) {
    const row = index / headCount;
    const kvHead = ((index % headCount) * <usize>step.kvHeads) / headCount;
    attendHead(
      shape, memories, tableOf(frame, row), frame.powers, positionOf(frame, row) + 1, kvHead,
      step.query + index * (padded << 1), load<i32>(step.queryExponents + (index << 2)),
      step.out + index * (padded << 2), changetype<HeadResult>(step.results + (index << 4)),
    );
  }
}

function join(step: JoinStep, rows: usize, thread: usize, threads: usize, scratch: usize): void {
  const headCount = <usize>step.heads;
  const size = <usize>step.headSize;
  const padded = paddedHead(size);
  for (let row = thread; row < rows; row += threads) {
    const exponent = joinHeads(
      step.mixed + row * headCount * (padded << 2), step.results + row * (headCount << 4),
      headCount, size, padded, step.out + row * ((headCount * size) << 1), scratch,
    );
    store<i32>(step.outExponents + (row << 2), exponent);
  }
}

function swiGlu(step: SwiGluStep, frame: Frame, rows: usize, thread: usize, threads: usize, scratch: usize): void {
  const stride = <usize>step.stride << 3;
  for (let row = thread; row < rows; row += threads) {
    const gateShift = rowShift(frame, step.gateMasks, row, threads);
    const upShift = rowShift(frame, step.upMasks, row, threads);
    const exponent = swiGluRow(
      step.gateValues + row * stride, gateShift,
      <i64>load<i32>(step.gateExponents + (row << 2)) + gateShift,
      step.upValues + row * stride, upShift,
      load<i32>(step.upExponents + (row << 2)) + <i32>upShift,
      step.width, frame.powers, step.out + row * (<usize>step.width << 1), scratch,
    );
    store<i32>(step.outExponents + (row << 2), exponent);
  }
}

function residualAdd(step: ResidualAddStep, frame: Frame, rows: usize, thread: usize, threads: usize): void {
  const width = <usize>step.width;
  for (let row = thread; row < rows; row += threads) {
    const shift = rowShift(frame, step.masks, row, threads);
    const clamped = residualAddRow(
      step.residual + row * (width << 2), step.values + row * (<usize>step.stride << 3), width,
      shift, <i64>load<i32>(step.exponents + (row << 2)) + shift, <i64>step.residualBits,
      step.out + row * (width << 2),
    );
    countClamped(frame, row, clamped);
  }
}

function logits(step: LogitsStep, frame: Frame, done: usize, rows: usize, thread: usize, threads: usize): void {
  const count = <usize>step.count;
  const from = (count * thread) / threads;
  const to = (count * (thread + 1)) / threads;
  for (let row: usize = 0; row < rows; row++) {
    const shift = rowShift(frame, step.masks, row, threads);
    logitsRow(
      step.values + ((row * <usize>step.stride + from) << 3), to - from, shift,
      <i64>load<i32>(step.exponents + (row << 2)) + shift,
      frame.logits + (((done + row) * count + from) << 2),
    );
  }
}

/** Copies the residual rows [done, done + rows) of the wanted list. */
function select(step: SelectStep, frame: Frame, done: usize, rows: usize, thread: usize, threads: usize): void {
  const bytes = <usize>step.width << 2;
  for (let row = thread; row < rows; row += threads) {
    const from = <usize>load<u32>(frame.wantedRows + ((done + row) << 2));
    memory.copy(step.out + row * bytes, step.input + from * bytes, bytes);
  }
}

/** Copies A16 rows out of the pass as wanted rows [done, done + rows). */
function hidden(step: HiddenStep, frame: Frame, done: usize, rows: usize, thread: usize, threads: usize): void {
  const bytes = <usize>step.width << 1;
  for (let row = thread; row < rows; row += threads) {
    memory.copy(frame.hidden + (done + row) * bytes, step.input + row * bytes, bytes);
    const exponent = load<i32>(step.inputExponents + (row << 2));
    store<i32>(frame.hiddenExponents + ((done + row) << 2), exponent);
  }
}

/**
 * Runs the program at `program` for the call at `frame`, as thread `thread` of `threads`. The
 * instructions after `select` repeat until every wanted row has its logits.
 */
export function run(program: usize, frameAt: usize, thread: u32, threads: u32): void {
  const frame = changetype<Frame>(frameAt);
  const scratch = frame.scratch + <usize>thread * frame.scratchStride;
  let rows = <usize>frame.rows;
  let done: usize = 0;
  let head: usize = 0;
  for (let at = program; ; at += INSTRUCTION_BYTES) {
    switch (load<u32>(at)) {
      case 0: {
        if (head == 0 || done + rows >= <usize>frame.wanted) return;
        done += rows;
        at = head - INSTRUCTION_BYTES;
        break;
      }
      case 1: barrier(frame.meeting, threads); break;
      case 2: embed(changetype<EmbedStep>(at), frame, thread, threads); break;
      case 3: norm(changetype<NormStep>(at), rows, thread, threads, scratch); break;
      case 4: multiply(changetype<MatmulStep>(at), frame, rows, thread, threads, scratch); break;
      case QUERY:
      case KEYS:
      case VALUES: heads(changetype<HeadsStep>(at), frame, rows, thread, threads, scratch); break;
      case 8: attend(changetype<AttendStep>(at), frame, rows, thread, threads, scratch); break;
      case 9: join(changetype<JoinStep>(at), rows, thread, threads, scratch); break;
      case 10: swiGlu(changetype<SwiGluStep>(at), frame, rows, thread, threads, scratch); break;
      case 11: residualAdd(changetype<ResidualAddStep>(at), frame, rows, thread, threads); break;
      case 12: logits(changetype<LogitsStep>(at), frame, done, rows, thread, threads); break;
      case 13: {
        if (frame.wanted == 0) return;
        head = at;
        rows = min(<usize>frame.wanted - done, <usize>frame.headRows);
        select(changetype<SelectStep>(at), frame, done, rows, thread, threads);
        break;
      }
      case 14: {
        if (frame.hiddenOnly == 0) break;
        hidden(changetype<HiddenStep>(at), frame, done, rows, thread, threads);
        barrier(frame.meeting, threads);
        done += rows;
        if (done >= <usize>frame.wanted) return;
        at = head - INSTRUCTION_BYTES;
        break;
      }
      case 15: addBias(changetype<BiasStep>(at), frame, rows, thread, threads); break;
      case 16: normHeads(changetype<HeadNormStep>(at), frame, rows, thread, threads); break;
      default: unreachable();
    }
  }
}
