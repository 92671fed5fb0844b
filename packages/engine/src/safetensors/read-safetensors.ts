/**
 * Reads the structure of a safetensors file: 8 bytes with the length of a JSON header, the header, the data. It trusts
 * nothing in the file and knows nothing of what the tensors are for. As the format demands, tensors cover the data
 * without gap or overlap, so no bytes can hide and a name given twice cannot pass unless it says the same.
 */
import { firstNotFinite } from '../gguf/read-gguf.js';
import { type ByteSource, readExact } from '../gguf/source.js';
import { tensorTypeByName } from '../gguf/tensor-types.js';
import {
  DIMENSION_COUNT_MAX,
  ELEMENT_COUNT_MAX,
  HEADER_BYTES_MAX,
  TENSOR_COUNT_MAX,
} from './limits.js';
import { isObject, type JsonObject, parseObject } from './parse-json.js';
import { safetensorsError } from './safetensors-error.js';

/** One tensor of the header; the last dimension is contiguous. */
export type SafetensorsTensor = {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly elementCount: number;
  /** Absolute position in the file. */
  readonly offset: number;
  readonly byteCount: number;
};

/** A file whose structure has been checked; values are read when asked for. */
export type SafetensorsFile = {
  readonly tensors: ReadonlyMap<string, SafetensorsTensor>;
  readonly source: ByteSource;
};

/** Bytes of the header's length. */
const LENGTH_BYTES = 8;
const OPENING_BRACE = 0x7b;
const METADATA_KEY = '__metadata__';

/** Bytes per element of every type that can be sized; of these, floats of 16 and 32 bits can be read. */
const DTYPE_BYTES: ReadonlyMap<string, number> = new Map([
  ['BOOL', 1],
  ['U8', 1],
  ['I8', 1],
  ['F8_E5M2', 1],
  ['F8_E4M3', 1],
  ['I16', 2],
  ['U16', 2],
  ['F16', 2],
  ['BF16', 2],
  ['I32', 4],
  ['U32', 4],
  ['F32', 4],
  ['F64', 8],
  ['I64', 8],
  ['U64', 8],
]);

const READABLE: ReadonlySet<string> = new Set(['F32', 'F16', 'BF16']);

/** Checks and reads the header of `source`. */
export function readSafetensors(source: ByteSource): SafetensorsFile {
  const headerBytes = readHeaderLength(source);
  const bytes = readExact(source, LENGTH_BYTES, headerBytes);
  if (bytes[0] !== OPENING_BRACE) throw badHeader('The header does not begin with a brace.');
  const header = parseObject(bytes, { what: 'header', code: 'safetensors_bad_header' });
  const entries = Object.entries(header).filter(([name]) => name !== METADATA_KEY);
  if (entries.length > TENSOR_COUNT_MAX) {
    throw safetensorsError({
      code: 'safetensors_count_absurd',
      message: `At most ${TENSOR_COUNT_MAX} tensors are accepted.`,
      value: entries.length,
    });
  }
  const dataStart = LENGTH_BYTES + headerBytes;
  const tensors = entries.map(([name, entry]) => readEntry(name, entry, dataStart));
  checkCover(tensors, dataStart, source.size);
  return { tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])), source };
}

/** Reads and widens the values of one tensor, all of them or `count` from `from` on. */
export function readSafetensorsValues(
  file: SafetensorsFile,
  tensor: SafetensorsTensor,
  part: { readonly from: number; readonly count: number } = { from: 0, count: tensor.elementCount },
): Float32Array {
  const { name, dtype } = tensor;
  const decode = READABLE.has(dtype) ? tensorTypeByName(dtype)?.decode : undefined;
  const size = DTYPE_BYTES.get(dtype)!;
  const decoded = decode?.(
    readExact(file.source, tensor.offset + part.from * size, part.count * size),
    part.count,
  );
  if (decoded?.kind !== 'float') {
    throw safetensorsError({
      code: 'safetensors_unsupported_type',
      message: `Tensor ${name} is stored as ${dtype}, which this engine does not read.`,
      value: dtype,
      remedy: 'Use the model in F32, F16 or BF16, or a GGUF file of it.',
    });
  }
  const bad = firstNotFinite(decoded.values);
  if (bad < 0) return decoded.values;
  throw safetensorsError({
    code: 'safetensors_not_finite',
    message: `Element ${part.from + bad} of tensor ${name} is not a finite number.`,
    value: name,
  });
}

function readHeaderLength(source: ByteSource): number {
  if (source.size < LENGTH_BYTES) throw truncated(source.size);
  const bytes = readExact(source, 0, LENGTH_BYTES);
  const length = new DataView(bytes.buffer, bytes.byteOffset, LENGTH_BYTES).getBigUint64(0, true);
  if (length > BigInt(HEADER_BYTES_MAX)) {
    throw safetensorsError({
      code: 'safetensors_header_too_long',
      message: `The header is declared with ${length} bytes; at most ${HEADER_BYTES_MAX} are accepted.`,
      value: length,
    });
  }
  if (LENGTH_BYTES + Number(length) > source.size) throw truncated(source.size);
  return Number(length);
}

function readEntry(name: string, entry: unknown, dataStart: number): SafetensorsTensor {
  if (!isObject(entry)) throw badHeader(`The entry of ${name} is not an object.`, name);
  const { dtype } = entry;
  const size = typeof dtype === 'string' ? DTYPE_BYTES.get(dtype) : undefined;
  if (typeof dtype !== 'string' || size === undefined) {
    throw safetensorsError({
      code: 'safetensors_unsupported_type',
      message: `Tensor ${name} has an unknown type.`,
      value: dtype,
      remedy: 'Use the model in F32, F16 or BF16.',
    });
  }
  const shape = readShape(name, entry);
  const elementCount = shape.reduce((product, length) => product * length, 1);
  if (elementCount > ELEMENT_COUNT_MAX) throw badShape(name);
  const [begin, end] = readOffsets(name, entry);
  const byteCount = elementCount * size;
  if (end - begin !== byteCount) {
    throw safetensorsError({
      code: 'safetensors_bad_offsets',
      message: `Tensor ${name} has ${end - begin} bytes where its shape needs ${byteCount}.`,
      value: name,
    });
  }
  return { name, dtype, shape, elementCount, byteCount, offset: dataStart + begin };
}

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0;

function readShape(name: string, { shape }: JsonObject): readonly number[] {
  if (!Array.isArray(shape) || shape.length > DIMENSION_COUNT_MAX) throw badShape(name);
  if (!shape.every(isCount)) throw badShape(name);
  // SAFETY: each below 2^40, so that no product of a few is NaN; a product beyond 2^53 is only compared.
  if (shape.some((length) => length > ELEMENT_COUNT_MAX)) throw badShape(name);
  return shape;
}

function readOffsets(name: string, entry: JsonObject): readonly [begin: number, end: number] {
  const offsets = entry.data_offsets;
  if (Array.isArray(offsets) && offsets.length === 2 && offsets.every(isCount)) {
    const [begin, end] = offsets as [number, number];
    if (begin <= end) return [begin, end];
  }
  throw safetensorsError({
    code: 'safetensors_bad_offsets',
    message: `Tensor ${name} does not state where its bytes begin and end.`,
    value: name,
  });
}

/** Tensors in the order of their bytes: each begins where the one before ended, the last ends with the file. */
function checkCover(tensors: readonly SafetensorsTensor[], start: number, size: number): void {
  const ordered = tensors.toSorted((a, b) => a.offset - b.offset || a.byteCount - b.byteCount);
  let end = start;
  for (const { name, offset, byteCount } of ordered) {
    if (offset > end) throw hole(end);
    if (offset < end) {
      throw safetensorsError({
        code: 'safetensors_tensor_overlap',
        message: `Tensor ${name} shares bytes with another.`,
        value: name,
      });
    }
    end = offset + byteCount;
    if (end > size) throw truncated(size);
  }
  if (end < size) throw hole(end);
}

const badHeader = (message: string, value?: string) =>
  safetensorsError({ code: 'safetensors_bad_header', message, value });

const badShape = (name: string) =>
  safetensorsError({
    code: 'safetensors_bad_shape',
    message: `Tensor ${name} has no acceptable shape.`,
    value: name,
  });

const truncated = (size: number) =>
  safetensorsError({
    code: 'safetensors_truncated',
    message: `The file ends at byte ${size}, before what it declares.`,
    value: size,
  });

const hole = (at: number) =>
  safetensorsError({
    code: 'safetensors_hole',
    message: `The bytes from ${at} on belong to no tensor.`,
    value: at,
  });
