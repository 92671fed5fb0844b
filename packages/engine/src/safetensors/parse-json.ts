/** JSON objects from files that nobody vouches for: bounded, valid UTF-8, an object at the top. */
import { type ByteSource, readExact } from '../gguf/source.js';
import { type SafetensorsErrorCode, safetensorsError } from './safetensors-error.js';

export type JsonObject = Readonly<Record<string, unknown>>;

/** True for `{...}`, not for arrays and null. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Parses bytes as one JSON object; whatever is wrong with them gets `code`. */
export function parseObject(
  bytes: Uint8Array,
  { what, code }: { readonly what: string; readonly code: SafetensorsErrorCode },
): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    throw safetensorsError({ code, message: `The ${what} is not valid JSON.` });
  }
  if (isObject(value)) return value;
  throw safetensorsError({ code, message: `The ${what} is not a JSON object.` });
}

/** As {@link parseObject}, from a whole file of at most `bytesMax` bytes. */
export function readObject(
  source: ByteSource,
  options: {
    readonly what: string;
    readonly code: SafetensorsErrorCode;
    readonly bytesMax: number;
  },
): JsonObject {
  const { what, code, bytesMax } = options;
  if (source.size > bytesMax) {
    throw safetensorsError({
      code,
      message: `The ${what} has more than ${bytesMax} bytes.`,
      value: source.size,
    });
  }
  return parseObject(readExact(source, 0, source.size), options);
}
