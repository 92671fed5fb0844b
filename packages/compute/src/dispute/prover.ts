/**
 * Proofs from a provider's trace: runs a kind's rule on its leaves, notes what the rule read, and, if it convicts,
 * opens exactly that. Rows that are not at hand are fetched and the rule is run again.
 */
import {
  type EngineModel,
  type HashFunction,
  leafNodes,
  nodeTop,
  type PositionRoot,
  positionNode,
  type RowAddress,
  type Run,
  type TraceJob,
} from '@assay/engine';
import { concat, fromHex, type Hex, type ReceiptEnvelope, toHex, traceKey } from '@assay/protocol';
import type { Access } from './access.js';
import { traceJob } from './case.js';
import { TRACE_KINDS, type TraceKind } from './kinds/index.js';
import { meetingOf } from './meeting.js';
import { leafTree, type ModelTrees, openLeaf, tokenLeaves } from './model-trees.js';
import { type Seal, siblingsOf, type TraceSource } from './source.js';
import type { Opening, ProofNumbers, TraceProof } from './trace-proof.js';

/** A kind with the numbers that it is tried with. */
export type Charge = ProofNumbers & RowAddress & { readonly kind: TraceKind };

export type ProverOptions = {
  readonly model: EngineModel;
  readonly trees: ModelTrees;
  readonly envelope: Pick<
    ReceiptEnvelope,
    'job' | 'receipt' | 'inputTokens' | 'outputTokens' | 'salt'
  >;
  /** The provider's trace, checked ({@link checkedSource}). */
  readonly source: TraceSource;
  /** SHA-256. */
  readonly hash: HashFunction;
};

/** What a charge's rule says about the provider's trace, and its openings, which are only made when asked for. */
export type Examined = { readonly guilty: boolean; readonly open: () => Promise<TraceProof> };

export async function examineCharge(options: ProverOptions, charge: Charge): Promise<Examined> {
  const positions = await options.source.positions();
  const known: Known = { positions, rows: new Map(), leaves: new Map(), seals: new Map() };
  for (;;) {
    try {
      const { guilty, notes } = runRule(options, charge, known);
      return { guilty, open: () => openAll(options, charge, notes) };
    } catch (error) {
      if (!(error instanceof NotFetched)) throw error;
      await error.ask(options.source, known);
    }
  }
}

/** The proof of a charge, or undefined if its rule does not convict. */
export async function proveCharge(
  options: ProverOptions,
  charge: Charge,
): Promise<TraceProof | undefined> {
  const { guilty, open } = await examineCharge(options, charge);
  return guilty ? open() : undefined;
}

/** Answers that are at hand while a rule runs, which does not wait. */
type Known = {
  readonly positions: readonly PositionRoot[];
  readonly rows: Map<number, readonly Uint8Array[]>;
  readonly leaves: Map<string, readonly Uint8Array[]>;
  /** Seals of trees whose nodes are not all known. */
  readonly seals: Map<string, Seal>;
};

/** Thrown through a rule when it reads what has not been fetched. */
class NotFetched extends Error {
  readonly address: { readonly t: number; readonly node?: number };

  constructor(address: { readonly t: number; readonly node?: number }) {
    super('not fetched');
    this.address = address;
  }

  async ask(source: TraceSource, known: Known): Promise<void> {
    const { t, node } = this.address;
    const key = node === undefined ? `${t}` : `${t} ${node}`;
    const tree =
      node === undefined ? ({ tree: 'rows', t } as const) : ({ tree: 'leaves', t, node } as const);
    if (node === undefined) known.rows.set(t, await source.rows(t));
    else known.leaves.set(key, await source.leaves(t, node));
    const seal = await source.seal?.(tree);
    if (seal !== undefined) known.seals.set(key, seal);
  }
}

/** What a rule read, in its order. */
type Notes = {
  readonly positions: number[];
  /** `position` is the place in `positions` under which a row was opened. */
  readonly rows: (RowAddress & { readonly position: number; readonly run: Run | 'seal' })[];
  readonly others: Opening[];
};

function runRule(
  options: ProverOptions,
  charge: Charge,
  known: Known,
): { readonly guilty: boolean; readonly notes: Notes } {
  const { model, envelope } = options;
  const notes: Notes = { positions: [], rows: [], others: [] };
  const access = noteAccess(options, { charge, known, notes });
  const job = traceJob(envelope.job, envelope.receipt);
  const { graph } = model;
  const scene = { ...charge, graph, job, sampler: envelope.job.sampler, access };
  return { guilty: TRACE_KINDS[charge.kind].isGuilty(scene), notes };
}

/** Reads the provider's answers and notes each reading. */
function noteAccess(
  { model, trees, envelope, hash }: ProverOptions,
  { charge, known, notes }: { charge: Charge; known: Known; notes: Notes },
): Access {
  const leavesAt = ({ t, node }: RowAddress): readonly Uint8Array[] => {
    const leaves = known.leaves.get(`${t} ${node}`);
    if (leaves === undefined) throw new NotFetched({ t, node });
    return leaves;
  };
  const sealed = (nodes: readonly Uint8Array[]) => ({
    count: nodes.length,
    top: nodeTop(nodes, hash),
  });
  let weightsOpened = 0;
  const noteSeal = (nodes: readonly Uint8Array[], known?: Seal) => {
    const seal = known ?? sealed(nodes);
    notes.others.push({ data: toHex(seal.top), count: BigInt(seal.count), path: [] });
    return seal;
  };
  return {
    position: (t) => notes.positions.push(t) - 1,
    salt: (position) => known.positions[notes.positions[position]!]!.salt,
    leaves({ t, node }, position, run) {
      const leaves = leavesAt({ t, node });
      notes.rows.push({ t, node, position, run });
      return concat(leaves.slice(run.first, run.first + run.count));
    },
    rowSeal({ t, node }, position) {
      const leaves = leavesAt({ t, node });
      notes.rows.push({ t, node, position, run: 'seal' });
      return known.seals.get(`${t} ${node}`) ?? sealed(leafNodes(leaves, hash));
    },
    positionSeal(position) {
      const t = notes.positions[position]!;
      const rows = known.rows.get(t);
      if (rows === undefined) throw new NotFetched({ t });
      return noteSeal(rows, known.seals.get(`${t}`));
    },
    traceSeal: () => noteSeal(known.positions.map((position) => positionNode(position, hash))),
    weightLeaf(leaf) {
      const weight = model.graph.nodes[charge.node]!.weights[0]!;
      // Of a proof's openings of one weight, only the first leads on to the root of all.
      const { opening, data } = trees.weightLeaf(weight, {
        leaf,
        isFirst: weightsOpened++ === 0,
      });
      notes.others.push(opening);
      return data;
    },
    tokenLeaf(of, leaf) {
      const tokens = of === 'input' ? envelope.inputTokens : envelope.outputTokens;
      const opening = openLeaf(leafTree(tokenLeaves(envelope.salt, tokens).leaves), leaf);
      notes.others.push(opening);
      return fromHex(opening.data);
    },
    traceKey() {
      const data = traceKey(envelope.salt);
      notes.others.push({ data, count: 1n, path: [] });
      return fromHex(data);
    },
  };
}

async function openAll(options: ProverOptions, charge: Charge, notes: Notes): Promise<TraceProof> {
  const { source, hash, trees } = options;
  const { t, node, head, index, part } = charge;
  const all = await source.positions();
  const nodes = all.map((position) => positionNode(position, hash));
  const rows: Opening[] = [];
  const opened = new Set<string>();
  const firsts = new Map<number, number>();
  for (const row of notes.rows) {
    const key = `${row.position} ${row.node}`;
    const above = opened.has(key) ? [] : await wayUp(options, row, firsts.get(row.position));
    rows.push(await openRow(options, row, above));
    opened.add(key);
    if (!firsts.has(row.position)) firsts.set(row.position, row.node);
  }
  return {
    ...{ position: t, node, head, index, part },
    descriptor: trees.descriptor(node),
    positions: await Promise.all(
      notes.positions.map(async (at) => ({
        root: toHex(all[at]!.root),
        salt: toHex(all[at]!.salt),
        path: (
          await siblingsOf(options, { tree: 'positions' }, { nodes, run: { first: at, count: 1 } })
        ).map(toHex),
      })),
    ),
    rows,
    others: notes.others,
  };
}

/** Siblings of a row up to its position; if another row leads there already, only up to where they meet. */
async function wayUp(
  options: ProverOptions,
  { t, node }: RowAddress,
  first: number | undefined,
): Promise<readonly Hex[]> {
  const nodes = await options.source.rows(t);
  const tree = { nodes, run: { first: node, count: 1 } };
  const siblings = (await siblingsOf(options, { tree: 'rows', t }, tree)).map(toHex);
  if (first === undefined) return siblings;
  const pair = { index: node, other: first, width: nodes.length };
  return siblings.slice(0, meetingOf(pair).items);
}

/** Leaves of a row, with the rest of the way. */
async function openRow(
  options: ProverOptions,
  { t, node, run }: Notes['rows'][number],
  above: readonly Hex[],
): Promise<Opening> {
  const { source, hash } = options;
  const leaves = await source.leaves(t, node);
  const tree = { tree: 'leaves', t, node } as const;
  const seal = await source.seal?.(tree);
  const nodes = seal === undefined ? leafNodes(leaves, hash) : [];
  const count = BigInt(seal?.count ?? nodes.length);
  if (run === 'seal')
    return { data: toHex(seal?.top ?? nodeTop(nodes, hash)), count, path: [...above] };
  const path = [...(await siblingsOf(options, tree, { nodes, run })).map(toHex), ...above];
  return { data: toHex(concat(leaves.slice(run.first, run.first + run.count))), count, path };
}

/** The shape of the job's trace. */
export const proverJob = ({ envelope }: ProverOptions): TraceJob =>
  traceJob(envelope.job, envelope.receipt);
