// SHA-256 (FIPS 180-4, sections 4.1.2 and 6.2) of four messages at a time, one per lane. It works in memory that it is
// given: `hasher` is where that begins, and the caller wrote the constants there. It knows no leaves and no trees.

/** Of the hasher's memory: 64 round constants (section 4.2.2) and the initial hash (section 5.3.3), 4 bytes each. */
const CONSTANTS: usize = 0;
const INITIAL: usize = 256;
/** 64 words of the message schedule with their constants added, four lanes each. */
export const SCHEDULE: usize = 512;
/** Eight words of the state, four lanes each. */
const STATE: usize = 1536;
/** Bytes of all this. */
export const LANES_SIZE: usize = 1664;

export const BLOCK: usize = 64;
export const LANES: usize = 4;

// @ts-ignore: decorator
@inline
function rotate(x: v128, by: i32): v128 {
  return v128.or(i32x4.shr_u(x, by), i32x4.shl(x, 32 - by));
}

/** sigma0 of the schedule. */
// @ts-ignore: decorator
@inline
function early(x: v128): v128 {
  return v128.xor(v128.xor(rotate(x, 7), rotate(x, 18)), i32x4.shr_u(x, 3));
}

/** sigma1 of the schedule. */
// @ts-ignore: decorator
@inline
function late(x: v128): v128 {
  return v128.xor(v128.xor(rotate(x, 17), rotate(x, 19)), i32x4.shr_u(x, 10));
}

/** The whole schedule from its first 16 words. Every address is a base and an offset that the instruction holds. */
export function expandSchedule(hasher: usize): void {
  let at = hasher + SCHEDULE;
  let k = hasher + CONSTANTS;
  for (const end = at + 768; at < end; at += 64, k += 16) {
    const w0 = v128.load(at);
    const w1 = v128.load(at, 16);
    const w2 = v128.load(at, 32);
    const w3 = v128.load(at, 48);
    const w16 = i32x4.add(i32x4.add(w0, early(w1)), i32x4.add(v128.load(at, 144), late(v128.load(at, 224))));
    const w17 = i32x4.add(i32x4.add(w1, early(w2)), i32x4.add(v128.load(at, 160), late(v128.load(at, 240))));
    v128.store(at, w16, 256);
    v128.store(at, w17, 272);
    v128.store(at, i32x4.add(w0, v128.load32_splat(k)));
    v128.store(at, i32x4.add(w1, v128.load32_splat(k, 4)), 16);
    const w18 = i32x4.add(i32x4.add(w2, early(w3)), i32x4.add(v128.load(at, 176), late(w16)));
    const w19 = i32x4.add(i32x4.add(w3, early(v128.load(at, 64))), i32x4.add(v128.load(at, 192), late(w17)));
    v128.store(at, w18, 288);
    v128.store(at, w19, 304);
    v128.store(at, i32x4.add(w2, v128.load32_splat(k, 8)), 32);
    v128.store(at, i32x4.add(w3, v128.load32_splat(k, 12)), 48);
  }
  for (const end = at + 256; at < end; at += 16, k += 4) {
    v128.store(at, i32x4.add(v128.load(at), v128.load32_splat(k)));
  }
}

/** h + Sigma1(e) + Ch(e, f, g) + a word of the schedule. */
// @ts-ignore: decorator
@inline
function firstSum(h: v128, e: v128, f: v128, g: v128, word: v128): v128 {
  const sigma = v128.xor(v128.xor(rotate(e, 6), rotate(e, 11)), rotate(e, 25));
  const choice = v128.xor(g, v128.and(e, v128.xor(f, g)));
  return i32x4.add(i32x4.add(h, word), i32x4.add(sigma, choice));
}

/** Sigma0(a) + Maj(a, b, c), with `ab` = a ^ b and `bc` = b ^ c, of which the next round knows one. */
// @ts-ignore: decorator
@inline
function secondSum(a: v128, b: v128, ab: v128, bc: v128): v128 {
  const sigma = v128.xor(v128.xor(rotate(a, 2), rotate(a, 13)), rotate(a, 22));
  return i32x4.add(sigma, v128.xor(b, v128.and(ab, bc)));
}

/** The state after the block whose schedule is there. */
export function compress(hasher: usize): void {
  const state = hasher + STATE;
  let a = v128.load(state);
  let b = v128.load(state, 16);
  let c = v128.load(state, 32);
  let d = v128.load(state, 48);
  let e = v128.load(state, 64);
  let f = v128.load(state, 80);
  let g = v128.load(state, 96);
  let h = v128.load(state, 112);
  let odd = v128.xor(b, c);
  let even: v128;
  let sum: v128;
  let at = hasher + SCHEDULE;
  for (const end = at + 1024; at < end; at += 128) {
    sum = firstSum(h, e, f, g, v128.load(at));
    d = i32x4.add(d, sum);
    even = v128.xor(a, b);
    h = i32x4.add(sum, secondSum(a, b, even, odd));
    sum = firstSum(g, d, e, f, v128.load(at, 16));
    c = i32x4.add(c, sum);
    odd = v128.xor(h, a);
    g = i32x4.add(sum, secondSum(h, a, odd, even));
    sum = firstSum(f, c, d, e, v128.load(at, 32));
    b = i32x4.add(b, sum);
    even = v128.xor(g, h);
    f = i32x4.add(sum, secondSum(g, h, even, odd));
    sum = firstSum(e, b, c, d, v128.load(at, 48));
    a = i32x4.add(a, sum);
    odd = v128.xor(f, g);
    e = i32x4.add(sum, secondSum(f, g, odd, even));
    sum = firstSum(d, a, b, c, v128.load(at, 64));
    h = i32x4.add(h, sum);
    even = v128.xor(e, f);
    d = i32x4.add(sum, secondSum(e, f, even, odd));
    sum = firstSum(c, h, a, b, v128.load(at, 80));
    g = i32x4.add(g, sum);
    odd = v128.xor(d, e);
    c = i32x4.add(sum, secondSum(d, e, odd, even));
    sum = firstSum(b, g, h, a, v128.load(at, 96));
    f = i32x4.add(f, sum);
    even = v128.xor(c, d);
    b = i32x4.add(sum, secondSum(c, d, even, odd));
    sum = firstSum(a, f, g, h, v128.load(at, 112));
    e = i32x4.add(e, sum);
    odd = v128.xor(b, c);
    a = i32x4.add(sum, secondSum(b, c, odd, even));
  }
  v128.store(state, i32x4.add(v128.load(state), a));
  v128.store(state, i32x4.add(v128.load(state, 16), b), 16);
  v128.store(state, i32x4.add(v128.load(state, 32), c), 32);
  v128.store(state, i32x4.add(v128.load(state, 48), d), 48);
  v128.store(state, i32x4.add(v128.load(state, 64), e), 64);
  v128.store(state, i32x4.add(v128.load(state, 80), f), 80);
  v128.store(state, i32x4.add(v128.load(state, 96), g), 96);
  v128.store(state, i32x4.add(v128.load(state, 112), h), 112);
}

export function startState(hasher: usize): void {
  for (let i: usize = 0; i < 8; i++) {
    v128.store(hasher + STATE + (i << 4), v128.load32_splat(hasher + INITIAL + (i << 2)));
  }
}

/** Four big-endian words. */
// @ts-ignore: decorator
@inline
export function swapWords(x: v128): v128 {
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

/** One block of each lane as the first words of the schedule. */
export function loadBlocks(hasher: usize, p0: usize, p1: usize, p2: usize, p3: usize): void {
  const to = hasher + SCHEDULE;
  for (let i: usize = 0; i < BLOCK; i += 16) {
    storeColumns(
      swapWords(v128.load(p0 + i)), swapWords(v128.load(p1 + i)),
      swapWords(v128.load(p2 + i)), swapWords(v128.load(p3 + i)), to + (i << 2),
    );
  }
}

/** A whole schedule of each lane, 64 words that lie one after the other. */
export function loadSchedules(hasher: usize, p0: usize, p1: usize, p2: usize, p3: usize): void {
  let to = hasher + SCHEDULE;
  for (const end = p0 + 256; p0 < end; p0 += 16, p1 += 16, p2 += 16, p3 += 16, to += 64) {
    storeColumns(v128.load(p0), v128.load(p1), v128.load(p2), v128.load(p3), to);
  }
}

/** `prefix` as first byte of every lane's block. */
// @ts-ignore: decorator
@inline
export function setPrefix(hasher: usize, prefix: u32): void {
  const at = hasher + SCHEDULE;
  const rest = v128.and(v128.load(at), i32x4.splat(0x00ff_ffff));
  v128.store(at, v128.or(rest, i32x4.splat(prefix << 24)));
}

/** The hashes of the first `count` lanes; `targets` says where to. */
export function storeHashes(hasher: usize, targets: usize, count: usize): void {
  const state = hasher + STATE;
  const rows = hasher + SCHEDULE;
  storeColumns(
    v128.load(state), v128.load(state, 16), v128.load(state, 32), v128.load(state, 48), rows,
  );
  storeColumns(
    v128.load(state, 64), v128.load(state, 80), v128.load(state, 96), v128.load(state, 112), rows + 64,
  );
  for (let lane: usize = 0; lane < count; lane++) {
    const to = load<usize>(targets + (lane << 2));
    v128.store(to, swapWords(v128.load(rows + (lane << 4))));
    v128.store(to, swapWords(v128.load(rows + 64 + (lane << 4))), 16);
  }
}
