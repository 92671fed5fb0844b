// SHA-256 (FIPS 180-4, sections 4.1.2, 4.2.2 and 6.2) of four messages at a time, one per lane, and trees over them as
// merkle.ts has them. Every message is a prefix byte and `size` bytes of memory, so that leaves, nodes and roots are
// hashed where they lie. It knows no rows and no ops. The caller's memory begins at `heapAddress`.

/** Round constants, FIPS 180-4 section 4.2.2. */
const CONSTANTS = memory.data<u32>([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
]);

/** Initial hash, FIPS 180-4 section 5.3.3. */
const INITIAL = memory.data<u32>([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
]);

/** 64 words of the message schedule, four lanes each. */
const SCHEDULE = memory.data(1024, 16);
/** Eight words of the state, four lanes each. */
const STATE = memory.data(128, 16);
/** The last bytes of each lane's message, padded: two blocks. */
const TAIL = memory.data(512, 16);
/** Messages that wait for a full set of lanes: where from, where to. */
const SOURCES = memory.data(16, 16);
const TARGETS = memory.data(16, 16);

const NODE_PREFIX: u32 = 1;
const ROOT_PREFIX: u32 = 2;
const HASH_SIZE: usize = 32;
const BLOCK: usize = 64;
const LANES: usize = 4;
/** Bytes of the count that a root holds before its top. */
const COUNT_SIZE: usize = 8;

export function heapAddress(): usize {
  return (__heap_base + 63) & ~63;
}

// @ts-ignore: decorator
@inline
function rotate(x: v128, by: i32): v128 {
  return v128.or(i32x4.shr_u(x, by), i32x4.shl(x, 32 - by));
}

// @ts-ignore: decorator
@inline
function firstSum(h: v128, e: v128, f: v128, g: v128, at: usize): v128 {
  const sigma = v128.xor(v128.xor(rotate(e, 6), rotate(e, 11)), rotate(e, 25));
  const choice = v128.xor(g, v128.and(e, v128.xor(f, g)));
  const word = i32x4.add(v128.load(SCHEDULE + (at << 4)), v128.load32_splat(CONSTANTS + (at << 2)));
  return i32x4.add(i32x4.add(h, sigma), i32x4.add(choice, word));
}

// @ts-ignore: decorator
@inline
function secondSum(a: v128, b: v128, c: v128): v128 {
  const sigma = v128.xor(v128.xor(rotate(a, 2), rotate(a, 13)), rotate(a, 22));
  return i32x4.add(sigma, v128.or(v128.and(a, b), v128.and(c, v128.or(a, b))));
}

/** The state after the block in the first 16 words of the schedule. */
function compress(): void {
  for (let at = SCHEDULE + 256; at < SCHEDULE + 1024; at += 16) {
    const early = v128.load(at - 240);
    const late = v128.load(at - 32);
    const s0 = v128.xor(v128.xor(rotate(early, 7), rotate(early, 18)), i32x4.shr_u(early, 3));
    const s1 = v128.xor(v128.xor(rotate(late, 17), rotate(late, 19)), i32x4.shr_u(late, 10));
    v128.store(at, i32x4.add(i32x4.add(v128.load(at - 256), s0), i32x4.add(v128.load(at - 112), s1)));
  }
  let a = v128.load(STATE);
  let b = v128.load(STATE, 16);
  let c = v128.load(STATE, 32);
  let d = v128.load(STATE, 48);
  let e = v128.load(STATE, 64);
  let f = v128.load(STATE, 80);
  let g = v128.load(STATE, 96);
  let h = v128.load(STATE, 112);
  for (let i: usize = 0; i < 64; i += 8) {
    h = firstSum(h, e, f, g, i);
    d = i32x4.add(d, h);
    h = i32x4.add(h, secondSum(a, b, c));
    g = firstSum(g, d, e, f, i + 1);
    c = i32x4.add(c, g);
    g = i32x4.add(g, secondSum(h, a, b));
    f = firstSum(f, c, d, e, i + 2);
    b = i32x4.add(b, f);
    f = i32x4.add(f, secondSum(g, h, a));
    e = firstSum(e, b, c, d, i + 3);
    a = i32x4.add(a, e);
    e = i32x4.add(e, secondSum(f, g, h));
    d = firstSum(d, a, b, c, i + 4);
    h = i32x4.add(h, d);
    d = i32x4.add(d, secondSum(e, f, g));
    c = firstSum(c, h, a, b, i + 5);
    g = i32x4.add(g, c);
    c = i32x4.add(c, secondSum(d, e, f));
    b = firstSum(b, g, h, a, i + 6);
    f = i32x4.add(f, b);
    b = i32x4.add(b, secondSum(c, d, e));
    a = firstSum(a, f, g, h, i + 7);
    e = i32x4.add(e, a);
    a = i32x4.add(a, secondSum(b, c, d));
  }
  v128.store(STATE, i32x4.add(v128.load(STATE), a));
  v128.store(STATE, i32x4.add(v128.load(STATE, 16), b), 16);
  v128.store(STATE, i32x4.add(v128.load(STATE, 32), c), 32);
  v128.store(STATE, i32x4.add(v128.load(STATE, 48), d), 48);
  v128.store(STATE, i32x4.add(v128.load(STATE, 64), e), 64);
  v128.store(STATE, i32x4.add(v128.load(STATE, 80), f), 80);
  v128.store(STATE, i32x4.add(v128.load(STATE, 96), g), 96);
  v128.store(STATE, i32x4.add(v128.load(STATE, 112), h), 112);
}

/** Four big-endian words. */
// @ts-ignore: decorator
@inline
function swapWords(x: v128): v128 {
  return v128.shuffle<i8>(x, x, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
}

/** Stores rows r0 to r3 as columns at `at`. */
// @ts-ignore: decorator
@inline
function storeColumns(r0: v128, r1: v128, r2: v128, r3: v128, at: usize): void {
  const low01 = v128.shuffle<i32>(r0, r1, 0, 4, 1, 5);
  const low23 = v128.shuffle<i32>(r2, r3, 0, 4, 1, 5);
  const high01 = v128.shuffle<i32>(r0, r1, 2, 6, 3, 7);
  const high23 = v128.shuffle<i32>(r2, r3, 2, 6, 3, 7);
  v128.store(at, v128.shuffle<i64>(low01, low23, 0, 2));
  v128.store(at, v128.shuffle<i64>(low01, low23, 1, 3), 16);
  v128.store(at, v128.shuffle<i64>(high01, high23, 0, 2), 32);
  v128.store(at, v128.shuffle<i64>(high01, high23, 1, 3), 48);
}

/** One block of each lane into the schedule. */
function loadBlocks(p0: usize, p1: usize, p2: usize, p3: usize): void {
  for (let i: usize = 0; i < BLOCK; i += 16) {
    storeColumns(
      swapWords(v128.load(p0 + i)), swapWords(v128.load(p1 + i)),
      swapWords(v128.load(p2 + i)), swapWords(v128.load(p3 + i)), SCHEDULE + (i << 2),
    );
  }
}

/** The last block of messages whose last byte stands alone in it. */
function loadLastByte(last: usize, bits: u32): void {
  for (let lane: usize = 0; lane < LANES; lane++) {
    const byte = <u32>load<u8>(load<usize>(SOURCES + (lane << 2)) + last);
    store<u32>(SCHEDULE + (lane << 2), (byte << 24) | 0x80_0000);
  }
  const zero = i32x4.splat(0);
  for (let i: usize = 16; i < 240; i += 16) v128.store(SCHEDULE + i, zero);
  v128.store(SCHEDULE, i32x4.splat(bits), 240);
}

/** The last bytes of each lane, from `from` of `size`, with the padding; returns the bytes of it. */
function padTail(from: usize, size: usize, bits: u32): usize {
  const rest = size - from;
  const padded: usize = rest + 9 > BLOCK ? 2 * BLOCK : BLOCK;
  memory.fill(TAIL, 0, 8 * BLOCK);
  for (let lane: usize = 0; lane < LANES; lane++) {
    const to = TAIL + lane * 2 * BLOCK;
    memory.copy(to, load<usize>(SOURCES + (lane << 2)) + from, rest);
    store<u8>(to + rest, 0x80);
    store<u32>(to + padded - 4, bswap<u32>(bits));
  }
  return padded;
}

/** The prefix as first byte of every lane. */
// @ts-ignore: decorator
@inline
function setPrefix(prefix: u32): void {
  const rest = v128.and(v128.load(SCHEDULE), i32x4.splat(0x00ff_ffff));
  v128.store(SCHEDULE, v128.or(rest, i32x4.splat(prefix << 24)));
}

/** Hashes the waiting messages: `prefix` and `size` bytes each; lanes without one repeat the last. */
function flush(waiting: usize, size: usize, prefix: u32): void {
  if (waiting == 0) return;
  for (let lane = waiting; lane < LANES; lane++) {
    store<usize>(SOURCES + (lane << 2), load<usize>(SOURCES + ((waiting - 1) << 2)));
  }
  for (let i: usize = 0; i < 8; i++) {
    v128.store(STATE + (i << 4), v128.load32_splat(INITIAL + (i << 2)));
  }
  const p0 = load<usize>(SOURCES) - 1;
  const p1 = load<usize>(SOURCES, 4) - 1;
  const p2 = load<usize>(SOURCES, 8) - 1;
  const p3 = load<usize>(SOURCES, 12) - 1;
  const whole = (size + 1) & ~(BLOCK - 1);
  for (let at: usize = 0; at < whole; at += BLOCK) {
    loadBlocks(p0 + at, p1 + at, p2 + at, p3 + at);
    if (at == 0) setPrefix(prefix);
    compress();
  }
  const bits = <u32>(size + 1) << 3;
  if (whole == size && whole > 0) {
    loadLastByte(size - 1, bits);
    compress();
  } else {
    compressTail(whole, size, prefix, bits);
  }
  storeHashes(waiting);
}

function compressTail(whole: usize, size: usize, prefix: u32, bits: u32): void {
  // The byte before a message stands for its prefix.
  for (let lane: usize = 0; lane < LANES; lane++) {
    const at = SOURCES + (lane << 2);
    store<usize>(at, load<usize>(at) - 1);
  }
  const padded = padTail(whole, size + 1, bits);
  for (let at: usize = 0; at < padded; at += BLOCK) {
    const from = TAIL + at;
    loadBlocks(from, from + 2 * BLOCK, from + 4 * BLOCK, from + 6 * BLOCK);
    if (whole + at == 0) setPrefix(prefix);
    compress();
  }
}

function storeHashes(count: usize): void {
  storeColumns(
    v128.load(STATE), v128.load(STATE, 16), v128.load(STATE, 32), v128.load(STATE, 48), SCHEDULE,
  );
  storeColumns(
    v128.load(STATE, 64), v128.load(STATE, 80), v128.load(STATE, 96), v128.load(STATE, 112), SCHEDULE + 64,
  );
  for (let lane: usize = 0; lane < count; lane++) {
    const to = load<usize>(TARGETS + (lane << 2));
    v128.store(to, swapWords(v128.load(SCHEDULE + (lane << 4))));
    v128.store(to, swapWords(v128.load(SCHEDULE + 64 + (lane << 4))), 16);
  }
}

/** One more message waits; returns how many do, none after a full set was hashed. */
// @ts-ignore: decorator
@inline
function enqueue(waiting: usize, from: usize, to: usize, size: usize, prefix: u32): usize {
  store<usize>(SOURCES + (waiting << 2), from);
  store<usize>(TARGETS + (waiting << 2), to);
  if (waiting + 1 < LANES) return waiting + 1;
  flush(LANES, size, prefix);
  return 0;
}

/** Hashes leaves of `size` bytes; `runs`: where each run of them lies, how many there are, where their nodes go. */
export function hashLeaves(runs: usize, runCount: usize, size: usize): void {
  let waiting: usize = 0;
  for (let run = runs; run < runs + runCount * 12; run += 12) {
    let from = load<usize>(run);
    let to = load<usize>(run, 8);
    for (const end = to + load<usize>(run, 4) * HASH_SIZE; to < end; from += size, to += HASH_SIZE) {
      waiting = enqueue(waiting, from, to, size, 0);
    }
  }
  flush(waiting, size, 0);
}

/**
 * Folds trees side by side; `trees`: where the nodes of each lie, and how many they are; they are overwritten. Root `i`
 * goes to `roots` + 32 i. `seals` is room for 40 bytes per tree.
 */
export function foldTrees(trees: usize, treeCount: usize, seals: usize, roots: usize): void {
  let widest: usize = 0;
  const end = trees + (treeCount << 3);
  for (let tree = trees, seal = seals; tree < end; tree += 8, seal += COUNT_SIZE + HASH_SIZE) {
    const width = load<usize>(tree, 4);
    store<u64>(seal, bswap<u64>(width));
    widest = max(widest, width);
  }
  for (; widest > 1; widest = (widest + 1) >> 1) foldLevel(trees, end);
  let waiting: usize = 0;
  const sealSize = COUNT_SIZE + HASH_SIZE;
  for (let tree = trees; tree < end; tree += 8, seals += sealSize, roots += HASH_SIZE) {
    memory.copy(seals + COUNT_SIZE, load<usize>(tree), HASH_SIZE);
    waiting = enqueue(waiting, seals, roots, sealSize, ROOT_PREFIX);
  }
  flush(waiting, sealSize, ROOT_PREFIX);
}

/** One level up in every tree: an odd last node moves up alone, when nobody reads the place that it moves to. */
function foldLevel(trees: usize, end: usize): void {
  let waiting: usize = 0;
  for (let tree = trees; tree < end; tree += 8) {
    let to = load<usize>(tree);
    let from = to;
    for (const last = to + (load<usize>(tree, 4) >> 1) * HASH_SIZE; to < last; from += 2 * HASH_SIZE, to += HASH_SIZE) {
      waiting = enqueue(waiting, from, to, 2 * HASH_SIZE, NODE_PREFIX);
    }
  }
  flush(waiting, 2 * HASH_SIZE, NODE_PREFIX);
  for (let tree = trees; tree < end; tree += 8) {
    const width = load<usize>(tree, 4);
    const above = (width + 1) >> 1;
    if (width > 1 && (width & 1) == 1) {
      const nodes = load<usize>(tree);
      memory.copy(nodes + (above - 1) * HASH_SIZE, nodes + (width - 1) * HASH_SIZE, HASH_SIZE);
    }
    store<usize>(tree, above, 4);
  }
}

/** Signed words to big-endian ones, in place; up to 15 bytes behind them are written as well. */
export function encodeWords(at: usize, size: usize): void {
  for (const end = at + size; at < end; at += 16) v128.store(at, swapWords(v128.load(at)));
}

/** Signed halves to unsigned big-endian ones, in place; up to 15 bytes behind them are written as well. */
export function encodeHalves(at: usize, size: usize): void {
  const sign = i16x8.splat(-0x8000);
  for (const end = at + size; at < end; at += 16) {
    const x = v128.xor(v128.load(at), sign);
    v128.store(at, v128.shuffle<i8>(x, x, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14));
  }
}
