/**
 * JSON (RFC 8259) as grammar expressions: compact, with at most one space after a colon or a comma, numbers of at most
 * 15 digits before and after the point (every double holds them) and exponents of at most two.
 */
import {
  bytes,
  choice,
  type Expression,
  literal,
  named,
  optional,
  repeat,
  sequence,
  star,
} from './expression.js';

const DIGIT = bytes([0x30, 0x39]);
const DIGIT_1_9 = bytes([0x31, 0x39]);
const HEX_DIGIT = bytes([0x30, 0x39], [0x41, 0x46], [0x61, 0x66]);
const TAIL = bytes([0x80, 0xbf]);

/** Digits that a double holds exactly. */
const DIGITS_MAX = 15;
const EXPONENT_DIGITS_MAX = 2;

/** Well-formed UTF-8 of two to four bytes (Unicode, table 3-7). */
export const MULTIBYTE: Expression = choice(
  sequence(bytes([0xc2, 0xdf]), TAIL),
  sequence(bytes([0xe0, 0xe0]), bytes([0xa0, 0xbf]), TAIL),
  sequence(bytes([0xe1, 0xec], [0xee, 0xef]), TAIL, TAIL),
  sequence(bytes([0xed, 0xed]), bytes([0x80, 0x9f]), TAIL),
  sequence(bytes([0xf0, 0xf0]), bytes([0x90, 0xbf]), TAIL, TAIL),
  sequence(bytes([0xf1, 0xf3]), TAIL, TAIL, TAIL),
  sequence(bytes([0xf4, 0xf4]), bytes([0x80, 0x8f]), TAIL, TAIL),
);

/** ASCII that a string may have as it is: no control characters, quotation mark or backslash. */
const PLAIN = bytes([0x20, 0x21], [0x23, 0x5b], [0x5d, 0x7f]);

/** A character other than a surrogate half as \uXXXX, so that one escape is one character. */
const UNICODE_ESCAPE: Expression = sequence(
  literal('u'),
  choice(
    sequence(
      bytes([0x30, 0x39], [0x41, 0x43], [0x45, 0x46], [0x61, 0x63], [0x65, 0x66]),
      HEX_DIGIT,
    ),
    sequence(bytes([0x44, 0x44], [0x64, 0x64]), bytes([0x30, 0x37])),
  ),
  HEX_DIGIT,
  HEX_DIGIT,
);

/** One character of a string. */
export const CHARACTER: Expression = choice(
  PLAIN,
  MULTIBYTE,
  sequence(
    literal('\\'),
    choice(bytes(...[...'"/\\bfnrt'].map(codePair).sort((a, b) => a[0] - b[0])), UNICODE_ESCAPE),
  ),
);

function codePair(letter: string): [number, number] {
  const code = letter.charCodeAt(0);
  return [code, code];
}

export const STRING: Expression = sequence(literal('"'), star(CHARACTER), literal('"'));

const DIGITS = sequence(DIGIT, repeat(DIGIT, 0, DIGITS_MAX - 1));

export const INTEGER: Expression = sequence(
  optional(literal('-')),
  choice(literal('0'), sequence(DIGIT_1_9, repeat(DIGIT, 0, DIGITS_MAX - 1))),
);

export const NUMBER: Expression = sequence(
  INTEGER,
  optional(sequence(literal('.'), DIGITS)),
  optional(
    sequence(
      bytes([0x45, 0x45], [0x65, 0x65]),
      optional(bytes([0x2b, 0x2b], [0x2d, 0x2d])),
      repeat(DIGIT, 1, EXPONENT_DIGITS_MAX),
    ),
  ),
);

const SPACE = optional(literal(' '));
export const COMMA: Expression = sequence(literal(','), SPACE);
export const COLON: Expression = sequence(literal(':'), SPACE);

/** `open`, any number of items between commas, `close`. */
export const list = (open: string, item: Expression, close: string): Expression =>
  sequence(literal(open), optional(sequence(item, star(sequence(COMMA, item)))), literal(close));

/** Names of {@link JSON_DEFINITIONS}. */
export const ANY_VALUE: Expression = named('value');
export const ANY_OBJECT: Expression = named('object');
export const ANY_ARRAY: Expression = named('array');

/** An object whose members all have values of one kind. */
export const objectOf = (value: Expression): Expression =>
  list('{', sequence(STRING, COLON, value), '}');

export const JSON_DEFINITIONS: ReadonlyMap<string, Expression> = new Map([
  ['object', objectOf(ANY_VALUE)],
  ['array', list('[', ANY_VALUE, ']')],
  [
    'value',
    choice(
      ANY_OBJECT,
      ANY_ARRAY,
      STRING,
      NUMBER,
      literal('true'),
      literal('false'),
      literal('null'),
    ),
  ],
]);
