/**
 * Attention of one head at one position by the shipped kernels: the mixed row as a pass computes it, and the scores and
 * weights that the module of traces reads out of the same functions.
 */
import type { Row16, Row30, WeightRow } from '../../reference/rows.js';
import { EXP2_HIGH, EXP2_LOW } from '../../tables.js';
import { TRACE_BASE64 } from '../../trace/generated/trace-wasm.js';
import { decodeBase64 } from '../kernels.js';
import { headSumsBytes, keptBytes, PAGE_POSITIONS, paddedHead } from '../pages.js';
import type { KernelBench } from './kernel-bench.js';
import { writeKept } from './rows.js';

/** At most {@link PAGE_POSITIONS} keys, and as many values. */
export type Attention = {
  readonly query: Row16;
  readonly keys: readonly Row16[];
  readonly values: readonly Row16[];
  readonly scaleQ24: number;
};

export type AttentionRows = {
  readonly scores: Int32Array;
  readonly weights: WeightRow;
  readonly mixed: Row30;
};

type TraceHead = (...addressesAndSizes: readonly number[]) => void;

const traceHeads = new WeakMap<KernelBench, TraceHead>();

export function attention(bench: KernelBench, given: Attention): AttentionRows {
  const { query, keys, values, scaleQ24 } = given;
  const headSize = query.values.length;
  const page = layPage(bench, { keys, values, headSize });
  const padded = paddedHead(headSize);
  const laid = { page, headSize, count: keys.length, scaleQ24, query: putPadded(bench, query) };
  const [mixed, results] = [bench.room(4 * padded), bench.room(16)];
  bench.run(
    'attend',
    {
      ...{ query: laid.query, queryExponents: bench.put(Int32Array.of(query.exponent)) },
      ...{ keys: 0, keptValues: keptBytes(1, headSize), kvHeads: 1, scaleQ24 },
      ...{ out: mixed, results, heads: 1, headSize },
    },
    bench.rowsAt([keys.length - 1], [bench.put(Uint32Array.of(page))]),
  );
  return {
    ...traced(bench, { ...laid, exponent: query.exponent }),
    mixed: {
      values: bench.int32(mixed, headSize).slice(),
      exponent: bench.int32(results, 1)[0]!,
    },
  };
}

/** Scores and weights of the same head; records as in `trace/trace-kernel.ts`. */
function traced(
  bench: KernelBench,
  laid: {
    readonly page: number;
    readonly headSize: number;
    readonly count: number;
    readonly scaleQ24: number;
    readonly query: number;
    readonly exponent: number;
  },
): Pick<AttentionRows, 'scores' | 'weights'> {
  const { page, headSize, count, scaleQ24 } = laid;
  const padded = paddedHead(headSize);
  const shape = bench.put(Int32Array.of(0, keptBytes(1, headSize), 1, padded, scaleQ24, 0));
  const scores = bench.room(4 * PAGE_POSITIONS);
  const [weights, result] = [bench.room(4 * PAGE_POSITIONS), bench.room(32)];
  const scratch = bench.put(
    Int32Array.of(
      ...[bench.room(4 * padded), scores, bench.room(8 * PAGE_POSITIONS)],
      ...[bench.room(6 * PAGE_POSITIONS), 2 * PAGE_POSITIONS, bench.room(headSumsBytes(padded))],
    ),
  );
  const tables = bench.put(Int32Array.of(...EXP2_HIGH, ...EXP2_LOW));
  traceHeadOf(bench)(
    ...[shape, scratch, bench.put(Uint32Array.of(page)), tables, count, 0],
    ...[laid.query, laid.exponent, headSize, weights, bench.room(8 * headSize)],
    ...[bench.room(8 * padded), result],
  );
  return {
    scores: bench.int32(scores, count).slice(),
    weights: {
      values: bench.int32(weights, count).slice(),
      exponent: bench.int32(result, 1)[0]!,
      sum: bench.int64(result + 8, 1)[0]!,
    },
  };
}

function traceHeadOf(bench: KernelBench): TraceHead {
  const known = traceHeads.get(bench);
  if (known !== undefined) return known;
  const module = new WebAssembly.Module(decodeBase64(TRACE_BASE64));
  const { exports } = new WebAssembly.Instance(module, { env: { memory: bench.memory } });
  const traceHead = exports.traceHead as TraceHead;
  traceHeads.set(bench, traceHead);
  return traceHead;
}

function putPadded(bench: KernelBench, row: Row16): number {
  const values = new Int16Array(paddedHead(row.values.length));
  values.set(row.values);
  return bench.put(values);
}

/** One page of one head. */
function layPage(
  bench: KernelBench,
  kept: {
    readonly keys: readonly Row16[];
    readonly values: readonly Row16[];
    readonly headSize: number;
  },
): number {
  const { keys, values, headSize } = kept;
  const bytes = keptBytes(1, headSize);
  const page = bench.room(2 * bytes);
  for (const [position, key] of keys.entries()) {
    const place = { kvHeads: 1, headSize, position };
    writeKept(bench, { ...place, page, areValues: false }, 0, key);
    writeKept(bench, { ...place, page: page + bytes, areValues: true }, 0, values[position]!);
  }
  return page;
}
