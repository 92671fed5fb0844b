/**
 * An HTTP answer in pieces: those that come in one turn of the event loop, or within the time that the first of them
 * may wait, are one write. A write is what costs: it wakes the reader, and the reader takes the processor.
 */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';

export type GatheredWrites = {
  /** Adds text that is written within `delayMs`; 0 is at the end of this turn. */
  readonly add: (text: string, delayMs?: number) => void;
  /** Writes what waits, and ends the answer. */
  readonly end: () => void;
};

/** The head of the answer, status 200, goes with its first piece. */
export function gatherWrites(
  response: ServerResponse,
  headers: OutgoingHttpHeaders,
): GatheredWrites {
  let waiting = '';
  let isDue = false;
  let timer: NodeJS.Timeout | undefined;

  function take(): string {
    clearTimeout(timer);
    timer = undefined;
    const text = waiting;
    waiting = '';
    if (!response.headersSent) response.writeHead(200, headers);
    return text;
  }

  function write(): void {
    isDue = false;
    if (waiting !== '' && !response.writableEnded) response.write(take());
  }

  function add(text: string, delayMs = 0): void {
    waiting += text;
    if (delayMs > 0) timer ??= setTimeout(write, delayMs);
    else if (!isDue) {
      isDue = true;
      setImmediate(write);
    }
  }

  return { add, end: () => void response.end(take()) };
}
