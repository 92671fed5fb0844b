/** Protocol JSON against the plain definition: a replacer and a reviver. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeJson, encodeJson } from './wire.js';

const AMOUNTS = ['maxClaimableAmount', 'inputPrice', 'outputPrice', 'expiresAt', 'price'] as const;

const amounts = fc.record(
  Object.fromEntries(AMOUNTS.map((name) => [name, fc.bigInt({ min: 0n, max: 2n ** 128n - 1n })])),
);
const tree = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    amounts,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie('value'), { maxKeys: 4 }),
  ),
})).value;

const withReplacer = (message: unknown): string =>
  JSON.stringify(message, (_, value) => (typeof value === 'bigint' ? value.toString() : value));
const withReviver = (text: string): unknown =>
  JSON.parse(text, (key, value) =>
    [...AMOUNTS, 'completedAt'].includes(key) && /^\d{1,39}$/.test(value) ? BigInt(value) : value,
  );

describe('encodeJson and decodeJson', () => {
  it('say the same as a replacer and a reviver', () => {
    fc.assert(
      fc.property(tree, (message) => {
        const text = encodeJson(message);
        expect(text).toBe(withReplacer(message));
        expect(decodeJson(text)).toEqual(withReviver(text));
      }),
      { seed: 0x6a736f6e, numRuns: 500 },
    );
  });

  it('leave out what is undefined, and use the form that a value has of its own', () => {
    expect(encodeJson({ a: undefined, b: { toJSON: () => 'text' }, c: [1n, undefined] })).toBe(
      '{"b":"text","c":["1",null]}',
    );
  });

  it('find amounts in lists of messages, and leave lists of token ids alone', () => {
    expect(decodeJson('{"list":[{"price":"7"}],"ids":[1,2],"price":"x"}')).toEqual({
      list: [{ price: 7n }],
      ids: [1, 2],
      price: 'x',
    });
  });
});
