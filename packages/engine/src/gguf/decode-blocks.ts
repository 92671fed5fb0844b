/**
 * Decoders of the 4- and 5-bit storage types with blocks of 32: a float16 scale, for two of them a float16 offset, the
 * fifth bits where there are any, then 16 bytes of low nibbles (elements 0 to 15) and high nibbles (16 to 31).
 *
 * Every product of a scale and a quant fits the 24 bits of a float32, so a value is rounded once, where the offset is
 * added: the order of operations and fused multiplication cannot change it. Layouts follow ggml's reference.
 */
import { float16ToFloat32 } from './half.js';

/** Elements of a block. */
const BLOCK = 32;

/** How a type differs: `bits` per element; `offset` if a minimum is stored, otherwise quants are centred on zero. */
type BlockLayout = { readonly bits: 4 | 5; readonly offset: boolean };

/** Values of one tensor. */
export type FloatDecoder = (bytes: Uint8Array, elementCount: number) => Float32Array;

export const decodeQ4Centred = decoderOf({ bits: 4, offset: false });
export const decodeQ4Offset = decoderOf({ bits: 4, offset: true });
export const decodeQ5Centred = decoderOf({ bits: 5, offset: false });
export const decodeQ5Offset = decoderOf({ bits: 5, offset: true });

function decoderOf({ bits, offset }: BlockLayout): FloatDecoder {
  const highAt = offset ? 4 : 2;
  const nibblesAt = highAt + (bits === 5 ? 4 : 0);
  const blockBytes = nibblesAt + BLOCK / 2;
  const centre = offset ? 0 : 1 << (bits - 1);
  return (bytes, elementCount) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const values = new Float32Array(elementCount);
    for (let block = 0; block < elementCount / BLOCK; block++) {
      const start = block * blockBytes;
      const scale = float16ToFloat32(view.getUint16(start, true));
      // Adding -0 keeps every value as it is, the sign of a zero included.
      const minimum = offset ? float16ToFloat32(view.getUint16(start + 2, true)) : -0;
      const high = bits === 5 ? view.getUint32(start + highAt, true) : 0;
      for (let i = 0; i < BLOCK; i++) {
        const pair = bytes[start + nibblesAt + (i & 15)]!;
        const low = i < 16 ? pair & 15 : pair >> 4;
        const quant = (low | (((high >>> i) & 1) << 4)) - centre;
        values[block * BLOCK + i] = quant * scale + minimum;
      }
    }
    return values;
  };
}
