/**
 * ChaCha8 blocks as a counter-based random function: 16 words for (seed, position, block), RFC 8439 layout with eight
 * rounds. It only adds, rotates and xors 32-bit words, so 16 tokens cost about 400 such steps in WebAssembly or in the
 * EVM; the whole 32-byte seed is the key, and no word depends on another having been drawn.
 */

/** Rounds of the sampling noise; 8 is the least that is unbroken, with a margin (Aumasson, "Too Much Crypto", 2019). */
export const NOISE_ROUNDS = 8;

/** "expand 32-byte k", little-endian. */
const CONSTANTS = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574] as const;

/** The 12 words before the counter: constants, then the 32-byte key in little-endian words. */
export function chachaKey(seed: Uint8Array): Uint32Array {
  const view = new DataView(seed.buffer, seed.byteOffset, seed.byteLength);
  return Uint32Array.from({ length: 12 }, (_, i) =>
    i < 4 ? CONSTANTS[i]! : view.getUint32((i - 4) * 4, true),
  );
}

/** Writes block (`counter`, nonce words) into `block`, 16 words. */
export function chachaBlock(
  key: Uint32Array,
  counter: number,
  options: {
    readonly nonce: readonly [number, number, number];
    readonly rounds?: number;
    readonly block?: Uint32Array;
  },
): Uint32Array {
  const state = new Uint32Array(16);
  state.set(key);
  state[12] = counter;
  state.set(options.nonce, 13);
  const block = options.block ?? new Uint32Array(16);
  block.set(state);
  for (let round = 0; round < (options.rounds ?? NOISE_ROUNDS); round += 2) doubleRound(block);
  for (let i = 0; i < 16; i++) block[i] = block[i]! + state[i]!;
  return block;
}

/** Four columns, then four diagonals. */
function doubleRound(x: Uint32Array): void {
  quarterRound(x, 0, 4, 8, 12);
  quarterRound(x, 1, 5, 9, 13);
  quarterRound(x, 2, 6, 10, 14);
  quarterRound(x, 3, 7, 11, 15);
  quarterRound(x, 0, 5, 10, 15);
  quarterRound(x, 1, 6, 11, 12);
  quarterRound(x, 2, 7, 8, 13);
  quarterRound(x, 3, 4, 9, 14);
}

function quarterRound(x: Uint32Array, a: number, b: number, c: number, d: number): void {
  x[a] = x[a]! + x[b]!;
  x[d] = rotateLeft(x[d]! ^ x[a]!, 16);
  x[c] = x[c]! + x[d]!;
  x[b] = rotateLeft(x[b]! ^ x[c]!, 12);
  x[a] = x[a]! + x[b]!;
  x[d] = rotateLeft(x[d]! ^ x[a]!, 8);
  x[c] = x[c]! + x[d]!;
  x[b] = rotateLeft(x[b]! ^ x[c]!, 7);
}

const rotateLeft = (x: number, count: number): number => (x << count) | (x >>> (32 - count));
