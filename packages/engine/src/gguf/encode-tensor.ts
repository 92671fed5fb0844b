/** Real numbers into the storage types that we write. Reading is in the type table. */

import { ggufError } from './gguf-error.js';
import { float32ToBfloat16, float32ToFloat16 } from './half.js';
import { Q8_BLOCK_BYTES, Q8_BLOCK_ELEMENTS } from './tensor-types.js';

/** Storage types that {@link encodeTensor} writes. */
export type WritableType = 'F32' | 'F16' | 'BF16' | 'Q8_0';

/** Bytes of `values` in the layout of `type`; `Q8_0` needs a multiple of 32 values. */
export function encodeTensor(type: WritableType, values: Float32Array): Uint8Array {
  if (type === 'Q8_0') return encodeQ8(values);
  if (type === 'F32') return encodeWords(values, 4, (view, at, x) => view.setFloat32(at, x, true));
  const narrow = type === 'F16' ? float32ToFloat16 : float32ToBfloat16;
  return encodeWords(values, 2, (view, at, x) => view.setUint16(at, narrow(x), true));
}

function encodeWords(
  values: Float32Array,
  size: number,
  set: (view: DataView, at: number, value: number) => void,
): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * size));
  values.forEach((value, index) => {
    set(view, index * size, value);
  });
  return new Uint8Array(view.buffer);
}

/** Blocks of 32: scale = largest magnitude / 127 as float16, then each value to the nearest multiple. */
function encodeQ8(values: Float32Array): Uint8Array {
  if (values.length % Q8_BLOCK_ELEMENTS !== 0) {
    throw ggufError({
      code: 'gguf_bad_shape',
      message: `Q8_0 needs a multiple of ${Q8_BLOCK_ELEMENTS} values.`,
      value: values.length,
      remedy: 'Store this tensor as F32.',
    });
  }
  const blockCount = values.length / Q8_BLOCK_ELEMENTS;
  const view = new DataView(new ArrayBuffer(blockCount * Q8_BLOCK_BYTES));
  for (let block = 0; block < blockCount; block++) {
    const from = block * Q8_BLOCK_ELEMENTS;
    const row = values.subarray(from, from + Q8_BLOCK_ELEMENTS);
    const scale = row.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) / 127;
    const at = block * Q8_BLOCK_BYTES;
    view.setUint16(at, float32ToFloat16(scale), true);
    row.forEach((value, index) => {
      view.setInt8(at + 2 + index, scale === 0 ? 0 : Math.round(value / scale));
    });
  }
  return new Uint8Array(view.buffer);
}
