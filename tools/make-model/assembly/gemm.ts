// Matrix product C = A B (or C += A B) in float32, tiled 4 x 8 over packed panels (the scheme of
// Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication"). Each element is one
// running sum over k in ascending order, so tiling never changes a bit. It knows no model.

/** Rows of a tile. */
const TILE_ROWS: i32 = 4;
/** Columns of a tile: two vectors; 8 accumulators leave room in 16 registers. */
const TILE_COLUMNS: i32 = 8;
/** Rows worked on together: their results stay in the first cache although rows lie pages apart. */
const BLOCK_ROWS: i32 = 16;

// @ts-ignore: decorator
@inline
function transposeStore(target: usize, stride: usize, r0: v128, r1: v128, r2: v128, r3: v128): void {
  const t0 = v128.shuffle<i32>(r0, r1, 0, 4, 1, 5);
  const t1 = v128.shuffle<i32>(r0, r1, 2, 6, 3, 7);
  const t2 = v128.shuffle<i32>(r2, r3, 0, 4, 1, 5);
  const t3 = v128.shuffle<i32>(r2, r3, 2, 6, 3, 7);
  v128.store(target, v128.shuffle<i64>(t0, t2, 0, 2));
  v128.store(target + stride, v128.shuffle<i64>(t0, t2, 1, 3));
  v128.store(target + 2 * stride, v128.shuffle<i64>(t1, t3, 0, 2));
  v128.store(target + 3 * stride, v128.shuffle<i64>(t1, t3, 1, 3));
}

/**
 * Packs `lanes` lines of a matrix side by side: target[k * lanes + line] = source(line, k).
 * One of the two strides (in floats) is 1; `depth` and `lanes` are multiples of 4.
 */
function pack(target: usize, source: usize, lineStride: i32, depthStride: i32, lanes: i32, depth: i32): void {
  const width = <usize>lanes << 2;
  if (lineStride == 1) {
    const step = <usize>depthStride << 2;
    for (let k: i32 = 0; k < depth; k++) {
      for (let offset: usize = 0; offset < width; offset += 16) {
        v128.store(target + offset, v128.load(source + offset));
      }
      target += width;
      source += step;
    }
    return;
  }
  const line = <usize>lineStride << 2;
  for (let first: i32 = 0; first < lanes; first += 4) {
    let from = source + <usize>first * line;
    let to = target + (<usize>first << 2);
    for (let k: i32 = 0; k < depth; k += 4) {
      transposeStore(
        to, width,
        v128.load(from), v128.load(from + line), v128.load(from + 2 * line), v128.load(from + 3 * line),
      );
      from += 16;
      to += 4 * width;
    }
  }
}

function tile(c: usize, rowBytes: usize, a: usize, b: usize, depth: i32, add: bool): void {
  const c1 = c + rowBytes;
  const c2 = c1 + rowBytes;
  const c3 = c2 + rowBytes;
  let s00 = f32x4.splat(0), s01 = s00, s10 = s00, s11 = s00;
  let s20 = s00, s21 = s00, s30 = s00, s31 = s00;
  if (add) {
    s00 = v128.load(c); s01 = v128.load(c, 16);
    s10 = v128.load(c1); s11 = v128.load(c1, 16);
    s20 = v128.load(c2); s21 = v128.load(c2, 16);
    s30 = v128.load(c3); s31 = v128.load(c3, 16);
  }
  const end = a + (<usize>depth << 4);
  while (a < end) {
    let b0 = v128.load(b), b1 = v128.load(b, 16);
    let x = v128.load32_splat(a);
    s00 = f32x4.add(s00, f32x4.mul(x, b0)); s01 = f32x4.add(s01, f32x4.mul(x, b1));
    x = v128.load32_splat(a, 4);
    s10 = f32x4.add(s10, f32x4.mul(x, b0)); s11 = f32x4.add(s11, f32x4.mul(x, b1));
    x = v128.load32_splat(a, 8);
    s20 = f32x4.add(s20, f32x4.mul(x, b0)); s21 = f32x4.add(s21, f32x4.mul(x, b1));
    x = v128.load32_splat(a, 12);
    s30 = f32x4.add(s30, f32x4.mul(x, b0)); s31 = f32x4.add(s31, f32x4.mul(x, b1));
    b0 = v128.load(b, 32); b1 = v128.load(b, 48);
    x = v128.load32_splat(a, 16);
    s00 = f32x4.add(s00, f32x4.mul(x, b0)); s01 = f32x4.add(s01, f32x4.mul(x, b1));
    x = v128.load32_splat(a, 20);
    s10 = f32x4.add(s10, f32x4.mul(x, b0)); s11 = f32x4.add(s11, f32x4.mul(x, b1));
    x = v128.load32_splat(a, 24);
    s20 = f32x4.add(s20, f32x4.mul(x, b0)); s21 = f32x4.add(s21, f32x4.mul(x, b1));
    x = v128.load32_splat(a, 28);
    s30 = f32x4.add(s30, f32x4.mul(x, b0)); s31 = f32x4.add(s31, f32x4.mul(x, b1));
    a += 32;
    b += 64;
  }
  v128.store(c, s00); v128.store(c, s01, 16);
  v128.store(c1, s10); v128.store(c1, s11, 16);
  v128.store(c2, s20); v128.store(c2, s21, 16);
  v128.store(c3, s30); v128.store(c3, s31, 16);
}

/**
 * C[rows, columns] = A B, or += with `add`. A(i, k) lies at a[i * aRow + k * aDepth], B(k, j) at
 * b[k * bDepth + j * bColumn] (strides in floats, one of each pair is 1). `rows` is a multiple of
 * 4, `columns` of 8, `depth` of 4. `scratch` holds (columns + BLOCK_ROWS) * depth floats.
 */
export function gemm(
  c: usize, a: usize, aRow: i32, aDepth: i32, b: usize, bDepth: i32, bColumn: i32,
  rows: i32, columns: i32, depth: i32, add: bool, scratch: usize,
): void {
  const rowBytes = <usize>columns << 2;
  const panelA = <usize>(depth * TILE_ROWS) << 2;
  const panelB = <usize>(depth * TILE_COLUMNS) << 2;
  const packedB = scratch + <usize>(BLOCK_ROWS / TILE_ROWS) * panelA;
  for (let j: i32 = 0; j < columns; j += TILE_COLUMNS) {
    const from = b + (<usize>(j * bColumn) << 2);
    pack(packedB + <usize>(j / TILE_COLUMNS) * panelB, from, bColumn, bDepth, TILE_COLUMNS, depth);
  }
  for (let first: i32 = 0; first < rows; first += BLOCK_ROWS) {
    const end = min(first + BLOCK_ROWS, rows);
    let panel = scratch;
    for (let i = first; i < end; i += TILE_ROWS) {
      pack(panel, a + (<usize>(i * aRow) << 2), aRow, aDepth, TILE_ROWS, depth);
      panel += panelA;
    }
    let source = packedB;
    let column = c + <usize>first * rowBytes;
    for (let j: i32 = 0; j < columns; j += TILE_COLUMNS) {
      let target = column;
      panel = scratch;
      for (let i = first; i < end; i += TILE_ROWS) {
        tile(target, rowBytes, panel, source, depth, add);
        target += <usize>TILE_ROWS * rowBytes;
        panel += panelA;
      }
      source += panelB;
      column += <usize>TILE_COLUMNS << 2;
    }
  }
}

/** Y[rows, out] = X[rows, in] W[out, in]^T, or += with `add`. */
export function multiplyTransposed(
  y: usize, x: usize, w: usize, rows: i32, outWidth: i32, inWidth: i32, add: bool, scratch: usize,
): void {
  gemm(y, x, inWidth, 1, w, 1, inWidth, rows, outWidth, inWidth, add, scratch);
}

/** dX[rows, in] = dY[rows, out] W[out, in]. */
export function multiply(
  dx: usize, dy: usize, w: usize, rows: i32, outWidth: i32, inWidth: i32, scratch: usize,
): void {
  gemm(dx, dy, outWidth, 1, w, inWidth, 1, rows, inWidth, outWidth, false, scratch);
}

/** dW[out, in] = dY[rows, out]^T X[rows, in]. */
export function outer(
  dw: usize, dy: usize, x: usize, rows: i32, outWidth: i32, inWidth: i32, scratch: usize,
): void {
  gemm(dw, dy, 1, outWidth, x, inWidth, 1, outWidth, inWidth, rows, false, scratch);
}
