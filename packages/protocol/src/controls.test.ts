import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Controls,
  DEFAULT_CONTROLS,
  decodeControls,
  detailBytesPerToken,
  encodeControls,
  hashControls,
} from './controls.js';
import { keccak } from './hash.js';
import { toHex } from './hex.js';
import { NO_CONTROLS } from './typed-data.js';

const q16 = fc.integer({ min: -(2 ** 31) + 1, max: 2 ** 31 - 1 });
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

/** Any controls of a job that gives tokens. */
const arbitrary: fc.Arbitrary<Controls> = fc
  .record({
    repetition: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    presence: q16,
    frequency: q16,
    bias: fc
      .dictionary(
        fc.nat(2 ** 32 - 1).map(String),
        q16.filter((value) => value !== 0),
        { maxKeys: 8 },
      )
      .map((record) =>
        Object.entries(record)
          .map(([id, amount]): [number, number] => [Number(id), amount])
          .sort((a, b) => a[0] - b[0]),
      ),
    grammar: optional(fc.uint8Array({ minLength: 1, maxLength: 40 })),
    topLogprobs: optional(fc.nat(20)),
  })
  .map(({ grammar, topLogprobs, ...rest }) => ({
    ...rest,
    ...(grammar === undefined ? {} : { grammar }),
    ...(topLogprobs === undefined ? {} : { topLogprobs }),
  }));

const invalid = expect.objectContaining({ code: 'controls_invalid' });

describe('encodeControls', () => {
  it('is empty when nothing is controlled', () => {
    expect(encodeControls(DEFAULT_CONTROLS).length).toBe(0);
  });

  it('is undone by decodeControls (seed 71)', () => {
    fc.assert(
      fc.property(arbitrary, (controls) => {
        expect(decodeControls(encodeControls(controls))).toEqual(controls);
      }),
      { seed: 71, numRuns: 500 },
    );
  });

  it('has the bytes that the document shows', () => {
    const controls: Controls = {
      ...DEFAULT_CONTROLS,
      presence: -1,
      bias: [[7, 65_536]],
      topLogprobs: 2,
    };
    expect(toHex(encodeControls(controls))).toBe(
      '0x010200000004ffffffff04000000080000000700010000060000000102',
    );
    expect(toHex(encodeControls({ ...DEFAULT_CONTROLS, pooling: 'mean' }))).toBe(
      '0x01070000000101',
    );
  });

  it.each<[string, Partial<Controls>]>([
    ['repetition 0', { repetition: 0 }],
    ['a fraction', { presence: 0.5 }],
    ['-2^31, which the grid has not', { frequency: -(2 ** 31) }],
    [
      'ids out of order',
      {
        bias: [
          [2, 1],
          [1, 1],
        ],
      },
    ],
    [
      'an id twice',
      {
        bias: [
          [2, 1],
          [2, 1],
        ],
      },
    ],
    ['a bias of nothing', { bias: [[2, 0]] }],
    ['an empty grammar', { grammar: new Uint8Array(0) }],
    ['a grammar that is too large', { grammar: new Uint8Array(65_536) }],
    ['21 logprobs', { topLogprobs: 21 }],
    ['an embedding with penalties', { pooling: 'last', presence: 1 }],
  ])('refuses %s', (_, change) => {
    expect(() => encodeControls({ ...DEFAULT_CONTROLS, ...change })).toThrow(invalid);
  });
});

describe('decodeControls', () => {
  it.each([
    ['another version', '02'],
    ['a version alone', '01'],
    ['a section that is cut off', '010100000004ffff'],
    ['a length beyond the end', '0105ffffffff00'],
    ['an unknown section', '010900000000'],
    ['a section that changes nothing', '01020000000400000000'],
    ['sections out of order', '010300000004000000010200000004' + '00000001'],
    ['a section twice', '0102000000040000000102000000040000' + '0001'],
    ['half a bias', '01040000000400000001'],
    ['an unknown pooling', '01070000000109'],
    ['two bytes of pooling', '0107000000020101'],
  ])('refuses %s', (_, hex) => {
    expect(() => decodeControls(Uint8Array.from(Buffer.from(hex, 'hex')))).toThrow(invalid);
  });

  it('never throws anything else, and what it takes is canonical (seed 72)', () => {
    const bytes = fc.uint8Array({ maxLength: 40 }).map((tail) => Uint8Array.from([1, ...tail]));
    fc.assert(
      fc.property(bytes, (input) => {
        try {
          expect(encodeControls(decodeControls(input))).toEqual(input);
        } catch (error) {
          expect(error).toMatchObject({ code: 'controls_invalid' });
        }
      }),
      { seed: 72, numRuns: 2_000 },
    );
  });
});

describe('hashControls', () => {
  it('is zero without controls, else the hash of the bytes', () => {
    expect(hashControls(new Uint8Array(0))).toBe(NO_CONTROLS);
    const bytes = encodeControls({ ...DEFAULT_CONTROLS, presence: 1 });
    expect(hashControls(bytes)).toBe(toHex(keccak(bytes)));
  });
});

describe('detailBytesPerToken', () => {
  it('counts the log probabilities', () => {
    expect(detailBytesPerToken(DEFAULT_CONTROLS)).toBe(0);
    expect(detailBytesPerToken({ ...DEFAULT_CONTROLS, topLogprobs: 0 })).toBe(4);
    expect(detailBytesPerToken({ ...DEFAULT_CONTROLS, topLogprobs: 20 })).toBe(164);
  });
});
