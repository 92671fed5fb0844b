/** One stored integer of a trace and where it stands, in the words of people: what a dispute is finally about. */
import {
  elementLeaf,
  type Graph,
  rowLayout,
  TRACE_LEAF_ELEMENTS,
  type TraceJob,
} from '@assay/engine';
import { decodeElements } from './access.js';

/** Element `index` of head `head` of a row. */
export type ElementAddress = {
  readonly graph: Graph;
  readonly job: TraceJob;
  readonly t: number;
  readonly node: number;
  readonly head: number;
  readonly index: number;
};

/** The element among a row's leaves; undefined if the row has no such element. */
export function traceElement(
  { graph, job, t, node, head, index }: ElementAddress,
  leaves: readonly Uint8Array[],
): number | undefined {
  const layout = rowLayout(graph, job, { t, node });
  const leaf = leaves[elementLeaf(layout, head, index)];
  return leaf && decodeElements(layout, leaf)[index % TRACE_LEAF_ELEMENTS];
}

/** Layer of a node, from 0; undefined for the embedding and for what follows the last layer. */
export function layerOf(
  { logitsFrom }: Pick<Graph, 'logitsFrom'>,
  layerCount: number,
  node: number,
): number | undefined {
  if (node === 0 || node >= logitsFrom) return undefined;
  // Every layer has as many nodes; the embedding stands before them.
  return Math.floor((node - 1) / ((logitsFrom - 1) / layerCount));
}
