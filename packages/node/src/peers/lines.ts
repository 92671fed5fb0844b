/** Lines of a byte stream as they arrive, each at most so long; a reader that falls behind stops the sender. */
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { AssayError } from '@assay/protocol';

/** Lines that wait before the sender is stopped. */
const WAITING_MAX = 256;

export type LineReader = {
  /**
   * The next line without its end, undefined after the last; throws if the stream broke off or a line was too long.
   * Call it again only when it has answered.
   */
  readonly next: () => Promise<string | undefined>;
};

export type LineLimits = {
  /** UTF-16 units of a line. */
  readonly lengthMax: number;
  readonly waitingMax?: number;
};

/** Reads `stream` from now on; nobody else may. */
export function lineReader(
  stream: Readable,
  { lengthMax, waitingMax = WAITING_MAX }: LineLimits,
): LineReader {
  const lines: string[] = [];
  let rest = '';
  let end: { readonly error?: unknown } | undefined;
  let wake = (): void => {};
  const finish = (error?: unknown): void => {
    end ??= error === undefined ? {} : { error };
    wake();
  };
  // Of our own: a socket that HTTP has handed over lets nobody set its encoding.
  const decoder = new StringDecoder('utf8');
  stream.on('data', (part: Buffer) => {
    const parts = (rest + decoder.write(part)).split('\n');
    rest = parts.pop()!;
    for (const line of parts) if (line !== '') lines.push(line);
    if (rest.length > lengthMax) finish(lineTooLong(rest.length));
    if (lines.length > waitingMax) stream.pause();
    wake();
  });
  stream.once('end', () => finish());
  stream.on('error', finish);
  stream.once('close', () => finish(new Error('the connection was cut')));

  /** The last line of a stream needs no end. */
  function takeRest(): string | undefined {
    const last = rest === '' ? undefined : rest;
    rest = '';
    return last;
  }

  async function next(): Promise<string | undefined> {
    for (;;) {
      const line = lines.shift();
      if (line !== undefined) return line;
      if (end?.error !== undefined) throw end.error;
      if (end !== undefined) return takeRest();
      stream.resume();
      await new Promise<void>((resolve) => (wake = resolve));
    }
  }

  return { next };
}

const lineTooLong = (length: number): AssayError =>
  new AssayError({
    code: 'answer_too_large',
    fault: 'peer',
    message: 'The peer sent more than allowed.',
    value: String(length),
    remedy: 'Use another peer.',
  });
