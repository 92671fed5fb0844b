/**
 * From a graph to a program: walks the nodes in order, gives every tensor a place, and writes one instruction per op
 * (scores, softmax and mix become one, since a thread finishes a head at a time). It knows where tensors lie and who
 * reads them, not how an op is computed; an arrangement that the kernels do not have is refused by name.
 */
import type { EngineModel } from '../engine-model.js';
import type { GraphNode } from '../graph.js';
import type { OpName } from '../op-table.js';
import { EMIT } from './emit.js';
import {
  encodeInstruction,
  INSTRUCTION_BYTES,
  type InstructionFields,
  type InstructionName,
} from './instructions.js';
import type { Arena } from './memory.js';
import { type PackedMatrix, packMatrix, paddedRows } from './packing.js';
import { keptBytes, paddedHead } from './pages.js';
import { graphUnsupported, type Place, type PlaceOf } from './places.js';

export type Plan = {
  /** Address of the first instruction. */
  readonly program: number;
  /** Bytes of one page of keys and values. */
  readonly pageBytes: number;
  /** Bytes of the widest row of i64 that a kernel spreads out in scratch memory. */
  readonly rowBytes: number;
  /** Elements of a hidden row: the normed row that the logits are computed from. */
  readonly hiddenWidth: number;
  /** Where each tensor lies after a pass, if {@link PlanLimits.keepsTensors}. */
  readonly places: ReadonlyMap<number, Place>;
};

/** Rows of activations that one pass takes at most, and rows of logits that its last part takes at once. */
export type PlanLimits = {
  readonly chunkRows: number;
  readonly headRows: number;
  readonly threads: number;
  /** Gives no memory to a second tensor, so that all can be read after a pass: a trace needs them. */
  readonly keepsTensors?: boolean;
};

export function planModel(arena: Arena, model: EngineModel, limits: PlanLimits): Plan {
  const planner = new Planner(arena, model, limits);
  for (const [index, node] of model.graph.nodes.entries()) planner.add(node, index);
  return planner.finish();
}

/** Bytes of one mask: the magnitudes that a thread saw in a row. */
export const MASK_BYTES = 16;

export class Planner {
  readonly #arena: Arena;
  readonly #model: EngineModel;
  readonly #limits: PlanLimits;
  readonly #places = new Map<number, Place>();
  /** As {@link #places}, of every tensor so far. */
  readonly #allPlaces = new Map<number, Place>();
  /** Tensors whose last reader is the node of that index. */
  readonly #endsAt: ReadonlyMap<number, readonly number[]>;
  readonly #matrices = new Map<number, PackedMatrix>();
  readonly #constants = new Map<number, number>();
  /** Free blocks by size. */
  readonly #free = new Map<number, number[]>();
  readonly #blockBytes = new Map<number, number>();
  readonly #instructions: Int32Array[] = [];
  readonly #written = new Set<number>();
  readonly #read = new Set<number>();
  #rows: number;
  #pageBytes = 0;
  #rowBytes = 0;
  #hiddenWidth = 0;

  constructor(arena: Arena, model: EngineModel, limits: PlanLimits) {
    this.#arena = arena;
    this.#model = model;
    this.#limits = limits;
    this.#rows = limits.chunkRows;
    this.#endsAt = lifetimes(model.graph.nodes);
  }

  /** Plans one node: its output's place, its instruction, and the places that it is the last to read. */
  add(node: GraphNode, index: number): void {
    if (index === this.#model.graph.logitsFrom) this.#select(node);
    const place = EMIT[node.op](this, node);
    if (place !== undefined) {
      this.#places.set(node.output, place);
      this.#allPlaces.set(node.output, place);
    }
    if (index === this.#model.graph.logitsFrom) this.#hidden(node);
    for (const tensor of this.#endsAt.get(index) ?? []) this.#release(tensor);
  }

  finish(): Plan {
    this.emit('barrier', {}, { reads: [], writes: [] });
    this.#push(encodeInstruction('end', {}));
    const program = this.#arena.reserve(this.#instructions.length * INSTRUCTION_BYTES);
    const words = this.#arena.words();
    this.#instructions.forEach((instruction, i) => {
      words.set(instruction, (program + i * INSTRUCTION_BYTES) / 4);
    });
    return {
      program,
      pageBytes: this.#pageBytes,
      rowBytes: this.#rowBytes,
      hiddenWidth: this.#hiddenWidth,
      places: this.#allPlaces,
    };
  }

  /** The place of input `i`, which must be of that kind. */
  input<Kind extends Place['kind']>(node: GraphNode, i: number, kind: Kind): PlaceOf<Kind> {
    const place = this.#places.get(node.inputs[i]!);
    if (place?.kind !== kind) throw graphUnsupported(node, `input ${i} is not of the kind ${kind}`);
    return place as PlaceOf<Kind>;
  }

  /** Size of the output's axis, which is not `T`. */
  size(node: GraphNode, axis: number): number {
    return this.#model.graph.tensors[node.output]!.shape[axis] as number;
  }

  isKept(node: GraphNode): boolean {
    return this.#model.graph.tensors[node.output]!.kept;
  }

  /** True if a node reads the tensor as the values of attention. */
  isValues(tensor: number): boolean {
    return this.#model.graph.nodes.some(({ op, inputs }) => op === 'mix' && inputs[1] === tensor);
  }

  matrix(node: GraphNode): PackedMatrix {
    const index = node.weights[0]!;
    const known = this.#matrices.get(index);
    if (known !== undefined) return known;
    const { name } = this.#model.graph.weights[index]!;
    const packed = packMatrix(this.#arena, this.#model.matrices.get(name)!);
    this.#matrices.set(index, packed);
    return packed;
  }

  gains(node: GraphNode): { at: number; exponent: number } {
    const index = node.weights[0]!;
    const { data, exponent } = this.#model.gains.get(this.#model.graph.weights[index]!.name)!;
    return { at: this.#constant(index, data), exponent };
  }

  ropeSteps(node: GraphNode): number {
    const { buffer, byteOffset, length } = this.#model.ropeSteps;
    return this.#constant(node.weights[0]!, new Int32Array(buffer, byteOffset, 2 * length));
  }

  /** Copies words once per weight and returns their address. */
  #constant(index: number, words: Int32Array): number {
    const at = this.#constants.get(index) ?? this.#arena.reserve(words.byteLength);
    if (!this.#constants.has(index)) this.#arena.words().set(words, at / 4);
    this.#constants.set(index, at);
    return at;
  }

  /** A kept tensor's offset in every page. */
  keep(heads: number, headSize: number): PlaceOf<'kept'> {
    const offset = this.#pageBytes;
    this.#pageBytes += keptBytes(heads, headSize);
    return { kind: 'kept', block: -1 - offset, heads, headSize, offset };
  }

  residual(width: number): PlaceOf<'residual'> {
    return { kind: 'residual', width, block: this.#take([4 * width]).block };
  }

  row16(width: number): PlaceOf<'row16'> {
    this.#noteRow(width);
    const { block, parts } = this.#take([2 * width, 4]);
    return { kind: 'row16', width, block, exponents: parts[1]! };
  }

  query(heads: number, headSize: number): PlaceOf<'query'> {
    const { block, parts } = this.#take([heads * 2 * paddedHead(headSize), heads * 4]);
    return { kind: 'query', heads, headSize, block, exponents: parts[1]! };
  }

  mixed(heads: number, headSize: number): PlaceOf<'mixed'> {
    const { block, parts } = this.#take([heads * 4 * paddedHead(headSize), heads * 16]);
    return { kind: 'mixed', heads, headSize, block, results: parts[1]! };
  }

  sums(width: number): PlaceOf<'sums'> {
    const stride = paddedRows(width);
    const { chunkRows, threads } = this.#limits;
    const masks = (MASK_BYTES * threads * chunkRows) / this.#rows;
    const { block, parts } = this.#take([8 * stride, 4, masks]);
    return { kind: 'sums', width, stride, block, exponents: parts[1]!, masks: parts[2]! };
  }

  /** Writes an instruction, after a barrier if another thread's part of earlier ones could matter. */
  emit<Name extends InstructionName>(
    name: Name,
    fields: InstructionFields<Name>,
    touches: { readonly reads: readonly Place[]; readonly writes: readonly Place[] },
  ): void {
    const reads = touches.reads.map(({ block }) => block);
    const writes = touches.writes.map(({ block }) => block);
    const unsafe =
      reads.some((block) => this.#written.has(block)) ||
      writes.some((block) => this.#written.has(block) || this.#read.has(block));
    if (unsafe) {
      this.#push(encodeInstruction('barrier', {}));
      this.#written.clear();
      this.#read.clear();
    }
    for (const block of reads) this.#read.add(block);
    for (const block of writes) this.#written.add(block);
    this.#push(encodeInstruction(name, fields));
  }

  #push(instruction: Int32Array): void {
    this.#instructions.push(instruction);
  }

  /** Keeps only the wanted rows of the residual stream for the nodes from here on. */
  #select(node: GraphNode): void {
    const { nodes, logitsFrom } = this.#model.graph;
    // Clamped elements are counted by row of the pass, and rows are renumbered from here on.
    const late = nodes.slice(logitsFrom).find(({ op }) => op === 'residualAdd');
    if (late !== undefined) throw graphUnsupported(late, 'it follows the choice of wanted rows');
    const input = this.input(node, 0, 'residual');
    this.#rows = this.#limits.headRows;
    const out = this.residual(input.width);
    this.emit(
      'select',
      { input: input.block, width: input.width, out: out.block },
      { reads: [input], writes: [out] },
    );
    this.#places.set(node.inputs[0]!, out);
  }

  /** Lets a call leave with the wanted rows of the last norm. */
  #hidden(node: GraphNode): void {
    const input = this.#places.get(node.output);
    if (input?.kind !== 'row16') throw graphUnsupported(node, 'its output is not a normed row');
    this.#hiddenWidth = input.width;
    const { block, width, exponents } = input;
    const fields = { input: block, inputExponents: exponents, width };
    this.emit('hidden', fields, { reads: [input], writes: [] });
  }

  #noteRow(width: number): void {
    this.#rowBytes = Math.max(this.#rowBytes, 8 * width);
  }

  /** A block for parts of so many bytes per row; the first part begins at the block. */
  #take(bytesPerRow: readonly number[]): { block: number; parts: number[] } {
    const sizes = bytesPerRow.map((bytes) => Math.ceil((bytes * this.#rows) / 64) * 64);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    const block = this.#free.get(total)?.pop() ?? this.#arena.reserve(total);
    this.#blockBytes.set(block, total);
    let at = block;
    const parts = sizes.map((size) => {
      at += size;
      return at - size;
    });
    return { block, parts };
  }

  /** Gives a tensor's block back. */
  #release(tensor: number): void {
    const place = this.#places.get(tensor);
    if (place === undefined || place.kind === 'kept') return;
    this.#places.delete(tensor);
    if (place.kind === 'fused' || this.#limits.keepsTensors === true) return;
    const bytes = this.#blockBytes.get(place.block)!;
    const free = this.#free.get(bytes) ?? [];
    free.push(place.block);
    this.#free.set(bytes, free);
  }
}

/** Ops that are computed by the instruction of a later one, which then reads their inputs. */
const FUSED_OPS: ReadonlySet<OpName> = new Set<OpName>(['scores', 'softmax']);

/** Which tensors are read for the last time by which node. */
function lifetimes(nodes: readonly GraphNode[]): Map<number, number[]> {
  const lastUse = new Map<number, number>();
  for (let index = nodes.length - 1; index >= 0; index--) {
    const { op, inputs, output } = nodes[index]!;
    const readAt = FUSED_OPS.has(op) ? (lastUse.get(output) ?? index) : index;
    for (const tensor of inputs) {
      lastUse.set(tensor, Math.max(readAt, lastUse.get(tensor) ?? 0));
    }
  }
  const endsAt = new Map<number, number[]>();
  for (const [tensor, index] of lastUse) {
    endsAt.set(index, [...(endsAt.get(index) ?? []), tensor]);
  }
  return endsAt;
}
