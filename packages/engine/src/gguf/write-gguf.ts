/** Writes GGUF version 3, little-endian. The bytes are a function of the arguments alone: order in, order out. */
import { ggufError } from './gguf-error.js';
import { type GgufArray, type GgufMetadata, type GgufValue, VALUE_TYPES } from './metadata.js';
import { ALIGNMENT_DEFAULT } from './read-gguf.js';
import { tensorTypeByName } from './tensor-types.js';

/** A tensor to write. `dims[0]` is the contiguous dimension; `bytes` are in the layout of `type`. */
export type TensorToWrite = {
  readonly name: string;
  readonly dims: readonly number[];
  /** A name of the type table, such as `Q8_0`. */
  readonly type: string;
  readonly bytes: Uint8Array;
};

const encoder = new TextEncoder();

/** Bytes of a whole model file. `metadata` may set `general.alignment`; the default is 32. */
export function writeGguf(options: {
  readonly metadata: GgufMetadata;
  readonly tensors: readonly TensorToWrite[];
}): Uint8Array {
  const declared = options.metadata.get('general.alignment');
  const alignment = declared === undefined ? ALIGNMENT_DEFAULT : Number(declared.value);
  const align = (offset: number) => Math.ceil(offset / alignment) * alignment;
  const header = byteWriter();
  header.uint32(0x46554747);
  header.uint32(3);
  header.uint64(options.tensors.length);
  header.uint64(options.metadata.size);
  for (const [key, value] of options.metadata) {
    header.text(key);
    header.uint32(VALUE_TYPES.indexOf(value.type));
    writeValue(header, value);
  }
  let offset = 0;
  for (const tensor of options.tensors) {
    writeTensorRecord(header, tensor, offset);
    offset = align(offset + tensor.bytes.length);
  }
  const dataStart = align(header.size());
  const file = new Uint8Array(dataStart + offset);
  header.copyTo(file);
  let position = dataStart;
  for (const { bytes } of options.tensors) {
    file.set(bytes, position);
    position = align(position + bytes.length);
  }
  return file;
}

function writeTensorRecord(header: ByteWriter, tensor: TensorToWrite, offset: number): void {
  const type = tensorTypeByName(tensor.type);
  const count = tensor.dims.reduce((product, length) => product * length, 1);
  if (
    type === undefined ||
    (count / type.blockElements) * type.blockBytes !== tensor.bytes.length
  ) {
    throw ggufError({
      code: 'gguf_bad_shape',
      message: `Tensor ${tensor.name} does not have the bytes of its shape and type.`,
      value: tensor.type,
      remedy: 'Encode the values with encodeTensor first.',
    });
  }
  header.text(tensor.name);
  header.uint32(tensor.dims.length);
  for (const length of tensor.dims) header.uint64(length);
  header.uint32(type.id);
  header.uint64(offset);
}

function writeValue(out: ByteWriter, value: GgufValue): void {
  if (value.type === 'array') writeArray(out, value);
  else if (value.type === 'string') out.text(value.value);
  else out.number(value.type, value.value);
}

function writeArray(out: ByteWriter, array: GgufArray): void {
  out.uint32(VALUE_TYPES.indexOf(array.element));
  out.uint64(array.value.length);
  if (array.element === 'string') for (const text of array.value) out.text(text);
  else if (array.element === 'array') for (const inner of array.value) writeArray(out, inner);
  else for (const number of array.value) out.number(array.element, number);
}

type ByteWriter = ReturnType<typeof byteWriter>;

/** Growing little-endian buffer. */
function byteWriter() {
  let bytes = new Uint8Array(4_096);
  let view = new DataView(bytes.buffer);
  let size = 0;
  const reserve = (length: number): number => {
    const start = size;
    size += length;
    if (size > bytes.length) {
      const grown = new Uint8Array(2 * size);
      grown.set(bytes);
      bytes = grown;
      view = new DataView(bytes.buffer);
    }
    return start;
  };
  const uint64 = (value: number) => {
    const at = reserve(8);
    view.setBigUint64(at, BigInt(value), true);
  };
  return {
    size: () => size,
    copyTo: (target: Uint8Array) => target.set(bytes.subarray(0, size)),
    uint64,
    uint32(value: number) {
      const at = reserve(4);
      view.setUint32(at, value, true);
    },
    text(value: string) {
      const encoded = encoder.encode(value);
      uint64(encoded.length);
      const at = reserve(encoded.length);
      bytes.set(encoded, at);
    },
    number(type: Exclude<GgufValue['type'], 'string' | 'array'>, value: number | bigint | boolean) {
      const { size: length, set } = NUMBER_WRITERS[type];
      const at = reserve(length);
      set(view, at, value);
    },
  };
}

type NumberWriter = {
  readonly size: number;
  readonly set: (view: DataView, at: number, value: number | bigint | boolean) => void;
};

const NUMBER_WRITERS: Readonly<
  Record<Exclude<GgufValue['type'], 'string' | 'array'>, NumberWriter>
> = {
  uint8: { size: 1, set: (view, at, value) => view.setUint8(at, Number(value)) },
  int8: { size: 1, set: (view, at, value) => view.setInt8(at, Number(value)) },
  bool: { size: 1, set: (view, at, value) => view.setUint8(at, Number(value)) },
  uint16: { size: 2, set: (view, at, value) => view.setUint16(at, Number(value), true) },
  int16: { size: 2, set: (view, at, value) => view.setInt16(at, Number(value), true) },
  uint32: { size: 4, set: (view, at, value) => view.setUint32(at, Number(value), true) },
  int32: { size: 4, set: (view, at, value) => view.setInt32(at, Number(value), true) },
  float32: { size: 4, set: (view, at, value) => view.setFloat32(at, Number(value), true) },
  float64: { size: 8, set: (view, at, value) => view.setFloat64(at, Number(value), true) },
  uint64: { size: 8, set: (view, at, value) => view.setBigUint64(at, BigInt(value), true) },
  int64: { size: 8, set: (view, at, value) => view.setBigInt64(at, BigInt(value), true) },
};
