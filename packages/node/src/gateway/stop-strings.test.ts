import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stopFilter } from './stop-strings.js';

function run(
  pieces: readonly string[],
  stops: readonly string[],
): { text: string; stopped: boolean } {
  const filter = stopFilter(stops);
  let text = '';
  for (const piece of pieces) {
    const out = filter.push(piece);
    text += out.text;
    if (out.stopped) return { text, stopped: true };
  }
  return { text: text + filter.flush(), stopped: false };
}

describe('stopFilter', () => {
  it('cuts at the first stop string, also across pieces', () => {
    expect(run(['ab', 'cST', 'OPd'], ['STOP'])).toEqual({ text: 'abc', stopped: true });
    expect(run(['abcSTO'], ['STOP'])).toEqual({ text: 'abcSTO', stopped: false });
    expect(run(['xaay'], ['ay', 'aa'])).toEqual({ text: 'x', stopped: true });
  });

  it('shows the same text however the pieces are cut', () => {
    const letters = fc.array(fc.constantFrom('a', 'b'), { maxLength: 30 });
    const stops = fc.array(fc.array(fc.constantFrom('a', 'b'), { minLength: 2, maxLength: 5 }), {
      maxLength: 3,
    });
    fc.assert(
      fc.property(letters, stops, (text, raw) => {
        const list = raw.map((parts) => parts.join(''));
        const whole = run([text.join('')], list);
        expect(run(text, list)).toEqual(whole);
        if (!whole.stopped) expect(whole.text).toBe(text.join(''));
      }),
      { seed: 4, numRuns: 300 },
    );
  });
});
