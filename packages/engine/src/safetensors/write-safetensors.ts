/** Writes a safetensors file. The bytes are a function of the arguments alone: order in, order out. */
import { encodeTensor, type WritableType } from '../gguf/encode-tensor.js';

/** Types that are written. */
export type SafetensorsType = Exclude<WritableType, 'Q8_0'>;

/** A tensor to write; its values are asked for once, so that only one tensor need be in memory as floats. */
export type SafetensorsToWrite = {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: () => Float32Array;
};

/** Data begins at a multiple of this, so that a reader can map it. */
const ALIGNMENT = 8;

const BYTES: Readonly<Record<SafetensorsType, number>> = { F32: 4, F16: 2, BF16: 2 };

/** Bytes of the file, every tensor stored as `dtype`. */
export function writeSafetensors(options: {
  readonly dtype: SafetensorsType;
  readonly tensors: readonly SafetensorsToWrite[];
}): Uint8Array {
  const { dtype, tensors } = options;
  const entries: [string, unknown][] = [['__metadata__', { format: 'pt' }]];
  let size = 0;
  for (const { name, shape } of tensors) {
    const end = size + shape.reduce((product, length) => product * length, BYTES[dtype]);
    entries.push([name, { dtype, shape, data_offsets: [size, end] }]);
    size = end;
  }
  const header = encodeHeader(Object.fromEntries(entries));
  const file = new Uint8Array(8 + header.length + size);
  new DataView(file.buffer).setBigUint64(0, BigInt(header.length), true);
  file.set(header, 8);
  let position = 8 + header.length;
  for (const { values } of tensors) {
    const bytes = encodeTensor(dtype, values());
    file.set(bytes, position);
    position += bytes.length;
  }
  return file;
}

/** JSON, with spaces up to the alignment. */
function encodeHeader(header: object): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = new Uint8Array(Math.ceil(json.length / ALIGNMENT) * ALIGNMENT).fill(0x20);
  padded.set(json);
  return padded;
}
