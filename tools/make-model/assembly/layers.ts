// Forward and backward of the pieces between the matrix products: root-mean-square norm, rotary
// positions (adjacent pairs, as llama.cpp's "norm" type), causal attention inside a segment,
// SwiGLU and cross-entropy. Each function works on rows of float32 at given addresses.

import { exp4, log, max4, sum4 } from './math';

/** Head size, fixed: eight vectors of four floats. */
export const HEAD: i32 = 32;
const HEAD_BYTES: usize = 128;
const EPSILON: f32 = 1e-5;
const MASKED: f32 = -1e30;

/** y = x * inverse * w with inverse = 1 / sqrt(mean(x^2) + epsilon), kept for the way back. */
export function normForward(y: usize, inverses: usize, x: usize, w: usize, rows: i32, width: i32): void {
  const bytes = <usize>width << 2;
  for (let t: i32 = 0; t < rows; t++) {
    let sum = f32x4.splat(0);
    for (let o: usize = 0; o < bytes; o += 16) {
      const v = v128.load(x + o);
      sum = f32x4.add(sum, f32x4.mul(v, v));
    }
    const inverse: f32 = 1 / sqrt<f32>(sum4(sum) / <f32>width + EPSILON);
    store<f32>(inverses + (<usize>t << 2), inverse);
    const scale = f32x4.splat(inverse);
    for (let o: usize = 0; o < bytes; o += 16) {
      v128.store(y + o, f32x4.mul(f32x4.mul(v128.load(x + o), scale), v128.load(w + o)));
    }
    x += bytes;
    y += bytes;
  }
}

/** Adds the input gradient to dx (the residual gradient) and the weight gradient to dw. */
export function normBackward(
  dx: usize, dw: usize, dy: usize, x: usize, inverses: usize, w: usize, rows: i32, width: i32,
): void {
  const bytes = <usize>width << 2;
  for (let t: i32 = 0; t < rows; t++) {
    const inverse = load<f32>(inverses + (<usize>t << 2));
    const scale = f32x4.splat(inverse);
    let sum = f32x4.splat(0);
    for (let o: usize = 0; o < bytes; o += 16) {
      const product = f32x4.mul(v128.load(dy + o), v128.load(x + o));
      sum = f32x4.add(sum, f32x4.mul(product, v128.load(w + o)));
      v128.store(dw + o, f32x4.add(v128.load(dw + o), f32x4.mul(product, scale)));
    }
    const factor = f32x4.splat(sum4(sum) * inverse * inverse / <f32>width);
    for (let o: usize = 0; o < bytes; o += 16) {
      const own = f32x4.mul(v128.load(dy + o), v128.load(w + o));
      const through = f32x4.mul(v128.load(x + o), factor);
      const gradient = f32x4.mul(f32x4.sub(own, through), scale);
      v128.store(dx + o, f32x4.add(v128.load(dx + o), gradient));
    }
    x += bytes;
    dx += bytes;
    dy += bytes;
  }
}

/**
 * Rotates the first `heads` heads of each row by its position. `table` holds, per position, 16
 * cosines and then 16 sines. `sign` -1 rotates back, which is the gradient.
 */
export function rotate(x: usize, stride: i32, heads: i32, positions: usize, table: usize, rows: i32, sign: f32): void {
  for (let t: i32 = 0; t < rows; t++) {
    const angles = table + <usize>load<i32>(positions + (<usize>t << 2)) * HEAD_BYTES;
    for (let h: i32 = 0; h < heads; h++) {
      const head = x + <usize>h * HEAD_BYTES;
      for (let pair: usize = 0; pair < 16; pair++) {
        const cosine = load<f32>(angles + (pair << 2));
        const sine = load<f32>(angles + (pair << 2), 64) * sign;
        const at = head + (pair << 3);
        const even = load<f32>(at);
        const odd = load<f32>(at, 4);
        store<f32>(at, even * cosine - odd * sine);
        store<f32>(at, even * sine + odd * cosine, 4);
      }
    }
    x += <usize>stride << 2;
  }
}

// @ts-ignore: decorator
@inline
function dotHead(a: usize, b: usize): f32 {
  let sum = f32x4.mul(v128.load(a), v128.load(b));
  for (let o: usize = 16; o < HEAD_BYTES; o += 16) {
    sum = f32x4.add(sum, f32x4.mul(v128.load(a + o), v128.load(b + o)));
  }
  return sum4(sum);
}

// @ts-ignore: decorator
@inline
function addScaled(target: usize, source: usize, factor: f32): void {
  const f = f32x4.splat(factor);
  for (let o: usize = 0; o < HEAD_BYTES; o += 16) {
    v128.store(target + o, f32x4.add(v128.load(target + o), f32x4.mul(v128.load(source + o), f)));
  }
}

// @ts-ignore: decorator
@inline
function clearHead(target: usize): void {
  for (let o: usize = 0; o < HEAD_BYTES; o += 16) v128.store(target + o, f32x4.splat(0));
}

/** Softmax weights of one query over `count` keys, into `row` (padded to a multiple of 4). */
function weigh(row: usize, query: usize, keys: usize, strideBytes: usize, count: i32, scale: f32): void {
  let largest: f32 = MASKED;
  for (let j: i32 = 0; j < count; j++) {
    const score = dotHead(query, keys + <usize>j * strideBytes) * scale;
    store<f32>(row + (<usize>j << 2), score);
    largest = max(largest, score);
  }
  const padded = (count + 3) & ~3;
  for (let j = count; j < padded; j++) store<f32>(row + (<usize>j << 2), MASKED);
  const end = row + (<usize>padded << 2);
  const shift = f32x4.splat(largest);
  let sum = f32x4.splat(0);
  for (let p = row; p < end; p += 16) {
    const e = exp4(f32x4.sub(v128.load(p), shift));
    v128.store(p, e);
    sum = f32x4.add(sum, e);
  }
  const inverse = f32x4.splat(1 / sum4(sum));
  for (let p = row; p < end; p += 16) v128.store(p, f32x4.mul(v128.load(p), inverse));
}

/** Causal attention within segments. A row of qkv is [heads | kvHeads | kvHeads] * HEAD floats. */
export function attentionForward(
  out: usize, qkv: usize, positions: usize, rows: i32, heads: i32, kvHeads: i32, row: usize, scale: f32,
): void {
  const stride = <usize>(heads + 2 * kvHeads) * HEAD_BYTES;
  const shared = heads / kvHeads;
  for (let h: i32 = 0; h < heads; h++) {
    const keyHead = <usize>(heads + h / shared) * HEAD_BYTES;
    const valueHead = keyHead + <usize>kvHeads * HEAD_BYTES;
    for (let t: i32 = 0; t < rows; t++) {
      const position = load<i32>(positions + (<usize>t << 2));
      const first = qkv + <usize>(t - position) * stride;
      weigh(row, qkv + <usize>t * stride + <usize>h * HEAD_BYTES, first + keyHead, stride, position + 1, scale);
      const target = out + <usize>(t * heads + h) * HEAD_BYTES;
      clearHead(target);
      for (let j: i32 = 0; j <= position; j++) {
        addScaled(target, first + valueHead + <usize>j * stride, load<f32>(row + (<usize>j << 2)));
      }
    }
  }
}

/** Gradient of attention; dqkv must be zero on entry. `row` has room for two rows. */
export function attentionBackward(
  dqkv: usize, dout: usize, qkv: usize, positions: usize, rows: i32, heads: i32, kvHeads: i32,
  row: usize, rowBytes: usize, scale: f32,
): void {
  const stride = <usize>(heads + 2 * kvHeads) * HEAD_BYTES;
  const shared = heads / kvHeads;
  const slopes = row + rowBytes;
  for (let h: i32 = 0; h < heads; h++) {
    const keyHead = <usize>(heads + h / shared) * HEAD_BYTES;
    const valueHead = keyHead + <usize>kvHeads * HEAD_BYTES;
    for (let t: i32 = 0; t < rows; t++) {
      const position = load<i32>(positions + (<usize>t << 2));
      const firstOffset = <usize>(t - position) * stride;
      const queryOffset = <usize>t * stride + <usize>h * HEAD_BYTES;
      const gradient = dout + <usize>(t * heads + h) * HEAD_BYTES;
      weigh(row, qkv + queryOffset, qkv + firstOffset + keyHead, stride, position + 1, scale);
      let mean: f32 = 0;
      for (let j: i32 = 0; j <= position; j++) {
        const weight = load<f32>(row + (<usize>j << 2));
        const valueOffset = firstOffset + valueHead + <usize>j * stride;
        const slope = dotHead(gradient, qkv + valueOffset);
        store<f32>(slopes + (<usize>j << 2), slope);
        mean += weight * slope;
        addScaled(dqkv + valueOffset, gradient, weight);
      }
      for (let j: i32 = 0; j <= position; j++) {
        const weight = load<f32>(row + (<usize>j << 2));
        const d: f32 = weight * (load<f32>(slopes + (<usize>j << 2)) - mean) * scale;
        const keyOffset = firstOffset + keyHead + <usize>j * stride;
        addScaled(dqkv + queryOffset, qkv + keyOffset, d);
        addScaled(dqkv + keyOffset, qkv + queryOffset, d);
      }
    }
  }
}

/** a = silu(gate) * up. A row of `gateUp` is [gate | up], each `width` floats. */
export function gluForward(a: usize, gateUp: usize, rows: i32, width: i32): void {
  const bytes = <usize>width << 2;
  const one = f32x4.splat(1);
  for (let t: i32 = 0; t < rows; t++) {
    for (let o: usize = 0; o < bytes; o += 16) {
      const g = v128.load(gateUp + o);
      const sigmoid = f32x4.div(one, f32x4.add(one, exp4(f32x4.neg(g))));
      v128.store(a + o, f32x4.mul(f32x4.mul(g, sigmoid), v128.load(gateUp + bytes + o)));
    }
    a += bytes;
    gateUp += 2 * bytes;
  }
}

/** Gradient of SwiGLU with respect to gate and up. */
export function gluBackward(dGateUp: usize, da: usize, gateUp: usize, rows: i32, width: i32): void {
  const bytes = <usize>width << 2;
  const one = f32x4.splat(1);
  for (let t: i32 = 0; t < rows; t++) {
    for (let o: usize = 0; o < bytes; o += 16) {
      const g = v128.load(gateUp + o);
      const d = v128.load(da + o);
      const sigmoid = f32x4.div(one, f32x4.add(one, exp4(f32x4.neg(g))));
      const silu = f32x4.mul(g, sigmoid);
      // d silu / d g = sigmoid + silu * (1 - sigmoid)
      const slope = f32x4.add(sigmoid, f32x4.mul(silu, f32x4.sub(one, sigmoid)));
      v128.store(dGateUp + o, f32x4.mul(f32x4.mul(d, v128.load(gateUp + bytes + o)), slope));
      v128.store(dGateUp + bytes + o, f32x4.mul(d, silu));
    }
    da += bytes;
    dGateUp += 2 * bytes;
    gateUp += 2 * bytes;
  }
}

/**
 * Replaces logits by their gradient: (softmax - one-hot) * weight * scale; returns the weighted
 * sum of the losses in nats.
 */
export function crossEntropy(logits: usize, targets: usize, weights: usize, rows: i32, vocabulary: i32, scale: f32): f64 {
  const bytes = <usize>vocabulary << 2;
  let total: f64 = 0;
  for (let t: i32 = 0; t < rows; t++) {
    const weight = load<f32>(weights + (<usize>t << 2));
    if (weight == 0) {
      memory.fill(logits, 0, bytes);
      logits += bytes;
      continue;
    }
    let largest4 = v128.load(logits);
    for (let o: usize = 16; o < bytes; o += 16) largest4 = f32x4.max(largest4, v128.load(logits + o));
    const largest = max4(largest4);
    const shift = f32x4.splat(largest);
    const targetAt = logits + (<usize>load<i32>(targets + (<usize>t << 2)) << 2);
    const chosen = load<f32>(targetAt);
    let sum4lanes = f32x4.splat(0);
    for (let o: usize = 0; o < bytes; o += 16) {
      const e = exp4(f32x4.sub(v128.load(logits + o), shift));
      v128.store(logits + o, e);
      sum4lanes = f32x4.add(sum4lanes, e);
    }
    const sum = sum4(sum4lanes);
    const factor: f32 = weight * scale;
    const factor4 = f32x4.splat(factor / sum);
    for (let o: usize = 0; o < bytes; o += 16) {
      v128.store(logits + o, f32x4.mul(v128.load(logits + o), factor4));
    }
    store<f32>(targetAt, load<f32>(targetAt) - factor);
    total += <f64>weight * (log(sum) - (<f64>chosen - <f64>largest));
    logits += bytes;
  }
  return total;
}
