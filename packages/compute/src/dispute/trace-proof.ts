/**
 * The bytes of a fraud proof: openings under the roots of trace, graph, weights and tokens, ABI-encoded as
 * `contracts/dispute/Judge.sol` decodes them. One struct for every kind; what it opens, and in which order, is the
 * kind's own rule (`kinds/`).
 */
import type { Hex } from '@assay/protocol';
import { decodeAbiParameters, encodeAbiParameters } from 'viem';

/** A leaf or a run of neighbouring leaves, the leaf count of the innermost tree, and all siblings up to the root. */
export type Opening = { readonly data: Hex; readonly count: bigint; readonly path: readonly Hex[] };

/** A position of the trace, with the siblings of its node. */
export type PositionOpening = {
  readonly root: Hex;
  readonly salt: Hex;
  readonly path: readonly Hex[];
};

export type TraceProof = ProofNumbers & {
  readonly position: number;
  readonly node: number;
  /** The node's leaf under the root of the graph. */
  readonly descriptor: Opening;
  /** The position itself; then, for some kinds, another one. */
  readonly positions: readonly PositionOpening[];
  /** Leaves of the trace. */
  readonly rows: readonly Opening[];
  /** Leaves of weights and tokens. */
  readonly others: readonly Opening[];
};

/** Which element or part is judged; zero where a kind has no use for it. */
export type ProofNumbers = {
  readonly head: number;
  readonly index: number;
  readonly part: number;
};

const OPENING = [
  { name: 'data', type: 'bytes' },
  { name: 'count', type: 'uint64' },
  { name: 'path', type: 'bytes32[]' },
] as const;

const POSITION = [
  { name: 'root', type: 'bytes32' },
  { name: 'salt', type: 'bytes32' },
  { name: 'path', type: 'bytes32[]' },
] as const;

const PROOF = [
  {
    type: 'tuple',
    components: [
      { name: 'position', type: 'uint32' },
      { name: 'node', type: 'uint32' },
      { name: 'head', type: 'uint32' },
      { name: 'index', type: 'uint32' },
      { name: 'part', type: 'uint32' },
      { name: 'descriptor', type: 'tuple', components: OPENING },
      { name: 'positions', type: 'tuple[]', components: POSITION },
      { name: 'rows', type: 'tuple[]', components: OPENING },
      { name: 'others', type: 'tuple[]', components: OPENING },
    ],
  },
] as const;

/** The bytes that `IJudge.isGuilty` takes. */
export const encodeProof = (proof: TraceProof): Hex => encodeAbiParameters(PROOF, [proof]);

/** The proof of such bytes; throws what viem throws if they are none. */
export const decodeProof = (bytes: Hex): TraceProof => decodeAbiParameters(PROOF, bytes)[0];
