/**
 * Reads the structure of a GGUF file (versions 2 and 3, little-endian): header, metadata, tensor table. It follows the
 * GGUF specification, trusts nothing in the file, and knows nothing of what the tensors are for.
 */
import { type Cursor, openCursor } from './cursor.js';
import { ggufError } from './gguf-error.js';
import {
  ALIGNMENT_MAX,
  DIMENSION_COUNT_MAX,
  DIMENSION_MAX,
  ELEMENT_COUNT_MAX,
  METADATA_COUNT_MAX,
  TENSOR_COUNT_MAX,
  TENSOR_NAME_BYTES_MAX,
} from './limits.js';
import { type GgufMetadata, metadataCount } from './metadata.js';
import { readMetadata } from './read-metadata.js';
import { type ByteSource, readExact } from './source.js';
import { type TensorType, type TensorValues, tensorTypeById } from './tensor-types.js';

/** One tensor of the table. `dims[0]` is the contiguous dimension (columns of a matrix), `dims[1]` its rows. */
export type GgufTensor = {
  readonly name: string;
  readonly dims: readonly number[];
  readonly type: TensorType;
  readonly elementCount: number;
  /** Absolute position in the file. */
  readonly offset: number;
  readonly byteCount: number;
};

/** A file whose structure has been checked; values are read when asked for. */
export type GgufFile = {
  readonly version: 2 | 3;
  readonly alignment: number;
  readonly metadata: GgufMetadata;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  readonly source: ByteSource;
};

/** "GGUF" as a little-endian word. */
const MAGIC = 0x46554747;
/** Used when `general.alignment` is absent, as the format sets it. */
export const ALIGNMENT_DEFAULT = 32;
/** Least bytes of one key-value pair: key length, type, one byte. */
const PAIR_BYTES_MIN = 13;
/** Least bytes of one tensor record: name length, dimension count, one dimension, type, offset. */
const TENSOR_BYTES_MIN = 32;

/** Checks and reads header, metadata and tensor table of `source`. */
export function readGguf(source: ByteSource): GgufFile {
  const cursor = openCursor(source);
  const version = readVersion(cursor);
  const tensorCount = cursor.count(TENSOR_COUNT_MAX, 'tensors');
  const pairCount = cursor.count(METADATA_COUNT_MAX, 'metadata entries');
  const bytesMin = tensorCount * TENSOR_BYTES_MIN + pairCount * PAIR_BYTES_MIN;
  if (bytesMin > cursor.remaining) {
    throw ggufError({
      code: 'gguf_truncated',
      message: `${tensorCount} tensors and ${pairCount} metadata entries cannot fit in the file.`,
      value: source.size,
    });
  }
  const metadata = readMetadata(cursor, pairCount);
  const alignment = readAlignment(metadata);
  const records = readRecords(cursor, tensorCount);
  const dataStart = Math.ceil(cursor.offset / alignment) * alignment;
  const tensors = placeTensors(records, { dataStart, alignment, size: source.size });
  checkOverlap([...tensors.values()]);
  return { version, alignment, metadata, tensors, source };
}

/** Reads and decodes the values of one tensor. */
export const readTensor = (file: GgufFile, tensor: GgufTensor): TensorValues =>
  readTensorRows(file, tensor, { from: 0, count: tensor.elementCount / tensor.dims[0]! });

/** Reads and decodes some rows of a tensor: `dims[0]` elements each. */
export function readTensorRows(
  file: GgufFile,
  tensor: GgufTensor,
  { from, count }: { readonly from: number; readonly count: number },
): TensorValues {
  const { decode, name } = tensor.type;
  if (decode === undefined) {
    throw ggufError({
      code: 'gguf_unsupported_type',
      message: `Tensor ${tensor.name} is stored as ${name}, which this engine does not read.`,
      value: name,
      remedy: 'Use a file of the model in Q8_0, Q4_0 to Q6_K, F16, BF16 or F32.',
    });
  }
  const rowBytes = rowByteCount(tensor);
  const bytes = readExact(file.source, tensor.offset + from * rowBytes, count * rowBytes);
  const values = decode(bytes, count * tensor.dims[0]!);
  checkFinite(tensor.name, values);
  return values;
}

/** Bytes of one row. */
const rowByteCount = ({ type, dims }: GgufTensor): number =>
  (dims[0]! / type.blockElements) * type.blockBytes;

function readVersion(cursor: Cursor): 2 | 3 {
  const magic = cursor.uint32();
  if (magic !== MAGIC) {
    throw ggufError({
      code: 'gguf_bad_magic',
      message: 'The file does not begin with GGUF.',
      value: `0x${magic.toString(16)}`,
      remedy: 'Give a GGUF model file.',
    });
  }
  const version = cursor.uint32();
  if (version === 2 || version === 3) return version;
  throw ggufError({
    code: 'gguf_unsupported_version',
    message: 'Only little-endian GGUF of version 2 or 3 is read.',
    value: version,
    remedy: 'Convert the model again with a current converter.',
  });
}

function readAlignment(metadata: GgufMetadata): number {
  const alignment = metadataCount(metadata, 'general.alignment') ?? ALIGNMENT_DEFAULT;
  const powerOfTwo = alignment > 0 && (alignment & (alignment - 1)) === 0;
  if (powerOfTwo && alignment >= 8 && alignment <= ALIGNMENT_MAX) return alignment;
  throw ggufError({
    code: 'gguf_bad_alignment',
    message: `general.alignment must be a power of two from 8 to ${ALIGNMENT_MAX}.`,
    value: alignment,
  });
}

type TensorRecord = Omit<GgufTensor, 'offset'> & { readonly relativeOffset: bigint };

function readRecords(cursor: Cursor, count: number): readonly TensorRecord[] {
  const records: TensorRecord[] = [];
  const names = new Set<string>();
  for (let index = 0; index < count; index++) {
    const record = readRecord(cursor);
    if (names.has(record.name)) {
      throw ggufError({
        code: 'gguf_duplicate_tensor',
        message: 'A tensor name appears twice.',
        value: record.name,
      });
    }
    names.add(record.name);
    records.push(record);
  }
  return records;
}

function readRecord(cursor: Cursor): TensorRecord {
  const name = cursor.text(TENSOR_NAME_BYTES_MAX, 'tensor name');
  const dims = readDims(cursor, name);
  const typeId = cursor.uint32();
  const type = tensorTypeById(typeId);
  if (type === undefined) {
    throw ggufError({
      code: 'gguf_unsupported_type',
      message: `Tensor ${name} has storage type ${typeId}, which is unknown.`,
      value: typeId,
      remedy: 'Use a file of the model in Q8_0, Q4_0 to Q6_K, F16, BF16 or F32.',
    });
  }
  const elementCount = countElements(name, dims);
  if (dims[0]! % type.blockElements !== 0) {
    throw ggufError({
      code: 'gguf_bad_shape',
      message: `Rows of ${name} have ${dims[0]} elements, not a multiple of ${type.blockElements}.`,
      value: name,
    });
  }
  const byteCount = (elementCount / type.blockElements) * type.blockBytes;
  return { name, dims, type, elementCount, byteCount, relativeOffset: cursor.uint64() };
}

function readDims(cursor: Cursor, name: string): readonly number[] {
  const count = cursor.uint32();
  if (count < 1 || count > DIMENSION_COUNT_MAX) throw dimsAbsurd(name, `${count} dimensions`);
  const dims: number[] = [];
  for (let index = 0; index < count; index++) {
    const length = cursor.uint64();
    if (length < 1n || length > BigInt(DIMENSION_MAX)) {
      throw dimsAbsurd(name, `a dimension of ${length}`);
    }
    dims.push(Number(length));
  }
  return dims;
}

function countElements(name: string, dims: readonly number[]): number {
  let count = 1;
  for (const length of dims) {
    // SAFETY: count <= 2^40 before and length < 2^31; a product beyond 2^53 is only compared, never used.
    count *= length;
    if (count > ELEMENT_COUNT_MAX) throw dimsAbsurd(name, `${count} elements`);
  }
  return count;
}

/** Where the data section lies. */
type DataSection = {
  readonly dataStart: number;
  readonly alignment: number;
  readonly size: number;
};

function placeTensors(
  records: readonly TensorRecord[],
  section: DataSection,
): ReadonlyMap<string, GgufTensor> {
  const tensors = new Map<string, GgufTensor>();
  for (const { relativeOffset, ...record } of records) {
    if (relativeOffset % BigInt(section.alignment) !== 0n) {
      throw ggufError({
        code: 'gguf_tensor_misaligned',
        message: `Tensor ${record.name} does not start on a multiple of ${section.alignment}.`,
        value: relativeOffset,
      });
    }
    const end = BigInt(section.dataStart) + relativeOffset + BigInt(record.byteCount);
    if (end > BigInt(section.size)) {
      throw ggufError({
        code: 'gguf_tensor_out_of_file',
        message: `Tensor ${record.name} would end at byte ${end} of a file of ${section.size}.`,
        value: end,
      });
    }
    const offset = section.dataStart + Number(relativeOffset);
    tensors.set(record.name, { ...record, offset });
  }
  return tensors;
}

function checkOverlap(tensors: readonly GgufTensor[]): void {
  const ordered = tensors.toSorted((a, b) => a.offset - b.offset);
  for (let index = 1; index < ordered.length; index++) {
    const previous = ordered[index - 1]!;
    const current = ordered[index]!;
    if (previous.offset + previous.byteCount > current.offset) {
      throw ggufError({
        code: 'gguf_tensor_overlap',
        message: `Tensors ${previous.name} and ${current.name} share bytes.`,
        value: current.name,
      });
    }
  }
}

/** Index of the first infinity or NaN, -1 if there is none; a plain loop, because tensors have millions. */
export function firstNotFinite(values: Float32Array): number {
  for (let index = 0; index < values.length; index++) {
    if (!Number.isFinite(values[index])) return index;
  }
  return -1;
}

function checkFinite(name: string, values: TensorValues): void {
  if (values.kind === 'q8') {
    const bad = values.scales.findIndex((bits) => (bits & 0x7c00) === 0x7c00);
    if (bad >= 0) {
      throw ggufError({
        code: 'gguf_nan_scale',
        message: `The scale of block ${bad} of tensor ${name} is not a finite number.`,
        value: name,
      });
    }
    return;
  }
  const bad = firstNotFinite(values.values);
  if (bad >= 0) {
    throw ggufError({
      code: 'gguf_not_finite',
      message: `Element ${bad} of tensor ${name} is not a finite number.`,
      value: name,
    });
  }
}

const dimsAbsurd = (name: string, what: string) =>
  ggufError({
    code: 'gguf_dims_absurd',
    message: `Tensor ${name} declares ${what}.`,
    value: name,
  });
