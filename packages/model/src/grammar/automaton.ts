/**
 * Follows a text byte by byte through a grammar. The grammar may be nested and ambiguous, so what may come next is a
 * set of stacks of positions; sets are numbered when first met and their steps remembered, so that a known byte in a
 * known state is one look-up. Deterministic: the numbers depend on the grammar and the order of questions, the answers
 * only on the grammar.
 */
import { modelError } from '../errors.js';
import { GRAMMAR_STACKS_MAX, GRAMMAR_STATES_MAX, GRAMMAR_STEPS_MAX } from '../limits.js';
import { type Grammar, type GrammarSymbol, shortestLengths } from './grammar.js';

/** State after a text that no continuation completes. */
export const DEAD = -1;

export type Automaton = {
  /** Before the first byte. */
  readonly start: number;
  /** The state after one more byte, or {@link DEAD}. */
  readonly step: (state: number, byte: number) => number;
  /** Fewest bytes after which the text would be complete; 0 if it is complete now. */
  readonly need: (state: number) => number;
  /** How much of its memory or time is used up, 0 to 1; at 1 it refuses. */
  readonly used: () => number;
};

/** What is still to come at one nesting level: position `at`, then what `below` says. */
type Stack = {
  readonly id: number;
  readonly at: number;
  readonly below: Stack | undefined;
  readonly need: number;
};

/** A grammar as one list of positions; each alternative ends with an undefined symbol. */
type Program = {
  readonly symbols: readonly (GrammarSymbol | undefined)[];
  /** First positions of each rule's alternatives. */
  readonly entries: readonly (readonly number[])[];
  /** Fewest bytes from a position to the end of its alternative. */
  readonly rest: readonly number[];
};

type State = {
  readonly stacks: readonly Stack[];
  readonly isComplete: boolean;
  readonly steps: Int32Array;
};

const UNKNOWN = -2;

/** What has been met so far. */
type Machine = {
  readonly program: Program;
  readonly classes: ByteClasses;
  readonly stacks: Map<string, Stack>;
  readonly states: State[];
  readonly numbers: Map<string, number>;
  stepCount: number;
};

/** Stacks that begin with a byte, by id, and whether the text may end. */
type Found = { readonly stacks: Map<number, Stack>; isComplete: boolean };

export function createAutomaton(grammar: Grammar): Automaton {
  const program = flatten(grammar);
  const classes = classifyBytes(grammar);
  const machine: Machine = {
    program,
    classes,
    stacks: new Map(),
    states: [],
    numbers: new Map(),
    stepCount: 0,
  };
  const found: Found = { stacks: new Map(), isComplete: false };
  for (const entry of program.entries[0]!) expand(machine, found, { at: entry, below: undefined });
  return {
    start: numberOf(machine, found),
    step(number, byte) {
      const { steps } = machine.states[number]!;
      const byteClass = classes.of[byte]!;
      if (steps[byteClass] === UNKNOWN) steps[byteClass] = advance(machine, number, byte);
      return steps[byteClass]!;
    },
    need(number) {
      const { isComplete, stacks } = machine.states[number]!;
      if (isComplete) return 0;
      return stacks.reduce((least, { need }) => Math.min(least, need), Number.POSITIVE_INFINITY);
    },
    used: () =>
      Math.max(machine.states.length / GRAMMAR_STATES_MAX, machine.stepCount / GRAMMAR_STEPS_MAX),
  };
}

function push({ stacks, program }: Machine, at: number, below: Stack | undefined): Stack {
  const key = `${at} ${below?.id ?? ''}`;
  const known = stacks.get(key);
  if (known !== undefined) return known;
  const need = program.rest[at]! + (below?.need ?? 0);
  const stack = { id: stacks.size, at, below, need };
  stacks.set(key, stack);
  return stack;
}

/** Adds every stack that begins with a byte and can be reached from `from` without reading one. */
function expand(machine: Machine, found: Found, from: Pick<Stack, 'at' | 'below'>): void {
  const { symbols, entries } = machine.program;
  const waiting = [from];
  const seen = new Set<string>();
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { at, below } = next;
    const key = `${at} ${below?.id ?? ''}`;
    if (seen.has(key)) continue;
    if (seen.add(key).size > GRAMMAR_STACKS_MAX) throw tooComplex(seen.size);
    if (++machine.stepCount > GRAMMAR_STEPS_MAX) throw tooComplex(machine.stepCount);
    const symbol = symbols[at];
    if (symbol === undefined) {
      if (below === undefined) found.isComplete = true;
      else waiting.push(below);
    } else if ('rule' in symbol) {
      // At the end of an alternative nothing is left to come back to: repetition needs no depth.
      const after = symbols[at + 1] === undefined ? below : push(machine, at + 1, below);
      for (const entry of entries[symbol.rule]!) waiting.push({ at: entry, below: after });
    } else {
      const stack = push(machine, at, below);
      found.stacks.set(stack.id, stack);
    }
  }
}

/** Number of the state that `found` is. */
function numberOf({ states, numbers, classes }: Machine, found: Found): number {
  if (found.stacks.size === 0 && !found.isComplete) return DEAD;
  if (found.stacks.size > GRAMMAR_STACKS_MAX) throw tooComplex(found.stacks.size);
  const stacks = [...found.stacks.values()].sort((a, b) => a.id - b.id);
  const key = `${found.isComplete ? '.' : ''}${stacks.map(({ id }) => id).join(' ')}`;
  const known = numbers.get(key);
  if (known !== undefined) return known;
  if (states.length >= GRAMMAR_STATES_MAX) throw tooComplex(states.length);
  const steps = new Int32Array(classes.count).fill(UNKNOWN);
  const number = states.push({ stacks, isComplete: found.isComplete, steps }) - 1;
  numbers.set(key, number);
  return number;
}

function advance(machine: Machine, number: number, byte: number): number {
  const found: Found = { stacks: new Map(), isComplete: false };
  for (const { at, below } of machine.states[number]!.stacks) {
    const symbol = machine.program.symbols[at]!;
    if (contains(symbol, byte)) expand(machine, found, { at: at + 1, below });
  }
  return numberOf(machine, found);
}

function flatten(grammar: Grammar): Program {
  const lengths = shortestLengths(grammar);
  const symbols: (GrammarSymbol | undefined)[] = [];
  const rest: number[] = [];
  const entries = grammar.map((rule) =>
    rule.map((alternative) => {
      const entry = symbols.length;
      for (const symbol of alternative) symbols.push(symbol);
      const end = symbols.push(undefined) - 1;
      rest[end] = 0;
      for (let at = end - 1; at >= entry; at--) {
        const symbol = symbols[at]!;
        rest[at] = rest[at + 1]! + ('rule' in symbol ? lengths[symbol.rule]! : 1);
      }
      return entry;
    }),
  );
  return { symbols, entries, rest };
}

type ByteClasses = { readonly of: Uint8Array; readonly count: number };

/** Bytes that no set of the grammar tells apart share a class, so that steps are remembered for all of them at once. */
function classifyBytes(grammar: Grammar): ByteClasses {
  const edges = new Set([0]);
  for (const symbol of grammar.flat(2)) {
    if ('rule' in symbol) continue;
    for (const [low, high] of symbol.bytes) edges.add(low).add(high + 1);
  }
  const of = new Uint8Array(256);
  let count = 0;
  for (let byte = 0; byte < 256; byte++) {
    if (edges.has(byte)) count++;
    of[byte] = count - 1;
  }
  return { of, count };
}

const contains = (symbol: GrammarSymbol, byte: number): boolean =>
  'bytes' in symbol && symbol.bytes.some(([low, high]) => low <= byte && byte <= high);

const tooComplex = (value: number) =>
  modelError({
    code: 'grammar_too_complex',
    message: 'The grammar can be read in too many ways at once.',
    value,
  });
