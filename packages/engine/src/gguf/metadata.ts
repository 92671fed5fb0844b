/**
 * Typed metadata of a GGUF file and the accessors that check it. It refuses to know what any key means.
 *
 * Value types and their numbers follow the GGUF specification, versions 2 and 3.
 */
import { ggufError } from './gguf-error.js';

/** Value type by its number in the file. */
export const VALUE_TYPES = [
  'uint8',
  'int8',
  'uint16',
  'int16',
  'uint32',
  'int32',
  'float32',
  'bool',
  'string',
  'array',
  'uint64',
  'int64',
  'float64',
] as const;
export type GgufValueType = (typeof VALUE_TYPES)[number];

/** Arrays of numbers stay packed, so that a hostile file costs no more memory than its own size. */
export type GgufNumbers =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigUint64Array
  | BigInt64Array;

type SmallNumberType =
  | 'uint8'
  | 'int8'
  | 'uint16'
  | 'int16'
  | 'uint32'
  | 'int32'
  | 'float32'
  | 'float64';

/** Elements of an array; booleans are bytes 0 and 1. */
export type GgufArray =
  | { readonly type: 'array'; readonly element: 'string'; readonly value: readonly string[] }
  | { readonly type: 'array'; readonly element: 'array'; readonly value: readonly GgufArray[] }
  | {
      readonly type: 'array';
      readonly element: SmallNumberType | 'uint64' | 'int64' | 'bool';
      readonly value: GgufNumbers;
    };

/** One metadata value with the type that the file gave it. */
export type GgufValue =
  | { readonly type: SmallNumberType; readonly value: number }
  | { readonly type: 'uint64' | 'int64'; readonly value: bigint }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'string'; readonly value: string }
  | GgufArray;

/** All metadata in file order. */
export type GgufMetadata = ReadonlyMap<string, GgufValue>;

const INTEGER_TYPES: ReadonlySet<string> = new Set([
  'uint8',
  'int8',
  'uint16',
  'int16',
  'uint32',
  'int32',
]);

/** Text under `key`, or undefined where the file has none. */
export function metadataString(metadata: GgufMetadata, key: string): string | undefined {
  const entry = metadata.get(key);
  if (entry === undefined) return undefined;
  if (entry.type !== 'string') throw wrongType(key, 'a string', entry.type);
  return entry.value;
}

/** Non-negative integer under `key` of any integer width, or undefined where the file has none. */
export function metadataCount(metadata: GgufMetadata, key: string): number | undefined {
  const entry = metadata.get(key);
  if (entry === undefined) return undefined;
  const wide = entry.type === 'uint64' || entry.type === 'int64';
  if (!wide && !INTEGER_TYPES.has(entry.type)) throw wrongType(key, 'an integer', entry.type);
  const value = Number(entry.value);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw ggufError({
      code: 'gguf_bad_metadata',
      message: `${key} must be an integer from 0 to 2^53 - 1.`,
      value: String(entry.value),
    });
  }
  return value;
}

/** Finite number under `key`, integer or floating, or undefined where the file has none. */
export function metadataNumber(metadata: GgufMetadata, key: string): number | undefined {
  const entry = metadata.get(key);
  if (entry === undefined) return undefined;
  if (entry.type === 'string' || entry.type === 'array' || entry.type === 'bool') {
    throw wrongType(key, 'a number', entry.type);
  }
  const value = Number(entry.value);
  if (!Number.isFinite(value)) {
    throw ggufError({
      code: 'gguf_bad_metadata',
      message: `${key} must be a finite number.`,
      value: String(entry.value),
    });
  }
  return value;
}

/** Flag under `key`, or undefined where the file has none. */
export function metadataFlag(metadata: GgufMetadata, key: string): boolean | undefined {
  const entry = metadata.get(key);
  if (entry === undefined) return undefined;
  if (entry.type !== 'bool') throw wrongType(key, 'a bool', entry.type);
  return entry.value;
}

/** Array of strings under `key`, or undefined where the file has none. */
export function metadataStrings(
  metadata: GgufMetadata,
  key: string,
): readonly string[] | undefined {
  const entry = metadata.get(key);
  if (entry === undefined) return undefined;
  if (entry.type !== 'array') throw wrongType(key, 'an array of strings', entry.type);
  if (entry.element === 'string') return entry.value;
  throw wrongType(key, 'an array of strings', `array of ${entry.element}`);
}

/** Packed array of numbers of at most 53 bits under `key`, or undefined where the file has none. */
export function metadataNumbers(
  metadata: GgufMetadata,
  key: string,
): Exclude<GgufNumbers, BigUint64Array | BigInt64Array> | undefined {
  const entry = metadata.get(key);
  if (entry === undefined) return undefined;
  if (entry.type !== 'array') throw wrongType(key, 'an array of numbers', entry.type);
  if (entry.element === 'string' || entry.element === 'array') {
    throw wrongType(key, 'an array of numbers', `array of ${entry.element}`);
  }
  const { value } = entry;
  if (value instanceof BigUint64Array || value instanceof BigInt64Array) {
    throw wrongType(key, 'an array of numbers up to 32 bits', `array of ${entry.element}`);
  }
  return value;
}

/** The value of an accessor, or a named error when the key is absent. */
export function required<Value>(key: string, value: Value | undefined): Value {
  if (value !== undefined) return value;
  throw ggufError({
    code: 'gguf_missing_metadata',
    message: `The file lacks the metadata key ${key}.`,
    value: key,
    remedy: 'Convert the model again with a current converter.',
  });
}

const wrongType = (key: string, wanted: string, found: string) =>
  ggufError({
    code: 'gguf_bad_metadata',
    message: `${key} must be ${wanted}, not ${found}.`,
    value: key,
  });
