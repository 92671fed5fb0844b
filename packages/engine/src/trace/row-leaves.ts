/** A row as leaves: facts, elements, partial sums, tiles, in bytes as docs/reference/court.md lists them. */
import { encodeFacts } from './facts.js';
import { TILE_COLUMNS, TRACE_LEAF_ELEMENTS } from './layout.js';
import { rowFacts } from './row-facts.js';
import { rowPartials } from './row-partials.js';
import { type PassValues, type RowReader, readRow, type TraceRow } from './row-reader.js';

/** A16 mantissas are stored without a sign. */
export const A16_OFFSET = 32_768;

/** The leaves of the row of `node` in these values. */
export function rowLeaves(
  context: Parameters<typeof readRow>[0],
  values: PassValues,
  node: number,
): Uint8Array[] {
  const row = readRow(context, values, { node, makePartials: rowPartials });
  const leaves = row.layout.factLeaves === 0 ? [] : factLeaves(row);
  leaves.push(...elementLeaves(row));
  if (row.layout.partials !== undefined) leaves.push(...partialLeaves(row));
  if (row.layout.tiles !== undefined) leaves.push(...tileLeaves(row));
  return leaves;
}

const factLeaves = (row: RowReader): Uint8Array[] =>
  rowFacts(row).map((record) => encodeFacts(row.layout, record));

const elementLeaves = ({ own, layout }: RowReader): Uint8Array[] =>
  own.flatMap(({ values }) =>
    cut(encodeElements(values), TRACE_LEAF_ELEMENTS * layout.elementBytes),
  );

/** A16 as unsigned 16 bits, everything else as signed 32 bits. */
export function encodeElements(values: TraceRow['values']): Uint8Array {
  const size = values instanceof Int16Array ? 2 : 4;
  const bytes = new Uint8Array(size * values.length);
  let at = 0;
  for (let i = 0; i < values.length; i++) {
    let word = values[i]!;
    if (size === 4) {
      bytes[at++] = word >>> 24;
      bytes[at++] = word >>> 16;
    } else {
      word += A16_OFFSET;
    }
    bytes[at++] = word >>> 8;
    bytes[at++] = word;
  }
  return bytes;
}

function partialLeaves(row: RowReader): Uint8Array[] {
  const { perLeaf, parts } = row.layout.partials!;
  return cut(row.partials(), 8 * perLeaf * parts);
}

/** Pieces of `size` bytes; the last one may be shorter. */
function cut(bytes: Uint8Array, size: number): Uint8Array[] {
  const leaves: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) leaves.push(bytes.subarray(at, at + size));
  return leaves;
}

function tileLeaves({ layout, prefix }: RowReader): Uint8Array[] {
  const { heads, columns, from, positions } = layout.tiles!;
  const leaves: Uint8Array[] = [];
  for (let g = 0; g < heads; g++) {
    for (let d = 0; d < columns; d += TILE_COLUMNS) {
      const width = Math.min(TILE_COLUMNS, columns - d);
      const tile = new Int16Array(positions * width);
      for (let i = 0; i < positions; i++) {
        const { values } = prefix(1, from + i)[g]!;
        tile.set((values as Int16Array).subarray(d, d + width), i * width);
      }
      leaves.push(encodeElements(tile));
    }
  }
  return leaves;
}
