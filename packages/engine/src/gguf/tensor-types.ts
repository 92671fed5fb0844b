/**
 * Storage types of GGUF tensors: elements per block, bytes per block and, where this engine reads it, the decoder.
 *
 * Numbers and block layouts follow ggml's public type list. A type without a decoder can be listed but not loaded.
 */
import {
  decodeQ4Centred,
  decodeQ4Offset,
  decodeQ5Centred,
  decodeQ5Offset,
  type FloatDecoder,
} from './decode-blocks.js';
import { decodeQ2K, decodeQ3K, decodeQ4K, decodeQ5K, decodeQ6K } from './decode-super-blocks.js';
import { bfloat16ToFloat32, float16ToFloat32 } from './half.js';

/**
 * Values of a tensor. `q8` keeps the 8-bit blocks as they are: weight = quants[i] * scale[i / 32], with scales as the
 * float16 bits of the file, because the engine converts them exactly; `float` is everything else.
 */
export type TensorValues =
  | { readonly kind: 'float'; readonly values: Float32Array }
  | { readonly kind: 'q8'; readonly quants: Int8Array; readonly scales: Uint16Array };

/** One row of the table. */
export type TensorType = {
  readonly id: number;
  readonly name: string;
  readonly blockElements: number;
  readonly blockBytes: number;
  readonly decode?: (bytes: Uint8Array, elementCount: number) => TensorValues;
};

/** Elements of a Q8_0 block: one float16 scale, then 32 signed bytes. */
export const Q8_BLOCK_ELEMENTS = 32;
export const Q8_BLOCK_BYTES = 34;

const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function decodeF32(bytes: Uint8Array, elementCount: number): TensorValues {
  const words = view(bytes);
  const values = new Float32Array(elementCount);
  for (let index = 0; index < elementCount; index++) {
    values[index] = words.getFloat32(4 * index, true);
  }
  return { kind: 'float', values };
}

/** Decoder of 16-bit floats: by a table of all of them, made on first use, which is ten times as fast. */
function decodeSixteen(widen: (bits: number) => number) {
  let table: Float32Array | undefined;
  return (bytes: Uint8Array, elementCount: number): TensorValues => {
    table ??= Float32Array.from({ length: 65_536 }, (_, bits) => widen(bits));
    const values = new Float32Array(elementCount);
    for (let index = 0; index < elementCount; index++) {
      values[index] = table[bytes[2 * index]! | (bytes[2 * index + 1]! << 8)]!;
    }
    return { kind: 'float', values };
  };
}

function decodeQ8(bytes: Uint8Array, elementCount: number): TensorValues {
  const blockCount = elementCount / Q8_BLOCK_ELEMENTS;
  const words = view(bytes);
  const signed = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const scales = new Uint16Array(blockCount);
  const quants = new Int8Array(elementCount);
  for (let block = 0; block < blockCount; block++) {
    const start = block * Q8_BLOCK_BYTES;
    scales[block] = words.getUint16(start, true);
    quants.set(signed.subarray(start + 2, start + Q8_BLOCK_BYTES), block * Q8_BLOCK_ELEMENTS);
  }
  return { kind: 'q8', quants, scales };
}

const floats =
  (decode: FloatDecoder) =>
  (bytes: Uint8Array, elementCount: number): TensorValues => ({
    kind: 'float',
    values: decode(bytes, elementCount),
  });

/** Every type that the reader can size. */
export const TENSOR_TYPES: readonly TensorType[] = [
  { id: 0, name: 'F32', blockElements: 1, blockBytes: 4, decode: decodeF32 },
  { id: 1, name: 'F16', blockElements: 1, blockBytes: 2, decode: decodeSixteen(float16ToFloat32) },
  { id: 2, name: 'Q4_0', blockElements: 32, blockBytes: 18, decode: floats(decodeQ4Centred) },
  { id: 3, name: 'Q4_1', blockElements: 32, blockBytes: 20, decode: floats(decodeQ4Offset) },
  { id: 6, name: 'Q5_0', blockElements: 32, blockBytes: 22, decode: floats(decodeQ5Centred) },
  { id: 7, name: 'Q5_1', blockElements: 32, blockBytes: 24, decode: floats(decodeQ5Offset) },
  {
    id: 8,
    name: 'Q8_0',
    blockElements: Q8_BLOCK_ELEMENTS,
    blockBytes: Q8_BLOCK_BYTES,
    decode: decodeQ8,
  },
  { id: 10, name: 'Q2_K', blockElements: 256, blockBytes: 84, decode: floats(decodeQ2K) },
  { id: 11, name: 'Q3_K', blockElements: 256, blockBytes: 110, decode: floats(decodeQ3K) },
  { id: 12, name: 'Q4_K', blockElements: 256, blockBytes: 144, decode: floats(decodeQ4K) },
  { id: 13, name: 'Q5_K', blockElements: 256, blockBytes: 176, decode: floats(decodeQ5K) },
  { id: 14, name: 'Q6_K', blockElements: 256, blockBytes: 210, decode: floats(decodeQ6K) },
  { id: 24, name: 'I8', blockElements: 1, blockBytes: 1 },
  { id: 25, name: 'I16', blockElements: 1, blockBytes: 2 },
  { id: 26, name: 'I32', blockElements: 1, blockBytes: 4 },
  { id: 27, name: 'I64', blockElements: 1, blockBytes: 8 },
  { id: 28, name: 'F64', blockElements: 1, blockBytes: 8 },
  {
    id: 30,
    name: 'BF16',
    blockElements: 1,
    blockBytes: 2,
    decode: decodeSixteen(bfloat16ToFloat32),
  },
];

const BY_ID = new Map(TENSOR_TYPES.map((type) => [type.id, type]));
const BY_NAME = new Map(TENSOR_TYPES.map((type) => [type.name, type]));

/** The type with this number in the file, or undefined. */
export const tensorTypeById = (id: number): TensorType | undefined => BY_ID.get(id);

/** The type with this name, or undefined. */
export const tensorTypeByName = (name: string): TensorType | undefined => BY_NAME.get(name);
