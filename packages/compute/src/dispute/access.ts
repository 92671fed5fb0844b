/**
 * How a kind of proof reads what it judges. The same rule runs twice: the prover's access takes data from a trace and
 * notes what was read, the judge's takes it from the proof and checks every address. `openRows` gives both the words
 * of the trace: elements, facts, partial sums, tiles.
 */
import {
  A16_OFFSET,
  decodeFacts,
  elementLeaf,
  type FactRecord,
  type Graph,
  type GraphNode,
  inputNode,
  partialLeaf,
  type RowAddress,
  type RowLayout,
  type Run,
  rowLayout,
  TILE_COLUMNS,
  TRACE_LEAF_ELEMENTS,
  type TraceJob,
  tileLeaf,
} from '@assay/engine';
import type { Sampler } from '@assay/protocol';
import { proofMalformed } from './proof-malformed.js';
import type { Seal } from './source.js';
import type { ProofNumbers } from './trace-proof.js';

/** Raw reading; openings stand in a proof in the order in which a kind asks for them. */
export type Access = {
  /** Opens a position; a second one is opened even if it is the first again. */
  readonly position: (t: number) => number;
  readonly salt: (position: number) => Uint8Array;
  /** Data of a run of leaves of a row under an opened position. */
  readonly leaves: (address: RowAddress, position: number, run: Run) => Uint8Array;
  readonly rowSeal: (address: RowAddress, position: number) => Seal;
  readonly positionSeal: (position: number) => Seal;
  readonly traceSeal: () => Seal;
  /** Leaf of the node's weight. */
  readonly weightLeaf: (leaf: number) => Uint8Array;
  /** Leaf of the committed prompt or answer. */
  readonly tokenLeaf: (of: 'input' | 'output', leaf: number) => Uint8Array;
  readonly traceKey: () => Uint8Array;
};

/** What decides addresses: graph, job and the row on trial. */
export type Scene = ProofNumbers & {
  readonly graph: Graph;
  readonly job: TraceJob;
  readonly sampler: Sampler;
  readonly t: number;
  readonly node: number;
  readonly access: Access;
};

export const nodeOf = ({ graph, node }: Scene): GraphNode => graph.nodes[node]!;

/** One row, by the words of the trace; each word opens a leaf. */
export type OpenRow = {
  readonly layout: RowLayout;
  readonly address: RowAddress;
  /** Element `k` of head `h`. */
  readonly element: (h: number, k: number) => number;
  /** Elements `from` up to `to` of head `h`; `from` begins a leaf. */
  readonly elements: (h: number, from: number, to: number) => number[];
  readonly facts: (h: number) => FactRecord;
  /** All partial sums of element `e`, or of part `e` of the logits. */
  readonly partials: (e: number) => bigint[];
  readonly allPartials: () => bigint[];
  /** Column `d` of head `g` in the tiles of this closing position, position after position. */
  readonly tileColumn: (g: number, d: number) => number[];
  /** Bytes of any leaf. */
  readonly leaf: (leaf: number) => Uint8Array;
};

/** Opens the positions of a kind: `t` itself, and a second one if it has one. */
export function openRows(scene: Scene, second?: number) {
  const { graph, t, node, access } = scene;
  const first = access.position(t);
  const other = second === undefined ? first : access.position(second);
  const there = second ?? t;
  return {
    own: () => openRow(scene, { t, node }, first),
    input: (i: number) => openRow(scene, { t, node: inputNode(graph, node, i) }, first),
    ownThere: () => openRow(scene, { t: there, node }, other),
    inputThere: (i: number) => openRow(scene, { t: there, node: inputNode(graph, node, i) }, other),
  };
}

function openRow(scene: Scene, address: RowAddress, position: number): OpenRow {
  const layout = rowLayout(scene.graph, scene.job, address);
  const run = (first: number, count: number) =>
    scene.access.leaves(address, position, { first, count });
  return {
    layout,
    address,
    leaf: (leaf) => run(leaf, 1),
    element(h, k) {
      requireBelow(h, layout.heads);
      requireBelow(k, layout.size);
      return decodeElements(layout, run(elementLeaf(layout, h, k), 1))[k % TRACE_LEAF_ELEMENTS]!;
    },
    elements(h, from, to) {
      requireBelow(h, layout.heads);
      requireBelow(from, to);
      requireBelow(to - 1, layout.size);
      const first = elementLeaf(layout, h, from);
      return decodeElements(layout, run(first, elementLeaf(layout, h, to - 1) - first + 1));
    },
    facts(h) {
      requireBelow(h, layout.factLeaves);
      return decodeFacts(layout, run(h, 1));
    },
    partials(e) {
      requireBelow(e, layout.partials?.count ?? 0);
      const { perLeaf, parts } = layout.partials!;
      const sums = decodeSums(run(partialLeaf(layout, e), 1));
      return sums.slice((e % perLeaf) * parts, ((e % perLeaf) + 1) * parts);
    },
    allPartials: () => decodeSums(run(layout.firstPartial, layout.firstTile - layout.firstPartial)),
    tileColumn(g, d) {
      requireBelow(g, layout.tiles?.heads ?? 0);
      requireBelow(d, layout.tiles?.columns ?? 0);
      const tile = decodeMantissas(run(tileLeaf(layout, g, d), 1));
      const from = d - (d % TILE_COLUMNS);
      const width = Math.min(TILE_COLUMNS, layout.tiles!.columns - from);
      return Array.from({ length: tile.length / width }, (_, i) => tile[i * width + d - from]!);
    },
  };
}

/**
 * Refuses a number beyond what it counts, as `NumberOutOfRange` of `Layout.sol` does: what is not there is neither
 * right nor wrong.
 */
export function requireBelow(number: number, size: number): void {
  if (number < size) return;
  throw proofMalformed(`a number is not below ${size}`, number);
}

/** Elements of a run of leaves. */
export const decodeElements = (layout: RowLayout, data: Uint8Array): number[] =>
  layout.elementBytes === 2 ? decodeMantissas(data) : decodeWords(data);

/** A16 mantissas. */
export function decodeMantissas(data: Uint8Array): number[] {
  const view = viewOf(data);
  return Array.from({ length: data.length / 2 }, (_, i) => view.getUint16(2 * i) - A16_OFFSET);
}

function decodeWords(data: Uint8Array): number[] {
  const view = viewOf(data);
  return Array.from({ length: data.length / 4 }, (_, i) => view.getInt32(4 * i));
}

export function decodeSums(data: Uint8Array): bigint[] {
  const view = viewOf(data);
  return Array.from({ length: data.length / 8 }, (_, i) => view.getBigInt64(8 * i));
}

const viewOf = (data: Uint8Array): DataView =>
  new DataView(data.buffer, data.byteOffset, data.byteLength);
