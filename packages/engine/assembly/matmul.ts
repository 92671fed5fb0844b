// Matmul of A16 rows with W8 weights: exact i64 sums, no intermediate rounding, so any split gives
// the same bits. Weights lie in groups of four output rows, [group][block][4][32] int8, scales
// [group][block][4] u16, row shifts [output] u8: one sequential stream per group. A block of 32
// stays below 2^27 in i32 lanes, times the scale below 2^43, at most 2^11 blocks below 2^54, and
// 2^7 of row shift below 2^61 (specification, operator "matmul", overflow proof).

/** Sums the lanes of four vectors: [sum a, sum b, sum c, sum d]. */
// @ts-ignore: decorator
@inline
export function sumLanes(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = i32x4.add(
    v128.shuffle<i32>(a, b, 0, 4, 1, 5),
    v128.shuffle<i32>(a, b, 2, 6, 3, 7),
  );
  const cd = i32x4.add(
    v128.shuffle<i32>(c, d, 0, 4, 1, 5),
    v128.shuffle<i32>(c, d, 2, 6, 3, 7),
  );
  return i32x4.add(
    v128.shuffle<i32>(ab, cd, 0, 1, 4, 5),
    v128.shuffle<i32>(ab, cd, 2, 3, 6, 7),
  );
}

/** Adds a dot of eight int16 products to i32 lanes. */
// @ts-ignore: decorator
@inline
function addDot(sum: v128, x: v128, w: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(x, w));
}

/** acc * 2^r for two neighbouring outputs with their own row shifts. */
// @ts-ignore: decorator
@inline
function shiftPair(pair: v128, shifts: usize): v128 {
  const low = i64x2.extract_lane(pair, 0) << <i64>load<u8>(shifts);
  const high = i64x2.extract_lane(pair, 1) << <i64>load<u8>(shifts, 1);
  return i64x2.replace_lane(i64x2.splat(low), 1, high);
}

/** Stores four finished outputs and joins their magnitudes to the row's bit mask. */
// @ts-ignore: decorator
@inline
function finishFour(low: v128, high: v128, shifts: usize, out: usize, mask: usize): void {
  if (load<u32>(shifts) != 0) {
    low = shiftPair(low, shifts);
    high = shiftPair(high, shifts + 2);
  }
  v128.store(out, low);
  v128.store(out, high, 16);
  const seen = v128.or(i64x2.abs(low), i64x2.abs(high));
  v128.store(mask, v128.or(v128.load(mask), seen));
}

/** Four outputs of one activation row. */
// @ts-ignore: decorator
@inline
function fourByOne(x: usize, k: usize, w: usize, s: usize, shifts: usize, out: usize, mask: usize): void {
  let low = i64x2.splat(0);
  let high = low;
  for (const end = x + (k << 1); x < end; x += 64) {
    let v = v128.load(x);
    let c0 = i32x4.dot_i16x8_s(v, v128.load_ext<i8>(w));
    let c1 = i32x4.dot_i16x8_s(v, v128.load_ext<i8>(w, 32));
    let c2 = i32x4.dot_i16x8_s(v, v128.load_ext<i8>(w, 64));
    let c3 = i32x4.dot_i16x8_s(v, v128.load_ext<i8>(w, 96));
    v = v128.load(x, 16);
    c0 = addDot(c0, v, v128.load_ext<i8>(w, 8));
    c1 = addDot(c1, v, v128.load_ext<i8>(w, 40));
    c2 = addDot(c2, v, v128.load_ext<i8>(w, 72));
    c3 = addDot(c3, v, v128.load_ext<i8>(w, 104));
    v = v128.load(x, 32);
    c0 = addDot(c0, v, v128.load_ext<i8>(w, 16));
    c1 = addDot(c1, v, v128.load_ext<i8>(w, 48));
    c2 = addDot(c2, v, v128.load_ext<i8>(w, 80));
    c3 = addDot(c3, v, v128.load_ext<i8>(w, 112));
    v = v128.load(x, 48);
    c0 = addDot(c0, v, v128.load_ext<i8>(w, 24));
    c1 = addDot(c1, v, v128.load_ext<i8>(w, 56));
    c2 = addDot(c2, v, v128.load_ext<i8>(w, 88));
    c3 = addDot(c3, v, v128.load_ext<i8>(w, 120));
    const dots = sumLanes(c0, c1, c2, c3);
    const scales = v128.load_ext<u16>(s);
    low = i64x2.add(low, i64x2.extmul_low_i32x4_s(dots, scales));
    high = i64x2.add(high, i64x2.extmul_high_i32x4_s(dots, scales));
    w += 128;
    s += 8;
  }
  finishFour(low, high, shifts, out, mask);
}

/**
 * Four outputs of two activation rows, `k` apart: each widened weight serves both. The inner loop stays a loop: V8 11
 * moves all loads of a straight piece of code to its front, where a whole block's weights do not fit the registers.
 */
// @ts-ignore: decorator
@inline
function fourByTwo(x: usize, k: usize, w: usize, s: usize, shifts: usize, out: usize, stride: usize, mask: usize): void {
  let low = i64x2.splat(0);
  let high = low;
  let low2 = low;
  let high2 = low;
  const bytes = k << 1;
  for (const end = x + bytes; x < end; s += 8, w += 96) {
    let c0 = i32x4.splat(0);
    let c1 = c0;
    let c2 = c0;
    let c3 = c0;
    let d0 = c0;
    let d1 = c0;
    let d2 = c0;
    let d3 = c0;
    for (const stop = x + 64; x < stop; x += 16, w += 8) {
      const a = v128.load(x);
      const b = v128.load(x + bytes);
      let v = v128.load_ext<i8>(w);
      c0 = addDot(c0, a, v);
      d0 = addDot(d0, b, v);
      v = v128.load_ext<i8>(w, 32);
      c1 = addDot(c1, a, v);
      d1 = addDot(d1, b, v);
      v = v128.load_ext<i8>(w, 64);
      c2 = addDot(c2, a, v);
      d2 = addDot(d2, b, v);
      v = v128.load_ext<i8>(w, 96);
      c3 = addDot(c3, a, v);
      d3 = addDot(d3, b, v);
    }
    const scales = v128.load_ext<u16>(s);
    let dots = sumLanes(c0, c1, c2, c3);
    low = i64x2.add(low, i64x2.extmul_low_i32x4_s(dots, scales));
    high = i64x2.add(high, i64x2.extmul_high_i32x4_s(dots, scales));
    dots = sumLanes(d0, d1, d2, d3);
    low2 = i64x2.add(low2, i64x2.extmul_low_i32x4_s(dots, scales));
    high2 = i64x2.add(high2, i64x2.extmul_high_i32x4_s(dots, scales));
  }
  finishFour(low, high, shifts, out, mask);
  finishFour(low2, high2, shifts, out + stride, mask + 16);
}

/** Sixteen weights of each of four outputs, interleaved pair by pair. */
// @ts-ignore: decorator
@inline
function packPairs(w: usize, out: usize): void {
  const a = v128.load(w);
  const b = v128.load(w, 32);
  const c = v128.load(w, 64);
  const d = v128.load(w, 96);
  const lowAB = v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
  const highAB = v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
  const lowCD = v128.shuffle<i16>(c, d, 0, 8, 1, 9, 2, 10, 3, 11);
  const highCD = v128.shuffle<i16>(c, d, 4, 12, 5, 13, 6, 14, 7, 15);
  storePairs(v128.shuffle<i32>(lowAB, lowCD, 0, 4, 1, 5), out);
  storePairs(v128.shuffle<i32>(lowAB, lowCD, 2, 6, 3, 7), out + 32);
  storePairs(v128.shuffle<i32>(highAB, highCD, 0, 4, 1, 5), out + 64);
  storePairs(v128.shuffle<i32>(highAB, highCD, 2, 6, 3, 7), out + 96);
}

/** Two pairs of four outputs, each where the panel has it. */
// @ts-ignore: decorator
@inline
function storePairs(pairs: v128, out: usize): void {
  v128.store64_lane(out, pairs, 0);
  v128.store64_lane(out, pairs, 1, 16);
}

/** Two groups as a panel [k / 2][8 outputs][2] int8: one vector per group holds a pair of weights of four outputs. */
function packPanel(k: usize, w: usize, panel: usize): void {
  const far = k << 2;
  for (const end = w + far; w < end; w += 128, panel += 256) {
    packPairs(w, panel);
    packPairs(w + 16, panel + 128);
    packPairs(w + far, panel + 8);
    packPairs(w + far + 16, panel + 136);
  }
}

/** Adds scaled dots of four outputs to their i64 sums. */
// @ts-ignore: decorator
@inline
function addScaled(dots: v128, scales: v128, out: usize): void {
  v128.store(out, i64x2.add(v128.load(out), i64x2.extmul_low_i32x4_s(dots, scales)));
  v128.store(out, i64x2.add(v128.load(out, 16), i64x2.extmul_high_i32x4_s(dots, scales)), 16);
}

/**
 * Adds the eight outputs of a panel for four activation rows to sums that are zero. A pair of activations meets a pair of
 * weights of every output at once, so no lanes are to be summed at the end of a block.
 */
function eightByFour(x: usize, k: usize, panel: usize, s: usize, out: usize, stride: usize): void {
  const bytes = k << 1;
  const far = k >> 2;
  for (const end = x + bytes; x < end; s += 8) {
    let a0 = i32x4.splat(0);
    let a1 = a0;
    let b0 = a0;
    let b1 = a0;
    let c0 = a0;
    let c1 = a0;
    let d0 = a0;
    let d1 = a0;
    for (const stop = x + 64; x < stop; x += 4, panel += 16) {
      const v0 = v128.load_ext<i8>(panel);
      const v1 = v128.load_ext<i8>(panel, 8);
      let r = v128.load32_splat(x);
      a0 = addDot(a0, r, v0);
      a1 = addDot(a1, r, v1);
      r = v128.load32_splat(x + bytes);
      b0 = addDot(b0, r, v0);
      b1 = addDot(b1, r, v1);
      r = v128.load32_splat(x + (bytes << 1));
      c0 = addDot(c0, r, v0);
      c1 = addDot(c1, r, v1);
      r = v128.load32_splat(x + bytes * 3);
      d0 = addDot(d0, r, v0);
      d1 = addDot(d1, r, v1);
    }
    const s0 = v128.load_ext<u16>(s);
    const s1 = v128.load_ext<u16>(s + far);
    addScaled(a0, s0, out);
    addScaled(a1, s1, out + 32);
    addScaled(b0, s0, out + stride);
    addScaled(b1, s1, out + stride + 32);
    addScaled(c0, s0, out + (stride << 1));
    addScaled(c1, s1, out + (stride << 1) + 32);
    addScaled(d0, s0, out + stride * 3);
    addScaled(d1, s1, out + stride * 3 + 32);
  }
}

/** Two groups of outputs for `fours` rows, a multiple of four. */
function multiplyPanel(
  fours: usize, k: usize, stride: usize, x: usize, panel: usize, s: usize, shifts: usize, out: usize, masks: usize,
): void {
  for (let row: usize = 0; row < fours; row++) memory.fill(out + row * stride, 0, 64);
  for (let row: usize = 0; row < fours; row += 4) {
    eightByFour(x + row * (k << 1), k, panel, s, out + row * stride, stride);
  }
  for (let row: usize = 0; row < fours; row++) {
    const at = out + row * stride;
    const mask = masks + (row << 4);
    finishFour(v128.load(at), v128.load(at, 16), shifts, at, mask);
    finishFour(v128.load(at, 32), v128.load(at, 48), shifts + 4, at + 32, mask);
  }
}

/** One group of outputs for rows [from, rows), from the packed weights as they are. */
function multiplyGroup(
  from: usize, rows: usize, k: usize, stride: usize, x: usize, w: usize, s: usize, shifts: usize, out: usize,
  masks: usize,
): void {
  let row = from;
  for (; row + 2 <= rows; row += 2) {
    fourByTwo(x + row * (k << 1), k, w, s, shifts, out + row * stride, stride, masks + (row << 4));
  }
  if (row < rows) fourByOne(x + row * (k << 1), k, w, s, shifts, out + row * stride, masks + (row << 4));
}

/** Rows that repay the making of a panel: 4 to 7 cost a quarter more with it than in pairs, 8 to 11 about the same. */
const PANEL_ROWS_MIN: u32 = 12;

/**
 * Groups [from, to) of four outputs for all `rows`. Enough rows go through a panel, which is made once for all of them;
 * what is left of rows and groups goes without.
 * x int16 [rows][k]; out i64 [rows][n], n a multiple of 4; masks v128 [rows], zeroed by the caller; panel: 8 k bytes.
 */
export function matmul(
  rows: u32, k: usize, n: usize, from: usize, to: usize,
  x: usize, weights: usize, scales: usize, shifts: usize, out: usize, masks: usize, panel: usize,
): void {
  const fours = rows < PANEL_ROWS_MIN ? 0 : <usize>rows & ~3;
  const stride = n << 3;
  for (let group = from; group < to; group++) {
    const w = weights + group * (k << 2);
    const s = scales + group * (k >> 2);
    const r = shifts + (group << 2);
    const o = out + (group << 5);
    const paired = fours > 0 && group + 1 < to;
    if (paired) {
      packPanel(k, w, panel);
      multiplyPanel(fours, k, stride, x, panel, s, r, o, masks);
      multiplyGroup(fours, rows, k, stride, x, w, s, r, o, masks);
      group++;
      multiplyGroup(fours, rows, k, stride, x, w + (k << 2), s + (k >> 2), r + 4, o + 32, masks);
    } else {
      multiplyGroup(0, rows, k, stride, x, w, s, r, o, masks);
    }
  }
}
