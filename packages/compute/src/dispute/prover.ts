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
  provePath,
  type RowAddress,
  type Run,
  type TraceJob,
} from '@assay/engine';
import {
  concat,
  fromHex,
  type ReceiptEnvelope,
  TOKENS_PER_LEAF,
  toHex,
  tokenLeaf,
  traceKey,
} from '@assay/protocol';
import type { Access } from './access.js';
import { traceJob } from './case.js';
import { TRACE_KINDS, type TraceKind } from './kinds/index.js';
import { leafTree, type ModelTrees, openLeaf } from './model-trees.js';
import type { TraceSource } from './source.js';
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
  const known: Known = { positions, rows: new Map(), leaves: new Map() };
  for (;;) {
    try {
      const { guilty, notes } = runRule(options, charge, known);
      return { guilty, open: () => openAll(options, charge, notes) };
    } catch (error) {
      if (!(error instanceof NotFetched)) throw error;
      await error.fetch(options.source, known);
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
};

/** Thrown through a rule when it reads what has not been fetched. */
class NotFetched extends Error {
  readonly address: { readonly t: number; readonly node?: number };

  constructor(address: { readonly t: number; readonly node?: number }) {
    super('not fetched');
    this.address = address;
  }

  async fetch(source: TraceSource, known: Known): Promise<void> {
    const { t, node } = this.address;
    if (node === undefined) known.rows.set(t, await source.rows(t));
    else known.leaves.set(`${t} ${node}`, await source.leaves(t, node));
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
  const noteSeal = (nodes: readonly Uint8Array[]) => {
    const seal = sealed(nodes);
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
      const nodes = leafNodes(leavesAt({ t, node }), hash);
      notes.rows.push({ t, node, position, run: 'seal' });
      return sealed(nodes);
    },
    positionSeal(position) {
      const t = notes.positions[position]!;
      const rows = known.rows.get(t);
      if (rows === undefined) throw new NotFetched({ t });
      return noteSeal(rows);
    },
    traceSeal: () => noteSeal(known.positions.map((position) => positionNode(position, hash))),
    weightLeaf(leaf) {
      const weight = model.graph.nodes[charge.node]!.weights[0]!;
      // Of a proof's openings of one weight, only the first leads on to the root of all.
      const { opening, data } = trees.weightLeaf(weight, leaf, weightsOpened++ === 0);
      notes.others.push(opening);
      return data;
    },
    tokenLeaf(of, leaf) {
      const tokens = of === 'input' ? envelope.inputTokens : envelope.outputTokens;
      const opening = openLeaf(leafTree(tokenLeaves(envelope.salt, tokens)), leaf);
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

/** Leaves of a commitment to tokens. */
const tokenLeaves = (salt: ReceiptEnvelope['salt'], tokens: readonly number[]): Uint8Array[] =>
  Array.from({ length: Math.ceil(tokens.length / TOKENS_PER_LEAF) }, (_, leaf) =>
    tokenLeaf(salt, leaf, tokens.slice(leaf * TOKENS_PER_LEAF, (leaf + 1) * TOKENS_PER_LEAF)),
  );

async function openAll(options: ProverOptions, charge: Charge, notes: Notes): Promise<TraceProof> {
  const { source, hash, trees } = options;
  const { t, node, head, index, part } = charge;
  const all = await source.positions();
  const nodes = all.map((position) => positionNode(position, hash));
  const rows: Opening[] = [];
  const opened = new Set<string>();
  for (const row of notes.rows) {
    const key = `${row.position} ${row.node}`;
    rows.push(await openRow(options, row, !opened.has(key)));
    opened.add(key);
  }
  return {
    ...{ position: t, node, head, index, part },
    descriptor: trees.descriptor(node),
    positions: notes.positions.map((at) => ({
      root: toHex(all[at]!.root),
      salt: toHex(all[at]!.salt),
      path: provePath(nodes, { first: at, count: 1 }, hash).map(toHex),
    })),
    rows,
    others: notes.others,
  };
}

/** Leaves of a row; of a proof's openings of one row, only the first leads on to the position's root. */
async function openRow(
  { source, hash }: ProverOptions,
  { t, node, run }: Notes['rows'][number],
  isFirst: boolean,
): Promise<Opening> {
  const leaves = await source.leaves(t, node);
  const nodes = leafNodes(leaves, hash);
  const place = { first: node, count: 1 };
  const above = isFirst ? provePath(await source.rows(t), place, hash).map(toHex) : [];
  const count = BigInt(nodes.length);
  if (run === 'seal') return { data: toHex(nodeTop(nodes, hash)), count, path: above };
  const path = [...provePath(nodes, run, hash).map(toHex), ...above];
  return { data: toHex(concat(leaves.slice(run.first, run.first + run.count))), count, path };
}

/** The shape of the job's trace. */
export const proverJob = ({ envelope }: ProverOptions): TraceJob =>
  traceJob(envelope.job, envelope.receipt);
