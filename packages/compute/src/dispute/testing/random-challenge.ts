/**
 * Challenges as somebody might send them who wants to see a provider convicted: any charge at any place of its trace
 * with openings that are all true; the same with a byte, a number or an opening changed; numbers beyond a row, with
 * what really stands in that place; and, so that it is known that judges convict at all, proofs against traces with one
 * bit changed. A challenge is a function of its case and seed.
 */
import { type HashFunction, rowCount, rowLayout, TRACE_LEAF_ELEMENTS } from '@assay/engine';
import { fromHex, type Hex, toHex } from '@assay/protocol';
import { traceJobOf } from '../case.js';
import { chargesOf } from '../charges.js';
import { findFraud } from '../find-fraud.js';
import { judgeProof } from '../judge.js';
import { BOUNDARY_KINDS, type BoundaryKind } from '../kinds/boundary.js';
import { TRACE_KINDS, type TraceKind } from '../kinds/index.js';
import { leafTree, openLeaf, tokenLeaves } from '../model-trees.js';
import { type Charge, examineCharge } from '../prover.js';
import { checkedSource, sourceOf, type TraceSource } from '../source.js';
import { decodeProof, encodeProof, type TraceProof } from '../trace-proof.js';
import type { HonestCase } from './honest-case.js';
import { lyingTrace } from './lying-trace.js';

export type ChallengedCase = HonestCase & {
  readonly source: TraceSource;
  /** SHA-256. */
  readonly hash: HashFunction;
};

export type Challenge = {
  readonly kind: TraceKind | BoundaryKind;
  /** Of the kind, in `contracts/dispute/Kinds.sol`. */
  readonly number: number;
  /** `opened`: all openings are true. `changed`: one thing in them is not. `lie`: the trace is not honest. */
  readonly manner: 'opened' | 'changed' | 'lie';
  readonly traceRoot: Hex;
  readonly bytes: Hex;
};

/** What a judge says: true convicts, false acquits, and a proof that does not open is refused. */
export type Judged = 'convicted' | 'acquitted' | 'refused';

export const challengedCase = (honest: HonestCase, hash: HashFunction): ChallengedCase => ({
  ...honest,
  source: checkedSource(sourceOf(honest.trace), hash),
  hash,
});

/** One in so many challenges is against a trace that lies. */
const LIE_EVERY = 10;
/** One in so many is about the receipt alone. */
const RECEIPT_EVERY = 16;
/** One in so many challenges names an element beyond its head. */
const BEYOND_EVERY = 16;
/** One in so many charges asks about the shape of a tree. */
const SHAPE_EVERY = 8;

const SHAPE_KINDS = ['leafForm', 'rowCount', 'positionCount', 'traceCount', 'salt'] as const;

type Draw = (below: number) => number;

/** Numbers below 2^32 from a seed (mulberry32). */
function drawFrom(seed: number): Draw {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** A challenge, or undefined if the numbers that were drawn do not exist in the trace. */
export async function drawChallenge(
  of: ChallengedCase,
  seed: number,
): Promise<Challenge | undefined> {
  const draw = drawFrom(seed);
  if (draw(LIE_EVERY) === 0) return lieAndProve(of, draw);
  if (draw(BEYOND_EVERY) === 0) return beyondHead(of, draw);
  const opened = draw(RECEIPT_EVERY) === 0 ? aboutReceipt(of, draw) : await aboutTrace(of, draw);
  if (opened === undefined) return undefined;
  const { kind, number, proof } = opened;
  const isChanged = draw(2) === 0;
  const bytes = isChanged ? changed(proof, draw) : encodeProof(proof);
  const manner = isChanged ? 'changed' : 'opened';
  return { kind, number, manner, traceRoot: of.signed.traceRoot, bytes };
}

/** The judges in TypeScript; a receipt alone is judged by contracts only. */
export function judgeChallenge(of: ChallengedCase, challenge: Challenge): Judged | undefined {
  const { kind, traceRoot, bytes } = challenge;
  if (!isTraceKind(kind)) return undefined;
  const signed = { ...of.signed, traceRoot };
  try {
    const proof = decodeProof(bytes);
    const options = { signed, graph: of.model.graph, kind, proof, hash: of.hash };
    return judgeProof(options) ? 'convicted' : 'acquitted';
  } catch {
    return 'refused';
  }
}

const isTraceKind = (kind: string): kind is TraceKind => kind in TRACE_KINDS;

type Opened = {
  readonly kind: TraceKind | BoundaryKind;
  readonly number: number;
  readonly proof: TraceProof;
};

/** A charge that a row with other bytes would call for, or about a shape; sometimes at other numbers. */
async function aboutTrace(of: ChallengedCase, draw: Draw): Promise<Opened | undefined> {
  const charge = drawCharge(of, draw);
  if (charge === undefined) return undefined;
  const { kind } = charge;
  try {
    const { open } = await examineCharge(of, charge);
    return { kind, number: TRACE_KINDS[kind].number, proof: await open() };
  } catch {
    // Numbers beyond the row; nobody could open what is not there.
    return undefined;
  }
}

function drawCharge(of: ChallengedCase, draw: Draw): Charge | undefined {
  const { graph } = of.model;
  const job = traceJobOf(of.signed);
  const t = draw(of.trace.positions.length);
  const node = draw(rowCount(graph, job, t));
  const layout = rowLayout(graph, job, { t, node });
  const place = { t, node, head: 0, index: 0, part: 0 };
  if (draw(SHAPE_EVERY) === 0) {
    const kind = SHAPE_KINDS[draw(SHAPE_KINDS.length)]!;
    return { ...place, kind, part: draw(layout.leafCount) };
  }
  const own = of.trace.leaves(t, node);
  const theirs = own.map((leaf) => leaf.map((byte) => (draw(16) === 0 ? draw(256) : byte)));
  const token = [...of.envelope.inputTokens, ...of.envelope.outputTokens][t]!;
  const charges = [...chargesOf({ graph, job, t, node, token, own, theirs })];
  const charge = charges[draw(Math.max(1, charges.length))];
  if (charge === undefined || draw(4) !== 0) return charge;
  return { ...charge, index: draw(layout.size), head: draw(layout.heads) };
}

/** The scores of the next head, opened as if they were further elements of the head whose facts are opened. */
async function beyondHead(of: ChallengedCase, draw: Draw): Promise<Challenge> {
  const { graph } = of.model;
  const nodes = [...graph.nodes.keys()].filter((at) => graph.nodes[at]!.op === 'softmax');
  const t = draw(of.trace.positions.length);
  const node = nodes[draw(nodes.length)]!;
  const { heads, leavesPerHead } = rowLayout(graph, traceJobOf(of.signed), { t, node });
  const head = draw(heads - 1);
  const index = draw(Math.min(t + 1, TRACE_LEAF_ELEMENTS));
  const kind = 'softmaxLargest';
  const openAt = async (there: number): Promise<TraceProof> => {
    const place = { t, node, head: there, index, part: 0 };
    return (await examineCharge(of, { ...place, kind })).open();
  };
  const [own, next] = [await openAt(head), await openAt(head + 1)];
  const rows = [next.rows[0]!, ...own.rows.slice(1)];
  const proof = { ...own, rows, index: index + leavesPerHead * TRACE_LEAF_ELEMENTS };
  const { number } = TRACE_KINDS[kind];
  return {
    kind,
    number,
    manner: 'opened',
    traceRoot: of.signed.traceRoot,
    bytes: encodeProof(proof),
  };
}

const NOTHING = { data: '0x', count: 0n, path: [] } as const;

/** Any kind about the receipt alone, with a true leaf of the answer. */
function aboutReceipt({ envelope }: ChallengedCase, draw: Draw): Opened {
  const kinds = Object.keys(BOUNDARY_KINDS) as BoundaryKind[];
  const kind = kinds[draw(kinds.length)]!;
  const index = draw(envelope.outputTokens.length);
  const { leaves, leafOf } = tokenLeaves(envelope.salt, envelope.outputTokens);
  const opening = openLeaf(leafTree(leaves), leafOf(index));
  const proof: TraceProof = {
    ...{ position: 0, node: 0, head: 0, index, part: 0 },
    ...{ descriptor: NOTHING, positions: [], rows: [], others: [opening] },
  };
  return { kind, number: BOUNDARY_KINDS[kind], proof };
}

/** The proof with one thing in it changed. */
function changed(proof: TraceProof, draw: Draw): Hex {
  const by = 1 + draw(3);
  const numbers = ['position', 'node', 'head', 'index', 'part'] as const;
  const choice = draw(4);
  if (choice === 0) {
    const name = numbers[draw(numbers.length)]!;
    return encodeProof({ ...proof, [name]: proof[name] ^ by });
  }
  if (choice === 1 && proof.rows.length > 1) {
    const turn = 1 + draw(proof.rows.length - 1);
    return encodeProof({
      ...proof,
      rows: [...proof.rows.slice(turn), ...proof.rows.slice(0, turn)],
    });
  }
  if (choice === 2 && proof.rows.length > 0) {
    const at = draw(proof.rows.length);
    const rows = proof.rows.map((opening, i) =>
      i === at ? { ...opening, path: opening.path.slice(draw(2), -1) } : opening,
    );
    return encodeProof({ ...proof, rows });
  }
  const bytes = fromHex(encodeProof(proof));
  bytes[draw(bytes.length)]! ^= 1 + draw(255);
  return toHex(bytes);
}

/** A proof against the trace with one bit of one leaf changed. */
async function lieAndProve(of: ChallengedCase, draw: Draw): Promise<Challenge> {
  const { graph } = of.model;
  const job = traceJobOf(of.signed);
  const t = draw(of.trace.positions.length);
  const node = draw(rowCount(graph, job, t));
  const leaf = draw(rowLayout(graph, job, { t, node }).leafCount);
  const [place, bit] = [draw(2 ** 16), draw(8)];
  const change = (leaves: Uint8Array[]) => {
    const bytes = leaves[leaf]!;
    bytes[place % bytes.length]! ^= 1 << bit;
    return leaves;
  };
  const source = lyingTrace(of.trace, [{ t, node, change }], of.hash);
  const fraud = await findFraud({ ...of, own: of.trace, source });
  if (fraud === undefined)
    throw new Error(`no proof against bit ${bit} of (${t}, ${node}, ${leaf})`);
  const { kind, number, bytes } = fraud;
  return { kind, number, manner: 'lie', traceRoot: toHex(await source.root()), bytes };
}
