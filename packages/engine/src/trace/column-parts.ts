/**
 * Partial sums of long matrix rows from the machine's own kernel: its pass adds up whole rows, so the parts after the
 * first are multiplied again, each with a matrix of its columns alone, and the first is what is left of the total.
 */
import { type EngineModel, matrixAt } from '../engine-model.js';
import { BLOCK_SIZE } from '../model-config.js';
import { encodeInstruction } from '../wasm/instructions.js';
import { CHUNK_ROWS, type Machine } from '../wasm/machine.js';
import { packMatrix, paddedRows } from '../wasm/packing.js';
import type { PlaceOf } from '../wasm/places.js';
import type { W8Matrix } from '../weights.js';
import { SUM_ELEMENTS } from './layout.js';
import type { TraceKernel } from './trace-kernel.js';

export type ColumnParts = {
  /** Rows whose parts are in memory together. */
  readonly rowsMax: number;
  /** Multiplies the parts of `count` rows of the last pass from `first` on. */
  readonly compute: (first: number, count: number) => void;
  /** Address of the list of where a node's parts after the first lie, [row][stride] i64; undefined for short rows. */
  readonly list: (node: number) => number | undefined;
  /** Parts of each sum of a node's row, the first included. */
  readonly count: (node: number) => number;
  /** Sums of a row of the last pass as leaves hold them: element-major, 8 bytes each. */
  readonly sums: (node: number, row: number) => Uint8Array;
};

/** One part of a matrix: a program, the columns that it reads from `from` on, where its sums go. */
type Part = {
  readonly program: number;
  readonly from: number;
  readonly columns: number;
  readonly values: number;
};

/** Bytes of the masks and exponents of one row. */
const ROW_BYTES = 64;

/** Parts of more rows are multiplied in several goes. */
const VALUE_BYTES_MAX = 32 * 2 ** 20;

/** Packs the columns after the first part of every long matrix: at most as much memory as these matrices have. */
export function createColumnParts(
  machine: Machine,
  { model, kernel }: { readonly model: EngineModel; readonly kernel: TraceKernel },
): ColumnParts {
  const { arena } = machine;
  const rowsMax = partRows(model);
  const input = arena.reserve(2 * SUM_ELEMENTS * rowsMax);
  const rows = { rowsMax, input, exponents: arena.reserve(ROW_BYTES * rowsMax) };
  const partsOf = new Map<number, readonly Part[]>();
  const lists = new Map<number, number>();
  for (const node of longRows(model)) {
    const matrix = matrixAt(model, model.graph.nodes[node]!.weights[0]!);
    const parts: Part[] = [];
    for (let from = SUM_ELEMENTS; from < matrix.cols; from += SUM_ELEMENTS) {
      parts.push(addPart(machine, matrix, { ...rows, from }));
    }
    const list = arena.reserve(4 * parts.length);
    const values = parts.map((part) => part.values);
    arena.words().set(values, list / 4);
    partsOf.set(node, parts);
    lists.set(node, list);
  }
  const multiply = (node: number, first: number, count: number): void => {
    const x = machine.places.get(model.graph.nodes[node]!.inputs[0]!) as PlaceOf<'row16'>;
    for (const { program, from, columns } of partsOf.get(node)!) {
      const bytes = arena.bytes();
      for (let row = 0; row < count; row++) {
        const at = x.block + 2 * ((first + row) * x.width + from);
        bytes.copyWithin(input + 2 * columns * row, at, at + 2 * columns);
      }
      machine.runProgram(program, count);
    }
  };
  return {
    rowsMax,
    compute(first, count) {
      for (const node of partsOf.keys()) multiply(node, first, count);
    },
    list: (node) => lists.get(node),
    count: (node) => 1 + (partsOf.get(node)?.length ?? 0),
    sums(node, row) {
      multiply(node, row, 1);
      const { output, weights } = model.graph.nodes[node]!;
      const total = machine.places.get(output) as PlaceOf<'sums'>;
      const sums = partsOf.get(node)!.map(({ values }) => values);
      const place = total.block + 8 * row * total.stride;
      return kernel.partsOf(place, { sums, rows: matrixAt(model, weights[0]!).rows });
    },
  };
}

/** Nodes whose rows are claimed in parts. */
const longRows = (model: EngineModel): number[] =>
  [...model.graph.nodes.keys()].filter((node) => {
    const { op, weights } = model.graph.nodes[node]!;
    return op === 'matmul' && matrixAt(model, weights[0]!).cols > SUM_ELEMENTS;
  });

function partRows(model: EngineModel): number {
  let bytes = 0;
  for (const node of longRows(model)) {
    const { rows, cols } = matrixAt(model, model.graph.nodes[node]!.weights[0]!);
    bytes += 8 * paddedRows(rows) * (Math.ceil(cols / SUM_ELEMENTS) - 1);
  }
  return Math.max(1, Math.min(CHUNK_ROWS, Math.floor(VALUE_BYTES_MAX / bytes)));
}

function addPart(
  machine: Machine,
  matrix: W8Matrix,
  at: {
    readonly from: number;
    readonly rowsMax: number;
    readonly input: number;
    readonly exponents: number;
  },
): Part {
  const { arena } = machine;
  const { from, rowsMax, input } = at;
  const part = columnsOf(matrix, from, Math.min(matrix.cols, from + SUM_ELEMENTS));
  const stride = paddedRows(matrix.rows);
  const values = arena.reserve(8 * stride * rowsMax);
  const program = machine.addProgram(
    encodeInstruction('matmul', {
      ...packMatrix(arena, part),
      ...{ input, inputExponents: at.exponents, k: part.cols },
      ...{ values, stride },
      ...{ exponents: at.exponents, masks: arena.reserve(ROW_BYTES * rowsMax) },
    }),
  );
  return { program, from, columns: part.cols, values };
}

/** The matrix of some of the columns. */
function columnsOf(matrix: W8Matrix, from: number, to: number): W8Matrix {
  const { rows, rowShifts, exponent } = matrix;
  const cols = to - from;
  const data = new Int8Array(rows * cols);
  const scales = new Uint16Array((rows * cols) / BLOCK_SIZE);
  for (let o = 0; o < rows; o++) {
    const at = o * matrix.cols + from;
    data.set(matrix.data.subarray(at, at + cols), o * cols);
    const blocks = matrix.scales.subarray(at / BLOCK_SIZE, (at + cols) / BLOCK_SIZE);
    scales.set(blocks, (o * cols) / BLOCK_SIZE);
  }
  return { rows, cols, data, scales, rowShifts, exponent };
}
