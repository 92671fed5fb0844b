/**
 * Text that goes out in pieces: those that come in one turn of the event loop, or within the time that the first of
 * them may wait, are one write. A write is what costs: it wakes the reader, and the reader takes the processor.
 */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';

export type GatheredWrites = {
  /** Adds text that is written within `delayMs`; 0 is at the end of this turn. */
  readonly add: (text: string, delayMs?: number) => void;
  /** Writes what waits; nothing follows. */
  readonly end: () => void;
};

/** An HTTP answer: its head, status 200, goes with its first piece, and its end with the last. */
export function gatherWrites(
  response: ServerResponse,
  headers: OutgoingHttpHeaders,
): GatheredWrites {
  const begin = (): ServerResponse =>
    response.headersSent ? response : response.writeHead(200, headers);
  return gather({
    write: (text) => void (response.writableEnded || begin().write(text)),
    end: (text) => void begin().end(text),
  });
}

/** A stream that stays open for what comes after these pieces. */
export const gatherOn = (stream: Writable): GatheredWrites =>
  gather({
    write: (text) => void stream.write(text),
    end: (text) => void (text === '' || stream.write(text)),
  });

type Sink = { readonly write: (text: string) => void; readonly end: (text: string) => void };

function gather(sink: Sink): GatheredWrites {
  let waiting = '';
  let isDue = false;
  let timer: NodeJS.Timeout | undefined;

  function take(): string {
    clearTimeout(timer);
    timer = undefined;
    const text = waiting;
    waiting = '';
    return text;
  }

  function write(): void {
    isDue = false;
    if (waiting !== '') sink.write(take());
  }

  function add(text: string, delayMs = 0): void {
    waiting += text;
    if (delayMs > 0) timer ??= setTimeout(write, delayMs);
    else if (!isDue) {
      isDue = true;
      setImmediate(write);
    }
  }

  return { add, end: () => sink.end(take()) };
}
