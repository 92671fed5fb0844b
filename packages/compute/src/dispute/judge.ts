/**
 * The judges of `contracts/dispute` in TypeScript: whether a proof convicts, before anybody pays gas for it. It opens
 * every leaf under the roots of the case and derives every address; a proof that does not open throws
 * `proof_malformed`, where a contract reverts.
 */
import {
  encodeNode,
  foldRun,
  type Graph,
  type HashFunction,
  hashLeafData,
  leafBytes,
  leafNodes,
  positionNode,
  type RowAddress,
  type Run,
  rootOfNode,
  rowCount,
  rowLayout,
  SUM_ELEMENTS,
  sealRoot,
  type TraceJob,
  tracePositions,
} from '@assay/engine';
import { fromHex, type Hex, keccak, TOKENS_PER_LEAF, toHex } from '@assay/protocol';
import type { Access, Scene } from './access.js';
import { type DisputeCase, traceJobOf } from './case.js';
import { TRACE_KINDS, type TraceKind } from './kinds/index.js';
import { meetingOf } from './meeting.js';
import { proofMalformed } from './proof-malformed.js';
import { sameBytes } from './source.js';
import type { Opening, TraceProof } from './trace-proof.js';

export type JudgeOptions = {
  readonly signed: DisputeCase;
  /** The graph under `signed.graphRoot`. */
  readonly graph: Graph;
  readonly kind: TraceKind;
  readonly proof: TraceProof;
  /** SHA-256. */
  readonly hash: HashFunction;
};

/** True if the proof shows that what was signed is wrong. */
export function judgeProof(options: JudgeOptions): boolean {
  const { signed, graph, kind, proof } = options;
  const job = traceJobOf(signed);
  if (!NEEDS_NO_NODE.has(kind)) checkDescriptor(options);
  const { position: t, node, head, index, part } = proof;
  const { sampler } = signed;
  const scene: Scene = {
    ...{ graph, job, sampler, t, node, head, index, part },
    access: proofAccess(options, job),
  };
  return TRACE_KINDS[kind].isGuilty(scene);
}

const NEEDS_NO_NODE: ReadonlySet<TraceKind> = new Set(['traceCount', 'salt', 'tokenForm']);

/** The node's leaf must stand under the root of the graph, and the row must exist at the position. */
function checkDescriptor({ signed, graph, proof }: JudgeOptions): void {
  const { descriptor, node } = proof;
  const expected = encodeNode(graph, node);
  const fits = sameBytes(fromHex(descriptor.data), expected);
  check(fits, 'the descriptor is not that of the node', node);
  check(
    opensTo(signed.graphRoot, descriptor, { index: 1 + node, width: Number(descriptor.count) }),
    'the descriptor is not under the graph',
    node,
  );
  const rows = rowCount(graph, traceJobOf(signed), proof.position);
  check(node < rows, 'the row does not exist at the position', node);
}

/** Reads the openings of a proof in their order and folds each to its root. */
function proofAccess(options: JudgeOptions, job: TraceJob): Access {
  const { signed, graph, proof, hash } = options;
  let [rows, others] = [0, 0];
  const places = openedPlaces(options, job);
  const weights: OpenedWeight = { root: undefined };
  const nextRow = () => required(proof.rows[rows++], 'a row is missing');
  const nextOther = () => required(proof.others[others++], 'an opening is missing');
  const sealOf = (opening: Opening) => {
    const [count, top] = [Number(opening.count), fromHex(opening.data)];
    return { count, top, root: sealRoot(count, top, hash) };
  };
  return {
    position: places.open,
    salt: (position) => fromHex(proof.positions[position]!.salt),
    leaves(address, position, run) {
      const opening = nextRow();
      const data = fromHex(opening.data);
      const layout = rowLayout(graph, job, address);
      const nodes = leafNodes(
        splitRun(data, run, (leaf) => leafBytes(layout, leaf)),
        hash,
      );
      const tree = { width: Number(opening.count), path: opening.path.map(fromHex) };
      const fold = foldRun({ nodes, first: run.first }, tree, hash);
      check(fold !== undefined, 'leaves do not fold', run.first);
      const root = sealRoot(tree.width, fold!.top, hash);
      places.checkRow(address, position, { root, path: tree.path.slice(fold!.used) });
      return data;
    },
    rowSeal(address, position) {
      const opening = nextRow();
      const seal = sealOf(opening);
      places.checkRow(address, position, { root: seal.root, path: opening.path.map(fromHex) });
      return seal;
    },
    positionSeal(position) {
      const seal = sealOf(nextOther());
      check(sameBytes(seal.root, places.root(position)), 'the seal is another one', position);
      return seal;
    },
    traceSeal() {
      const seal = sealOf(nextOther());
      check(toHex(seal.root) === signed.traceRoot, 'the seal is another one', seal.count);
      return seal;
    },
    weightLeaf: (leaf) => openWeight({ signed, graph, proof, weights, opening: nextOther() }, leaf),
    tokenLeaf: (of, leaf) => openToken(signed, nextOther(), { of, leaf }),
    traceKey() {
      const { data } = nextOther();
      check(toHex(keccak(fromHex(data))) === signed.traceKeyHash, 'it is another key', '');
      return fromHex(data);
    },
  };
}

/** The positions of a proof, opened one after the other, and rows under them. */
function openedPlaces({ signed, graph, proof, hash }: JudgeOptions, job: TraceJob) {
  const roots: Uint8Array[] = [];
  const rows = new Map<string, Uint8Array>();
  const firsts: (OpenedRow | undefined)[] = [];
  return {
    root: (position: number): Uint8Array => roots[position]!,
    open(t: number): number {
      const opening = required(proof.positions[roots.length], 'a position is missing');
      const place = { root: fromHex(opening.root), salt: fromHex(opening.salt) };
      const tree = { width: tracePositions(job), path: opening.path.map(fromHex) };
      const shown = rootOfNode({ hash: positionNode(place, hash), index: t }, tree, hash);
      const fits = shown !== undefined && toHex(shown) === signed.traceRoot;
      check(fits, 'a position is not under the trace', t);
      return roots.push(place.root) - 1;
    },
    /**
     * Checks that a root is row `address` of an opened position. A row opened before needs no path, and that of
     * another one may end where it meets the path of the first.
     */
    checkRow(
      address: RowAddress,
      position: number,
      { root, path }: { readonly root: Uint8Array; readonly path: readonly Uint8Array[] },
    ): void {
      const { node } = address;
      const key = `${position} ${node}`;
      const known = rows.get(key);
      if (known !== undefined && path.length === 0) {
        check(sameBytes(known, root), 'a row is not the one opened before', node);
        return;
      }
      rows.set(key, root);
      const tree = { width: rowCount(graph, job, address.t), path };
      const first = firsts[position];
      if (first !== undefined && endsBeside(node, tree, first)) {
        check(isBeside({ node, root }, tree, first, hash), 'a row is not beside the first', node);
        return;
      }
      const shown = rootOfNode({ hash: root, index: node }, tree, hash);
      const fits = shown !== undefined && sameBytes(shown, roots[position]!);
      check(fits, 'a row is not there', node);
      firsts[position] ??= { node, path };
    },
  };
}

/** The first row of a position, and its way up. */
type OpenedRow = { readonly node: number; readonly path: readonly Uint8Array[] };
type RowTree = { readonly width: number; readonly path: readonly Uint8Array[] };

/** True if the path is as long as it is if it ends at the first row's. */
function endsBeside(node: number, { width, path }: RowTree, first: OpenedRow): boolean {
  if (node === first.node || node >= width) return false;
  return meetingOf({ index: node, other: first.node, width }).items === path.length;
}

/** True if the path leads to what the first row's path has in its place. */
function isBeside(
  { node, root }: { readonly node: number; readonly root: Uint8Array },
  { width, path }: RowTree,
  first: OpenedRow,
  hash: HashFunction,
): boolean {
  const meeting = meetingOf({ index: node, other: first.node, width });
  const run = { nodes: [root], first: node - meeting.first };
  const fold = foldRun(run, { width: meeting.size, path }, hash);
  return fold !== undefined && sameBytes(fold.top, first.path[meeting.otherItems]!);
}

/** Opens a leaf of the prompt or of the answer. */
function openToken(
  signed: DisputeCase,
  opening: Opening,
  { of, leaf }: { readonly of: 'input' | 'output'; readonly leaf: number },
): Uint8Array {
  const [root, count] =
    of === 'input'
      ? [signed.inputRoot, signed.inputCount]
      : [signed.outputRoot, signed.outputCount];
  const width = Math.ceil(count / TOKENS_PER_LEAF);
  check(opensTo(root, opening, { index: leaf, width }), 'the token is not there', leaf);
  return fromHex(opening.data);
}

/** Leaves of a run by their lengths; a single leaf may have any length. */
function splitRun(data: Uint8Array, run: Run, bytesOf: (leaf: number) => number): Uint8Array[] {
  if (run.count === 1) return [data];
  const leaves: Uint8Array[] = [];
  let at = 0;
  for (let leaf = run.first; leaf < run.first + run.count; leaf++) {
    leaves.push(data.subarray(at, at + bytesOf(leaf)));
    at += bytesOf(leaf);
  }
  check(at === data.length, 'a run has another length', data.length);
  return leaves;
}

/** The root of the node's weight, once it has been opened. */
type OpenedWeight = { root: Uint8Array | undefined };

/** Opens a leaf of the node's weight: its own tree, then the tree of weights unless that was done before. */
function openWeight(
  options: Pick<JudgeOptions, 'signed' | 'graph' | 'proof'> & {
    readonly weights: OpenedWeight;
    readonly opening: Opening;
  },
  leaf: number,
): Uint8Array {
  const { signed, graph, proof, weights, opening } = options;
  const weight = graph.nodes[proof.node]!.weights[0]!;
  const { kind, shape } = graph.weights[weight]!;
  const rows = kind === 'W8' ? shape[0]! : 1;
  const width = 1 + rows * Math.ceil(shape.at(-1)! / SUM_ELEMENTS);
  const data = fromHex(opening.data);
  const nodes = [hashLeafData(data, keccak)];
  const path = opening.path.map(fromHex);
  const fold = foldRun({ nodes, first: leaf }, { width, path }, keccak);
  check(fold !== undefined, 'a weight does not fold', leaf);
  const root = hashLeafData(sealRoot(width, fold!.top, keccak), keccak);
  const tree = { width: Number(opening.count), path: path.slice(fold!.used) };
  if (weights.root !== undefined && tree.path.length === 0) {
    check(sameBytes(weights.root, root), 'a weight is not the one opened before', leaf);
    return data;
  }
  weights.root = root;
  const shown = rootOfNode({ hash: root, index: weight }, tree, keccak);
  const fits = shown !== undefined && toHex(shown) === signed.weightsRoot;
  check(fits, 'a weight is not under the model', weight);
  return data;
}

/** True if the opening is one leaf of a keccak tree under `root`. */
function opensTo(
  root: Hex,
  opening: Opening,
  { index, width }: { readonly index: number; readonly width: number },
): boolean {
  const hash = hashLeafData(fromHex(opening.data), keccak);
  const tree = { width, path: opening.path.map(fromHex) };
  const shown = rootOfNode({ hash, index }, tree, keccak);
  return BigInt(width) === opening.count && shown !== undefined && toHex(shown) === root;
}

function check(holds: boolean, reason: string, value: unknown): void {
  if (!holds) throw proofMalformed(reason, value);
}

function required<T>(opening: T | undefined, reason: string): T {
  if (opening === undefined) throw proofMalformed(reason, '');
  return opening;
}
