/** Where a plan puts tensors, and the refusal of a graph for which there is no place. */
import { EngineError } from '../engine-error.js';
import type { GraphNode } from '../graph.js';

/** Where a tensor lies; `block` names the memory for the bookkeeping of who may write when. */
export type Place = { readonly block: number } & (
  | { readonly kind: 'residual'; readonly width: number }
  | { readonly kind: 'row16'; readonly width: number; readonly exponents: number }
  | {
      readonly kind: 'sums';
      readonly width: number;
      readonly stride: number;
      readonly exponents: number;
      readonly masks: number;
    }
  | {
      readonly kind: 'query';
      readonly heads: number;
      readonly headSize: number;
      readonly exponents: number;
    }
  | {
      readonly kind: 'mixed';
      readonly heads: number;
      readonly headSize: number;
      readonly results: number;
    }
  | {
      readonly kind: 'kept';
      readonly heads: number;
      readonly headSize: number;
      readonly offset: number;
    }
  /** Not computed by itself: part of the instruction for `mix`. */
  | { readonly kind: 'fused'; readonly node: GraphNode }
);

export type PlaceOf<Kind extends Place['kind']> = Extract<Place, { kind: Kind }>;

export const graphUnsupported = (node: GraphNode, reason: string): EngineError =>
  new EngineError({
    code: 'graph_unsupported',
    message: `The WebAssembly kernels cannot run this ${node.op}: ${reason}.`,
    fault: 'user',
    value: node.op,
    remedy: 'Use the reference backend for this graph.',
  });
