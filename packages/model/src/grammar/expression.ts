/**
 * Grammars written as expressions: texts, byte sets, sequences, choices, repetitions and names. `buildGrammar` turns
 * them into rules. What an expression means for JSON or for regular expressions is said elsewhere.
 */
import { modelError } from '../errors.js';
import { GRAMMAR_REPEAT_MAX, GRAMMAR_SYMBOLS_MAX } from '../limits.js';
import {
  type Alternative,
  type ByteSet,
  encodeGrammar,
  type GrammarSymbol,
  type Rule,
} from './grammar.js';

export type Expression =
  | { readonly kind: 'bytes'; readonly set: ByteSet }
  | { readonly kind: 'sequence'; readonly parts: readonly Expression[] }
  | { readonly kind: 'choice'; readonly options: readonly Expression[] }
  /** Any number of times, zero included. */
  | { readonly kind: 'star'; readonly part: Expression }
  /** An expression by name, which may contain itself. */
  | { readonly kind: 'name'; readonly name: string };

export const bytes = (...set: ByteSet): Expression => ({ kind: 'bytes', set });
export const sequence = (...parts: readonly Expression[]): Expression => ({
  kind: 'sequence',
  parts,
});
export const choice = (...options: readonly Expression[]): Expression =>
  options.length === 1 ? options[0]! : { kind: 'choice', options };
export const star = (part: Expression): Expression => ({ kind: 'star', part });
export const named = (name: string): Expression => ({ kind: 'name', name });
export const NOTHING: Expression = sequence();
export const optional = (part: Expression): Expression => choice(part, NOTHING);

/** The bytes of a text, one after the other. */
export const literal = (text: string): Expression =>
  sequence(...[...new TextEncoder().encode(text)].map((byte) => bytes([byte, byte])));

/** At least `min` and at most `max` times. */
export function repeat(part: Expression, min: number, max = Number.POSITIVE_INFINITY): Expression {
  const copies = max === Number.POSITIVE_INFINITY ? min : max;
  if (copies > GRAMMAR_REPEAT_MAX) {
    throw modelError({
      code: 'grammar_too_large',
      message: `A repetition may have at most ${GRAMMAR_REPEAT_MAX} counted steps.`,
      value: copies,
    });
  }
  const required: Expression[] = Array.from({ length: min }, () => part);
  if (max === Number.POSITIVE_INFINITY) return sequence(...required, star(part));
  let rest: Expression = NOTHING;
  for (let left = max - min; left > 0; left--) rest = optional(sequence(part, rest));
  return sequence(...required, rest);
}

/** Canonical bytes of the grammar of `start`, whose names stand for `definitions`. */
export function buildGrammar(
  start: Expression,
  definitions: ReadonlyMap<string, Expression> = new Map(),
): Uint8Array {
  const rules: Rule[] = [[]];
  const known = new Map<string, number>();
  let symbolCount = 0;
  /** Number of the rule for `key`, made at its first mention. */
  const ruleOf = (key: string, make: (number: number) => Rule): GrammarSymbol => {
    const found = known.get(key);
    if (found !== undefined) return { rule: found };
    const rule = rules.push([]) - 1;
    known.set(key, rule);
    rules[rule] = make(rule);
    for (const alternative of rules[rule]) symbolCount += alternative.length;
    if (symbolCount > GRAMMAR_SYMBOLS_MAX) throw tooLarge(symbolCount);
    return { rule };
  };
  const lowered = new Map<Expression, Alternative>();
  // An expression may stand in many places: it is worked out once, and never beyond what a grammar may have.
  const lower = (expression: Expression): Alternative => {
    const done = lowered.get(expression) ?? lowerNew(expression);
    if (done.length > GRAMMAR_SYMBOLS_MAX) throw tooLarge(done.length);
    lowered.set(expression, done);
    return done;
  };
  const lowerNew = (expression: Expression): Alternative => {
    switch (expression.kind) {
      case 'bytes':
        return [{ bytes: expression.set }];
      case 'sequence':
        return joined(expression.parts.map(lower));
      case 'choice': {
        const options = expression.options.map(lower);
        return [ruleOf(JSON.stringify(options), () => options)];
      }
      case 'star': {
        const part = lower(expression.part);
        return [ruleOf(`star ${JSON.stringify(part)}`, (rule) => [[...part, { rule }], []])];
      }
      case 'name': {
        const definition = definitions.get(expression.name);
        if (definition === undefined)
          throw new Error(`invariant broken: ${expression.name} is defined`);
        return [ruleOf(`name ${expression.name}`, () => [lower(definition)])];
      }
    }
  };
  rules[0] = [lower(start)];
  return encodeGrammar(rules);
}

function joined(parts: readonly Alternative[]): Alternative {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  if (size > GRAMMAR_SYMBOLS_MAX) throw tooLarge(size);
  return parts.flat();
}

const tooLarge = (size: number) =>
  modelError({
    code: 'grammar_too_large',
    message: 'The schema or pattern gives too large a grammar.',
    value: size,
  });
