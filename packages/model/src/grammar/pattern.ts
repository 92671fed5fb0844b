/**
 * Regular expressions of a named subset as grammars over UTF-8: literals, `.`, classes, groups, `|`, `*`, `+`, `?`,
 * `{m,n}` and the usual escapes. The whole text must match; `^` and `$` are allowed at the ends and say so. There are
 * no look-arounds and no back-references: those are not regular, and refused.
 */
import { modelError } from '../errors.js';
import {
  buildGrammar,
  bytes,
  choice,
  type Expression,
  literal,
  NOTHING,
  repeat,
  sequence,
} from './expression.js';
import type { ByteSet } from './grammar.js';
import { MULTIBYTE } from './json.js';

/** Inclusive ranges of ASCII codes, and whether every other character is meant, too. */
type CharacterClass = { readonly codes: ReadonlySet<number>; readonly beyondAscii: boolean };

type PatternOptions = {
  /** Characters that JSON writes with an escape never match, because they cannot stand in a string as they are. */
  readonly inJsonString?: boolean;
};

const ASCII_COUNT = 128;

/** Groups inside groups. */
const DEPTH_MAX = 64;

const range = (from: string, to: string): readonly number[] =>
  Array.from(
    { length: to.charCodeAt(0) - from.charCodeAt(0) + 1 },
    (_, i) => from.charCodeAt(0) + i,
  );

const DIGITS = range('0', '9');
const WORD = [...DIGITS, ...range('A', 'Z'), ...range('a', 'z'), 0x5f];
const SPACES = [0x20, 0x09, 0x0a, 0x0b, 0x0c, 0x0d];
const CLASS_ESCAPES: Readonly<Record<string, readonly number[]>> = {
  d: DIGITS,
  w: WORD,
  s: SPACES,
};
const CHARACTER_ESCAPES: Readonly<Record<string, number>> = {
  n: 0x0a,
  r: 0x0d,
  t: 0x09,
  f: 0x0c,
  v: 0x0b,
};

/** Canonical bytes of the grammar of the texts that `pattern` matches as a whole. */
export const patternGrammar = (pattern: string): Uint8Array =>
  buildGrammar(patternExpression(pattern));

/** Canonical bytes of the grammar of a few texts. */
export const choiceGrammar = (texts: readonly string[]): Uint8Array =>
  buildGrammar(choice(...texts.map(literal)));

export function patternExpression(pattern: string, options: PatternOptions = {}): Expression {
  const scanner = createScanner(pattern, options);
  const expression = alternatives(scanner, 0);
  if (peek(scanner) !== undefined)
    throw unsupported(pattern, 'a closing bracket without an opening one');
  return expression;
}

/** Where reading has got to. */
type Scanner = {
  readonly pattern: string;
  readonly letters: readonly string[];
  readonly inJsonString: boolean;
  at: number;
};

function createScanner(pattern: string, options: PatternOptions): Scanner {
  const body = pattern.replace(/^\^/, '').replace(/(?<!\\)((?:\\\\)*)\$$/, '$1');
  return { pattern, letters: [...body], inJsonString: options.inJsonString === true, at: 0 };
}

const peek = (scanner: Scanner): string | undefined => scanner.letters[scanner.at];

function take(scanner: Scanner): string {
  const letter = scanner.letters[scanner.at++];
  if (letter === undefined) throw unsupported(scanner.pattern, 'its end');
  return letter;
}

function takeIf(scanner: Scanner, letter: string): boolean {
  if (peek(scanner) !== letter) return false;
  scanner.at++;
  return true;
}

function alternatives(scanner: Scanner, depth: number): Expression {
  if (depth > DEPTH_MAX) throw unsupported(scanner.pattern, 'so many groups');
  const found = [terms(scanner, depth)];
  while (takeIf(scanner, '|')) found.push(terms(scanner, depth));
  return choice(...found);
}

function terms(scanner: Scanner, depth: number): Expression {
  const parts: Expression[] = [];
  for (
    let next = peek(scanner);
    next !== undefined && next !== '|' && next !== ')';
    next = peek(scanner)
  )
    parts.push(quantified(scanner, atom(scanner, depth)));
  return parts.length === 0 ? NOTHING : sequence(...parts);
}

function atom(scanner: Scanner, depth: number): Expression {
  const letter = take(scanner);
  if (letter === '(') return group(scanner, depth);
  if (letter === '[') return ofClass(scanner, readClass(scanner));
  if (letter === '.') return ofClass(scanner, { codes: allBut([0x0a, 0x0d]), beyondAscii: true });
  if (letter === '\\') return ofClass(scanner, escaped(scanner, take(scanner)));
  const isSpecial = '*+?{}]^$'.includes(letter);
  if (isSpecial || !isPlain(scanner, letter.codePointAt(0)!))
    throw unsupported(scanner.pattern, letter);
  return literal(letter);
}

function group(scanner: Scanner, depth: number): Expression {
  if (takeIf(scanner, '?') && take(scanner) !== ':') throw unsupported(scanner.pattern, '(?');
  const inside = alternatives(scanner, depth + 1);
  if (!takeIf(scanner, ')')) throw unsupported(scanner.pattern, 'an open group');
  return inside;
}

function quantified(scanner: Scanner, part: Expression): Expression {
  const counts = quantifier(scanner);
  if (counts === undefined) return part;
  if ('*+?{'.includes(peek(scanner) ?? ' '))
    throw unsupported(scanner.pattern, 'a quantifier of a quantifier');
  return repeat(part, counts[0], counts[1]);
}

function quantifier(scanner: Scanner): readonly [min: number, max: number] | undefined {
  if (takeIf(scanner, '*')) return [0, Number.POSITIVE_INFINITY];
  if (takeIf(scanner, '+')) return [1, Number.POSITIVE_INFINITY];
  if (takeIf(scanner, '?')) return [0, 1];
  if (!takeIf(scanner, '{')) return undefined;
  let text = '';
  while (!takeIf(scanner, '}')) text += take(scanner);
  const match = /^(\d{1,4})(,(\d{0,4}))?$/.exec(text);
  const min = Number(match?.[1]);
  const isOpen = match?.[3] === '';
  const max = match?.[2] === undefined ? min : isOpen ? Number.POSITIVE_INFINITY : Number(match[3]);
  if (!(max >= min)) throw unsupported(scanner.pattern, `{${text}}`);
  return [min, max];
}

function readClass(scanner: Scanner): CharacterClass {
  const isNegated = takeIf(scanner, '^');
  const codes = new Set<number>();
  let beyondAscii = false;
  for (let isFirst = true; isFirst || peek(scanner) !== ']'; isFirst = false) {
    const low = classPart(scanner);
    const isRange = peek(scanner) === '-' && scanner.letters[scanner.at + 1] !== ']';
    const part = isRange ? rangeFrom(scanner, low) : low;
    for (const code of part.codes) codes.add(code);
    beyondAscii ||= part.beyondAscii;
  }
  take(scanner);
  return isNegated
    ? { codes: allBut([...codes]), beyondAscii: !beyondAscii }
    : { codes, beyondAscii };
}

function rangeFrom(scanner: Scanner, low: CharacterClass): CharacterClass {
  take(scanner);
  const high = classPart(scanner);
  const [from, to] = [Math.min(...low.codes), Math.min(...high.codes)];
  if (low.codes.size !== 1 || high.codes.size !== 1 || from > to)
    throw unsupported(scanner.pattern, 'a range of a class');
  return {
    codes: new Set(Array.from({ length: to - from + 1 }, (_, i) => from + i)),
    beyondAscii: false,
  };
}

function classPart(scanner: Scanner): CharacterClass {
  const letter = take(scanner);
  if (letter === '\\') return escaped(scanner, take(scanner));
  const code = letter.codePointAt(0)!;
  if (code >= ASCII_COUNT) throw unsupported(scanner.pattern, letter);
  return { codes: new Set([code]), beyondAscii: false };
}

function escaped({ pattern }: Scanner, letter: string): CharacterClass {
  const set = CLASS_ESCAPES[letter];
  if (set !== undefined) return { codes: new Set(set), beyondAscii: false };
  const opposite = CLASS_ESCAPES[letter.toLowerCase()];
  if (opposite !== undefined) return { codes: allBut(opposite), beyondAscii: true };
  const code = CHARACTER_ESCAPES[letter];
  if (code !== undefined) return { codes: new Set([code]), beyondAscii: false };
  const isOther = /[\p{L}\p{N}]/u.test(letter) || letter.codePointAt(0)! >= ASCII_COUNT;
  if (isOther) throw unsupported(pattern, `\\${letter}`);
  return { codes: new Set([letter.charCodeAt(0)]), beyondAscii: false };
}

const isPlain = ({ inJsonString }: Scanner, code: number): boolean =>
  !inJsonString || (code >= 0x20 && code !== 0x22 && code !== 0x5c);

function ofClass(scanner: Scanner, { codes, beyondAscii }: CharacterClass): Expression {
  const set = toByteSet([...codes].filter((code) => isPlain(scanner, code)));
  if (set.length > 0) return beyondAscii ? choice(bytes(...set), MULTIBYTE) : bytes(...set);
  if (!beyondAscii) throw unsupported(scanner.pattern, 'a class that nothing matches');
  return MULTIBYTE;
}

const allBut = (codes: readonly number[]): ReadonlySet<number> => {
  const left = new Set(Array.from({ length: ASCII_COUNT }, (_, code) => code));
  for (const code of codes) left.delete(code);
  return left;
};

function toByteSet(codes: readonly number[]): ByteSet {
  const set: [number, number][] = [];
  for (const code of [...codes].sort((a, b) => a - b)) {
    const last = set.at(-1);
    if (last !== undefined && last[1] + 1 === code) last[1] = code;
    else set.push([code, code]);
  }
  return set;
}

const unsupported = (pattern: string, what: string) =>
  modelError({
    code: 'pattern_unsupported',
    message: `The pattern has something that is not supported: ${what.slice(0, 40)}.`,
    value: pattern,
  });
