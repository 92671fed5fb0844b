/** Random access to the bytes of a model file; who opens the file, and from where, is the caller's business. */
import { ggufError } from './gguf-error.js';

/** Bytes that can be read at any offset. `read` gives exactly `length` bytes or throws. */
export type ByteSource = {
  readonly size: number;
  read(offset: number, length: number): Uint8Array;
};

/** A file that is already in memory; `read` gives views, not copies. */
export const bytesSource = (bytes: Uint8Array): ByteSource => ({
  size: bytes.length,
  read: (offset, length) => bytes.subarray(offset, offset + length),
});

/** Several sources one after the other; a read must lie within one of them, otherwise it comes back short. */
export function joinSources(sources: readonly ByteSource[]): ByteSource {
  const starts: number[] = [];
  let size = 0;
  for (const source of sources) {
    starts.push(size);
    size += source.size;
  }
  return {
    size,
    read(offset, length) {
      const index = starts.findLastIndex((start) => start <= offset);
      const source = sources[index]!;
      const from = offset - starts[index]!;
      return source.read(from, Math.min(length, source.size - from));
    },
  };
}

/** Checked read: no byte outside the source is ever asked for, and a short answer is an error. */
export function readExact(source: ByteSource, offset: number, length: number): Uint8Array {
  if (offset + length > source.size) throw truncated(offset + length, source.size);
  const bytes = source.read(offset, length);
  if (bytes.length !== length) throw truncated(offset + length, offset + bytes.length);
  return bytes;
}

const truncated = (needed: number, size: number) =>
  ggufError({
    code: 'gguf_truncated',
    message: `The file ends at byte ${size}, but ${needed} bytes are declared.`,
    value: size,
  });
