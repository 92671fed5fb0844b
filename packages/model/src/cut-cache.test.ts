import { expect, it } from 'vitest';
import { withCutCache } from './cut-cache.js';
import { CUT_CACHE_TEXT_LENGTH_MAX } from './limits.js';

/** Cuts into UTF-16 units and counts its calls. */
function counted() {
  const cut: string[] = [];
  return {
    cut,
    cutter: {
      cut: (text: string): number[] => {
        cut.push(text);
        return Array.from(text, (character) => character.charCodeAt(0));
      },
      bytes: () => new Uint8Array(0),
    },
  };
}

it('gives the ids of a text again without cutting it again', () => {
  const { cut, cutter } = counted();
  const cached = withCutCache(cutter);
  for (const text of ['ab', 'c', 'ab', '', 'ab'])
    expect(cached.cut(text)).toEqual(cutter.cut(text));
  expect(cut.filter((text) => text === 'ab')).toHaveLength(4);
});

it('forgets the text that was used longest ago', () => {
  const { cut, cutter } = counted();
  const cached = withCutCache(cutter, 4);
  for (const text of ['ab', 'cd', 'ab', 'ef', 'ab', 'cd']) cached.cut(text);
  expect(cut).toEqual(['ab', 'cd', 'ef', 'cd']);
});

it('does not keep long texts', () => {
  const { cut, cutter } = counted();
  const cached = withCutCache(cutter);
  const long = 'a'.repeat(CUT_CACHE_TEXT_LENGTH_MAX + 1);
  for (const text of [long, long]) cached.cut(text);
  expect(cut).toHaveLength(2);
});
