/** Reads little-endian GGUF primitives in order from a {@link ByteSource}, never past its end. */
import { ggufError } from './gguf-error.js';
import { HEADER_BYTES_MAX } from './limits.js';
import { type ByteSource, readExact } from './source.js';

/** Bytes fetched at once from sources where each read costs a system call. */
const WINDOW_BYTES = 65_536;

/** A position in a source. `remaining` is what any declared count must be compared with before allocating. */
export type Cursor = {
  readonly offset: number;
  readonly remaining: number;
  take(length: number): Uint8Array;
  uint8(): number;
  uint32(): number;
  uint64(): bigint;
  /** A uint64 that counts something: refused with `gguf_count_absurd` above `max`. */
  count(max: number, what: string): number;
  /** Length-prefixed UTF-8 text. */
  text(bytesMax: number, what: string): string;
};

/** Opens a cursor at byte 0 of `source`. */
export function openCursor(source: ByteSource): Cursor {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let offset = 0;
  let window = new Uint8Array(0);
  let windowStart = 0;

  const take = (length: number): Uint8Array => {
    const start = offset - windowStart;
    if (start + length > window.length) {
      const fetched = Math.max(length, Math.min(WINDOW_BYTES, source.size - offset));
      if (offset + length > HEADER_BYTES_MAX) throw headerTooLong(offset + length);
      window = readExact(source, offset, fetched) as Uint8Array<ArrayBuffer>;
      windowStart = offset;
    }
    const from = offset - windowStart;
    offset += length;
    return window.subarray(from, from + length);
  };
  const words = (length: number) => {
    const bytes = take(length);
    return new DataView(bytes.buffer, bytes.byteOffset, length);
  };
  const count = (max: number, what: string): number => {
    const value = words(8).getBigUint64(0, true);
    if (value > BigInt(max)) throw countAbsurd(what, value, max);
    return Number(value);
  };
  return {
    get offset() {
      return offset;
    },
    get remaining() {
      return source.size - offset;
    },
    take,
    uint8: () => words(1).getUint8(0),
    uint32: () => words(4).getUint32(0, true),
    uint64: () => words(8).getBigUint64(0, true),
    count,
    text: (bytesMax, what) => {
      const length = words(8).getBigUint64(0, true);
      if (length > BigInt(bytesMax)) throw stringTooLong(what, length, bytesMax);
      return decodeText(decoder, take(Number(length)), what);
    },
  };
}

function decodeText(decoder: TextDecoder, bytes: Uint8Array, what: string): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw ggufError({ code: 'gguf_bad_utf8', message: `The ${what} is not valid UTF-8.` });
  }
}

const headerTooLong = (bytes: number) =>
  ggufError({
    code: 'gguf_count_absurd',
    message: `The header needs more than ${HEADER_BYTES_MAX} bytes.`,
    value: bytes,
  });

const countAbsurd = (what: string, value: bigint, max: number) =>
  ggufError({
    code: 'gguf_count_absurd',
    message: `The file declares ${value} ${what}; at most ${max} are accepted.`,
    value,
  });

const stringTooLong = (what: string, value: bigint, max: number) =>
  ggufError({
    code: 'gguf_string_too_long',
    message: `The ${what} is declared with ${value} bytes; at most ${max} are accepted.`,
    value,
  });
