/**
 * From two traces to a conviction: the first row in which the provider's trace differs from an honest one, position by
 * position and node by node, is made from inputs on which both agree; so what is wrong in it can be shown by itself.
 * If the traces are equal, the tokens may still not be those that the logits give.
 */
import { rowCount, rowLayout, type Trace, type TraceJob, tracePositions } from '@assay/engine';
import { assert, type Hex } from '@assay/protocol';
import { sampleToken } from '../sampling.js';
import { decodeElements } from './access.js';
import { chargesOf } from './charges.js';
import { TRACE_KINDS, type TraceKind } from './kinds/index.js';
import { type Charge, type ProverOptions, proveCharge, proverJob } from './prover.js';
import { checkedSource, sameBytes, type TraceSource } from './source.js';
import { encodeProof, type TraceProof } from './trace-proof.js';

export type Fraud = {
  readonly kind: TraceKind;
  /** The number of the kind in `contracts/dispute/Kinds.sol`. */
  readonly number: number;
  readonly proof: TraceProof;
  /** What `IJudge.isGuilty` takes. */
  readonly bytes: Hex;
};

export type FraudSearch = ProverOptions & {
  /** The honest trace of the same job and tokens: `traceOf` with the job's `traceKey`. */
  readonly own: Trace;
};

/**
 * A proof that convicts the provider, or undefined if its trace is right and gives the tokens of the receipt. Throws
 * `trace_unanswered` if the source's answers do not fit each other: then only a dispute on chain helps.
 *
 * @example
 * const fraud = await findFraud({ model, trees: modelTrees(model), envelope, own, source, hash: sha256 });
 * if (fraud !== undefined) await prove(fraud.number, fraud.bytes);
 */
export async function findFraud(search: FraudSearch): Promise<Fraud | undefined> {
  const options = { ...search, source: checkedSource(search.source, search.hash) };
  const job = proverJob(options);
  const found = await firstDifference(options.source, search.own, { ...options, job });
  if (found === undefined) return findWrongToken(options, job);
  for (const charge of found) {
    const proof = await proveCharge(options, charge);
    if (proof !== undefined) return fraudOf(charge.kind, proof);
  }
  assert(false, 'every difference in a trace can be shown by one of the kinds');
}

const fraudOf = (kind: TraceKind, proof: TraceProof): Fraud => ({
  kind,
  number: TRACE_KINDS[kind].number,
  proof,
  bytes: encodeProof(proof),
});

const chargeAt = (kind: TraceKind, t: number, node = 0): Charge => ({
  ...{ kind, t, node, head: 0, index: 0, part: 0 },
});

/** Charges for the first place where the traces differ; undefined if they are equal. */
async function firstDifference(
  source: TraceSource,
  own: Trace,
  { model, envelope, job }: ProverOptions & { readonly job: TraceJob },
): Promise<Iterable<Charge> | undefined> {
  if (sameBytes(await source.root(), own.root)) return undefined;
  const positions = await source.positions();
  if (positions.length !== tracePositions(job)) return [chargeAt('traceCount', 0)];
  const salted = positions.findIndex(({ salt }, t) => !sameBytes(salt, own.positions[t]!.salt));
  if (salted >= 0) return [chargeAt('salt', salted)];
  const t = positions.findIndex(({ root }, i) => !sameBytes(root, own.positions[i]!.root));
  const rows = await source.rows(t);
  if (rows.length !== rowCount(model.graph, job, t)) return [chargeAt('positionCount', t)];
  const node = own.rows(t).findIndex((root, i) => !sameBytes(root, rows[i]!));
  const token = [...envelope.inputTokens, ...envelope.outputTokens][t]!;
  const [ours, theirs] = [own.leaves(t, node), await source.leaves(t, node)];
  return chargesOf({ graph: model.graph, job, t, node, token, own: ours, theirs });
}

/** The first token that the logits do not give; controls act before the cuts and are not the court's. */
async function findWrongToken(
  options: ProverOptions & { readonly own: Trace },
  job: TraceJob,
): Promise<Fraud | undefined> {
  const { model, envelope, own } = options;
  if (job.controlled) return undefined;
  const node = model.graph.nodes.length - 1;
  for (const [i, found] of envelope.outputTokens.entries()) {
    const t = job.inputCount - 1 + i;
    const layout = rowLayout(model.graph, job, { t, node });
    const leaves = own.leaves(t, node).slice(layout.factLeaves, layout.firstPartial);
    const logits = Int32Array.from(leaves.flatMap((leaf) => decodeElements(layout, leaf)));
    const index = sampleToken(logits, envelope.job.sampler, job.inputCount + i);
    if (index === found) continue;
    const proof = await proveCharge(options, { ...chargeAt('token', t, node), index });
    assert(proof !== undefined, 'a token that is not the one drawn can be shown by it');
    return fraudOf('token', proof);
  }
  return undefined;
}
