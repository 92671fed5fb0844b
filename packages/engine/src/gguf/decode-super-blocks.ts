/**
 * Decoders of the "K" storage types: super-blocks of 256 elements with float16 scales, and within them groups of 16 or
 * 32 elements whose own scales are integers of 4, 6 or 8 bits.
 *
 * As with the small blocks, a product scale * group scale * quant fits 24 bits, so a value is rounded at most once,
 * where the group's minimum is subtracted. Layouts follow ggml's reference.
 */
import type { FloatDecoder } from './decode-blocks.js';
import { float16ToFloat32 } from './half.js';

/** Elements of a super-block. */
const BLOCK = 256;

/** Decodes one super-block: `block` has its bytes, `out` takes its 256 values. */
type BlockDecoder = (block: Uint8Array, out: Float32Array) => void;

export const decodeQ2K = decoderOf(84, decodeQ2Block);
export const decodeQ3K = decoderOf(110, decodeQ3Block);
export const decodeQ4K = decoderOf(144, decodeQ4Block);
export const decodeQ5K = decoderOf(176, decodeQ5Block);
export const decodeQ6K = decoderOf(210, decodeQ6Block);

function decoderOf(blockBytes: number, decode: BlockDecoder): FloatDecoder {
  return (bytes, elementCount) => {
    const values = new Float32Array(elementCount);
    for (let block = 0; block < elementCount / BLOCK; block++) {
      const from = block * blockBytes;
      decode(
        bytes.subarray(from, from + blockBytes),
        values.subarray(block * BLOCK, (block + 1) * BLOCK),
      );
    }
    return values;
  };
}

const half = (block: Uint8Array, at: number): number =>
  float16ToFloat32(block[at]! | (block[at + 1]! << 8));

/**
 * | bytes | Q2_K                                                        |
 * |-------|-------------------------------------------------------------|
 * | 0     | 16 groups of 16: scale in the low nibble, minimum in the high |
 * | 16    | 2-bit quants: byte 32 * (i / 128) + i % 32, bits 2 * (i / 32 % 4) |
 * | 80    | float16 scale, float16 minimum                              |
 */
function decodeQ2Block(block: Uint8Array, out: Float32Array): void {
  const scale = half(block, 80);
  const minimum = half(block, 82);
  for (let i = 0; i < BLOCK; i++) {
    const group = block[i >> 4]!;
    const quant = (block[16 + pairByte(i)]! >> pairShift(i)) & 3;
    out[i] = scale * (group & 15) * quant - minimum * (group >> 4);
  }
}

/**
 * | bytes | Q3_K                                                             |
 * |-------|------------------------------------------------------------------|
 * | 0     | high bits, stored inverted: byte i % 32, bit i / 32              |
 * | 32    | low 2 bits, as in Q2_K                                           |
 * | 96    | 16 group scales of 6 bits plus 32: nibbles in 8 bytes, top bits in 4 |
 * | 108   | float16 scale                                                    |
 */
function decodeQ3Block(block: Uint8Array, out: Float32Array): void {
  const scale = half(block, 108);
  for (let i = 0; i < BLOCK; i++) {
    const group = i >> 4;
    const nibble = (block[96 + (group & 7)]! >> (group < 8 ? 0 : 4)) & 15;
    const top = (block[104 + (group & 3)]! >> (2 * (group >> 2))) & 3;
    const low = (block[32 + pairByte(i)]! >> pairShift(i)) & 3;
    const high = (block[i & 31]! >> (i >> 5)) & 1;
    out[i] = scale * ((nibble | (top << 4)) - 32) * (low - (high === 1 ? 0 : 4));
  }
}

/** Byte and shift of element i where four elements, 32 apart, share a byte. */
const pairByte = (i: number): number => 32 * (i >> 7) + (i & 31);
const pairShift = (i: number): number => 2 * ((i >> 5) & 3);

/**
 * | bytes | Q4_K                                                        |
 * |-------|-------------------------------------------------------------|
 * | 0     | float16 scale, float16 minimum                              |
 * | 4     | 8 groups of 32: 6-bit scales and minima, see {@link groupScale} |
 * | 16    | nibbles: byte 32 * (i / 64) + i % 32, high ones for odd groups |
 */
function decodeQ4Block(block: Uint8Array, out: Float32Array): void {
  decodeGroupsOf32(block, out, (i) => nibble(block, 16, i));
}

/** As Q4_K with the fifth bits in between: byte 16 + i % 32, bit i / 32; nibbles from byte 48. */
function decodeQ5Block(block: Uint8Array, out: Float32Array): void {
  const high = (i: number) => (block[16 + (i & 31)]! >> (i >> 5)) & 1;
  decodeGroupsOf32(block, out, (i) => nibble(block, 48, i) | (high(i) << 4));
}

const nibble = (block: Uint8Array, at: number, i: number): number =>
  (block[at + 32 * (i >> 6) + (i & 31)]! >> ((i >> 5) & 1 ? 4 : 0)) & 15;

function decodeGroupsOf32(
  block: Uint8Array,
  out: Float32Array,
  quantAt: (index: number) => number,
): void {
  const scale = half(block, 0);
  const minimum = half(block, 2);
  for (let group = 0; group < 8; group++) {
    const groupFactor = scale * groupScale(block, group);
    const offset = minimum * groupMinimum(block, group);
    for (let i = 32 * group; i < 32 * (group + 1); i++) out[i] = groupFactor * quantAt(i) - offset;
  }
}

/** Groups 0 to 3 have their 6 bits in one byte; of groups 4 to 7 the top 2 bits lie above those of group - 4. */
const groupScale = (block: Uint8Array, group: number): number =>
  group < 4 ? block[4 + group]! & 63 : (block[8 + group]! & 15) | ((block[group]! >> 6) << 4);

const groupMinimum = (block: Uint8Array, group: number): number =>
  group < 4 ? block[8 + group]! & 63 : (block[8 + group]! >> 4) | ((block[4 + group]! >> 6) << 4);

/**
 * | bytes | Q6_K                                                               |
 * |-------|--------------------------------------------------------------------|
 * | 0     | low nibbles: byte 64 * (i / 128) + i % 64, high ones for i / 64 odd |
 * | 128   | top 2 bits: byte 32 * (i / 128) + i % 32, bits 2 * (i / 32 % 4)    |
 * | 192   | 16 signed group scales                                             |
 * | 208   | float16 scale                                                      |
 */
function decodeQ6Block(block: Uint8Array, out: Float32Array): void {
  const scale = half(block, 208);
  for (let i = 0; i < BLOCK; i++) {
    const group = (block[192 + (i >> 4)]! << 24) >> 24;
    const low = (block[64 * (i >> 7) + (i & 63)]! >> ((i >> 6) & 1 ? 4 : 0)) & 15;
    const top = (block[128 + pairByte(i)]! >> pairShift(i)) & 3;
    out[i] = scale * group * ((low | (top << 4)) - 32);
  }
}
