import { AssayError } from '@assay/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSseParser, EVENT_LENGTH_MAX } from './sse.js';

const parse = (...pieces: readonly string[]): readonly string[] => {
  const parser = createSseParser();
  return pieces.flatMap((piece) => parser.push(piece));
};

describe('createSseParser', () => {
  it('returns the data of each complete event', () => {
    expect(parse('data: a\n\ndata: b\n\n')).toEqual(['a', 'b']);
  });

  it('joins several data lines with a newline and strips one leading space', () => {
    expect(parse('data: a\ndata:b\ndata:  c\n\n')).toEqual(['a\nb\n c']);
  });

  it('ignores comments, other fields, and blocks without data', () => {
    expect(parse(': keep-alive\n\nevent: x\nid: 1\nretry: 9\n\ndata: a\n: in between\n\n')).toEqual(
      ['a'],
    );
  });

  it('accepts every line end', () => {
    expect(parse('data: a\r\n\r\ndata: b\r\rdata: c\n\n')).toEqual(['a', 'b', 'c']);
  });

  it('sees one line end when CR and LF arrive apart', () => {
    expect(parse('data: a\r', '\ndata: b\r', '\n\r', '\n')).toEqual(['a\nb']);
  });

  it('drops a byte order mark at the start only', () => {
    expect(parse('\uFEFFdata: a\n\n')).toEqual(['a']);
  });

  it('never returns an event that the end cuts off', () => {
    expect(parse('data: a\n\ndata: b\n')).toEqual(['a']);
  });

  it('gives the same events wherever the stream is cut (seed 7)', () => {
    const stream = 'data: {"a":1}\r\n\r\n: c\n\ndata: x\ndata: é漢\n\ndata: [DONE]\n\n';
    const whole = parse(stream);
    fc.assert(
      fc.property(fc.array(fc.nat({ max: stream.length })), (cuts) => {
        const points = [0, ...cuts.sort((a, b) => a - b), stream.length];
        const pieces = points.slice(1).map((end, index) => stream.slice(points[index], end));
        expect(parse(...pieces)).toEqual(whole);
      }),
      { seed: 7, numRuns: 300 },
    );
  });

  it('refuses an event without end', () => {
    const endless = `data: ${'x'.repeat(EVENT_LENGTH_MAX)}`;
    expect(() => parse(endless)).toThrow(AssayError);
    expect(() => parse(endless)).toThrow(expect.objectContaining({ code: 'event_too_long' }));
  });
});
