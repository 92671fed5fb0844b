/** The court's completeness: every single change of a trace is convicted, and an honest trace by nothing. */
import { createHash } from 'node:crypto';
import { rowCount, rowLayout } from '@assay/engine';
import { toHex } from '@assay/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { traceJobOf } from './case.js';
import { chargesOf } from './charges.js';
import { findFraud } from './find-fraud.js';
import { judgeProof } from './judge.js';
import { type Charge, examineCharge, type ProverOptions } from './prover.js';
import { checkedSource, sourceOf, type TraceSource } from './source.js';
import { type HonestCase, honestCase } from './testing/honest-case.js';
import { lyingTrace } from './testing/lying-trace.js';
import { decodeProof } from './trace-proof.js';

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

const honest = honestCase({ seed: 3, inputCount: 62, outputCount: 9, hash: sha256 });
const job = traceJobOf(honest.signed);
const { graph } = honest.model;

const search = (source: TraceSource, from: HonestCase = honest) =>
  findFraud({ ...from, own: from.trace, source, hash: sha256 });

/** What the judge says about the proof that the finder gives for this trace. */
async function convict(source: TraceSource, from: HonestCase = honest) {
  const fraud = (await search(source, from))!;
  const signed = { ...from.signed, traceRoot: toHex(await source.root()) };
  const proof = decodeProof(fraud.bytes);
  const options = { graph: from.model.graph, kind: fraud.kind, proof, hash: sha256 };
  return {
    kind: fraud.kind,
    guilty: judgeProof({ ...options, signed }),
    /** The same openings cannot be shown under the honest root. */
    honest: () => judgeProof({ ...options, signed: from.signed }),
  };
}

/** One position for each thing that changes with it: first, logits, closing, two blocks, last. */
const POSITIONS = [0, 5, 61, 63, 64, 69];

const addressOf = (t: number, choice: number) => {
  const node = choice % rowCount(graph, job, t);
  return { t, node, layout: rowLayout(graph, job, { t, node }) };
};

/** A charge's verdict; one whose numbers do not exist in an honest row cannot be opened. */
async function verdictOf(options: ProverOptions, charge: Charge): Promise<boolean> {
  const layout = rowLayout(graph, job, charge);
  const inputHeads = graph.tensors[graph.nodes[charge.node]!.inputs[0]!]!.shape.at(1);
  const heads = charge.kind === 'joinTop' ? (inputHeads as number) : layout.heads;
  if (charge.index >= layout.size || charge.head >= heads) return false;
  try {
    return (await examineCharge(options, charge)).guilty;
  } catch (error) {
    expect(error).toMatchObject({ code: 'proof_malformed' });
    return false;
  }
}

describe('findFraud', () => {
  it('finds nothing in an honest trace', async () => {
    expect(await search(sourceOf(honest.trace))).toBeUndefined();
  });

  it('convicts nothing of an honest trace, whatever is charged', async () => {
    const source = checkedSource(sourceOf(honest.trace), sha256);
    const options = { ...honest, source, hash: sha256 };
    let charges = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...POSITIONS),
        fc.nat(),
        fc.nat(),
        async (at, choice, other) => {
          const { t, node } = addressOf(at, choice);
          const own = honest.trace.leaves(t, node);
          const theirs = own.map((leaf) => leaf.map((byte, i) => (byte + other * (i + 1)) % 256));
          const token = [...honest.envelope.inputTokens, ...honest.envelope.outputTokens][t]!;
          for (const charge of chargesOf({ graph, job, t, node, token, own, theirs })) {
            if (charges % 7 === 0) expect(await verdictOf(options, charge)).toBe(false);
            charges++;
          }
        },
      ),
      { seed: 12, numRuns: 30 },
    );
    expect(charges).toBeGreaterThan(500);
  });

  it('convicts any single bit of any leaf, with a proof that the judge opens', async () => {
    const kinds = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...POSITIONS),
        fc.nat(),
        fc.nat(),
        fc.nat(),
        async (at, choice, which, bit) => {
          const { t, node, layout } = addressOf(at, choice);
          const leaf = which % layout.leafCount;
          const change = (leaves: Uint8Array[]) => {
            const bytes = leaves[leaf]!;
            bytes[(bit >> 3) % bytes.length]! ^= 1 << (bit & 7);
            return leaves;
          };
          const source = lyingTrace(honest.trace, [{ t, node, change }], sha256);
          const verdict = await convict(source);
          expect(verdict.guilty).toBe(true);
          expect(verdict.honest).toThrow(expect.objectContaining({ code: 'proof_malformed' }));
          kinds.set(verdict.kind, (kinds.get(verdict.kind) ?? 0) + 1);
        },
      ),
      { seed: 11, numRuns: 250 },
    );
    expect([...kinds.keys()].length).toBeGreaterThan(20);
  });
});
