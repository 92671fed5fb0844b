/**
 * Which kinds could convict a row whose leaves differ from the honest ones, most telling first. It only proposes: a
 * charge counts once its rule has judged it. Between them they convict every change of every leaf
 * (`dispute.test.ts`).
 */
import {
  closingPosition,
  decodeFacts,
  type FactRecord,
  type Graph,
  leafBytes,
  type OpName,
  type RowLayout,
  rowLayout,
  sharedHead,
  TILE_COLUMNS,
  TILE_POSITIONS,
  TRACE_LEAF_ELEMENTS,
  type TraceJob,
} from '@assay/engine';
import { decodeElements, decodeMantissas, decodeSums } from './access.js';
import type { TraceKind } from './kinds/index.js';
import type { Charge } from './prover.js';
import { sameBytes } from './source.js';

/** A row of the provider beside the honest one. */
export type RowPair = {
  readonly graph: Graph;
  readonly job: TraceJob;
  readonly t: number;
  readonly node: number;
  /** The token at position `t`. */
  readonly token: number;
  readonly own: readonly Uint8Array[];
  readonly theirs: readonly Uint8Array[];
};

/** The kind that recomputes one element of an op. */
const ELEMENT_KINDS: Readonly<Record<OpName, TraceKind>> = {
  embed: 'embedElement',
  rmsNorm: 'normElement',
  matmul: 'matmulElement',
  rope: 'ropeElement',
  splitHeads: 'splitElement',
  scores: 'scoreElement',
  softmax: 'softmaxElement',
  mix: 'mixElement',
  joinHeads: 'joinElement',
  swiGlu: 'swiGluElement',
  residualAdd: 'residualElement',
  logits: 'logitElement',
  bias: 'biasElement',
  headNorm: 'headNormElement',
};

/** Charges for every leaf that differs. */
export function* chargesOf(pair: RowPair): Generator<Charge> {
  const layout = rowLayout(pair.graph, pair.job, pair);
  if (pair.theirs.length !== layout.leafCount) {
    yield charge(pair, 'rowCount', {});
    return;
  }
  for (let leaf = 0; leaf < layout.leafCount; leaf++) {
    const [own, theirs] = [pair.own[leaf]!, pair.theirs[leaf]!];
    if (sameBytes(own, theirs)) continue;
    yield charge(pair, 'leafForm', { part: leaf });
    if (theirs.length !== leafBytes(layout, leaf)) continue;
    if (leaf < layout.factLeaves) yield* factCharges(pair, layout, leaf);
    else if (leaf < layout.firstPartial) yield* elementCharges(pair, layout, leaf);
    else if (leaf < layout.firstTile) yield* partialCharges(pair, layout, leaf);
    else yield* tileCharges(pair, layout, leaf);
  }
}

const charge = (
  { t, node }: Pick<RowPair, 't' | 'node'>,
  kind: TraceKind,
  numbers: { head?: number; index?: number; part?: number },
): Charge => ({ kind, t, node, head: 0, index: 0, part: 0, ...numbers });

/** The charge that recomputes element `index` of `head`. */
function elementCharge(pair: RowPair, layout: RowLayout, head: number, index: number): Charge {
  const { op } = pair.graph.nodes[pair.node]!;
  if (op === 'matmul' && layout.partials !== undefined) {
    return charge(pair, 'matmulSum', { index });
  }
  const part = op === 'embed' ? pair.token : 0;
  return charge(pair, ELEMENT_KINDS[op], { head, index, part });
}

/** Places where two lists differ. */
const differing = <T>(own: readonly T[], theirs: readonly T[]): number[] =>
  own.flatMap((value, i) => (value === theirs[i] ? [] : [i]));

function* elementCharges(pair: RowPair, layout: RowLayout, leaf: number): Generator<Charge> {
  const at = leaf - layout.factLeaves;
  const head = Math.floor(at / layout.leavesPerHead);
  const from = (at % layout.leavesPerHead) * TRACE_LEAF_ELEMENTS;
  const own = decodeElements(layout, pair.own[leaf]!);
  const theirs = decodeElements(layout, pair.theirs[leaf]!);
  for (const i of differing(own, theirs)) yield elementCharge(pair, layout, head, from + i);
}

function* partialCharges(pair: RowPair, layout: RowLayout, leaf: number): Generator<Charge> {
  const { parts, perLeaf } = layout.partials!;
  const first = (leaf - layout.firstPartial) * perLeaf;
  const own = decodeSums(pair.own[leaf]!);
  const theirs = decodeSums(pair.theirs[leaf]!);
  for (const i of differing(own, theirs)) {
    const element = first + Math.floor(i / parts);
    yield* sumCharges(pair, layout, { element, part: i % parts });
  }
}

/** A partial sum, and what it is made of. */
function* sumCharges(
  pair: RowPair,
  layout: RowLayout,
  { element, part }: { readonly element: number; readonly part: number },
): Generator<Charge> {
  const { op } = pair.graph.nodes[pair.node]!;
  if (op === 'logits') yield charge(pair, 'samplePartial', { part: element });
  if (op === 'matmul') yield charge(pair, 'matmulPartial', { index: element, part });
  if (op !== 'mix') return;
  const head = Math.floor(element / layout.size);
  const index = element % layout.size;
  yield charge(pair, 'mixPartial', { head, index, part });
  // The sum may fit a lying tile, which stands at the position that closes the block.
  const kvHeads = pair.graph.tensors[pair.graph.nodes[pair.node]!.inputs[1]!]!.shape[1] as number;
  const closing = { ...pair, t: closingPosition(pair.job, part) };
  const last = Math.min(pair.t, closing.t) % TILE_POSITIONS;
  const g = sharedHead(head, layout.heads, kvHeads);
  for (let place = 0; place <= last; place++) {
    yield charge(closing, 'tile', { head: g, index, part: place });
  }
}

function* tileCharges(pair: RowPair, layout: RowLayout, leaf: number): Generator<Charge> {
  const { blocks, columns } = layout.tiles!;
  const head = Math.floor((leaf - layout.firstTile) / blocks);
  const from = ((leaf - layout.firstTile) % blocks) * TILE_COLUMNS;
  const width = Math.min(TILE_COLUMNS, columns - from);
  const own = decodeMantissas(pair.own[leaf]!);
  const theirs = decodeMantissas(pair.theirs[leaf]!);
  for (const i of differing(own, theirs)) {
    yield charge(pair, 'tile', { head, index: from + (i % width), part: Math.floor(i / width) });
  }
}

/** Exponent and witness are judged by the elements that they speak of; tops, cuts and sums by kinds of their own. */
function* factCharges(pair: RowPair, layout: RowLayout, head: number): Generator<Charge> {
  const own = decodeFacts(layout, pair.own[head]!);
  const theirs = decodeFacts(layout, pair.theirs[head]!);
  yield* OP_CHARGES[pair.graph.nodes[pair.node]!.op]?.({ pair, layout, head, own, theirs }) ?? [];
  const witnesses = [own, theirs].flatMap(({ numbers }) => numbers.witness ?? []);
  for (const index of witnesses) yield elementCharge(pair, layout, head, index);
}

type FactPair = {
  readonly pair: RowPair;
  readonly layout: RowLayout;
  readonly head: number;
  readonly own: FactRecord;
  readonly theirs: FactRecord;
};

/** A charge of `kind` at the index that each record names. */
function* atNamed(
  { pair, head, own, theirs }: FactPair,
  kind: TraceKind,
  name: string,
): Generator<Charge> {
  for (const { numbers } of [own, theirs]) {
    yield charge(pair, kind, { head, index: numbers[name]! });
  }
}

/** A charge of `kind` for every sum that differs. */
function* atSums({ pair, head, own, theirs }: FactPair, kind: TraceKind): Generator<Charge> {
  for (const part of differing(own.sums, theirs.sums)) yield charge(pair, kind, { head, part });
}

const OP_CHARGES: Readonly<Partial<Record<OpName, (facts: FactPair) => Generator<Charge>>>> = {
  *rmsNorm(facts) {
    yield* atNamed(facts, 'normShift', 'preShiftWitness');
    yield* atSums(facts, 'normPartial');
  },
  *softmax(facts) {
    yield* atNamed(facts, 'softmaxLargest', 'largestPosition');
    yield* atNamed(facts, 'softmaxTop', 'topPosition');
    yield* atSums(facts, 'softmaxPartial');
  },
  *joinHeads({ pair, own, theirs }) {
    for (const { numbers } of [own, theirs]) {
      yield charge(pair, 'joinTop', { head: numbers.topHead! });
    }
  },
  *logits({ pair, layout, own, theirs }) {
    const numbers = theirs.numbers;
    for (const { numbers: named } of [own, theirs]) {
      yield charge(pair, 'logitsTop', { index: named.topId! });
    }
    yield charge(pair, 'cutValue', { part: 0, index: numbers.rankId! });
    yield charge(pair, 'cutValue', { part: 1, index: numbers.shareId! });
    if (layout.partials === undefined) return;
    yield charge(pair, 'sampleTotal', {});
    yield charge(pair, 'sampleCuts', {});
    for (let part = 0; part < layout.partials.count; part++) {
      yield charge(pair, 'samplePartial', { part });
    }
  },
};
