// The trainer's entry points: one group's forward pass and gradient, the sum of the groups'
// gradients, and AdamW (Loshchilov and Hutter, "Decoupled Weight Decay Regularization"). A Llama
// graph with tied embeddings. Memory is laid out by the caller; all threads share it, each with
// its own scratch. It knows no text, clock or thread.

import { multiply, multiplyTransposed, outer } from './gemm';
import {
  HEAD, attentionBackward, attentionForward, crossEntropy, gluBackward, gluForward, normBackward,
  normForward, rotate,
} from './layers';
import { sum4 } from './math';

let width: i32 = 0;
let heads: i32 = 0;
let kvHeads: i32 = 0;
let hidden: i32 = 0;
let layers: i32 = 0;
let vocabulary: i32 = 0;
let rowsMax: i32 = 0;
let qkvWidth: i32 = 0;
let attentionScale: f32 = 0;
let table: usize = 0;
let scratch: usize = 0;

/** Sets the shape and the addresses of the rotary table and of this thread's scratch. */
export function configure(
  width_: i32, heads_: i32, kvHeads_: i32, hidden_: i32, layers_: i32, vocabulary_: i32, rows_: i32,
  attentionScale_: f32, table_: usize, scratch_: usize,
): void {
  width = width_;
  heads = heads_;
  kvHeads = kvHeads_;
  hidden = hidden_;
  layers = layers_;
  vocabulary = vocabulary_;
  rowsMax = rows_;
  qkvWidth = (heads + 2 * kvHeads) * HEAD;
  attentionScale = attentionScale_;
  table = table_;
  scratch = scratch_;
}

// Floats of one layer's parameters: norm, qkv, output, norm, gate and up, down.
// @ts-ignore: decorator
@inline
function layerFloats(): i32 {
  return 2 * width + qkvWidth * width + width * width + 3 * hidden * width;
}

// Floats that the forward pass keeps per row and layer:
// input, norm 1, qkv, attention, middle, norm 2, gate and up, activation, two inverses.
// @ts-ignore: decorator
@inline
function keptFloats(): i32 {
  return 5 * width + qkvWidth + 3 * hidden + 2;
}

/** Floats of scratch that one thread needs. */
export function scratchFloats(): i32 {
  const kept = layers * keptFloats() * rowsMax;
  const widest = max(max(vocabulary, 2 * hidden), qkvWidth);
  const tops = rowsMax * (2 * width + 1 + vocabulary);
  const gradients = rowsMax * (2 * width + hidden + max(2 * hidden, qkvWidth));
  const packed = (max(rowsMax, widest) + 16) * max(rowsMax, widest);
  return kept + tops + gradients + packed + 4 * rowsMax;
}

// @ts-ignore: decorator
@inline
function at(base: usize, floats: i32): usize {
  return base + (<usize>floats << 2);
}

/** Logits of `rows` rows (a multiple of 4) into this thread's scratch; returns their address. */
function forward(parameters: usize, tokens: usize, positions: usize, rows: i32): usize {
  const kept = keptFloats() * rowsMax;
  const tops = at(scratch, layers * kept);
  const packed = at(tops, rowsMax * (4 * width + 1 + vocabulary + hidden + max(2 * hidden, qkvWidth)) + 4 * rowsMax);
  const line = <usize>width << 2;
  for (let t: i32 = 0; t < rows; t++) {
    const token = load<i32>(tokens + (<usize>t << 2));
    memory.copy(scratch + <usize>t * line, parameters + <usize>token * line, line);
  }
  for (let l: i32 = 0; l < layers; l++) {
    const base = at(scratch, l * kept);
    const w = at(parameters, vocabulary * width + l * layerFloats());
    const next = l + 1 < layers ? at(base, kept) : tops;
    layerForward(base, w, next, positions, rows, packed);
  }
  const finalNorm = at(parameters, vocabulary * width + layers * layerFloats());
  const normed = at(tops, rowsMax * width);
  const inverses = at(normed, rowsMax * width);
  const logits = at(inverses, rowsMax);
  normForward(normed, inverses, tops, finalNorm, rows, width);
  multiplyTransposed(logits, normed, parameters, rows, vocabulary, width, false, packed);
  return logits;
}

function layerForward(base: usize, w: usize, next: usize, positions: usize, rows: i32, packed: usize): void {
  const norm1 = at(base, rowsMax * width);
  const qkv = at(norm1, rowsMax * width);
  const attention = at(qkv, rowsMax * qkvWidth);
  const middle = at(attention, rowsMax * width);
  const norm2 = at(middle, rowsMax * width);
  const gateUp = at(norm2, rowsMax * width);
  const active = at(gateUp, rowsMax * 2 * hidden);
  const inverse1 = at(active, rowsMax * hidden);
  const inverse2 = at(inverse1, rowsMax);
  const wQkv = at(w, width);
  const wOut = at(wQkv, qkvWidth * width);
  const wNorm2 = at(wOut, width * width);
  const wGateUp = at(wNorm2, width);
  const wDown = at(wGateUp, 2 * hidden * width);
  const bytes = <usize>(rows * width) << 2;

  normForward(norm1, inverse1, base, w, rows, width);
  multiplyTransposed(qkv, norm1, wQkv, rows, qkvWidth, width, false, packed);
  rotate(qkv, qkvWidth, heads + kvHeads, positions, table, rows, 1);
  attentionForward(attention, qkv, positions, rows, heads, kvHeads, packed, attentionScale);
  memory.copy(middle, base, bytes);
  multiplyTransposed(middle, attention, wOut, rows, width, width, true, packed);
  normForward(norm2, inverse2, middle, wNorm2, rows, width);
  multiplyTransposed(gateUp, norm2, wGateUp, rows, 2 * hidden, width, false, packed);
  gluForward(active, gateUp, rows, hidden);
  memory.copy(next, middle, bytes);
  multiplyTransposed(next, active, wDown, rows, width, hidden, true, packed);
}

/**
 * Gradient of one group's weighted loss into `gradients` (same layout as the parameters, no need to
 * be zero). Returns the weighted sum of losses; `scale` multiplies the gradient only.
 */
export function gradient(
  parameters: usize, gradients: usize, tokens: usize, positions: usize, targets: usize,
  weights: usize, rows: i32, scale: f32,
): f64 {
  const logits = forward(parameters, tokens, positions, rows);
  const loss = crossEntropy(logits, targets, weights, rows, vocabulary, scale);
  const kept = keptFloats() * rowsMax;
  const top = at(scratch, layers * kept);
  const normed = at(top, rowsMax * width);
  const inverses = at(normed, rowsMax * width);
  const dx = at(logits, rowsMax * vocabulary);
  const dNorm = at(dx, rowsMax * width);
  const packed = at(top, rowsMax * (4 * width + 1 + vocabulary + hidden + max(2 * hidden, qkvWidth)) + 4 * rowsMax);
  const line = <usize>width << 2;
  const finalNorm = vocabulary * width + layers * layerFloats();

  outer(gradients, logits, normed, rows, vocabulary, width, packed);
  multiply(dNorm, logits, parameters, rows, vocabulary, width, packed);
  memory.fill(dx, 0, <usize>rows * line);
  memory.fill(at(gradients, finalNorm), 0, line);
  normBackward(dx, at(gradients, finalNorm), dNorm, top, inverses, at(parameters, finalNorm), rows, width);
  for (let l = layers - 1; l >= 0; l--) {
    const offset = vocabulary * width + l * layerFloats();
    layerBackward(at(scratch, l * kept), at(parameters, offset), at(gradients, offset), dx, positions, rows, packed);
  }
  for (let t: i32 = 0; t < rows; t++) {
    const row = gradients + <usize>load<i32>(tokens + (<usize>t << 2)) * line;
    const from = dx + <usize>t * line;
    for (let o: usize = 0; o < line; o += 16) {
      v128.store(row + o, f32x4.add(v128.load(row + o), v128.load(from + o)));
    }
  }
  return loss;
}

function layerBackward(
  base: usize, w: usize, dw: usize, dx: usize, positions: usize, rows: i32, packed: usize,
): void {
  const norm1 = at(base, rowsMax * width);
  const qkv = at(norm1, rowsMax * width);
  const attention = at(qkv, rowsMax * qkvWidth);
  const middle = at(attention, rowsMax * width);
  const norm2 = at(middle, rowsMax * width);
  const gateUp = at(norm2, rowsMax * width);
  const active = at(gateUp, rowsMax * 2 * hidden);
  const inverse1 = at(active, rowsMax * hidden);
  const inverse2 = at(inverse1, rowsMax);
  const oQkv = width;
  const oOut = oQkv + qkvWidth * width;
  const oNorm2 = oOut + width * width;
  const oGateUp = oNorm2 + width;
  const oDown = oGateUp + 2 * hidden * width;
  const dNorm = at(dx, rowsMax * width);
  const dActive = at(dNorm, rowsMax * width);
  const dWide = at(dActive, rowsMax * hidden);
  const line = <usize>width << 2;

  outer(at(dw, oDown), dx, active, rows, width, hidden, packed);
  multiply(dActive, dx, at(w, oDown), rows, width, hidden, packed);
  gluBackward(dWide, dActive, gateUp, rows, hidden);
  outer(at(dw, oGateUp), dWide, norm2, rows, 2 * hidden, width, packed);
  multiply(dNorm, dWide, at(w, oGateUp), rows, 2 * hidden, width, packed);
  memory.fill(at(dw, oNorm2), 0, line);
  normBackward(dx, at(dw, oNorm2), dNorm, middle, inverse2, at(w, oNorm2), rows, width);

  outer(at(dw, oOut), dx, attention, rows, width, width, packed);
  multiply(dNorm, dx, at(w, oOut), rows, width, width, packed);
  memory.fill(dWide, 0, <usize>(rows * qkvWidth) << 2);
  attentionBackward(
    dWide, dNorm, qkv, positions, rows, heads, kvHeads, packed, (<usize>rowsMax + 4) << 2, attentionScale,
  );
  rotate(dWide, qkvWidth, heads + kvHeads, positions, table, rows, -1);
  outer(at(dw, oQkv), dWide, norm1, rows, qkvWidth, width, packed);
  multiply(dNorm, dWide, at(w, oQkv), rows, qkvWidth, width, packed);
  memory.fill(dw, 0, line);
  normBackward(dx, dw, dNorm, base, inverse1, w, rows, width);
}

/**
 * Sums `groups` gradients (each `strideBytes` after the other) element by element into the first,
 * in ascending order, over `floats` floats; returns the sum of squares of the result.
 */
export function reduce(gradients: usize, strideBytes: usize, groups: i32, floats: i32): f64 {
  const end = at(gradients, floats);
  let squares: f64 = 0;
  for (let p = gradients; p < end; p += 16) {
    let sum = v128.load(p);
    for (let g: i32 = 1; g < groups; g++) sum = f32x4.add(sum, v128.load(p + <usize>g * strideBytes));
    v128.store(p, sum);
    squares += <f64>sum4(f32x4.mul(sum, sum));
  }
  return squares;
}

/** One AdamW step on `floats` floats; `step1` = rate / (1 - beta1^t), `root2` = 1 / (1 - beta2^t). */
export function adamw(
  parameters: usize, first: usize, second: usize, gradients: usize, floats: i32,
  clip: f32, step1: f32, root2: f32, beta1: f32, beta2: f32, epsilon: f32, decay: f32,
): void {
  const bytes = <usize>floats << 2;
  const keep1 = f32x4.splat(beta1), take1 = f32x4.splat(1 - beta1);
  const keep2 = f32x4.splat(beta2), take2 = f32x4.splat(1 - beta2);
  const shrink = f32x4.splat(1 - decay);
  for (let o: usize = 0; o < bytes; o += 16) {
    const g = f32x4.mul(v128.load(gradients + o), f32x4.splat(clip));
    const m = f32x4.add(f32x4.mul(v128.load(first + o), keep1), f32x4.mul(g, take1));
    const v = f32x4.add(f32x4.mul(v128.load(second + o), keep2), f32x4.mul(f32x4.mul(g, g), take2));
    v128.store(first + o, m);
    v128.store(second + o, v);
    const root = f32x4.add(f32x4.sqrt(f32x4.mul(v, f32x4.splat(root2))), f32x4.splat(epsilon));
    const move = f32x4.div(f32x4.mul(m, f32x4.splat(step1)), root);
    v128.store(parameters + o, f32x4.sub(f32x4.mul(v128.load(parameters + o), shrink), move));
  }
}
