/** Differential cases of attention: the four ops that the instructions `attend` and `join` compute together. */
import { scoreScaleQ24 } from '../../graph.js';
import * as ops from '../../reference/ops.js';
import type { Row16 } from '../../reference/rows.js';
import { keptBytes, PAGE_POSITIONS, paddedHead } from '../pages.js';
import { type Draw, drawA16, drawFrom } from './draw.js';
import type { KernelBench } from './kernel-bench.js';
import { compareRows, type Outcome, row16Room, writeKept } from './rows.js';

/** What the rows of a call share. */
type Shape = {
  readonly headSize: number;
  readonly heads: number;
  readonly kvHeads: number;
  /** Positions with keys and values. */
  readonly count: number;
  /** Exponents of rows differ by up to this. */
  readonly spread: number;
  /** Every element is the largest: dots as long as they get. */
  readonly extreme: boolean;
};

/** Keys and values of one session, position by position and head by head. */
type Kept = { readonly keys: readonly Row16[][]; readonly values: readonly Row16[][] };

/** Queries at positions of one or two sessions, every head of each; the joined row of a position is one case. */
export function attentionCase(bench: KernelBench, seed: number): Outcome {
  const draw = drawFrom(seed);
  const shape = drawShape(draw);
  const { heads, headSize, kvHeads, count } = shape;
  const rows = count > PAGE_POSITIONS / 2 ? 1 + draw.below(2) : draw.pick([1, 2, 4, 4, 6, 8, 12]);
  const sessions = Array.from({ length: draw.pick([1, 1, 1, 2]) }, () => drawKept(draw, shape));
  const tables = sessions.map((kept) => layPages(bench, kept, shape));
  const queries = Array.from({ length: rows }, () => drawHeads(draw, shape, heads));
  const owners = queries.map(() => draw.below(sessions.length));
  // Later positions are kept too, as after a truncation or beside rows of one prefill, and must not count.
  const positions = queries.map((_, row) => (row === 0 ? count - 1 : draw.below(count)));
  const at = bench.rowsAt(
    positions,
    owners.map((owner) => tables[owner]!),
  );
  const scaleQ24 = scoreScaleQ24(headSize);
  const mixed = bench.room(4 * rows * heads * paddedHead(headSize));
  const results = bench.room(16 * rows * heads);
  const room = row16Room(bench, { rows, count: heads * headSize });
  const kept = { keys: 0, keptValues: keptBytes(kvHeads, headSize), kvHeads, scaleQ24 };
  const fields = { ...layQueries(bench, queries), ...kept, heads, headSize };
  bench.run('attend', { ...fields, out: mixed, results }, at);
  bench.run('join', { mixed, results, heads, headSize, ...room.fields }, at);
  return compareRows(rows, (row) => {
    const { keys, values } = sessions[owners[row]!]!;
    const end = positions[row]! + 1;
    const seen = { keys: keys.slice(0, end), values: values.slice(0, end) };
    return room.compare(row, referenceAttention(queries[row]!, seen, scaleQ24));
  });
}

function drawShape(draw: Draw): Shape {
  // Other sizes than whole blocks need many heads, and long prompts many rows: both are rare, not left out.
  const usual = !draw.rarely(64);
  const headSize = usual ? 32 : draw.pick([64, 128, 256, 16, 2 * (1 + draw.below(128))]);
  const kvHeads = draw.rarely(8) ? 2 : 1;
  // The joined row must be whole blocks, as in every model.
  const shared = headSize % 32 === 0 ? draw.pick([1, 1, 1, 1, 1, 2, 3]) : 16;
  const most = draw.rarely(64) ? draw.pick([70, 70, 200]) : draw.pick([4, 4, 5, 9, 12]);
  const spread = draw.pick([0, 3, 4, 40, 90]);
  const extreme = draw.rarely(usual ? 64 : 4);
  return {
    headSize,
    kvHeads,
    heads: kvHeads * shared,
    count: 1 + draw.below(most),
    spread,
    extreme,
  };
}

const drawHeads = (draw: Draw, { headSize, spread, extreme }: Shape, heads: number): Row16[] =>
  Array.from({ length: heads }, () => ({
    values: extreme
      ? new Int16Array(headSize).fill(draw.pick([32_767, -32_767]))
      : drawA16(draw, headSize),
    exponent: draw.below(spread + 1) - draw.pick([10, 20]),
  }));

/** A few more positions than any query sees. */
function drawKept(draw: Draw, shape: Shape): Kept {
  const length = shape.count + draw.below(5);
  const rows = () => Array.from({ length }, () => drawHeads(draw, shape, shape.kvHeads));
  return { keys: rows(), values: rows() };
}

function referenceAttention(query: readonly Row16[], kept: Kept, scaleQ24: number): Row16 {
  const shared = (rows: readonly Row16[][], h: number) =>
    rows.map((heads) => heads[Math.floor((h * heads.length) / query.length)]!);
  const weights = query.map((head, h) =>
    ops.softmax(ops.scores(head, shared(kept.keys, h), scaleQ24), shared(kept.values, h)),
  );
  return ops.joinHeads(
    weights.map((row, h) => ops.mix(row, shared(kept.values, h))),
    weights,
  );
}

/** Heads of all rows, each padded with zeros, and their exponents. */
function layQueries(bench: KernelBench, queries: readonly (readonly Row16[])[]) {
  const heads = queries.flat();
  const padded = paddedHead(heads[0]!.values.length);
  const joined = new Int16Array(heads.length * padded);
  for (const [i, { values }] of heads.entries()) joined.set(values, i * padded);
  const exponents = Int32Array.from(heads, ({ exponent }) => exponent);
  return { query: bench.put(joined), queryExponents: bench.put(exponents) };
}

/** Pages with keys and values, and their table; positions that were not written hold stale numbers. */
function layPages(bench: KernelBench, kept: Kept, { kvHeads, headSize }: Shape): number {
  const bytes = keptBytes(kvHeads, headSize);
  const pages = Array.from({ length: Math.ceil(kept.keys.length / PAGE_POSITIONS) }, () =>
    bench.room(2 * bytes),
  );
  kept.keys.forEach((keys, position) => {
    const page = pages[Math.floor(position / PAGE_POSITIONS)]!;
    const place = { kvHeads, headSize, position };
    for (let h = 0; h < kvHeads; h++) {
      writeKept(bench, { ...place, page, areValues: false }, h, keys[h]!);
      const values = kept.values[position]![h]!;
      writeKept(bench, { ...place, page: page + bytes, areValues: true }, h, values);
    }
  });
  return bench.put(Uint32Array.from(pages));
}
