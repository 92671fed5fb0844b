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

/** Four outputs of two activation rows, `k` apart. */
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

/**
 * Groups [from, to) of four outputs for all `rows`.
 * x int16 [rows][k]; out i64 [rows][n], n a multiple of 4; masks v128 [rows], zeroed by the caller.
 */
export function matmul(
  rows: u32, k: usize, n: usize, from: usize, to: usize,
  x: usize, weights: usize, scales: usize, shifts: usize, out: usize, masks: usize,
): void {
  const pairs = rows & ~1;
  const stride = n << 3;
  for (let group = from; group < to; group++) {
    const w = weights + group * (k << 2);
    const s = scales + group * (k >> 2);
    const r = shifts + (group << 2);
    const o = out + (group << 5);
    let row: usize = 0;
    for (; row < <usize>pairs; row += 2) {
      fourByTwo(x + row * (k << 1), k, w, s, r, o + row * stride, stride, masks + (row << 4));
    }
    if (row < <usize>rows) {
      fourByOne(x + row * (k << 1), k, w, s, r, o + row * stride, masks + (row << 4));
    }
  }
}
