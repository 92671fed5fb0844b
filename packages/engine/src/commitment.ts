/**
 * What a model's identity is made of: the bytes of its graph, weights, tables and bounds, and the roots over them under
 * a hash that is handed in. A leaf is what a contract opens to check one product: at most 1,024 columns of one row,
 * already in the order in which it multiplies.
 */
import { byteWriter } from './bytes.js';
import type { EngineModel } from './engine-model.js';
import type { Graph } from './graph.js';
import { type HashFunction, merkleRootOf } from './merkle.js';
import { BLOCK_SIZE } from './model-config.js';
import { opDefinition, type WeightKind } from './op-table.js';
import { SPEC_NAME } from './spec.js';
import { EXP2_HIGH, EXP2_LOW, TURNS_HIGH, TURNS_LOW } from './tables.js';
import type { Gains, W8Matrix } from './weights.js';

/** Columns of a row in one leaf: with its activations and proof it makes about 6 KB of a transaction. */
export const LEAF_COLUMNS = 1024;

/** Stands for the symbolic size `T`. */
const SYMBOLIC_SIZE = 0xffff_ffff;

const WEIGHT_KIND_IDS: Readonly<Record<WeightKind, number>> = { W8: 1, G24: 2, rope: 3 };

/**
 * A graph as the leaves of a tree: a header, then one descriptor per node, so that a judge opens the node in question
 * and nothing else. Names are left out; everything that changes a result is in.
 */
export const graphLeaves = (graph: Graph): Uint8Array[] => [
  encodeGraphHeader(graph),
  ...graph.nodes.map((_, index) => encodeNode(graph, index)),
];

/** Merkle root over {@link graphLeaves}. */
export const graphRoot = (graph: Graph, hash: HashFunction): Uint8Array =>
  merkleRootOf(graphLeaves(graph), hash);

/**
 * Leaf 1 + `index`. Shapes of inputs repeat what their producers say, so that one opening tells a judge everything;
 * `logitsFrom` stands in every leaf, because it decides at which positions the node exists.
 */
export function encodeNode(graph: Graph, index: number): Uint8Array {
  const node = graph.nodes[index]!;
  const definition = opDefinition(node.op);
  const out = byteWriter();
  out.u8(definition.id);
  out.u32(graph.logitsFrom);
  out.u8(node.inputs.length);
  for (const input of node.inputs) {
    out.u32(input);
    encodeShape(out, graph.tensors[input]!.shape);
  }
  out.u8(node.weights.length);
  for (const weight of node.weights) {
    const { kind, shape } = graph.weights[weight]!;
    out.u32(weight);
    out.u8(WEIGHT_KIND_IDS[kind]);
    encodeShape(out, shape);
  }
  out.u8(definition.parameters.length);
  for (const { name } of definition.parameters) out.i64(node.parameters[name]!);
  encodeShape(out, graph.tensors[node.output]!.shape);
  return out.bytes();
}

function encodeGraphHeader(graph: Graph): Uint8Array {
  const out = byteWriter();
  out.ascii(SPEC_NAME);
  out.u32(graph.nodes.length);
  out.u32(graph.weights.length);
  out.u32(graph.logitsFrom);
  return out.bytes();
}

/** A weight as the leaves of its own tree: a header, then rows in order, each in chunks of {@link LEAF_COLUMNS}. */
export type CommittedTensor = {
  readonly name: string;
  readonly leaves: Iterable<Uint8Array>;
};

/** Every weight of the model in graph order. Leaves are made as they are read, so memory stays small. */
export function tensorRows(model: EngineModel): CommittedTensor[] {
  return model.graph.weights.map(({ name, kind }) => {
    if (kind === 'W8') return { name, leaves: matrixLeaves(() => model.matrices.get(name)!) };
    if (kind === 'G24') return { name, leaves: gainLeaves(model.gains.get(name)!) };
    return { name, leaves: stepLeaves(model.ropeSteps) };
  });
}

/** Root over the roots of every weight. */
export function weightsRoot(model: EngineModel, hash: HashFunction): Uint8Array {
  const roots = tensorRows(model).map(({ leaves }) => merkleRootOf(leaves, hash));
  return merkleRootOf(roots, hash);
}

/** Root over the constant tables. */
export const tablesRoot = (hash: HashFunction): Uint8Array => merkleRootOf(tableLeaves(), hash);

/** T1, T2, A, B as bytes: entries are big-endian, those of A and B cosine before sine. */
export function tableLeaves(): Uint8Array[] {
  const turns = ({ cos, sin }: typeof TURNS_HIGH) =>
    bigEndian32(
      Int32Array.from({ length: 2 * cos.length }, (_, i) => (i & 1 ? sin : cos)[i >> 1]!),
    );
  return [bigEndian32(EXP2_HIGH), bigEndian32(EXP2_LOW), turns(TURNS_HIGH), turns(TURNS_LOW)];
}

/** The sizes within which the overflow proofs hold for this model, so that nobody can exceed them and blame another. */
export function encodeBounds({ config }: EngineModel): Uint8Array {
  const out = byteWriter();
  out.ascii(SPEC_NAME);
  out.u32(config.contextLength);
  out.u32(config.vocabularySize);
  out.u32(config.width);
  out.u32(config.feedForwardWidth);
  out.u32(config.headCount);
  out.u32(config.kvHeadCount);
  out.u32(config.headSize);
  out.u8(config.residualBits);
  return out.bytes();
}

export const boundsHash = (model: EngineModel, hash: HashFunction): Uint8Array =>
  hash(encodeBounds(model));

/** The matrix is taken with the first leaf and let go with the last: it may be a large part of memory. */
function* matrixLeaves(take: () => W8Matrix): Iterable<Uint8Array> {
  const matrix = take();
  yield header({ kind: 'W8', rows: matrix.rows, cols: matrix.cols, exponent: matrix.exponent });
  for (let row = 0; row < matrix.rows; row++) {
    for (let from = 0; from < matrix.cols; from += LEAF_COLUMNS) {
      yield chunkLeaf(matrix, row, from);
    }
  }
}

/** Row shift (1 byte), scales (2 bytes each), weights (1 byte each, lane order). */
function chunkLeaf(matrix: W8Matrix, row: number, from: number): Uint8Array {
  const size = Math.min(LEAF_COLUMNS, matrix.cols - from);
  const offset = row * matrix.cols + from;
  const scaleCount = size / BLOCK_SIZE;
  const leaf = new Uint8Array(1 + 2 * scaleCount + size);
  leaf[0] = matrix.rowShifts[row]!;
  for (let i = 0; i < scaleCount; i++) {
    const scale = matrix.scales[offset / BLOCK_SIZE + i]!;
    leaf[1 + 2 * i] = scale >> 8;
    leaf[2 + 2 * i] = scale & 255;
  }
  const weights = leaf.subarray(1 + 2 * scaleCount);
  for (let i = 0; i < size; i++) {
    weights[(i & ~31) + LANE_ORDER[i & 31]!] = matrix.data[offset + i]! + 128;
  }
  return leaf;
}

/**
 * Where weight k of a block of 32 stands in its 32-byte word. The EVM multiplies eight 32-bit lanes at once and finds
 * the sum of products in the top lane if one factor has its lanes reversed; so lanes run backwards, and within a lane
 * the four bytes belong to activations 16 + even, 16 + odd, even, odd. Weights are stored plus 128.
 */
const LANE_ORDER = Uint8Array.from({ length: 32 }, (_, k) => {
  const pair = (k & 15) >> 1;
  return 4 * (7 - pair) + (k < 16 ? 2 : 0) + (k & 1);
});

function* gainLeaves(gains: Gains): Iterable<Uint8Array> {
  yield header({ kind: 'G24', rows: 1, cols: gains.data.length, exponent: gains.exponent });
  for (let from = 0; from < gains.data.length; from += LEAF_COLUMNS) {
    yield bigEndian32(gains.data.subarray(from, from + LEAF_COLUMNS));
  }
}

function* stepLeaves(steps: BigUint64Array): Iterable<Uint8Array> {
  yield header({ kind: 'rope', rows: 1, cols: steps.length, exponent: 0 });
  const out = byteWriter();
  for (const step of steps) out.i64(step);
  yield out.bytes();
}

function header(tensor: {
  readonly kind: WeightKind;
  readonly rows: number;
  readonly cols: number;
  readonly exponent: number;
}): Uint8Array {
  const out = byteWriter();
  out.u8(WEIGHT_KIND_IDS[tensor.kind]);
  out.u32(tensor.rows);
  out.u32(tensor.cols);
  out.i64(tensor.exponent);
  return out.bytes();
}

function bigEndian32(values: Int32Array | Uint32Array): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => {
    view.setUint32(4 * i, value);
  });
  return bytes;
}

function encodeShape(out: ReturnType<typeof byteWriter>, shape: readonly (number | 'T')[]): void {
  out.u8(shape.length);
  for (const size of shape) out.u32(size === 'T' ? SYMBOLIC_SIZE : size);
}
