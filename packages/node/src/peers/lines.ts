/** Lines of an HTTP answer as they arrive, each at most so long; a reader that falls behind stops the sender. */
import type { IncomingMessage } from 'node:http';
import { AssayError } from '@assay/protocol';

/** Lines that wait before the socket is stopped. */
const WAITING_MAX = 256;

/** Yields the lines of an answer without their ends; throws if it breaks off or a line exceeds `lengthMax`. */
export async function* readLines(
  answer: IncomingMessage,
  lengthMax: number,
): AsyncGenerator<string, void> {
  const lines: string[] = [];
  let rest = '';
  let end: { readonly error?: unknown } | undefined;
  let wake = (): void => {};
  const finish = (error?: unknown): void => {
    end ??= error === undefined ? {} : { error };
    wake();
  };
  answer.setEncoding('utf8');
  answer.on('data', (part: string) => {
    const parts = (rest + part).split('\n');
    rest = parts.pop()!;
    for (const line of parts) if (line !== '') lines.push(line);
    if (rest.length > lengthMax) finish(lineTooLong(rest.length));
    if (lines.length > WAITING_MAX) answer.pause();
    wake();
  });
  answer.once('end', () => finish());
  answer.on('error', finish);
  answer.once('close', () => finish(new Error('the connection was cut')));
  for (;;) {
    const line = lines.shift();
    if (line !== undefined) yield line;
    else if (end?.error !== undefined) throw end.error;
    else if (end !== undefined) break;
    else {
      answer.resume();
      await new Promise<void>((resolve) => (wake = resolve));
    }
  }
  if (rest !== '') yield rest;
}

const lineTooLong = (length: number): AssayError =>
  new AssayError({
    code: 'answer_too_large',
    fault: 'peer',
    message: 'The peer sent more than allowed.',
    value: String(length),
    remedy: 'Use another peer.',
  });
