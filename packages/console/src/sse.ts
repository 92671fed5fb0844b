/**
 * Server-sent events as text arrives, in any cut: WHATWG HTML, section 9.2.6 "Interpreting an event
 * stream". It yields the data of each complete event and knows nothing of what the data means.
 * Event names, ids and retry times are ignored: no stream of ours uses them.
 */
import { AssayError } from '@assay/protocol';

/** Characters that an unfinished event may hold; our largest is a few kilobytes. */
export const EVENT_LENGTH_MAX = 1_048_576;

export type SseParser = {
  /** Takes the next piece of the stream and returns the data of the events that it completed. */
  readonly push: (text: string) => readonly string[];
};

/** An event that the stream's end cuts off is never returned, as the standard demands. */
export function createSseParser(): SseParser {
  let rest = '';
  let data: string[] = [];
  let started = false;

  const push = (text: string): readonly string[] => {
    const events: string[] = [];
    rest += started ? text : text.replace(/^\uFEFF/, '');
    started ||= text.length > 0;
    const { lines, tail } = splitLines(rest);
    rest = tail;
    for (const line of lines) {
      if (line !== '') data = readField(data, line);
      else if (data.length > 0) {
        events.push(data.join('\n'));
        data = [];
      }
    }
    refuseTooLong(rest.length + data.reduce((sum, line) => sum + line.length, 0));
    return events;
  };
  return { push };
}

/** A CR at the very end stays in `tail`, because the LF of the same line end may come next. */
function splitLines(text: string): { lines: readonly string[]; tail: string } {
  const held = text.endsWith('\r') ? 1 : 0;
  const parts = text.slice(0, text.length - held).split(/\r\n|\r|\n/);
  const last = parts.pop() ?? '';
  return { lines: parts, tail: held === 1 ? `${last}\r` : last };
}

function readField(data: readonly string[], line: string): string[] {
  const colon = line.indexOf(':');
  const name = colon === -1 ? line : line.slice(0, colon);
  if (name !== 'data') return [...data];
  const value = colon === -1 ? '' : line.slice(colon + 1);
  return [...data, value.startsWith(' ') ? value.slice(1) : value];
}

function refuseTooLong(length: number): void {
  if (length <= EVENT_LENGTH_MAX) return;
  throw new AssayError({
    code: 'event_too_long',
    message: 'The gateway sent an event that does not end.',
    fault: 'peer',
    value: String(length),
    remedy: 'Ask again; if it happens again, the gateway is broken.',
  });
}
