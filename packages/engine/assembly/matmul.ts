// Matmul of A16 rows with W8 weights: exact i64 sums, no intermediate rounding, so any split gives
// the same bits. Weights lie in panels of eight output rows, [panel][k / 2][8][2] int8, scales
// [panel][block][8] u16, row shifts [output] u8: one sequential stream per panel, in which a vector of
// eight holds a pair of weights of four outputs, so that no lanes are ever summed. A block of 32
// stays below 2^27 in i32 lanes, times the scale below 2^43, at most 2^11 blocks below 2^54, and
// 2^7 of row shift below 2^61 (specification, operator "matmul", overflow proof).

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

/**
 * Sums of the eight outputs of a panel for one activation row. The inner loop stays a loop, here and below: V8 11 moves
 * all loads of a straight piece of code to its front, where a whole block's weights do not fit the registers.
 */
function eightByOne(x: usize, k: usize, w: usize, s: usize, sums: usize): void {
  let low0 = i64x2.splat(0);
  let high0 = low0;
  let low1 = low0;
  let high1 = low0;
  for (const end = x + (k << 1); x < end; s += 16) {
    let a = i32x4.splat(0);
    let b = a;
    for (const stop = x + 64; x < stop; x += 8, w += 32) {
      let r = v128.load32_splat(x);
      a = addDot(a, r, v128.load_ext<i8>(w));
      b = addDot(b, r, v128.load_ext<i8>(w, 8));
      r = v128.load32_splat(x, 4);
      a = addDot(a, r, v128.load_ext<i8>(w, 16));
      b = addDot(b, r, v128.load_ext<i8>(w, 24));
    }
    const s0 = v128.load_ext<u16>(s);
    const s1 = v128.load_ext<u16>(s, 8);
    low0 = i64x2.add(low0, i64x2.extmul_low_i32x4_s(a, s0));
    high0 = i64x2.add(high0, i64x2.extmul_high_i32x4_s(a, s0));
    low1 = i64x2.add(low1, i64x2.extmul_low_i32x4_s(b, s1));
    high1 = i64x2.add(high1, i64x2.extmul_high_i32x4_s(b, s1));
  }
  v128.store(sums, low0);
  v128.store(sums, high0, 16);
  v128.store(sums, low1, 32);
  v128.store(sums, high1, 48);
}

/** Adds scaled dots of four outputs to their i64 sums. */
// @ts-ignore: decorator
@inline
function addScaled(dots: v128, scales: v128, out: usize): void {
  v128.store(out, i64x2.add(v128.load(out), i64x2.extmul_low_i32x4_s(dots, scales)));
  v128.store(out, i64x2.add(v128.load(out, 16), i64x2.extmul_high_i32x4_s(dots, scales)), 16);
}

/** Adds the eight outputs of a panel for two activation rows, `k` apart, to sums [2][8]. */
function eightByTwo(x: usize, k: usize, w: usize, s: usize, sums: usize): void {
  const bytes = k << 1;
  for (const end = x + bytes; x < end; s += 16) {
    let a0 = i32x4.splat(0);
    let a1 = a0;
    let b0 = a0;
    let b1 = a0;
    for (const stop = x + 64; x < stop; x += 4, w += 16) {
      const v0 = v128.load_ext<i8>(w);
      const v1 = v128.load_ext<i8>(w, 8);
      let r = v128.load32_splat(x);
      a0 = addDot(a0, r, v0);
      a1 = addDot(a1, r, v1);
      r = v128.load32_splat(x + bytes);
      b0 = addDot(b0, r, v0);
      b1 = addDot(b1, r, v1);
    }
    const s0 = v128.load_ext<u16>(s);
    const s1 = v128.load_ext<u16>(s, 8);
    addScaled(a0, s0, sums);
    addScaled(a1, s1, sums + 32);
    addScaled(b0, s0, sums + 64);
    addScaled(b1, s1, sums + 96);
  }
}

/** Adds the eight outputs of a panel for four activation rows, `k` apart, to sums [4][8]. */
function eightByFour(x: usize, k: usize, w: usize, s: usize, sums: usize): void {
  const bytes = k << 1;
  for (const end = x + bytes; x < end; s += 16) {
    let a0 = i32x4.splat(0);
    let a1 = a0;
    let b0 = a0;
    let b1 = a0;
    let c0 = a0;
    let c1 = a0;
    let d0 = a0;
    let d1 = a0;
    for (const stop = x + 64; x < stop; x += 4, w += 16) {
      const v0 = v128.load_ext<i8>(w);
      const v1 = v128.load_ext<i8>(w, 8);
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
    const s1 = v128.load_ext<u16>(s, 8);
    addScaled(a0, s0, sums);
    addScaled(a1, s1, sums + 32);
    addScaled(b0, s0, sums + 64);
    addScaled(b1, s1, sums + 96);
    addScaled(c0, s0, sums + 128);
    addScaled(c1, s1, sums + 160);
    addScaled(d0, s0, sums + 192);
    addScaled(d1, s1, sums + 224);
  }
}

/** Columns of a panel that are widened at once: with the rows' sums they stay in a first-level cache. */
const WIDE_COLUMNS: usize = 512;

/** From so many rows on, widening a panel's weights once costs less than it saves. */
const WIDE_ROWS_MIN: usize = 16;

/** Weights of `columns` columns of a panel from int8 to int16. */
function widen(w: usize, columns: usize, out: usize): void {
  for (const end = w + (columns << 3); w < end; w += 16, out += 32) {
    v128.store(out, v128.load_ext<i8>(w));
    v128.store(out, v128.load_ext<i8>(w, 8), 16);
  }
}

/** eightByFour for `columns` columns of rows `bytes` apart, with weights that are int16 already. */
function eightByFourWide(x: usize, bytes: usize, columns: usize, w: usize, s: usize, sums: usize): void {
  for (const end = x + (columns << 1); x < end; s += 16) {
    let a0 = i32x4.splat(0);
    let a1 = a0;
    let b0 = a0;
    let b1 = a0;
    let c0 = a0;
    let c1 = a0;
    let d0 = a0;
    let d1 = a0;
    for (const stop = x + 64; x < stop; x += 4, w += 32) {
      const v0 = v128.load(w);
      const v1 = v128.load(w, 16);
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
    const s1 = v128.load_ext<u16>(s, 8);
    addScaled(a0, s0, sums);
    addScaled(a1, s1, sums + 32);
    addScaled(b0, s0, sums + 64);
    addScaled(b1, s1, sums + 96);
    addScaled(c0, s0, sums + 128);
    addScaled(c1, s1, sums + 160);
    addScaled(d0, s0, sums + 192);
    addScaled(d1, s1, sums + 224);
  }
}

/** Sums [rows][8] of one panel for many rows, a multiple of four; `wide` takes WIDE_COLUMNS * 16 bytes. */
function multiplyWide(rows: usize, k: usize, x: usize, w: usize, s: usize, sums: usize, wide: usize): void {
  memory.fill(sums, 0, rows << 6);
  for (let from: usize = 0; from < k; from += WIDE_COLUMNS) {
    const columns = min(k - from, WIDE_COLUMNS);
    widen(w + (from << 3), columns, wide);
    for (let row: usize = 0; row < rows; row += 4) {
      eightByFourWide(x + ((row * k + from) << 1), k << 1, columns, wide, s + (from >> 1), sums + (row << 6));
    }
  }
}

/** Finished outputs of `rows` rows of sums [rows][8]; only the first four of a panel's eight unless it is `whole`. */
function finishRows(
  sums: usize, rows: usize, stride: usize, shifts: usize, out: usize, mask: usize, whole: bool,
): void {
  for (const end = sums + (rows << 6); sums < end; sums += 64, out += stride, mask += 16) {
    finishFour(v128.load(sums), v128.load(sums, 16), shifts, out, mask);
    if (whole) finishFour(v128.load(sums, 32), v128.load(sums, 48), shifts + 4, out + 32, mask);
  }
}

/** One panel for all rows: by fours, then a pair, then one. */
function multiplyPanel(
  rows: usize, k: usize, stride: usize, x: usize, w: usize, s: usize, shifts: usize, out: usize, mask: usize,
  whole: bool, sums: usize,
): void {
  for (let left = rows; left > 0; ) {
    const count: usize = left >= 4 ? 4 : left >= 2 ? 2 : 1;
    if (count == 1) {
      eightByOne(x, k, w, s, sums);
    } else {
      for (let at = sums; at < sums + (count << 6); at += 16) v128.store(at, i64x2.splat(0));
      if (count == 2) eightByTwo(x, k, w, s, sums);
      else eightByFour(x, k, w, s, sums);
    }
    finishRows(sums, count, stride, shifts, out, mask, whole);
    x += count * (k << 1);
    out += count * stride;
    mask += count << 4;
    left -= count;
  }
}

/**
 * Panels [from, to) of eight outputs for all `rows`.
 * x int16 [rows][k]; out i64 [rows][n], n a multiple of 4; masks v128 [rows], zeroed by the caller; scratch: 64 bytes for
 * each row and 8,192 (MATMUL_SCRATCH_BYTES in src/wasm/machine.ts).
 */
export function matmul(
  rows: usize, k: usize, n: usize, from: usize, to: usize,
  x: usize, weights: usize, scales: usize, shifts: usize, out: usize, masks: usize, scratch: usize,
): void {
  const stride = n << 3;
  const wideRows = rows < WIDE_ROWS_MIN ? 0 : rows & ~3;
  const sums = scratch + (WIDE_COLUMNS << 4);
  for (let panel = from; panel < to; panel++) {
    const w = weights + panel * (k << 3);
    const s = scales + panel * (k >> 1);
    const rowShifts = shifts + (panel << 3);
    const target = out + (panel << 6);
    const whole = (panel << 3) + 8 <= n;
    if (wideRows > 0) {
      multiplyWide(wideRows, k, x, w, s, sums, scratch);
      finishRows(sums, wideRows, stride, rowShifts, target, masks, whole);
    }
    multiplyPanel(
      rows - wideRows, k, stride, x + wideRows * (k << 1), w, s, rowShifts, target + wideRows * stride,
      masks + (wideRows << 4), whole, sums,
    );
  }
}
