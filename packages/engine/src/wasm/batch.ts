/**
 * Cuts what several sessions append into passes of a machine and gives every session its rows. Rows of a pass share
 * nothing but the weights that they are multiplied with, so company never changes a bit. It knows no addresses.
 */
import type { HiddenRows } from '../backend.js';
import { CHUNK_ROWS, type Machine, type PassOutput, type PassResult } from './machine.js';
import type { WasmSession } from './session.js';

/** What one session appends; the last `wantedCount` of its rows are asked for. */
export type Entry = {
  readonly session: WasmSession;
  readonly tokens: ArrayLike<number>;
  readonly wantedCount: number;
};

/** Appends to every session; logits of the wanted rows, entry by entry. */
export function appendForLogits(
  machine: Machine,
  entries: readonly Entry[],
  vocabularySize: number,
): Int32Array[] {
  const rows = entries.map((entry) => new Int32Array(entry.wantedCount * vocabularySize));
  runPasses(machine, { entries, output: 'logits' }, ({ slice, done, at }, { logits }) => {
    const from = at * vocabularySize;
    const part = logits.subarray(from, from + slice.wantedCount * vocabularySize);
    rows[slice.index]!.set(part, done * vocabularySize);
  });
  return rows;
}

/** Appends to one session; normed rows of the wanted tokens. */
export function appendForHidden(machine: Machine, entry: Entry): HiddenRows {
  const { hiddenWidth: width } = machine;
  const mantissas = new Int16Array(entry.wantedCount * width);
  const exponents = new Int32Array(entry.wantedCount);
  runPasses(machine, { entries: [entry], output: 'hidden' }, ({ done }, { hidden }) => {
    mantissas.set(hidden.mantissas, done * width);
    exponents.set(hidden.exponents, done);
  });
  return { mantissas, exponents };
}

/** Neighbouring tokens of one entry that go into one pass. */
type Slice = {
  readonly index: number;
  readonly from: number;
  readonly count: number;
  readonly wantedCount: number;
};

/** Where the wanted rows of a slice begin: among those of its entry, and among those of the pass. */
type Found = { readonly slice: Slice; readonly done: number; readonly at: number };

function runPasses(
  machine: Machine,
  work: { readonly entries: readonly Entry[]; readonly output: PassOutput },
  onRows: (found: Found, result: PassResult) => void,
): void {
  const { entries, output } = work;
  for (const { session, tokens } of entries) session.makeRoom(tokens.length);
  const limits = { rows: CHUNK_ROWS, wanted: output === 'logits' ? machine.logitRows : CHUNK_ROWS };
  const done = entries.map(() => 0);
  for (const slices of cutPasses(entries, limits)) {
    const result = machine.run(
      slices.map((slice) => chunkOf(entries[slice.index]!, slice)),
      output,
    );
    let row = 0;
    let at = 0;
    for (const slice of slices) {
      const { index, from, count, wantedCount } = slice;
      const { session, tokens } = entries[index]!;
      const clamped = result.saturations.subarray(row, row + count);
      session.advance(Array.prototype.slice.call(tokens, from, from + count) as number[], clamped);
      if (wantedCount > 0) onRows({ slice, done: done[index]!, at }, result);
      done[index]! += wantedCount;
      at += wantedCount;
      row += count;
    }
  }
}

const chunkOf = ({ session, tokens }: Entry, { from, count, wantedCount }: Slice) => ({
  tokens: Array.prototype.slice.call(tokens, from, from + count) as number[],
  position: session.length,
  pages: session.pages,
  wantedCount,
});

/** Fills pass after pass; a pass never holds two slices of one entry. */
function* cutPasses(
  entries: readonly Entry[],
  limits: { readonly rows: number; readonly wanted: number },
): Generator<readonly Slice[]> {
  let slices: Slice[] = [];
  let left = { ...limits };
  for (const [index, { tokens, wantedCount }] of entries.entries()) {
    for (let from = 0; from < tokens.length; ) {
      const before = Math.max(0, tokens.length - wantedCount - from);
      const count = Math.min(left.rows, tokens.length - from, before + left.wanted);
      const wanted = Math.max(0, count - before);
      slices.push({ index, from, count, wantedCount: wanted });
      left = { rows: left.rows - count, wanted: left.wanted - wanted };
      from += count;
      if (left.rows > 0 && left.wanted > 0) continue;
      yield slices;
      slices = [];
      left = { ...limits };
    }
  }
  if (slices.length > 0) yield slices;
}
