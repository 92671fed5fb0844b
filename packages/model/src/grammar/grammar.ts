/**
 * A grammar over bytes: which texts an answer may be. Rules are lists of alternatives, alternatives are sequences of
 * byte sets and rules; rule 0 is the whole text. It has one canonical encoding (docs/reference/grammar.md), which is
 * what a job commits to. This module knows the form and what makes a grammar usable, not JSON, tokens or models.
 */
import { modelError } from '../errors.js';
import {
  GRAMMAR_BYTES_MAX,
  GRAMMAR_RULES_MAX,
  GRAMMAR_SYMBOLS_MAX,
  GRAMMAR_TEXT_BYTES_MAX,
} from '../limits.js';

/** Inclusive ranges of bytes, ascending, neither touching nor overlapping. */
export type ByteSet = readonly (readonly [low: number, high: number])[];

/** One byte of a set, or a text of a rule. */
export type GrammarSymbol = { readonly bytes: ByteSet } | { readonly rule: number };

export type Alternative = readonly GrammarSymbol[];
export type Rule = readonly Alternative[];

/** Rules by number; rule 0 is the start. */
export type Grammar = readonly Rule[];

const VERSION = 1;
const SYMBOL_RULE = 0;

/** Canonical bytes of a grammar; checks it as {@link decodeGrammar} does. */
export function encodeGrammar(grammar: Grammar): Uint8Array {
  const out: number[] = [VERSION, ...uint16(grammar.length)];
  for (const rule of grammar) {
    out.push(...uint16(rule.length));
    for (const alternative of rule) {
      out.push(...uint16(alternative.length));
      for (const symbol of alternative) out.push(...encodeSymbol(symbol));
    }
  }
  const bytes = Uint8Array.from(out);
  decodeGrammar(bytes);
  return bytes;
}

/** A rule is 0 and its number; a set is the count of its ranges, then each. */
function encodeSymbol(symbol: GrammarSymbol): readonly number[] {
  if ('rule' in symbol) return [SYMBOL_RULE, ...uint16(symbol.rule)];
  return [symbol.bytes.length, ...symbol.bytes.flat()];
}

const uint16 = (value: number): readonly number[] => [value >> 8, value & 255];

/** Reads a stranger's grammar; throws `grammar_invalid` unless every rule can end and none begins with itself. */
export function decodeGrammar(bytes: Uint8Array): Grammar {
  if (bytes.length > GRAMMAR_BYTES_MAX) throw tooLarge('bytes', bytes.length);
  const reader = createReader(bytes);
  if (reader.byte() !== VERSION) throw invalid('its version is unknown', bytes[0]);
  const ruleCount = reader.word();
  if (ruleCount === 0) throw invalid('it has no rule', ruleCount);
  if (ruleCount > GRAMMAR_RULES_MAX) throw tooLarge('rules', ruleCount);
  const grammar: Alternative[][] = [];
  for (let rule = 0; rule < ruleCount; rule++) {
    grammar.push(readList(reader, () => readList(reader, () => readSymbol(reader, ruleCount))));
  }
  if (reader.left() > 0) throw invalid('something follows it', reader.left());
  const lengths = shortestLengths(grammar);
  const endless = lengths.indexOf(Number.POSITIVE_INFINITY);
  if (endless >= 0) throw invalid('a rule never ends', endless);
  checkLeftRecursion(grammar, lengths);
  return grammar;
}

type Reader = {
  readonly byte: () => number;
  readonly word: () => number;
  readonly left: () => number;
  /** Counts the symbols of the whole grammar. */
  readonly count: () => void;
};

function createReader(bytes: Uint8Array): Reader {
  let at = 0;
  let symbols = 0;
  const byte = (): number => {
    const value = bytes[at++];
    if (value === undefined) throw invalid('it is cut off', bytes.length);
    return value;
  };
  return {
    byte,
    word: () => byte() * 256 + byte(),
    left: () => bytes.length - at,
    count: () => {
      if (++symbols > GRAMMAR_SYMBOLS_MAX) throw tooLarge('symbols', symbols);
    },
  };
}

function readList<T>(reader: Reader, read: () => T): T[] {
  const items: T[] = [];
  for (let left = reader.word(); left > 0; left--) items.push(read());
  return items;
}

function readSymbol(reader: Reader, ruleCount: number): GrammarSymbol {
  reader.count();
  const kind = reader.byte();
  if (kind === SYMBOL_RULE) {
    const rule = reader.word();
    if (rule >= ruleCount) throw invalid('it names a rule that it has not', rule);
    return { rule };
  }
  const bytes: [number, number][] = [];
  for (let range = 0; range < kind; range++) {
    const low = reader.byte();
    const high = reader.byte();
    const after = (bytes.at(-1)?.[1] ?? -2) + 1;
    if (low <= after || high < low) throw invalid('its ranges are not in order', low);
    bytes.push([low, high]);
  }
  return { bytes };
}

/**
 * Fewest bytes of a text of each rule, infinite for rules without a text of at most {@link GRAMMAR_TEXT_BYTES_MAX}.
 * Rules are settled from the shortest on (Knuth, "A generalization of Dijkstra's algorithm", 1977): linear in the
 * grammar, which comes from strangers.
 */
export function shortestLengths(grammar: Grammar): readonly number[] {
  const lengths = grammar.map(() => Number.POSITIVE_INFINITY);
  const users: Open[][] = grammar.map(() => []);
  const waiting: number[][] = [];
  const offer = ({ rule, missing, size }: Open): void => {
    if (missing > 0 || size > GRAMMAR_TEXT_BYTES_MAX) return;
    const others = waiting[size];
    if (others === undefined) waiting[size] = [rule];
    else others.push(rule);
  };
  for (const [rule, alternatives] of grammar.entries()) {
    for (const alternative of alternatives) {
      const open = { rule, missing: 0, size: 0 };
      for (const symbol of alternative) {
        if ('rule' in symbol) {
          open.missing++;
          users[symbol.rule]!.push(open);
        } else open.size++;
      }
      offer(open);
    }
  }
  for (let length = 0; length < waiting.length; length++) {
    // The list grows while it is read: rules without bytes make others of the same length.
    for (const rule of waiting[length] ?? []) {
      if (lengths[rule] !== Number.POSITIVE_INFINITY) continue;
      lengths[rule] = length;
      for (const open of users[rule]!) {
        open.missing--;
        open.size += length;
        offer(open);
      }
    }
  }
  return lengths;
}

/** An alternative of `rule`: its rules that are not settled, and the fewest bytes of the rest. */
type Open = { readonly rule: number; missing: number; size: number };

/** A rule that can begin with itself would be entered for ever without reading a byte. */
function checkLeftRecursion(grammar: Grammar, lengths: readonly number[]): void {
  const begins = grammar.map((rule) => {
    const first = new Set<number>();
    for (const alternative of rule) {
      for (const symbol of alternative) {
        if (!('rule' in symbol)) break;
        first.add(symbol.rule);
        if (lengths[symbol.rule]! > 0) break;
      }
    }
    return first;
  });
  const state = new Uint8Array(grammar.length);
  for (let start = 0; start < grammar.length; start++) visit(begins, state, start);
}

/** Depth first without the call stack: rules may form a chain as long as their number. */
function visit(begins: readonly ReadonlySet<number>[], state: Uint8Array, start: number): void {
  if (state[start] !== 0) return;
  const path = [{ rule: start, next: [...begins[start]!] }];
  state[start] = 1;
  while (path.length > 0) {
    const top = path.at(-1)!;
    const rule = top.next.pop();
    if (rule === undefined) {
      state[top.rule] = 2;
      path.pop();
    } else if (state[rule] === 1) throw invalid('a rule begins with itself', rule);
    else if (state[rule] === 0) {
      state[rule] = 1;
      path.push({ rule, next: [...begins[rule]!] });
    }
  }
}

const invalid = (why: string, value: unknown) =>
  modelError({ code: 'grammar_invalid', message: `The grammar is not valid: ${why}.`, value });

const tooLarge = (what: string, value: number) =>
  modelError({ code: 'grammar_too_large', message: `The grammar has too many ${what}.`, value });
