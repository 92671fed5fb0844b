/** Seed: 1. */

import { describe, expect, it } from 'vitest';
import { createRandom } from './random.js';
import { expand, fillAnswer, parseLibrary, tidySpaces } from './text.js';

const source = `
$ name: Ann
& ask: what is|what's
# greet
@weight 2
? (hi|hello)( there|), i am {name}
! <ask> up
= Hello, {name}.
+ More.
`;

describe('parseLibrary', () => {
  it('reads an intent with all its lines', () => {
    const { intents, slots } = parseLibrary(source);
    expect(slots.get('name')).toEqual(['Ann']);
    expect(intents).toHaveLength(1);
    expect(intents[0]).toMatchObject({
      name: 'greet',
      weight: 2,
      answers: ['Hello, {name}.'],
      more: ['More.'],
    });
  });

  it('reserves every wording of an evaluation phrasing', () => {
    expect([...parseLibrary(source).reserved].sort()).toEqual(['whatisup', 'whatsup']);
  });

  it('refuses a line that it does not know', () => {
    expect(() => parseLibrary('# a\nhello')).toThrow('not understood');
  });

  it('refuses an intent without an answer, a second intent of one name, an open bracket', () => {
    expect(() => parseLibrary('# a\n? b')).toThrow('needs a question and an answer');
    expect(() => parseLibrary('# a\n? b\n= c\n# a')).toThrow('twice');
    expect(() => parseLibrary('# a\n? (b\n= c')).toThrow('bracket');
  });
});

describe('expand', () => {
  it('chooses, fills slots and remembers them', () => {
    const { intents, slots } = parseLibrary(source);
    const bindings = new Map<string, string>();
    const random = createRandom(1);
    const text = tidySpaces(expand(intents[0]!.questions[0]!, { random, slots, bindings }));
    expect(text).toMatch(/^(hi|hello)( there)?, i am Ann$/);
    expect(fillAnswer('Hello, {name}.', bindings)).toBe('Hello, Ann.');
  });
});
