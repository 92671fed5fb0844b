/**
 * A file as the bytes of a model, read when they are asked for: of a file larger than memory, or than the 2 GiB that
 * one read of Node gives, only what is needed. It knows nothing of what the bytes mean.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { ByteSource } from '@assay/engine';

export type FileSource = ByteSource & { close(): void };

/**
 * Opens a file for as long as the model is used. It is the same file to the end, also if another takes its name.
 *
 * @example const { model, identity } = openModelFile(openFileSource(path));
 */
export function openFileSource(path: string): FileSource {
  const handle = openSync(path, 'r');
  return {
    size: fstatSync(handle).size,
    read(offset, length) {
      const bytes = new Uint8Array(length);
      let done = 0;
      while (done < length) {
        const count = readSync(handle, bytes, done, length - done, offset + done);
        // The file ended early: the reader of a model names it, since the bytes come back short.
        if (count === 0) break;
        done += count;
      }
      return bytes.subarray(0, done);
    },
    close: () => closeSync(handle),
  };
}

/** Opens a file for the time of `use`. */
export function withFileSource<Result>(path: string, use: (source: ByteSource) => Result): Result {
  const source = openFileSource(path);
  try {
    return use(source);
  } finally {
    source.close();
  }
}
