/** Reads the metadata section. Every count is compared with the bytes that are left before memory is taken for it. */
import type { Cursor } from './cursor.js';
import { ggufError } from './gguf-error.js';
import {
  ARRAY_COUNT_MAX,
  ARRAY_DEPTH_MAX,
  KEY_BYTES_MAX,
  NESTED_ARRAY_COUNT_MAX,
  STRING_BYTES_MAX,
} from './limits.js';
import {
  type GgufArray,
  type GgufNumbers,
  type GgufValue,
  type GgufValueType,
  VALUE_TYPES,
} from './metadata.js';

/** Least bytes that one value of a type takes; a string or an array is at least its header. */
const BYTES_MIN: Readonly<Record<GgufValueType, number>> = {
  uint8: 1,
  int8: 1,
  uint16: 2,
  int16: 2,
  uint32: 4,
  int32: 4,
  float32: 4,
  bool: 1,
  string: 8,
  array: 12,
  uint64: 8,
  int64: 8,
  float64: 8,
};

/** Counts nested arrays over the whole file (see {@link NESTED_ARRAY_COUNT_MAX}). */
type Nesting = { depth: number; count: number };

/** Reads `count` key-value pairs. */
export function readMetadata(cursor: Cursor, count: number): ReadonlyMap<string, GgufValue> {
  const metadata = new Map<string, GgufValue>();
  const nesting: Nesting = { depth: 0, count: 0 };
  for (let index = 0; index < count; index++) {
    const key = cursor.text(KEY_BYTES_MAX, 'metadata key');
    if (metadata.has(key)) {
      throw ggufError({
        code: 'gguf_duplicate_key',
        message: 'A metadata key appears twice.',
        value: key,
      });
    }
    metadata.set(key, readValue(cursor, readType(cursor, key), key, nesting));
  }
  return metadata;
}

function readType(cursor: Cursor, key: string): GgufValueType {
  const type = VALUE_TYPES[cursor.uint32()];
  if (type !== undefined) return type;
  throw ggufError({
    code: 'gguf_bad_value_type',
    message: `The metadata key ${key} has an unknown value type.`,
    value: key,
  });
}

function readValue(cursor: Cursor, type: GgufValueType, key: string, nesting: Nesting): GgufValue {
  if (type === 'string') return { type, value: cursor.text(STRING_BYTES_MAX, `value of ${key}`) };
  if (type === 'array') return readArray(cursor, key, nesting);
  const numbers = readNumbers(cursor, type, 1, key);
  const value = numbers[0]!;
  if (type === 'bool') return { type, value: value === 1 };
  if (type === 'uint64' || type === 'int64') return { type, value: BigInt(value) };
  return { type, value: Number(value) };
}

function readArray(cursor: Cursor, key: string, nesting: Nesting): GgufArray {
  const element = readType(cursor, key);
  const count = cursor.count(ARRAY_COUNT_MAX, `elements of ${key}`);
  if (count * BYTES_MIN[element] > cursor.remaining) {
    throw ggufError({
      code: 'gguf_truncated',
      message: `${key} declares ${count} elements, more than the file can hold.`,
      value: count,
    });
  }
  if (element === 'string') {
    const value: string[] = [];
    for (let index = 0; index < count; index++) {
      value.push(cursor.text(STRING_BYTES_MAX, `element of ${key}`));
    }
    return { type: 'array', element, value };
  }
  if (element === 'array') return readNested(cursor, key, count, nesting);
  return { type: 'array', element, value: readNumbers(cursor, element, count, key) };
}

function readNested(cursor: Cursor, key: string, count: number, nesting: Nesting): GgufArray {
  nesting.depth++;
  nesting.count += count;
  if (nesting.depth >= ARRAY_DEPTH_MAX || nesting.count > NESTED_ARRAY_COUNT_MAX) {
    throw ggufError({
      code: 'gguf_array_too_deep',
      message: `${key} nests arrays too deeply or too often.`,
      value: key,
    });
  }
  const value: GgufArray[] = [];
  for (let index = 0; index < count; index++) value.push(readArray(cursor, key, nesting));
  nesting.depth--;
  return { type: 'array', element: 'array', value };
}

type NumberType = Exclude<GgufValueType, 'string' | 'array'>;

/** Element access of each number type, in the way a DataView names it. */
const NUMBER_READERS: {
  readonly [Type in NumberType]: {
    readonly make: (count: number) => GgufNumbers;
    readonly get: (view: DataView, offset: number) => number | bigint;
  };
} = {
  uint8: { make: (n) => new Uint8Array(n), get: (v, o) => v.getUint8(o) },
  bool: { make: (n) => new Uint8Array(n), get: (v, o) => v.getUint8(o) },
  int8: { make: (n) => new Int8Array(n), get: (v, o) => v.getInt8(o) },
  uint16: { make: (n) => new Uint16Array(n), get: (v, o) => v.getUint16(o, true) },
  int16: { make: (n) => new Int16Array(n), get: (v, o) => v.getInt16(o, true) },
  uint32: { make: (n) => new Uint32Array(n), get: (v, o) => v.getUint32(o, true) },
  int32: { make: (n) => new Int32Array(n), get: (v, o) => v.getInt32(o, true) },
  float32: { make: (n) => new Float32Array(n), get: (v, o) => v.getFloat32(o, true) },
  float64: { make: (n) => new Float64Array(n), get: (v, o) => v.getFloat64(o, true) },
  uint64: { make: (n) => new BigUint64Array(n), get: (v, o) => v.getBigUint64(o, true) },
  int64: { make: (n) => new BigInt64Array(n), get: (v, o) => v.getBigInt64(o, true) },
};

function readNumbers(cursor: Cursor, type: NumberType, count: number, key: string): GgufNumbers {
  const size = BYTES_MIN[type];
  const bytes = cursor.take(count * size);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const { make, get } = NUMBER_READERS[type];
  const numbers = make(count) as { [index: number]: number | bigint };
  for (let index = 0; index < count; index++) {
    const value = get(view, index * size);
    if (type === 'bool' && value !== 0 && value !== 1) throw badBool(key, value);
    numbers[index] = value;
  }
  return numbers as unknown as GgufNumbers;
}

const badBool = (key: string, value: number | bigint) =>
  ggufError({
    code: 'gguf_bad_metadata',
    message: `${key} is a bool but holds neither 0 nor 1.`,
    value,
  });
