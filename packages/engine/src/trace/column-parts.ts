/**
 * Partial sums of long matrix rows from the machine's own kernel: its pass adds up whole rows, so the parts after the
 * first are multiplied again, each with a matrix of its columns alone, and the first is what is left of the total.
 */
import { type EngineModel, matrixAt } from '../engine-model.js';
import { BLOCK_SIZE } from '../model-config.js';
import { encodeInstruction } from '../wasm/instructions.js';
import type { Machine } from '../wasm/machine.js';
import { packMatrix, paddedRows } from '../wasm/packing.js';
import type { PlaceOf } from '../wasm/places.js';
import type { W8Matrix } from '../weights.js';
import { SUM_ELEMENTS } from './layout.js';
import type { TraceKernel } from './trace-kernel.js';

export type ColumnParts = {
  /** Sums of a row of the last pass as leaves hold them: element-major, 8 bytes each. */
  readonly sums: (node: number, row: number) => Uint8Array;
};

/** One part of a matrix: a program whose input is set before each run. */
type Part = { readonly program: number; readonly from: number; readonly values: number };

/** Bytes of the masks and exponents of one row. */
const ROW_BYTES = 64;

/** Packs the columns after the first part of every long matrix: at most as much memory as these matrices have. */
export function createColumnParts(
  machine: Machine,
  { model, kernel }: { readonly model: EngineModel; readonly kernel: TraceKernel },
): ColumnParts {
  const { arena } = machine;
  const partsOf = new Map<number, readonly Part[]>();
  for (const [node, { op, weights }] of model.graph.nodes.entries()) {
    if (op !== 'matmul') continue;
    const matrix = matrixAt(model, weights[0]!);
    const parts: Part[] = [];
    for (let from = SUM_ELEMENTS; from < matrix.cols; from += SUM_ELEMENTS) {
      parts.push(addPart(machine, matrix, from));
    }
    if (parts.length > 0) partsOf.set(node, parts);
  }
  return {
    sums(node, row) {
      const { inputs, output, weights } = model.graph.nodes[node]!;
      const x = machine.places.get(inputs[0]!) as PlaceOf<'row16'>;
      const total = machine.places.get(output) as PlaceOf<'sums'>;
      const { rows } = matrixAt(model, weights[0]!);
      const parts = partsOf.get(node)!;
      for (const { program, from } of parts) {
        // The first field of the instruction is its input.
        arena.words()[program / 4 + 1] = x.block + 2 * (row * x.width + from);
        machine.runProgram(program);
      }
      const sums = parts.map(({ values }) => values);
      return kernel.partsOf(total.block + 8 * row * total.stride, { sums, rows });
    },
  };
}

function addPart(machine: Machine, matrix: W8Matrix, from: number): Part {
  const { arena } = machine;
  const part = columnsOf(matrix, from, Math.min(matrix.cols, from + SUM_ELEMENTS));
  const stride = paddedRows(matrix.rows);
  const values = arena.reserve(8 * stride);
  const program = machine.addProgram(
    encodeInstruction('matmul', {
      ...packMatrix(arena, part),
      ...{ input: 0, inputExponents: arena.reserve(ROW_BYTES), k: part.cols },
      ...{ values, stride },
      ...{ exponents: arena.reserve(ROW_BYTES), masks: arena.reserve(ROW_BYTES) },
    }),
  );
  return { program, from, values };
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
