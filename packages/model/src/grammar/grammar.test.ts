import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openModelFile } from '../model-file.js';
import { tinyModelFile } from '../testing/tiny-model.js';
import { toySentencePieceVocabulary } from '../testing/toy-vocabulary.js';
import { createAutomaton, DEAD } from './automaton.js';
import { decodeGrammar, encodeGrammar, type Grammar } from './grammar.js';
import {
  choiceGrammar,
  jsonObjectGrammar,
  jsonSchemaGrammar,
  patternGrammar,
  tokenMasks,
} from './index.js';

const { tokenizer } = openModelFile(tinyModelFile());
const stopIds = tokenizer.eosIds;
const open = tokenMasks(tokenizer);
const code = (name: string) => expect.objectContaining({ code: name });

/** Whether the automaton takes the whole text. */
function accepts(grammar: Uint8Array, text: string | Uint8Array): boolean {
  const automaton = createAutomaton(decodeGrammar(grammar));
  let state = automaton.start;
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  for (const byte of bytes) {
    state = automaton.step(state, byte);
    if (state === DEAD) return false;
  }
  return automaton.need(state) === 0;
}

/** An answer that takes any allowed id, as `pick` says: the silliest model there is. */
function babble(
  grammar: Uint8Array,
  outputCountMax: number,
  pick: (count: number) => number,
): string {
  const mask = open({ grammar, stopIds, outputCountMax });
  const ids: number[] = [];
  for (;;) {
    const allowed = [...mask.allowed().entries()]
      .filter(([, open]) => open === 1)
      .map(([id]) => id);
    expect(allowed.length).toBeGreaterThan(0);
    const id = allowed[pick(allowed.length)]!;
    mask.accept(id);
    ids.push(id);
    expect(ids.length).toBeLessThanOrEqual(outputCountMax);
    if (stopIds.includes(id)) return tokenizer.decode(ids);
  }
}

/** Numbers from fast-check, so that a failure shrinks. */
const choices = fc.infiniteStream(fc.nat(2 ** 30)).map((stream) => (count: number) => {
  const { value } = stream.next();
  return (value as number) % count;
});

const PERSON = {
  type: 'object',
  properties: {
    name: { type: 'string', minLength: 1, maxLength: 8 },
    age: { type: 'integer' },
    tags: { type: 'array', items: { enum: ['a', 'b', 3, null] }, minItems: 1, maxItems: 3 },
    parent: { anyOf: [{ $ref: '#' }, { type: 'null' }] },
    plate: { type: 'string', pattern: '^[A-Z]{2}-\\d{1,3}$' },
  },
  required: ['age', 'parent'],
  additionalProperties: false,
};

function assertPerson(value: unknown): void {
  const person = value as Record<string, unknown>;
  for (const key of Object.keys(person)) expect(Object.keys(PERSON.properties)).toContain(key);
  expect(Number.isSafeInteger(person['age'])).toBe(true);
  if (person['parent'] !== null) assertPerson(person['parent']);
  if ('name' in person) {
    const length = [...(person['name'] as string)].length;
    expect(length).toBeGreaterThanOrEqual(1);
    expect(length).toBeLessThanOrEqual(8);
  }
  if ('plate' in person) expect(person['plate']).toMatch(/^[A-Z]{2}-\d{1,3}$/);
  if ('tags' in person) {
    const tags = person['tags'] as unknown[];
    expect(tags.length).toBeGreaterThanOrEqual(1);
    expect(tags.length).toBeLessThanOrEqual(3);
    for (const tag of tags) expect(['a', 'b', 3, null]).toContain(tag);
  }
}

describe('tokenMasks', () => {
  it('makes any choice of tokens whole JSON within the limit (seed 41)', () => {
    const grammar = jsonObjectGrammar();
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 60 }), choices, (outputCountMax, pick) => {
        const value: unknown = JSON.parse(babble(grammar, outputCountMax, pick));
        expect(typeof value === 'object' && value !== null && !Array.isArray(value)).toBe(true);
      }),
      { seed: 41, numRuns: 150 },
    );
  });

  it('makes any choice of tokens an instance of the schema (seed 42)', () => {
    const grammar = jsonSchemaGrammar(PERSON);
    fc.assert(
      fc.property(fc.integer({ min: 24, max: 120 }), choices, (outputCountMax, pick) => {
        assertPerson(JSON.parse(babble(grammar, outputCountMax, pick)));
      }),
      { seed: 42, numRuns: 150 },
    );
  });

  it('does so with a SentencePiece vocabulary, too (seed 46)', () => {
    const file = openModelFile(tinyModelFile({ vocabulary: toySentencePieceVocabulary() }));
    const openPieces = tokenMasks(file.tokenizer);
    const grammar = jsonSchemaGrammar(PERSON);
    const limits = { stopIds: file.tokenizer.eosIds, outputCountMax: 60 };
    fc.assert(
      fc.property(choices, (pick) => {
        const mask = openPieces({ grammar, ...limits });
        const ids: number[] = [];
        while (!limits.stopIds.includes(ids.at(-1) ?? -1)) {
          const allowed = mask.allowed();
          const open = [...allowed.keys()].filter((id) => allowed[id] === 1);
          ids.push(open[pick(open.length)]!);
          mask.accept(ids.at(-1)!);
        }
        const bytes = ids.slice(0, -1).flatMap((id) => [...file.tokenizer.tokenBytes(id)]);
        assertPerson(JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes))));
      }),
      { seed: 46, numRuns: 40 },
    );
  });

  it('allows exactly the ids after which the rest still fits (seed 43)', () => {
    const grammar = jsonObjectGrammar();
    const automaton = createAutomaton(decodeGrammar(grammar));
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 40 }), choices, (outputCountMax, pick) => {
        const mask = open({ grammar, stopIds, outputCountMax });
        let state = automaton.start;
        for (let left = outputCountMax; ; left--) {
          const allowed = mask.allowed();
          for (let id = 0; id < tokenizer.vocabularySize; id++) {
            const bytes = tokenizer.tokenBytes(id);
            const after = [...bytes].reduce(
              (at, byte) => (at === DEAD ? DEAD : automaton.step(at, byte)),
              state,
            );
            const isControl = tokenizer.vocabulary.types[id] === 3;
            const fits = !isControl && after !== DEAD && automaton.need(after) + 2 <= left;
            const expected = stopIds.includes(id) ? automaton.need(state) === 0 : fits;
            expect([id, allowed[id]]).toEqual([id, expected ? 1 : 0]);
          }
          const ids = [...allowed.keys()].filter((id) => allowed[id] === 1);
          const id = ids[pick(ids.length)]!;
          mask.accept(id);
          if (stopIds.includes(id)) return;
          for (const byte of tokenizer.tokenBytes(id)) state = automaton.step(state, byte);
        }
      }),
      { seed: 43, numRuns: 10 },
    );
  });

  it('refuses a token that is not allowed', () => {
    const mask = open({ grammar: jsonObjectGrammar(), stopIds, outputCountMax: 9 });
    expect(() => mask.accept(tokenizer.encode('x')[0]!)).toThrow(code('grammar_violated'));
    expect(() => mask.accept(stopIds[0]!)).toThrow(code('grammar_violated'));
  });

  it('refuses jobs in which no answer is sure to end', () => {
    const grammar = jsonObjectGrammar();
    expect(() => open({ grammar, stopIds, outputCountMax: 2 })).toThrow(code('grammar_unfit'));
    expect(() => open({ grammar, stopIds: [], outputCountMax: 9 })).toThrow(code('grammar_unfit'));
    const brace = tokenizer.encode('{');
    expect(() => open({ grammar, stopIds: [...stopIds, ...brace], outputCountMax: 9 })).toThrow(
      code('grammar_unfit'),
    );
    babble(grammar, 3, () => 0);
  });
});

describe('jsonSchemaGrammar', () => {
  it.each<[string, unknown, string[], string[]]>([
    ['true', true, ['1', '{}', '[1, 2]', '"x"'], ['', 'tru', '01', "'x'"]],
    [
      'numbers',
      { type: 'number' },
      ['0', '-1.5e-3', '1E9'],
      ['.5', '+1', '1.', '--1', '1e999', 'NaN'],
    ],
    [
      'strings',
      { type: 'string' },
      ['""', '"é\\n\\u00e9"', '"\u{1f642}"'],
      ['"a', '"\\x"', '"\n"', '"\\ud800"'],
    ],
    ['two types', { type: ['integer', 'null'] }, ['5', 'null'], ['5.5', '"5"']],
    ['an enum with types', { type: 'string', enum: ['a', 1] }, ['"a"'], ['1']],
    ['a constant', { const: { a: [1] } }, ['{"a":[1]}'], ['{}']],
    ['free objects', { type: 'object' }, ['{}', '{"a": {"b":1}}'], ['[]', '{"a"}']],
    [
      'typed members',
      { type: 'object', additionalProperties: { type: 'boolean' } },
      ['{"x":true}'],
      ['{"x":1}'],
    ],
    ['no members', { type: 'object', additionalProperties: false }, ['{}'], ['{"x":1}']],
    [
      'at most',
      { type: 'array', maxItems: 2, items: { type: 'null' } },
      ['[]', '[null,null]'],
      ['[null,null,null]'],
    ],
    ['no items', { type: 'array', maxItems: 0 }, ['[]'], ['[1]']],
    ['definitions', { $ref: '#/$defs/a', $defs: { a: { type: 'null' } } }, ['null'], ['1']],
    ['no type', { properties: { a: { const: 1 } } }, ['{}', '{"a": 1}'], ['{"b":1}', '1']],
  ])('%s', (_, schema, good, bad) => {
    const grammar = jsonSchemaGrammar(schema);
    for (const text of good) expect([text, accepts(grammar, text)]).toEqual([text, true]);
    for (const text of bad) expect([text, accepts(grammar, text)]).toEqual([text, false]);
  });

  it.each<[string, unknown]>([
    ['not a schema', 5],
    ['false', false],
    ['oneOf', { oneOf: [true] }],
    ['a bound', { type: 'number', minimum: 3 }],
    ['an unknown type', { type: 'date' }],
    ['a foreign reference', { $ref: 'https://example.com/x' }],
    ['a reference to nothing', { $ref: '#/$defs/a' }],
    ['a keyword beside a reference', { $ref: '#/$defs/a', $defs: { a: true }, type: 'null' }],
    ['a required member without a schema', { type: 'object', required: ['a'] }],
    ['a keyword of another type', { type: 'string', items: true }],
    ['an empty choice', { anyOf: [] }],
    ['nothing that fits', { type: 'string', const: 1 }],
    ['an open pattern', { type: 'string', pattern: 'a' }],
    [
      'deep schemas',
      Array.from({ length: 70 }).reduce<unknown>((items) => ({ type: 'array', items }), true),
    ],
  ])('refuses %s', (_, schema) => {
    expect(() => jsonSchemaGrammar(schema)).toThrow(code('schema_unsupported'));
  });

  it('refuses schemas that are themselves, endless or too large', () => {
    expect(() => jsonSchemaGrammar({ $ref: '#' })).toThrow(code('grammar_invalid'));
    const endless = { type: 'object', properties: { a: { $ref: '#' } }, required: ['a'] };
    expect(() => jsonSchemaGrammar(endless)).toThrow(code('grammar_invalid'));
    expect(() => jsonSchemaGrammar({ type: 'string', maxLength: 1_000 })).toThrow(
      code('grammar_too_large'),
    );
    const many = { enum: Array.from({ length: 9_000 }, (_, i) => `value ${i}`) };
    expect(() => jsonSchemaGrammar(many)).toThrow(code('grammar_too_large'));
  });
});

describe('patternGrammar', () => {
  const patterns = [
    'a*b+c?',
    '(ab|a)(c|bc)',
    '[a-c]{2,3}',
    '[^a]b',
    '\\d{2}-\\w',
    'x(?:yz)*',
    '(a|b)*abb',
    'é+',
    'a{2,}',
    '.b',
    '^ab$',
    '\\.\\\\',
    '[\\d-]+',
    '[]a]',
    '(|a)b',
    'a{0}b',
  ];
  const letter = fc.constantFrom(...'abcxyz-0123é.\\]_ \n');

  it.each(patterns)('%s is what RegExp says (seed 44)', (pattern) => {
    const grammar = patternGrammar(pattern);
    const escaped = pattern.replace('[]a]', '[\\]a]');
    const expected = new RegExp(`^(?:${escaped.replace(/^\^|\$$/g, '')})$`, 'u');
    const text = fc.array(letter, { maxLength: 6 }).map((letters) => letters.join(''));
    fc.assert(
      fc.property(text, (sample) => {
        expect(accepts(grammar, sample)).toBe(expected.test(sample));
      }),
      { seed: 44, numRuns: 400 },
    );
  });

  it.each([
    '(?=a)',
    '\\1',
    'a**',
    '(a',
    'a)',
    'a{3,2}',
    'a{x}',
    '[b-a]',
    '[é-ü]',
    '\\bx',
    'a^b',
    '*',
    '[a',
    '\\p{L}',
    '+a',
  ])('refuses %s', (pattern) => {
    expect(() => patternGrammar(pattern)).toThrow(code('pattern_unsupported'));
  });
});

describe('choiceGrammar', () => {
  it('is one of its texts', () => {
    const grammar = choiceGrammar(['yes', 'no', 'yes, but']);
    for (const text of ['yes', 'no', 'yes, but']) expect(accepts(grammar, text)).toBe(true);
    for (const text of ['ye', 'yes,', 'nono', '']) expect(accepts(grammar, text)).toBe(false);
  });
});

describe('decodeGrammar', () => {
  const digit = { bytes: [[48, 57]] } as const;
  const good: Grammar = [[[digit, { rule: 1 }], []], [[digit]]];

  it('is undone by encodeGrammar', () => {
    expect(decodeGrammar(encodeGrammar(good))).toEqual(good);
  });

  it.each<[string, Grammar]>([
    ['no rules', []],
    ['a rule that is not there', [[[{ rule: 1 }]]]],
    ['a rule without alternatives', [[]]],
    ['a rule that never ends', [[[digit, { rule: 0 }]]]],
    ['a rule that begins with itself', [[[{ rule: 0 }, digit], []]]],
    ['one that does after an empty rule', [[[{ rule: 1 }, { rule: 0 }, digit], []], [[]]]],
    [
      'two that begin with each other',
      [
        [[{ rule: 1 }], []],
        [[{ rule: 0 }], []],
      ],
    ],
    [
      'ranges that touch',
      [
        [
          [
            {
              bytes: [
                [1, 2],
                [3, 4],
              ],
            },
          ],
        ],
      ],
    ],
    ['a range backwards', [[[{ bytes: [[2, 1]] }]]]],
  ])('refuses %s', (_, grammar) => {
    expect(() => encodeGrammar(grammar)).toThrow(code('grammar_invalid'));
  });

  it('throws nothing else, and takes canonical bytes only (seed 45)', () => {
    const noise = fc.uint8Array({ maxLength: 30 }).map((tail) => Uint8Array.from([1, 0, ...tail]));
    const changed = fc
      .tuple(fc.nat(encodeGrammar(good).length - 1), fc.nat(255))
      .map(([at, value]) => encodeGrammar(good).with(at, value));
    fc.assert(
      fc.property(fc.oneof(noise, changed), (bytes) => {
        try {
          expect(encodeGrammar(decodeGrammar(bytes))).toEqual(bytes);
        } catch (error) {
          expect(error).toMatchObject({
            code: expect.stringMatching(/^grammar_(invalid|too_large)$/),
          });
        }
      }),
      { seed: 45, numRuns: 2_000 },
    );
  });
});

describe('hostile grammars', () => {
  const soon = 2_000;

  it('that nest repetitions are too large, and found to be so at once', () => {
    const started = performance.now();
    const nested = (depth: number): unknown =>
      depth === 0
        ? { type: 'null' }
        : { type: 'array', minItems: 512, maxItems: 512, items: nested(depth - 1) };
    expect(() => jsonSchemaGrammar(nested(6))).toThrow(code('grammar_too_large'));
    expect(() => patternGrammar('(((((a{512}){512}){512}){512}){512})')).toThrow(
      code('grammar_too_large'),
    );
    const long = { anyOf: Array.from({ length: 6_000 }, () => ({ type: 'null' })) };
    expect(() => jsonSchemaGrammar(long)).toThrow(code('grammar_too_large'));
    expect(performance.now() - started).toBeLessThan(soon);
  });

  it('whose shortest text doubles with every rule are refused', () => {
    const doubling = Array.from({ length: 60 }, (_, i) => [[{ rule: i + 1 }, { rule: i + 1 }]]);
    expect(() => encodeGrammar([...doubling, [[{ bytes: [[97, 97]] }]]])).toThrow(
      code('grammar_invalid'),
    );
  });

  it('that are one long chain are read in linear time, and not followed', () => {
    const started = performance.now();
    const chain: Grammar = Array.from({ length: 8_000 }, (_, i) =>
      i < 7_999 ? [[{ rule: i + 1 }]] : [[{ bytes: [[97, 97]] }]],
    );
    const bytes = encodeGrammar(chain);
    expect(() => createAutomaton(decodeGrammar(bytes))).toThrow(code('grammar_too_complex'));
    expect(performance.now() - started).toBeLessThan(soon);
  });
});

describe('createAutomaton', () => {
  it('refuses a grammar that can be read in endlessly many ways', () => {
    // S = S' | S' S': every byte doubles the ways to have come here.
    const a = { bytes: [[97, 97]] } as const;
    const grammar: Grammar = [[[a, { rule: 0 }, { rule: 0 }, { rule: 0 }], [a], []]];
    const automaton = createAutomaton(grammar);
    const run = () => {
      let state = automaton.start;
      for (let i = 0; i < 100_000 && state !== DEAD; i++) state = automaton.step(state, 97);
    };
    expect(run).toThrow(code('grammar_too_complex'));
  });

  it('stays small in repetitions', () => {
    const automaton = createAutomaton(decodeGrammar(patternGrammar('(ab?)*')));
    let state = automaton.start;
    for (let i = 0; i < 10_000; i++) state = automaton.step(state, i % 2 === 0 ? 97 : 98);
    expect(state).not.toBe(DEAD);
    expect(automaton.used()).toBeLessThan(0.001);
  });
});
