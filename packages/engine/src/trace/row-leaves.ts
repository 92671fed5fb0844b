/** A row as leaves: facts, elements, partial sums, tiles, in bytes as docs/reference/court.md lists them. */
import { encodeFacts } from './facts.js';
import { TILE_COLUMNS, TRACE_LEAF_ELEMENTS } from './layout.js';
import { rowFacts } from './row-facts.js';
import { rowPartials } from './row-partials.js';
import { type PassValues, type RowReader, readRow, type TraceRow } from './row-reader.js';

/** A16 mantissas are stored without a sign. */
export const A16_OFFSET = 32_768;

/** Where the leaves of rows go, in their order. */
export type LeafSink = {
  /** Bytes as leaves of `leafBytes`; the last one may be shorter. */
  readonly leaves: (bytes: Uint8Array, leafBytes: number) => void;
  /** Elements, encoded by {@link encodeElements}, as leaves of `leafBytes`. */
  readonly elements: (values: TraceRow['values'], leafBytes: number) => void;
};

/** The leaves of the row of `node` in these values. */
export function rowLeaves(
  context: Parameters<typeof readRow>[0],
  values: PassValues,
  node: number,
): Uint8Array[] {
  const leaves: Uint8Array[] = [];
  const addLeaves = (bytes: Uint8Array, leafBytes: number): void => {
    for (let at = 0; at < bytes.length; at += leafBytes) {
      leaves.push(bytes.subarray(at, at + leafBytes));
    }
  };
  const sink: LeafSink = {
    leaves: addLeaves,
    elements: (elements, leafBytes) => addLeaves(encodeElements(elements), leafBytes),
  };
  writeRow(context, values, { node, sink });
  return leaves;
}

/** Writes the leaves of a row: facts, elements, partial sums, tiles. */
export function writeRow(
  context: Parameters<typeof readRow>[0],
  values: PassValues,
  { node, sink }: { readonly node: number; readonly sink: LeafSink },
): void {
  const row = readRow(context, values, { node, makePartials: rowPartials });
  const { layout, own } = row;
  if (layout.factLeaves > 0) {
    for (const record of rowFacts(row))
      sink.leaves(encodeFacts(layout, record), layout.recordBytes);
  }
  for (const head of own) sink.elements(head.values, TRACE_LEAF_ELEMENTS * layout.elementBytes);
  if (layout.partials !== undefined) {
    const { perLeaf, parts } = layout.partials;
    sink.leaves(row.partials(), 8 * perLeaf * parts);
  }
  if (layout.tiles !== undefined) writeTiles(row, sink);
}

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

function writeTiles({ layout, prefix }: RowReader, sink: LeafSink): void {
  const { heads, columns, from, positions } = layout.tiles!;
  for (let g = 0; g < heads; g++) {
    for (let d = 0; d < columns; d += TILE_COLUMNS) {
      const width = Math.min(TILE_COLUMNS, columns - d);
      const tile = new Int16Array(positions * width);
      for (let i = 0; i < positions; i++) {
        const { values } = prefix(1, from + i)[g]!;
        tile.set((values as Int16Array).subarray(d, d + width), i * width);
      }
      sink.elements(tile, tile.byteLength);
    }
  }
}
